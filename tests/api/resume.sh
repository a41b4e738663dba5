# resume.sh SOURCE_DIR SAE MAKE_DUMPS: a training that is stopped or killed ends, resumed, in the same bits.
. "$1/expect.sh"
sae=$(absolute "$2")
make_dumps=$(absolute "$3")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
"$make_dumps" . || exit 1
options='--latents 32 -k 3 --batch 128 --steps 4000 --checkpoint-seconds 0.05 --quiet'

expect 0 "$sae" train mix.npy -o undisturbed $options

# begin SIGNAL LINES: starts a run and sends the signal once its log has so many lines.
begin() {
    "$sae" train mix.npy -o m $options --log log.jsonl $3 >out.txt 2>err.txt &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        [ -f log.jsonl ] && [ "$(wc -l <log.jsonl)" -ge "$2" ] && break
        sleep 0.02
    done
    kill -s "$1" "$pid" 2>/dev/null
    wait "$pid"
    status=$?
    what="stopped by $1 after $2 log lines"
}

begin TERM 50
[ "$status" -eq 143 ] || complain "exit $status, not 143"
[ "$(wc -l <err.txt)" -eq 1 ] && grep -q -e '--resume' err.txt || complain 'no single line says how to resume'
[ -f m.ckpt ] || complain 'no checkpoint after SIGTERM'
absent m
cp m.ckpt kept.ckpt
expect 1 "$sae" train mix.npy -o m $options
one_line_naming m.ckpt --resume --force
same m.ckpt kept.ckpt
expect 1 "$sae" train mix.npy -o m --steps 77 --resume --quiet
one_line_naming --steps 77 4000
same m.ckpt kept.ckpt
expect 1 "$sae" train base.npy -o m $options --resume
grep -q '^sae: ' err.txt || complain 'other data were accepted by --resume'

begin KILL 200 --resume
[ "$status" -eq 137 ] || complain "exit $status, not 137"
printf '{"event":"st' >>log.jsonl
expect 0 "$sae" train mix.npy -o m $options --log log.jsonl --resume
same m undisturbed
absent m.ckpt m.ckpt.prev
[ "$(grep -c '"event":"resume"' log.jsonl)" -eq 2 ] || complain 'the log does not tell of two resumed runs'
[ "$(grep -c '^{.*}$' log.jsonl)" -eq "$(($(wc -l <log.jsonl) - 1))" ] || complain 'the log has glued lines'
[ "$(ls -a | grep -c tmp)" -eq 0 ] || echo "note: the killed run left a temporary: $(ls -a | grep tmp)"

finish
