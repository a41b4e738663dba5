#!/bin/sh
# Builds twice, as released and with AddressSanitizer and UBSan, and runs all tests in both builds.
# The last line is "N passed, N failed", summed over both; a build that fails counts as one failure.
set -eu
cd "$(dirname "$0")/.."

packages="gcc g++ libc6-dev meson ninja-build pkg-config python3 libopenblas-openmp-dev libhdf5-dev zlib1g-dev
          libjansson-dev libxxhash-dev libdeflate-dev check"
passed=0
failed=0

# How many tests of the build in $1 ended with a result that matches $2.
count() { grep -c -E "\"result\": \"($2)\"" "$1/meson-logs/testlog.json" || true; }

# build_and_test DIRECTORY [MESON OPTION...]
build_and_test() {
    directory=$1
    shift
    printf '\n== %s\n' "$directory"
    [ -f "$directory/build.ninja" ] || meson setup "$directory" "$@" || return 1
    ninja -C "$directory" || return 1

    rm -f "$directory/meson-logs/testlog.json"
    meson test -C "$directory" --no-rebuild --print-errorlogs || true
    [ -f "$directory/meson-logs/testlog.json" ] || return 1
    passed=$((passed + $(count "$directory" 'OK|EXPECTEDFAIL')))
    failed=$((failed + $(count "$directory" 'FAIL|ERROR|TIMEOUT|INTERRUPT|UNEXPECTEDPASS')))
}

# shellcheck disable=SC2086  # a list
sh examples/install_packages.sh $packages

build_and_test build-release --buildtype=release -Dbench=true || failed=$((failed + 1))
build_and_test build-sanitize --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false \
    -Dlibdeflate=disabled -Dc_args=-fno-sanitize-recover=undefined || failed=$((failed + 1))

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
