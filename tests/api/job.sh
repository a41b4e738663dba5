# job.sh SOURCE_DIR SAE MAKE_DUMPS: the whole job on small dumps, and how it refuses what is wrong.
. "$1/expect.sh"
sae=$(absolute "$2")
make_dumps=$(absolute "$3")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
"$make_dumps" . || exit 1
small='--latents 32 -k 3 --batch 256 --steps 300 --seed 5'

# Training, the same on any number of threads.
expect 0 "$sae" train mix.npy -o m1 $small --threads 1 --log log.jsonl
prints 'chosen: topk, 32 latents, k 3, 300 steps of 256 rows' FVU 'held-out rows' 'dead latents'
expect 0 "$sae" train mix.npy -o m2 $small --threads 2 --quiet --json
[ ! -s err.txt ] || complain '--quiet is not quiet'
prints '"latents":32' '"fvu":'
[ "$(wc -l <out.txt)" -eq 1 ] || complain '--json prints more than one object'
same m1 m2
absent m1.ckpt m1.ckpt.prev m2.ckpt m2.ckpt.prev
[ "$(grep -c '"event":"step"' log.jsonl)" -eq 300 ] || complain 'the log does not hold every step'
[ "$(grep -c '"exact_rows":[0-9]' log.jsonl)" -eq 300 ] || complain 'a step does not say how many rows were exact'
[ "$(grep -c '"event":"heldout"' log.jsonl)" -eq 20 ] || complain 'the log does not hold twenty held-out figures'
grep -q '"event":"start"' log.jsonl || complain 'the log holds no start'
cp m1 kept
expect 1 "$sae" train mix.npy -o m1 $small
one_line_naming m1 --force
same m1 kept
expect 0 "$sae" train mix.npy -o m1 $small --resume
grep -q 'already complete' err.txt || complain 'a complete run is not recognised'
same m1 kept
expect 1 "$sae" train mix.npy -o new $small --log log.jsonl
one_line_naming log.jsonl --force
absent new
expect 0 "$sae" train mix.npy -o new $small --resume --quiet
grep -q 'from the beginning' err.txt || complain 'a resume without a checkpoint says nothing'
same new m1
expect 0 "$sae" train mix.npy -o seldom $small --quiet --log seldom.jsonl --heldout-every 120
[ "$(grep -c '"event":"heldout"' seldom.jsonl)" -eq 3 ] || complain '--heldout-every is not heeded'

# The fit: the same on any number of threads, and the same as was measured in training.
expect 0 "$sae" eval m1 mix.npy --threads 1
prints 'topk (topk), 32 latents, width 16' saelens_legacy dictionary_learning sparsify_fvu openai_nmse L0 L1 \
    'silent on all rows' 'below 1e-5' 'above 0.1' 'largest cosine'
cp out.txt eval.txt
expect 0 "$sae" eval m1 mix.npy --threads 2 --quiet
same out.txt eval.txt
expect 0 "$sae" eval m1 mix.npy --json
[ "$(wc -l <out.txt)" -eq 1 ] || complain 'eval --json prints more than one object'
prints '"activation":"topk"' '"rows":6000' '"openai_nmse":' '"silent":' '"decoder_cosines":{'
expect 0 "$sae" eval m1 mix.npy --json --no-cosines --where 'position>4'
prints '"rows":3000' '"decoder_cosines":null'

# Ranking: the planted latent comes first, with and without a control, on any number of threads.
rank="$sae rank m1 --before base.npy --after after.npy --control control.npy"
expect 0 $rank -o r1.csv --threads 1 --top 3
prints before after control 'prompts, paired' latent excess
cp out.txt table.txt
expect 0 $rank -o r2.csv --threads 2 --quiet
same r1.csv r2.csv
[ "$(wc -l <r1.csv)" -eq 33 ] || complain 'the CSV does not hold a header and 32 latents'
expect 0 $rank -o - --quiet
same out.txt r1.csv
grep -q excess err.txt || complain 'no table on stderr beside -o -'
expect 0 $rank -o r.jsonl --format jsonl --quiet
[ "$(wc -l <r.jsonl)" -eq 32 ] || complain 'the JSON lines are not 32'
expect 1 $rank -o r1.csv
one_line_naming r1.csv --force
same r1.csv r2.csv
expect 0 $rank --match-positions -o r3.csv --quiet
same r1.csv r3.csv
# Every score side by side. The file is in the order that --by asks for, and its names are those of --by.
for by in delta excess excess_worst t moderated_t effect frequency cos_shift difference_encoding attribution; do
    expect 0 $rank --by $by --gradients after.npy --rankers s.csv --force --bootstrap 0 --top 3
    prints 'rank by each' 'rank correlation' 'first 10 in common' 'no min_over_bad'
    awk -F, -v by=${by}_rank 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == by) column = i; next }
        $2 != $column { wrong = 1 } END { exit wrong || NR != 33 }' s.csv || complain "--by $by: another order"
done
two="$rank --after after.npy --control base.npy --bootstrap 0 --rankers s.csv --force"
expect 0 $two --over mean
prints 'mean_over_bad'
head -n 2 s.csv | tail -n 1 | grep -q "^$(sed -n 2p r1.csv | cut -d, -f1),1," || complain 'another latent is first over two'
expect 0 $two --controls worst --over min --threads 1
cp s.csv s1.csv
expect 0 $two --controls worst --over min --threads 2
same s.csv s1.csv
expect 1 $rank --rankers s.csv
one_line_naming s.csv --force
expect 1 $rank -o x.csv --rankers x.csv --force
one_line_naming x.csv
absent x.csv
expect 1 $rank --rankers never.csv --gradients mix.npy
one_line_naming mix.npy tokens
expect 1 "$sae" rank m1 --before base.npy --after after.npy --by excess
one_line_naming 'needs a control'
absent never.csv
cp base.npy bare.npy
cp base.prompt_id.npy bare.prompt_id.npy
expect 1 "$sae" rank m1 --before base.npy --after bare.npy --match-positions
one_line_naming bare.npy position
expect 0 "$sae" rank m1 --before base.npy --after shuffled.npy --direction both
prints 'not paired'
expect 1 "$sae" rank m1 --before base.npy --after shuffled.npy --paired
one_line_naming shuffled.npy
expect 1 "$sae" rank m1 --before base.npy --after other.npy -o never.csv
one_line_naming other.npy 17 16
expect 1 "$sae" rank m1 --before base.npy --after after.npy --group nothing -o never.csv
one_line_naming nothing
expect 1 "$sae" rank m1 --before base.npy --after mix.npy --group prompt_id -o never.csv
one_line_naming prompt_id
expect 1 "$sae" rank m1 --before base.npy --after mix.npy -o never.csv
one_line_naming mix.npy base.npy prompt_id doc_id
absent never.csv

# The first latent tells the persona's documents from the others; that is checked with labels.
best=$(sed -n 2p r1.csv | cut -d, -f1)
expect 0 "$sae" auroc m1 mix.npy --latent "$best" --label persona=1 --group doc_id --json
prints '"positive":60' '"negative":540'
sed 's/.*"auroc":\([0-9.]*\).*/\1/' out.txt | awk '{ exit !($1 >= 0.98) }' || complain "AUROC: $(cat out.txt)"
expect 0 "$sae" auroc m1 mix.npy --latent "$best" --label persona=1 --where 'position>2'
prints AUROC 'standard error'
expect 1 "$sae" auroc m1 mix.npy --latent 32 --label persona=1
one_line_naming 32
expect 1 "$sae" auroc m1 mix.npy --latent 0 --label 'colour=1'
one_line_naming colour
expect 1 "$sae" auroc m1 mix.npy --latent 0 --label persona=1 --where 'position>'
one_line_naming position

# Looking.
expect 0 "$sae" top m1 after.npy --latent "$best" -n 4 --context 3
prints '[[' prompt_id
[ "$(wc -l <out.txt)" -eq 5 ] || complain 'top -n 4 does not print four rows and a heading'
echo '["a","b","c","d","e","f","g","h","i","j","k","l"]' >list.json
expect 0 "$sae" top m1 after.npy --latent "$best" -n 4 --vocab list.json
grep -q '\[\[[a-l]\]\]' out.txt || complain 'the vocabulary is not used'
echo '{"Ġa":0,"b":1,"Ġc":2}' >object.json
expect 0 "$sae" top m1 after.npy --latent "$best" --vocab object.json
expect 1 "$sae" top m1 after.npy --latent "$best" --vocab after.npy
one_line_naming after.npy vocabulary
expect 0 "$sae" info m1 mix.npy
prints W_enc float32 '16 x 32' '6000 x 16' model dump
expect 0 "$sae" info m1 --json
prints '"role":"model"' '"W_dec"'
expect 1 "$sae" info missing mix.npy
prints '6000 x 16'
one_line_naming missing

# Other tools' layouts, and dumps in another format.
for layout in saelens sparsify dictionary_learning; do
    expect 0 "$sae" convert m1 -o "as_$layout" --to "$layout"
    prints "written: as_$layout"
    expect 0 "$sae" convert "as_$layout" --check mix.npy
    prints source_format "source_b_dec          subtracted at the input" 'check: 6000 rows'
    expect 0 "$sae" info "as_$layout"
    prints source_orientation
    expect 1 "$sae" convert m1 -o "as_$layout" --to "$layout"
    one_line_naming exists "as_$layout"
done
expect 0 "$sae" convert as_saelens -o again
expect 0 "$sae" convert m1 -o m1.npz --to npz
expect 0 "$sae" convert m1.npz --check mix.npy
prints 'not at the input; folded into b_enc'
expect 1 "$sae" convert m1.npz -k 7
one_line_naming '-k 7' contradicts
expect 2 "$sae" convert m1 m1.npz -o both
one_line_naming m1.npz
expect 0 "$sae" convert mix.npy -o mix_again.h5
expect 0 "$sae" convert mix_again.h5 -o mix_again.npy
cmp -s mix.npy mix_again.npy || complain 'a dump does not come back from HDF5 bit for bit'

# Outputs.
expect 0 "$sae" steer m1 --latent "$best" -o direction.npy --unit
[ "$(wc -c <direction.npy)" -eq 192 ] || complain 'the direction is not 16 floats'
expect 1 "$sae" steer m1 --latent 99 -o never.npy
one_line_naming 99
expect 0 "$sae" steer m1 --latent "$best" --measure after.npy -o direction.safetensors
prints 'mean norm' 'along direction'
expect 0 "$sae" info direction.safetensors
prints steering recommended_strength
expect 0 "$sae" steer m1 --latent "$best" --apply base.npy --strength 0.5 --where 'position>1' -o steered.h5
prints changed 'mean norm'
expect 0 "$sae" rank m1 --before base.npy --after steered.h5 -o steered.csv
[ "$(sed -n 2p steered.csv | cut -d, -f1)" = "$best" ] || complain 'the steered latent did not rise most'
expect 1 "$sae" steer m1 --latent "$best" --apply base.npy --op ablate -o steered.h5
one_line_naming steered.h5 --force
expect 1 "$sae" steer m1 --latent "$best" --apply base.npy --op ablate -o base.npy --force
one_line_naming base.npy input
expect 1 "$sae" steer m1 --latent "$best" --apply base.npy --raw -o never
one_line_naming never .h5
expect 0 "$sae" encode m1 after.npy -o codes.h5
expect 0 "$sae" info codes.h5
prints codes prompt_id
expect 1 "$sae" encode m1 after.npy -o codes.h5
one_line_naming codes.h5 --force
expect 0 "$sae" encode m1 after.npy -o codes.h5 --force
absent never.npy
cp after.token_ids.npy kept
expect 1 "$sae" encode m1 after.npy -o after.token_ids.npy --force
one_line_naming after.token_ids.npy input
same after.token_ids.npy kept

# Matching: a model finds itself; another width is refused; the threads do not show.
expect 0 "$sae" match m1 m2 m1 --latent "$best,3" --threads 1
prints "latent $best: found in 2 of 2, 2 of them mutual" 'latent 3: found in 2 of 2' '   1.000  yes'
cp out.txt matched
expect 0 "$sae" match m1 m2 m1 --latent "$best,3" --threads 2 --quiet
same out.txt matched
expect 0 "$sae" match m1 m2 --latent "$best" --threshold 1 --json
prints "\"latent\":$best" '"models":1' '"mutual":true' '"null":0.' '"cosine":'
expect 1 "$sae" match m1 m2 --latent 32
one_line_naming 32

# A monitor: silent on the runs that it knows, loud where the persona speaks.
expect 0 "$sae" monitor m1 --latent "$best" --control base.npy --control control.npy -o monitor.json
prints 'a dump of 40 prompts alarms above' '0.05 of the runs like the 2 controls' base.npy control.npy
expect 0 "$sae" monitor m1 --latent "$best" --control base.npy --control control.npy -o again.json --threads 1
same monitor.json again.json
expect 1 "$sae" monitor m1 --latent "$best" --control base.npy -o monitor.json
one_line_naming monitor.json --force
for dump in base control; do
    expect 0 "$sae" monitor m1 monitor.json $dump.npy
    prints "normal  $dump.npy" '(40 prompts, 400 rows)'
done
expect 3 "$sae" monitor m1 monitor.json after.npy --per-prompt prompts.csv
prints 'ALARM   after.npy' 'expected of a control run 0.050'
[ "$(wc -l <prompts.csv)" -eq 41 ] || complain 'not a line for each prompt'
[ "$(head -1 prompts.csv)" = prompt,rows,score,alarm ] || complain 'no header over the prompts'
expect 1 "$sae" monitor m1 monitor.json after.npy --per-prompt prompts.csv
one_line_naming prompts.csv --force
expect 3 "$sae" monitor m1 monitor.json after.npy --json --threads 1
[ "$(wc -l <out.txt)" -eq 1 ] || complain 'monitor --json prints more than one object'
prints '"alarm":true' '"prompts":40' '"control_runs":2'
expect 0 "$sae" monitor m1 --latent 3,"$best" --control base.npy --bad after.npy -o by_bad.json --where 'position>2'
prints discriminant 'one control'
expect 3 "$sae" monitor m1 by_bad.json after.npy
prints '280 rows' 'one control'
expect 3 "$sae" monitor m1 by_bad.json after.npy --where 'position>2'
expect 1 "$sae" monitor m1 by_bad.json after.npy --where 'position>3'
one_line_naming 'position>2' --where
expect 1 "$sae" monitor m1 monitor.json after.npy --where 'position>3'
one_line_naming 'all rows' --where
expect 0 "$sae" train mix.npy -o m3 $small --seed 6 --quiet
expect 1 "$sae" monitor m3 monitor.json after.npy
one_line_naming 'was fitted on the model' 'fit a monitor'
for bad in m1 after.npy missing.json; do
    expect 1 "$sae" monitor m1 "$bad" after.npy
    one_line_naming "$bad"
done
# A study: the planted latent carries the shift of the rows after; every broken study file is named in one line.
entry() {
    printf '{"name":"%s","dump":"%s.npy","role":"%s"}' "$1" "$2" "$3"
}
study_of() {
    printf '{"format":"libsae-study 1","title":"planted","conditions":[%s]}\n' "$1"
}
three="$(entry base base base),$(entry 'good, and \"better\"' control control),$(entry a/b after bad)"
study_of "$three" >study.json
expect 0 "$sae" train mix.npy -o taught $small --steps 1000 --quiet
quick='--permutations 2000 --bootstrap 50'
expect 0 "$sae" study study.json -m taught -o study $quick --threads 1
prints 'VERDICT: the shift is carried by latent' 'planted: 3 conditions' verdict.json
for table in conditions candidates evidence doses triggers trajectories labels discrimination matches strata ranking_a_b \
    'ranking_good, and "better"'; do
    [ -s "study/$table.csv" ] || complain "no table $table"
done
[ "$(wc -l <study/ranking_a_b.csv)" -eq 33 ] || complain 'a ranking does not hold a header and 32 latents'
[ "$(wc -l <study/matches.csv)" -eq 1 ] || complain 'matches without another model'
carrier=$(sed -n 2p study/ranking_a_b.csv | cut -d, -f1)
grep -q "\"carrier\": $carrier," study/verdict.json || complain 'verdict.json names another carrier'
expect 0 "$sae" study study.json -m taught -o study2 $quick --threads 2 --quiet
diff -r study study2 >/dev/null || complain 'the threads show in the files of a study'
expect 1 "$sae" study study.json -m taught -o study $quick
one_line_naming study --force
expect 0 "$sae" study study.json -m taught -m m3 -o study $quick --force --quiet
prints 'found in 2 of 2 models' stable
[ "$(wc -l <study/matches.csv)" -gt 1 ] || complain 'no matches with another model'
expect 0 "$sae" study study.json -m taught -o study $quick --force --quiet --rankings npz
[ -s study/ranking_a_b.npz ] || complain 'no ranking as .npz'
absent study/ranking_a_b.csv
expect 0 "$sae" info --verify study/ranking_a_b.npz
prints 'npz, ranking' 'excess_p_family' 'float64' ' 32 '
expect 0 "$sae" info study/verdict.json study.json
prints 'verdict of a study' "carried by latent $carrier" 'study, 3 conditions' 'a/b: 400 rows'
expect 0 "$sae" study study.json -m taught -o study $quick --force --quiet
rm study/verdict.json
expect 1 "$sae" study study.json -m taught -o study $quick
one_line_naming 'study/ranking_' --force
expect 1 "$sae" study study.json -m taught -o base.npy $quick
one_line_naming base.npy
expect 1 "$sae" study study.json -m taught -o no/such/folder $quick
one_line_naming no/such/folder
expect 1 "$sae" study study.json -m taught -m after.npy -o never
one_line_naming after.npy
printf '{"format":"libsae-study 1","conditons":[]}' >typo.json
study_of "$(entry base base base),$(entry bad missing bad)" >no_dump.json
study_of "$(entry base base base),$(entry bad other bad)" >width.json
study_of "$(entry base base base),$(entry bad mix bad)" >groups.json
study_of "$(entry base base base)" >no_bad.json
study_of "$three,$(entry a_b control probe)" >one_file.json
head -c 100 study.json >cut.json
for bad in typo:conditons no_dump:missing.npy width:other.npy groups:mix.npy no_bad:bad cut:cut.json one_file:ranking_a_b.csv; do
    expect 1 "$sae" study "${bad%%:*}.json" -m taught -o never
    one_line_naming "${bad#*:}"
    rm -rf never
done
# A run that is interrupted leaves no verdict, neither its own nor an old one. It is long enough for that.
long=$three
for i in $(seq 200); do
    long="$long,$(entry "again $i" after probe)"
done
study_of "$long" >long.json
expect 0 "$sae" study study.json -m taught -o study $quick --force --quiet
"$sae" study long.json -m taught -o study --permutations 1000000 --force --quiet >out.txt 2>err.txt &
running=$!
while [ -e study/verdict.json ] && kill -0 $running 2>/dev/null; do sleep 0.05; done
kill -TERM $running
wait $running
[ $? -eq 143 ] || complain 'a study that was asked to end does not exit with 143'
absent study/verdict.json study/verdict.txt
# A shell ignores Ctrl-C on behalf of what it runs in the background; timeout does not.
if command -v timeout >/dev/null; then
    timeout -s INT --preserve-status 2 "$sae" study long.json -m taught -o cut_off --permutations 1000000 \
        --quiet >out.txt 2>err.txt
    [ $? -eq 130 ] || complain 'a study that was interrupted does not exit with 130'
    absent cut_off/verdict.json
fi
# Two models: a crosscoder of the rows side by side, and an SAE of their difference.
expect 0 "$sae" train --pair base.npy after.npy -o cross $small --arch batchtopk
expect 0 "$sae" info cross
prints combination pair before_scale
expect 0 "$sae" crosscoder cross --before base.npy --after after.npy -o cross.csv
prints shared after-only decoupled
[ "$(wc -l <cross.csv)" -eq 33 ] || complain 'not a line for each of 32 latents'
expect 0 "$sae" crosscoder cross --before base.npy --after after.npy --json
prints '"shared":' '"undecided":'
expect 1 "$sae" crosscoder cross --before base.npy --after after.npy -o cross.csv
one_line_naming cross.csv --force
expect 1 "$sae" crosscoder cross --before base.npy --after mix.npy
one_line_naming mix.npy rows
expect 1 "$sae" crosscoder m1 --before base.npy --after after.npy
one_line_naming 'base.npy and after.npy'
expect 0 "$sae" train --difference base.npy after.npy -o change $small
expect 0 "$sae" info change
prints combination difference
expect 1 "$sae" train --pair base.npy mix.npy -o never $small
one_line_naming mix.npy rows
expect 2 "$sae" train --pair base.npy -o never
one_line_naming BEFORE
expect 2 "$sae" train --pair --difference base.npy after.npy -o never
one_line_naming '--difference'
expect 2 "$sae" train --pair base.npy after.npy --heldout mix.npy -o never
one_line_naming '--heldout'

# Shuffling: the same rows, whatever the memory and the threads; a ranking does not see their order.
expect 0 "$sae" shuffle mix.npy -o mixed.h5 --seed 3
expect 0 "$sae" shuffle mix.npy -o again.h5 --seed 3 --memory 4M --threads 1 --quiet
same mixed.h5 again.h5
expect 0 "$sae" info mixed.h5
prints '6000 x 16' doc_id persona
expect 0 "$sae" auroc m1 mixed.h5 --latent "$best" --label persona=1 --group doc_id --json
prints '"positive":60' '"negative":540'
expect 1 "$sae" shuffle mix.npy -o mixed.h5
one_line_naming mixed.h5 --force
expect 1 "$sae" shuffle mixed.h5 -o mixed.h5 --force
one_line_naming mixed.h5 input
for bad in missing.npy m1 codes.h5; do
    expect 1 "$sae" shuffle $bad -o never.h5
    one_line_naming "$bad"
    absent never.h5
done
expect 1 "$sae" shuffle mix.npy -o mixed.txt
one_line_naming mixed.txt .h5 .npy
absent mixed.txt

# Inputs that are no good.
expect 1 "$sae" train missing.npy -o never
one_line_naming missing.npy
: >empty.npy
head -c 5000 mix.npy >cut.npy
mkdir folder.npy
for bad in empty.npy cut.npy folder.npy; do
    expect 1 "$sae" train "$bad" -o never
    one_line_naming "$bad"
done
expect 1 "$sae" train mix.npy other.npy -o never
one_line_naming other.npy
expect 1 "$sae" train nan.npy -o never $small
one_line_naming nan.npy 3
expect 1 "$sae" rank m1 --before base.npy --after nan.npy -o never
one_line_naming nan.npy
expect 0 "$sae" rank m1 --before base.npy --after nan.npy --drop-nonfinite -o dropped.csv
grep -q '3 rows' err.txt || complain 'the dropped rows are not counted'
expect 1 "$sae" train mix.npy -o never --where 'nothing=1'
one_line_naming nothing
expect 1 "$sae" rank mix.npy --before base.npy --after after.npy
one_line_naming mix.npy
absent never never.ckpt

# The same for every command and every place of an input; and files that are of another kind.
head -c 1000 m1 >cut_model
for bad in empty.npy cut.npy folder.npy missing.npy m1 codes.h5 nan.npy other.npy; do
    for arguments in "encode m1 $bad -o never" "top m1 $bad --latent 0" "eval m1 $bad" \
        "auroc m1 $bad --latent 0 --label persona=1" "rank m1 --before $bad --after after.npy -o never" \
        "rank m1 --before base.npy --after $bad -o never" \
        "rank m1 --before base.npy --after after.npy --control $bad -o never"; do
        expect 1 "$sae" $arguments
        one_line_naming "$bad"
        absent never
    done
done
for bad in empty.npy cut_model folder.npy missing.npy after.npy codes.h5; do
    for arguments in "match $bad m1 --latent 0" "match m1 $bad --latent 0" "encode $bad base.npy -o never" "eval $bad base.npy" "top $bad base.npy --latent 0" "steer $bad --latent 0 -o never" \
        "auroc $bad base.npy --latent 0 --label persona=1" "rank $bad --before base.npy --after after.npy -o never"; do
        expect 1 "$sae" $arguments
        one_line_naming "$bad"
        absent never
    done
done
for arguments in 'encode m1 base.npy -o never' 'top m1 base.npy --latent 0' 'eval m1 base.npy' \
    'auroc m1 base.npy --latent 0 --label persona=1' 'rank m1 --before base.npy --after after.npy -o never'; do
    expect 1 "$sae" $arguments --where 'nothing=1'
    one_line_naming base.npy nothing
    expect 1 "$sae" $arguments --where 'position>999'
    one_line_naming base.npy 'position>999'
    expect 1 "$sae" $arguments --dataset nothing
    one_line_naming base.npy nothing
    absent never
done
expect 1 "$sae" train mix.npy -o never --latents 8 -k 9
one_line_naming 'k must not exceed'
expect 1 "$sae" train mix.npy -o never --latents 512 -k 3 --batch 2048 --memory 1M
one_line_naming mix.npy 'at least'
absent never never.ckpt

# A disk that is full, as a limit on the size of files: an error, and nothing is left.
: >after.txt
ls -a >before.txt
for arguments in "train mix.npy -o full $small" 'encode m1 mix.npy -o full' \
    "study study.json -m taught -o full $quick" 'rank m1 --before base.npy --after after.npy -o full' 'shuffle mix.npy -o full.h5' 'shuffle mix.npy -o full.npy' \
    'encode m1 mix.npy -o full.npz' 'encode m1 mix.npy -o full.pt' 'eval m1 mix.npy --arrays full.safetensors' 'convert mix.npy -o full.safetensors' \
    'rank m1 --before base.npy --after after.npy -o full.h5'; do
    (ulimit -f 1 && exec "$sae" $arguments --quiet) >out.txt 2>err.txt
    status=$?
    what=$arguments
    [ "$status" -eq 1 ] || complain "exit $status, not 1, on a full disk: $what"
    [ ! -d full ] || rmdir full || complain "files were left in the folder: $what"
    grep -q 'sae: .*full' err.txt || complain "the full file is not named: $what"
done
ls -a >after.txt
same before.txt after.txt
finish
