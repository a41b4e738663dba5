# corpus.sh SOURCE_DIR SAE CORPUS: 'sae info --verify' reads or refuses every file of the corpus. Notes and the reason,
# which comes last, are lines of ours: nothing that a library, a sanitizer or the C library has to say.
. "$1/expect.sh"
sae=$(absolute "$2")
corpus=$(absolute "$3")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

files=0
while read -r name class rest; do
    [ "$class" != class ] || continue
    files=$((files + 1))
    what="sae info --verify $name"
    "$sae" info --verify --json "$corpus/$name" >out.txt 2>err.txt </dev/null
    status=$?
    case $class:$status in
    invalid:1 | policy:1 | robust:1)
        tail -n 1 err.txt | grep -qF "$name: " || complain "no reason: $what"
        ;;
    valid:0 | policy:0 | robust:0) ;;
    *) complain "exit $status of a file that is $class: $what" ;;
    esac
    ! grep -qv '^sae: ' err.txt || complain "a line that is not ours: $what"
done <"$corpus/MANIFEST.tsv"
[ "$files" -gt 200 ] || complain "only $files files in the manifest"
finish
