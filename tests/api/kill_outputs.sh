# kill_outputs.sh SOURCE_DIR SAE MAKE_DUMPS DIE_AT: whatever is written as arrays, killed at each of its calls that
# change a file, leaves no file under the name of the output, or the old one.
. "$1/expect.sh"
sae=$(absolute "$2")
make_dumps=$(absolute "$3")
die_at=$(absolute "$4")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
"$make_dumps" . || exit 1
expect 0 "$sae" train base.npy -o m --latents 32 -k 3 --steps 20 --batch 64 --quiet

# kill_each OUTPUT ARGUMENTS: the arguments write the output.
kill_each() {
    output=$1
    shift
    calls=0
    status=137
    while [ "$status" -eq 137 ] && [ "$calls" -lt 500 ]; do
        calls=$((calls + 1))
        what="killed at call $calls: $*"
        rm -f "$output" .??*
        [ $((calls % 2)) -eq 0 ] || echo old >"$output"
        DIE_AT=$calls LD_PRELOAD=$die_at "$sae" "$@" --force --quiet >out.txt 2>err.txt
        status=$?
        [ "$status" -eq 137 ] || continue
        [ $((calls % 2)) -eq 0 ] || [ -e "$output" ] || complain "the old file is gone: $what"
        if [ -s "$output" ] && [ "$(head -c 4 "$output" | tr -d '\0')" != old ]; then
            # Killed behind the rename, it is the whole new file.
            "$sae" info --verify "$output" >out.txt 2>err.txt || complain "half a file is left: $what"
        fi
    done 2>killed.txt
    [ "$status" -eq 0 ] || complain "exit $status: $what"
    "$sae" info --verify "$output" >out.txt 2>err.txt || complain "cannot be read: $*"
    [ "$calls" -ge 4 ] || complain "only $calls calls change files: $*"
    echo "$((calls - 1)) calls killed at: $*"
}

for format in h5 npz safetensors pt; do
    kill_each "codes.$format" encode m base.npy -o "codes.$format"
    kill_each "dump.$format" convert base.npy -o "dump.$format"
done
kill_each dump2.npy convert base.npy -o dump2.npy
kill_each means.npz encode m base.npy -o means.npz --prompts
kill_each statistics.safetensors eval m base.npy --arrays statistics.safetensors
kill_each ranking.npz rank m --before base.npy --after after.npy -o ranking.npz --bootstrap 0 --permutations 100
finish
