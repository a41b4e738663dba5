#!/bin/sh
# valgrind.sh BUILD_DIR: the main paths of the command under valgrind, on small dumps. No invalid access, no use of
# what was never set, no definite leak. Ends with "valgrind clean". Installs nothing; status 77 without valgrind.
set -eu
source_dir=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${1:-$source_dir/build}" && pwd)
command -v valgrind >/dev/null || {
    echo "skipped: valgrind is not installed"
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$build/tests/api/make_dumps" .

# The library's own worker threads are exercised; OpenBLAS is kept to one, whose idle spinning would take minutes.
OPENBLAS_NUM_THREADS=1
OMP_NUM_THREADS=1
export OPENBLAS_NUM_THREADS OMP_NUM_THREADS

sae() {
    echo "sae $*"
    valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
        "$build/examples/sae/sae" "$@" --quiet --threads 2 \
        >out.txt 2>err.txt || {
        cat err.txt
        exit 1
    }
}

sae train mix.npy -o model --latents 32 -k 3 --batch 256 --steps 12 --checkpoint-seconds 0 --log log.jsonl
sae train mix.npy -o small --latents 32 -k 3 --batch 256 --steps 12 --memory 1M --where 'position>2'
sae rank model --before base.npy --after after.npy --control control.npy -o r.csv --permutations 200 --bootstrap 50
sae rank model --before base.npy --after shuffled.npy -o r.jsonl --format jsonl --permutations 200 --bootstrap 50
sae rank model --before base.npy --after nan.npy --drop-nonfinite --permutations 200 --bootstrap 0
sae encode model after.npy -o codes.h5
sae top model after.npy --latent 3
sae auroc model mix.npy --latent 3 --label persona=1 --group doc_id --json
sae steer model --latent 3 -o direction.npy --unit
sae monitor model --latent 3,5 --control base.npy --control control.npy --bad after.npy -o monitor.json
sae monitor model monitor.json base.npy --per-prompt prompts.csv
sae info model mix.npy codes.h5 direction.npy --json
sae info "$source_dir/data/eval_base.h5"
echo "valgrind clean"
