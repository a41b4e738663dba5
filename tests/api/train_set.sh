# train_set.sh SOURCE_DIR SAE MAKE_DUMPS DIE_AT: several SAEs from one command: their names, their bits, stops and kills.
. "$1/expect.sh"
sae=$(absolute "$2")
make_dumps=$(absolute "$3")
die_at=$(absolute "$4")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
"$make_dumps" . || exit 1
small='--batch 256 --steps 60 --quiet'
grid='--latents 16,32 -k 2,3 --seeds 4,5'

# Names hold what varies; each is the SAE that is trained alone.
expect 0 "$sae" train mix.npy -o set.safetensors $grid $small --json --threads 2 --log log.jsonl
[ "$(grep -c '"fvu":' out.txt)" -eq 8 ] && [ "$(wc -l <out.txt)" -eq 8 ] || complain '--json prints not one object a model'
for latents in 16 32; do
    for k in 2 3; do
        for seed in 4 5; do
            name=set-F$latents-k$k-s$seed.safetensors
            grep -qF "\"model\":\"$name\"" out.txt || complain "--json does not name $name"
            [ "$(grep -F "\"model\":\"$name\"" log.jsonl | grep -c '"event":"step"')" -eq 60 ] ||
                complain "the log does not hold every step of $name"
        done
    done
done
expect 0 "$sae" train mix.npy -o alone --latents 32 -k 2 --seed 5 --data-seed 4 $small --threads 1
same alone set-F32-k2-s5.safetensors
[ "$(ls | grep -c '^set-')" -eq 8 ] || complain "other files than eight models: $(ls)"
absent set.safetensors
expect 0 "$sae" train mix.npy -o rates --latents 16 -k 2 --lrs 1e-3,0.002 --seeds 4 $small
[ -f rates-lr0.001 ] && [ -f rates-lr0.002 ] || complain "names: $(ls)"
expect 0 "$sae" train mix.npy -o single --latents 16 -k 2 --lrs 0.002 --seeds 4 $small
same single rates-lr0.002

# Nothing that exists is replaced, and lists are checked before any work.
expect 1 "$sae" train mix.npy -o set.safetensors $grid $small
one_line_naming set-F16-k2-s4.safetensors --force
expect 0 "$sae" train mix.npy -o set.safetensors $grid $small --resume
[ "$(grep -c 'already complete' err.txt)" -eq 8 ] || complain 'complete SAEs are not recognised'
for bad in '--seeds 1,1' '--seeds 1,' '--seeds 1,x' '--latents 8,-8' '--lrs 1e-3,0.001' '--lrs 1e-3,nan' \
    '--seeds 1,2 --seed 3' '--lrs 1e-3,1e-4 --lr 1'; do
    expect 2 "$sae" train mix.npy -o never $small $bad
    one_line_naming "${bad%% *}"
done
expect 2 "$sae" train mix.npy -o never $small --seeds 1,2,3,4,5,6,7,8,9 -k 1,2,3,4,5,6,7,8
one_line_naming '72 SAEs' 64
expect 1 "$sae" train mix.npy -o never --latents 8,16 -k 4,9 $small
one_line_naming 'SAE 2 of 4' 'k must not exceed'
[ "$(ls | grep -c never)" -eq 0 ] || complain "files were left behind: $(ls)"

# Stopped by a signal, all are saved.
few='--latents 16,32 -k 2 --batch 128 --seeds 4,5 --checkpoint-seconds 0 --quiet'
expect 0 "$sae" train mix.npy -o whole $few --steps 3000
"$sae" train mix.npy -o cut $few --steps 3000 --log cut.jsonl >out.txt 2>err.txt &
pid=$!
while kill -0 "$pid" 2>/dev/null; do
    [ -f cut.jsonl ] && [ "$(wc -l <cut.jsonl)" -ge 200 ] && break
    sleep 0.02
done
kill -s TERM "$pid"
wait "$pid"
status=$?
what='stopped by TERM'
[ "$status" -eq 143 ] || complain "exit $status, not 143"
[ "$(ls | grep -c '^cut-.*\.ckpt$')" -eq 4 ] || complain "not every SAE has a checkpoint: $(ls)"
expect 0 "$sae" train mix.npy -o cut $few --steps 3000 --resume
for name in F16-s4 F16-s5 F32-s4 F32-s5; do
    same "cut-$name" "whole-$name"
    absent "cut-$name.ckpt" "cut-$name.ckpt.prev"
done

# kill_at_each_call NAMES OPTIONS...: the set ends, resumed, in the models of an undisturbed run.
kill_at_each_call() {
    names=$1
    shift
    expect 0 "$sae" train mix.npy -o whole "$@" --force
    calls=0
    died=137
    while [ "$died" -eq 137 ] && [ "$calls" -lt 300 ]; do
        calls=$((calls + 1))
        DIE_AT=$calls LD_PRELOAD=$die_at "$sae" train mix.npy -o killed "$@" >out.txt 2>err.txt
        died=$?
        expect 0 "$sae" train mix.npy -o killed "$@" --resume
        what="killed at call $calls: $*"
        for name in $names; do
            same "killed-$name" "whole-$name"
            rm -f "killed-$name" "killed-$name.ckpt" "killed-$name.ckpt.prev"
        done
    done 2>killed.txt
    [ "$died" -eq 0 ] || complain "exit $died at call $calls"
    [ "$calls" -ge 20 ] || complain "only $calls calls change files"
    echo "$((calls - 1)) calls killed at"
}

# Between two checkpoints.
kill_at_each_call 'F16 F32' --latents 16,32 -k 2 --batch 128 --checkpoint-seconds 0 --steps 30 --quiet
# Between two models, where the second would choose another batch if it were alone.
kill_at_each_call 'F16 F4100' --latents 16,4100 -k 2 --checkpoint-seconds 1e9 --steps 3 --quiet
finish
