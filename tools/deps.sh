#!/usr/bin/env bash
# Installs from Debian's packages what a fresh Debian 12 lacks; does nothing when all is there.
#   deps.sh build   compiler and libraries        deps.sh test   what the tests need beside them
set -euo pipefail

build=(gcc cmake ninja-build make pkg-config libssl-dev libc6-dev)
tests=("${build[@]}" libcmocka-dev clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 python3 python3-venv openssl git curl)

case "${1:-build}" in
build) wanted=("${build[@]}") ;;
test) wanted=("${tests[@]}") ;;
*) echo "deps.sh: expected build or test" >&2; exit 64 ;;
esac

missing=()
for package in "${wanted[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
