#!/bin/sh
# libsae and the Python tools on the same rows in the same call:
#     PEERS_VENV=VENV sh bench/peers/run.sh speed [--json] [--quick] …
#     PEERS_VENV=VENV sh bench/peers/run.sh quality [--steps N] [--seeds N] …
# VENV is what setup.sh made (default: build-peers). --help after the name of a run lists its options.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
python=${PEERS_VENV:-$top/build-peers}/bin/python
[ -x "$python" ] || { echo "no $python: make it with sh bench/peers/setup.sh VENV, and set PEERS_VENV=VENV" >&2; exit 1; }

# Options before the name of the run work too.
options=
for argument; do
    case $argument in
    speed | quality) run=$argument ;;
    *) options="$options $argument" ;;
    esac
done
[ -n "${run:-}" ] || { sed -n '2,6p' "$0" >&2; exit 2; }

cd "$top"
[ -f build-bench/build.ninja ] || meson setup build-bench --buildtype=release -Dbench=true -Dtests=false >&2
ninja -C build-bench examples/sae/sae bench/libsae_stepper >&2
# Some environments force kernels or caches of an older CPU, which halves the speed of SGEMM.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
# shellcheck disable=SC2086 # the options are words without blanks
exec "$python" "$here/$run.py" --build "$top/build-bench" --results "$here/results" $options
