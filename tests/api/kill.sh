# kill.sh SOURCE_DIR SAE MAKE_DUMPS DIE_AT: a training killed by SIGKILL, at 20 random moments and at each of its
# calls that change a file, ends in the bits of an undisturbed run when it is resumed. SEED picks the moments.
. "$1/expect.sh"
sae=$(absolute "$2")
make_dumps=$(absolute "$3")
die_at=$(absolute "$4")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
"$make_dumps" . || exit 1
seed=${SEED:-1}
echo "SEED=$seed"

# start_over OPTIONS: the run to compare with.
start_over() {
    options="--latents 32 -k 3 --batch 128 --checkpoint-seconds 0 --quiet $1"
    rm -f undisturbed
    expect 0 "$sae" train mix.npy -o undisturbed $options
}

finish_and_compare() {
    what=$1
    "$sae" train mix.npy -o m $options --resume >out.txt 2>err.txt || complain "cannot be resumed: $1"
    same m undisturbed
    # Killed between saving the model and removing the checkpoint, a run counts as complete; nothing is deleted.
    grep -q 'already complete' err.txt || absent m.ckpt m.ckpt.prev
    rm -f m m.ckpt m.ckpt.prev
}

# random LIMIT: drawn is the next number of 0 .. LIMIT - 1 (MINSTD).
random() {
    seed=$(((seed * 48271 + 11) % 2147483647))
    drawn=$((seed / 7 % $1))
}

# At random moments: each run goes on from where the last one died, until one got as far as its model.
start_over '--steps 5000'
killed=0
while [ "$killed" -lt 20 ]; do
    random 300000
    what="killed after $drawn microseconds"
    "$sae" train mix.npy -o m $options --resume >out.txt 2>err.txt &
    pid=$!
    sleep "$(printf '0.%06d' "$drawn")"
    kill -s KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    status=$?
    case $status in
    137) killed=$((killed + 1)) ;;
    0) ;;
    *) complain "exit $status: $what" ;;
    esac
    [ ! -f m ] || finish_and_compare "$what, the model is there"
done 2>killed.txt
finish_and_compare '20 random kills'

# At each call: while the checkpoint is written for the first time, over another, and while the model is.
start_over '--steps 40'
calls=0
status=137
while [ "$status" -eq 137 ] && [ "$calls" -lt 200 ]; do
    calls=$((calls + 1))
    what="killed at call $calls"
    DIE_AT=$calls LD_PRELOAD=$die_at "$sae" train mix.npy -o m $options --resume >out.txt 2>err.txt
    status=$?
    [ "$status" -ne 137 ] || DIE_AT=$calls LD_PRELOAD=$die_at "$sae" train mix.npy -o m $options --resume >out.txt 2>err.txt
    finish_and_compare "killed twice at call $calls"
done 2>killed.txt
[ "$status" -eq 0 ] || complain "exit $status: $what"
[ "$calls" -ge 10 ] || complain "only $calls calls change files"
echo "20 random kills; $((calls - 1)) calls killed at"
finish
