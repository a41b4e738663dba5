#!/bin/sh
# Installs those of the named Debian packages that are missing, as root or through sudo:
#     sh examples/install_packages.sh gcc meson
# Calls apt only when something is missing. Where there is no dpkg the packages are the caller's business.
set -eu

command -v dpkg >/dev/null || exit 0

missing=
for package in "$@"; do
    dpkg -s "$package" 2>/dev/null | grep -q '^Status: install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
    sudo=
elif command -v sudo >/dev/null; then
    sudo=sudo
else
    echo "missing packages:$missing (install them as root: apt-get install$missing)" >&2
    exit 1
fi

echo "installing:$missing"
# A stale list can still be good enough to install from.
$sudo apt-get -qq update || echo "apt-get update failed; trying with the package lists there are" >&2
# shellcheck disable=SC2086  # $missing is a list
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null
