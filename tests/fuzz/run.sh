#!/bin/sh
# Fuzzes every parser, or those named, each for so many seconds of processor time, one after the other, in build-fuzz/
# (clang):
#     nice -n 19 sh tests/fuzz/run.sh 600 [npy safetensors npz torch hdf5 listing model where monitor study]
# Prints for each: processor seconds, executions, coverage (edges), inputs kept, findings. Findings stay in build-fuzz/findings/.
# Of hdf5 crashes inside libhdf5 are no findings: that is what the worker is for. Exit status 1: there are findings.
set -eu
cd "$(dirname "$0")/../.."

seconds=${1:-600}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- npy safetensors npz torch hdf5 listing model where monitor study

[ -f build-fuzz/build.ninja ] || CC=clang meson setup build-fuzz -Dfuzz=true -Dbuildtype=debugoptimized \
    -Db_sanitize=address,undefined -Db_lundef=false -Dlibdeflate=disabled \
    -Dc_args='-fsanitize=fuzzer-no-link -fno-sanitize-recover=undefined' >&2
for target in "$@"; do echo "tests/fuzz/fuzz_$target"; done | xargs ninja -C build-fuzz >&2

# Folder of seeds beside tests/fuzz/seeds/NAME.
corpus() {
    case $1 in
    torch) echo pt ;;
    model) echo safetensors ;;
    *) echo "$1" ;;
    esac
}

# Sets `used` to the processor seconds of all that this shell has waited for; not in a subshell, which has waited for nothing.
cpu_seconds() {
    times >"build-fuzz/times.$$"
    used=$(awk 'END { split($1, user, /[ms]/); split($2, kernel, /[ms]/)
                      print int(60 * (user[1] + kernel[1]) + user[2] + kernel[2]) }' "build-fuzz/times.$$")
}

found=0
for target in "$@"; do
    work=build-fuzz/corpus/$target
    log=build-fuzz/$target.log
    findings=build-fuzz/findings/$target/
    mkdir -p "$work" "$findings"
    set --
    for seeds in "tests/fuzz/seeds/$target" "tests/corpus/$(corpus "$target")"; do
        [ -d "$seeds" ] && set -- "$@" "$seeds"
    done
    # libhdf5 loses what it has allocated when a file is damaged, and may crash: the latter in a child.
    [ "$target" = hdf5 ] && set -- -fork=1 -ignore_crashes=1 -ignore_ooms=1 -ignore_timeouts=1 -detect_leaks=0 "$@"
    rm -f "$log"
    cpu_seconds
    status=0 executions=0 before=$used spent=0
    # Beside other work a second of the clock is less than one of the processor: again, until it has had them.
    while [ "$spent" -lt "$seconds" ] && [ "$status" -eq 0 ]; do
        build-fuzz/tests/fuzz/fuzz_"$target" -max_total_time=$((seconds - spent)) -max_len=65536 -timeout=20 \
            -rss_limit_mb=2048 -dict=tests/fuzz/dictionaries/"$target".dict -artifact_prefix="$findings" \
            -print_final_stats=1 "$work" "$@" >>"$log" 2>&1 || status=$?
        ran=$(sed -n 's/^stat::number_of_executed_units: *//p; s/^#\([0-9]*\): cov:.*/\1/p' "$log" | tail -n 1)
        executions=$((executions + ${ran:-0}))
        [ "$target" != hdf5 ] || status=0
        cpu_seconds
        spent=$((used - before))
    done
    edges=$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
    count=$(find "$findings" -type f | wc -l)
    if [ "$target" = hdf5 ]; then
        # Of ours is what a sanitizer reports in a file of libsae, and an assertion.
        count=$(grep -c -E '#[0-9]+ .* in (saei?_|LLVMFuzzer).*libsae|: not so: ' "$log" || true)
    fi
    printf '%-12s %5s s %10s executions %6s edges %5s inputs %3s findings\n' "$target" "$spent" "$executions" "${edges:-?}" \
        "$(find "$work" -type f | wc -l)" "$count"
    [ "$count" -eq 0 ] && { [ "$status" -eq 0 ] || [ "$target" = hdf5 ]; } || found=1
done
exit $found
