#!/bin/sh
# Builds the benchmark in build-bench/ and runs it:
#     sh bench/run.sh [--json] [--quick] [io|encode|kernels|train|memory|rank|scaling|auxk|outofcore|profile ...]
# Without --json an aligned table, with it one JSON object per line. Times are medians of interleaved runs; compare
# ratios within one run, for the machine may be shared.
set -eu
cd "$(dirname "$0")/.."

[ -f build-bench/build.ninja ] || meson setup build-bench --buildtype=release -Dbench=true -Dtests=false >&2
ninja -C build-bench bench/libsae_bench >&2
# Some environments force kernels or caches of an older CPU, which halves the speed of SGEMM.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
exec build-bench/bench/libsae_bench "$@"
