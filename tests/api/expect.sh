# Sourced by the tests of the command: each check names its line when it fails, and the script ends with their sum.
failures=0

# The test runner names programs from its own folder; the tests work in another.
absolute() {
    case $1 in
    /*) echo "$1" ;;
    *) echo "$PWD/$1" ;;
    esac
}

complain() {
    failures=$((failures + 1))
    echo "FAIL: $*"
    sed 's/^/  stderr: /' err.txt | head -5
}

# expect STATUS COMMAND...: runs the command; its output is in out.txt and err.txt.
expect() {
    wanted=$1
    shift
    what=$*
    "$@" >out.txt 2>err.txt </dev/null
    status=$?
    [ "$status" -eq "$wanted" ] || complain "exit $status, not $wanted: $what"
}

# The last command's stderr is exactly one line "sae: …" that holds every given text.
one_line_naming() {
    [ "$(wc -l <err.txt)" -eq 1 ] && grep -q '^sae: ' err.txt || complain "not one line on stderr: $what"
    for text in "$@"; do
        grep -qF -e "$text" err.txt || complain "stderr does not say '$text': $what"
    done
}

prints() {
    for text in "$@"; do
        grep -qF -e "$text" out.txt || complain "stdout does not say '$text': $what"
    done
}

same() {
    cmp -s "$1" "$2" || complain "$1 and $2 differ"
}

absent() {
    for path in "$@"; do
        [ ! -e "$path" ] || complain "$path was left behind: $what"
    done
}

finish() {
    [ "$failures" -eq 0 ] || echo "$failures checks failed"
    exit "$([ "$failures" -eq 0 ] && echo 0 || echo 1)"
}
