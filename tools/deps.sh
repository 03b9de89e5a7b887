#!/usr/bin/env bash
# Installs from Debian's packages what a fresh Debian 12 lacks; does nothing when all is there.
#   deps.sh build   compiler and libraries        deps.sh test    what the tests need beside them
#   deps.sh valgrind                              deps.sh arm64   what cross-building and running for arm64 needs
set -euo pipefail

build=(gcc cmake ninja-build make pkg-config libssl-dev libc6-dev)
tests=("${build[@]}" libcmocka-dev clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 python3 python3-venv openssl curl faketime)
valgrind=("${tests[@]}" valgrind)
arm64=("${build[@]}" gcc-aarch64-linux-gnu libc6-dev:arm64 libssl-dev:arm64 libcmocka-dev:arm64 qemu-user-static)

case "${1:-build}" in
build) wanted=("${build[@]}") ;;
test) wanted=("${tests[@]}") ;;
valgrind) wanted=("${valgrind[@]}") ;;
arm64) wanted=("${arm64[@]}") ;;
*) echo "deps.sh: expected build, test, valgrind or arm64" >&2; exit 64 ;;
esac

missing=()
for package in "${wanted[@]}"; do
    dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
    echo "deps.sh: this is not Debian; please install: ${missing[*]}" >&2
    exit 69
fi
root=(env DEBIAN_FRONTEND=noninteractive)
if [ "$(id -u)" -ne 0 ]; then
    ask=()
    [ -z "${CI:-}" ] || ask=(-n) # nobody is there to type a password
    root=(sudo "${ask[@]}" "${root[@]}")
fi
echo "installing: ${missing[*]}"
if [ "${1:-build}" = arm64 ] && ! dpkg --print-foreign-architectures | grep -qx arm64; then
    "${root[@]}" dpkg --add-architecture arm64
fi
"${root[@]}" apt-get update -qq
"${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
