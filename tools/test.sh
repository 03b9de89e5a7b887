#!/usr/bin/env bash
# What `make test` runs, piece by piece; each piece is also a word: test.sh [all|check|asan|tsan|clang|sim|crash|fuzz|clients].
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc)
millrace=build/release/millrace

section() { printf '\n== %s\n' "$*"; }

configure_and_build() { # preset [targets...]
    local preset=$1
    shift
    cmake --preset "$preset" >/dev/null
    cmake --build "build/$preset" -j "$jobs" ${1:+--target "$@"} | tail -n 3
}

layers() { section layers; python3 tools/layers.py; }

format() {
    section "format (clang-format-14)"
    git ls-files 'src/*.c' 'src/*.h' 'test/*.c' 'test/*.h' 'bench/*.c' 'bench/*.h' | xargs -r clang-format-14 --dry-run -Werror
}

tidy() {
    section "clang-tidy-14"
    git ls-files 'src/*.c' | xargs -r -n 8 -P "$jobs" clang-tidy-14 --quiet -p build/release 2>/dev/null
}

unit() { section "unit tests ($1)"; ctest --test-dir "build/$1" --output-on-failure -j "$jobs" | tail -n 12; }

sim() {
    section "simulator"
    if [ -n "${SEED:-}" ]; then
        "build/${1:-release}/sim" --seed "$SEED" --steps "${STEPS:-10000}" --verbose
    else
        "build/${1:-release}/sim" --seeds "${SEEDS:-300}" --steps "${STEPS:-2000}"
    fi
}

clients_quick() { section "real clients (quick set)"; python3 test/clients/run.py --millrace "$millrace" --quick; }
model() { section "rows against the installed service model"; python3 test/model/check.py; }
hostile() { section "hostile HTTP"; python3 test/hostile/run.py --millrace "$millrace"; }
crash() { section "kill -9 under load"; python3 test/crash/run.py --millrace "$millrace" --kills "${KILLS:-100}"; }
crash_quick() { section "kill -9 under load (short)"; python3 test/crash/run.py --millrace "$millrace" --kills 8; }
golden() { section "golden data directories"; python3 test/golden/run.py --millrace "$millrace"; }

with_sanitizer() { configure_and_build "$1"; unit "$1"; SEEDS=${SEEDS:-40} STEPS=${STEPS:-1000} sim "$1"; }

fuzz() {
    configure_and_build fuzz
    local seconds=${SECONDS_EACH:-${SECONDS_PER:-60}} target
    for target in build/fuzz/*${T:-}*_fuzz; do
        section "fuzz $(basename "$target") for $seconds s"
        mkdir -p "build/fuzz/corpus/$(basename "$target")"
        "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
            -artifact_prefix=build/fuzz/ "build/fuzz/corpus/$(basename "$target")" "test/fuzz/seeds/$(basename "$target")"
    done
}

clang() { section "clang-14, warnings are errors"; configure_and_build clang; }

check() { layers; format; configure_and_build release; unit release; }

all() {
    check
    clang
    with_sanitizer asan
    with_sanitizer tsan
    sim
    model
    golden
    hostile
    crash_quick
    clients_quick
    section "all of it passed"
}

"${@:-all}"
