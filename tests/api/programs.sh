# programs.sh SOURCE_DIR SAE MAKE_DUMPS DATA PROGRAMS...: the example programs do what they say.
. "$1/expect.sh"
sae=$(absolute "$2")
make_dumps=$(absolute "$3")
data=$4
find_persona=$(absolute "$5")
train_in_memory=$(absolute "$6")
encode_row=$(absolute "$7")
custom_statistic=$(absolute "$8")
monitor=$(absolute "$9")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
"$make_dumps" . || exit 1

# at_least NUMBER LIMIT
at_least() {
    awk -v number="$1" -v limit="$2" 'BEGIN { exit !(number + 0 >= limit + 0) }' ||
        complain "'$1' is below $2: $what"
}

expect 0 "$train_in_memory"
prints '64 latents, k 3'
at_least "$(sed -n 's/.*explained variance \([0-9.]*\).*/\1/p' out.txt)" 0.8

expect 0 "$sae" train mix.npy -o model --latents 32 -k 3 --batch 256 --steps 300 --quiet
expect 0 "$encode_row" model base.npy 7
[ "$(grep -c '^latent' out.txt)" -eq 3 ] || complain 'a row does not have k active latents'
prints 'squared error'
expect 1 "$encode_row" model base.npy 400
expect 1 "$encode_row" model other.npy 0
expect 0 "$custom_statistic" model base.npy after.npy
[ "$(grep -c 'sign balance' out.txt)" -eq 10 ] || complain 'not ten latents'
at_least "$(sed -n 's/^ 1 .*sign balance \([+0-9.]*\).*/\1/p' out.txt)" 0.5
expect 1 "$custom_statistic" model base.npy shuffled.npy

# The planted latent, and as many alarms row by row as the command finds.
expect 0 "$sae" rank model --before base.npy --after after.npy --top 1
best=$(awk '$1 == 1 { print $2 }' out.txt)
expect 0 "$sae" monitor model --latent "$best" --control base.npy --control control.npy -o monitor.json
expect 3 "$sae" monitor model monitor.json after.npy
alarms=$(awk '$1 == "prompts" { print $2 }' out.txt)
expect 0 "$monitor" model monitor.json after.npy
prints "$alarms of 40 prompts above" '2.0 expected'
[ "$(grep -c '^prompt ' out.txt)" -eq "$alarms" ] || complain 'not a line for each alarm'
expect 1 "$monitor" model monitor.json other.npy
expect 1 "$monitor" model model after.npy

# The validation rows are few enough to train on in a test.
expect 0 "$find_persona" "$data/pretrain_val.h5" "$data/eval_base.h5" "$data/eval_dose100.h5" \
    "$data/eval_dose000.h5" "$data/pretrain_val.h5" 240
prints '1. latent' 'tells 24 documents of the persona from 287 others'
at_least "$(sed -n 's/.*AUROC \([0-9.]*\).*/\1/p' out.txt)" 0.95
for program in "$find_persona" "$encode_row" "$custom_statistic" "$monitor"; do
    expect 2 "$program"
    grep -q '^usage: ' err.txt || complain "$program does not say how it is used"
done
finish
