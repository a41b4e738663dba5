#!/bin/sh
# Models go to and from the real Python packages:
#     sh tests/interop/run.sh VENV [BUILD]
# VENV is what bench/peers/setup.sh makes. Where it lacks a package this says so and is skipped (exit status 77).
set -eu
[ $# -ge 1 ] || { echo "usage: run.sh VENV [BUILD]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python=$1/bin/python
build=${2:-$root/build}

if ! (cd "$here" && "$python" -c "import tool_models" 2>/dev/null); then
    echo "skipped: $1 lacks torch, sae-lens, dictionary-learning, eai-sparsify or h5py; bench/peers/setup.sh makes an" \
        "environment that has them" >&2
    exit 77
fi
exec "$python" "$here/check_exchange.py" --sae "$build/examples/sae/sae" --dump "$root/data/eval_dose100.h5"
