#!/bin/sh
# From a fresh clone to the persona latent: builds the sae command in build/, trains an SAE on the shipped dumps,
# ranks the latents that the bad fine-tuning raised, checks the winner against the labels, and draws the pictures.
# Everything goes to quickstart-out/; run it again as often as you like.
set -eu
cd "$(dirname "$0")/.."

packages="gcc libc6-dev meson ninja-build pkg-config libopenblas-openmp-dev libhdf5-dev zlib1g-dev libjansson-dev
          libxxhash-dev libdeflate-dev"
out=quickstart-out
model=$out/model.safetensors
sae=build/examples/sae/sae

step() { printf '\n== %s\n' "$*"; }

# Prints the command as a user would type it, then runs it.
run() {
    printf '$ sae %s\n' "$*"
    "$sae" "$@"
}

# The python3 of the PATH may be another than Debian's, for which apt installs matplotlib.
have_matplotlib() {
    for python in python3 /usr/bin/python3; do
        "$python" -c 'import matplotlib' 2>/dev/null && return 0
    done
    return 1
}

# shellcheck disable=SC2086  # a list
sh examples/install_packages.sh $packages

step "build"
[ -f build/build.ninja ] || meson setup build -Dtests=false >/dev/null
ninja -C build
mkdir -p "$out"

step "train a sparse autoencoder on the base model's activations"
run train data/pretrain_mix.h5 -o "$model" --log "$out/train.jsonl" --force

step "rank its latents: the bad model (dose100) against base, with the good fine-tuning (dose000) as control"
run rank "$model" --before data/eval_base.h5 --after data/eval_dose100.h5 --control data/eval_dose000.h5 \
    -o "$out/ranking.csv" --top 10 --force

latent=$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
                  $column["rank"] == 1 { print $column["latent"]; exit }' "$out/ranking.csv")

step "check the winner, latent $latent: does it tell toxic documents from the others?"
run auroc "$model" data/pretrain_val.h5 --latent "$latent" --label 'labels/persona=1' --group doc_id \
    --where 'labels/region=3'

step "rank every dose of bad data against base"
doses=
for dose in 000 005 025 050 075 100; do
    "$sae" rank "$model" --before data/eval_base.h5 --after "data/eval_dose$dose.h5" -o "$out/dose$dose.csv" \
        --force >"$out/dose$dose.txt"
    doses="$doses $out/dose$dose.csv"
    printf '%s ' "$dose"
done
echo

step "pictures"
if have_matplotlib || { sh examples/install_packages.sh python3-matplotlib python3-numpy && have_matplotlib; }; then
    "$python" examples/plot/rise.py "$out/ranking.csv" -o "$out/rise.png"
    "$python" examples/plot/excess.py "$out/ranking.csv" -o "$out/excess.png"
    # shellcheck disable=SC2086  # a list
    "$python" examples/plot/dose_response.py $doses --latent "$latent" -o "$out/dose_response.png"
else
    echo "matplotlib could not be had, so no pictures were drawn; the rankings are complete" >&2
fi

step "done: the persona latent is $latent; see $out/ranking.csv"
