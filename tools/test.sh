#!/usr/bin/env bash
# What must hold, section by section. Each word below is a piece: tools/test.sh [all|check|asan|...]; `all` is `make test`.
# A section that fails ends the run; the last line counts sections. Nothing here reads the terminal.
#
#   JOBS=n          processes at a time (default: the cores)
#   SEED=n, SEEDS=n, STEPS=n   what the simulator runs       KILLS=n   how often `crash` kills
#   MILLRACE=build/asan/millrace   another build for the sections that start the program
#   ENGINE=docker                  what `container` builds and runs the image with, with options before its commands
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null
jobs=${JOBS:-$(nproc)}
millrace=${MILLRACE:-build/release/millrace}
kind=     # of build, after a section's title
launcher= # before a command, if it needs one
passed=0
skipped=0

# ---- running sections -------------------------------------------------------------------------------------------------

section() { # title command...
    local title=$1$kind began=$SECONDS status=0
    shift
    printf '\n== %s\n' "$title"
    set +e
    (
        set -e
        "$@"
    )
    status=$?
    set -e
    if [ "$status" -ne 0 ]; then
        printf '\nFAILED: %s, after %d s (exit %d)\n%d passed, 1 failed\n' "$title" $((SECONDS - began)) "$status" "$passed"
        exit 1
    fi
    passed=$((passed + 1))
    printf -- '-- %s: passed in %d s\n' "$title" $((SECONDS - began))
}

# For what needs a program or a script that is not in this tree (yet): said by name, never silently left out.
section_if() { # path title command...
    if [ -e "$1" ]; then
        section "${@:2}"
    else
        printf '\n== %s\n-- %s: SKIPPED, there is no %s\n' "$2" "$2" "$1"
        skipped=$((skipped + 1))
    fi
}

sources() { find src test bench \( -name '*.c' -o -name '*.h' \) -print0; }

configure() { cmake --preset "$1" >"build/$1.log" 2>&1 || { cat "build/$1.log"; return 1; }; }

build_preset() { # preset [targets...]
    mkdir -p build
    configure "$1"
    cmake --build "build/$1" -j "$jobs" ${2:+--target "${@:2}"} -- --quiet
}

run_ctest() { # preset [ctest options...]: quiet while all is well, everything about what failed
    local log=build/$1/ctest.log
    $launcher ctest --test-dir "build/$1" --output-on-failure --no-tests=error -j "$jobs" "${@:2}" >"$log" 2>&1 || {
        grep -vE '^ *Start +[0-9]+:|^ *[0-9]+/[0-9]+ Test +#[0-9]+:.* Passed ' "$log"
        return 1
    }
    grep -E 'tests passed' "$log"
}

# ---- the pieces -------------------------------------------------------------------------------------------------------

run_format() { sources | xargs -0 clang-format-14 --dry-run -Werror; }

run_tidy() { # checks besides those of .clang-tidy
    mkdir -p build
    configure release
    find src -name '*.c' -print0 | sort -z | xargs -0 -n 4 -P "$jobs" clang-tidy-14 --quiet --extra-arg=-Wno-ignored-optimization-argument --checks="$1" -p build/release 2>build/tidy.log
}

run_sim() { # preset seeds steps [--must-happen]; a simulated crash leaves in mid-step: what it held then is no leak
    export ASAN_OPTIONS=detect_leaks=0
    local insist=${4:-}
    [ -z "${SEEDS:-}${STEPS:-}" ] || insist=
    if [ -n "${SEED:-}" ]; then
        $launcher "build/$1/sim" --seed "$SEED" --steps "${STEPS:-10000}" --verbose
    else
        $launcher "build/$1/sim" --seeds "${SEEDS:-$2}" --steps "${STEPS:-$3}" --jobs "$jobs" $insist
    fi
}

run_fuzz() { # target seconds: from the seeds and what earlier runs found
    local corpus=build/fuzz/corpus/$1
    mkdir -p "$corpus"
    "build/fuzz/$1" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/$1-" "$corpus" "test/fuzz/seeds/$1" 2>&1 | grep -vE '# Uses: |ecommended dictionary'
}

unit_programs() { # preset [ctest options...]: their names
    ctest --test-dir "build/$1" -N -R '^unit_' "${@:2}" | sed -n 's/^ *Test *#[0-9]*: //p'
}

# All but the slow ones that have one thread only: they would take ten minutes and could find nothing.
tsan_skips=(-E '^unit_service_|^unit_store_(crash|damage|faulty_disk|full_disk|space)_')

build_tsan() {
    mkdir -p build
    configure tsan
    mapfile -t targets < <(unit_programs tsan "${tsan_skips[@]}")
    build_preset tsan millrace sim "${targets[@]}"
}

valgrind="valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect,possible --fair-sched=yes"

run_valgrind_unit() { # all, with less of what would take an hour there: bodies sent byte by byte, thousands of simulated crashes
    export MILLRACE_HTTP_PIECES=300 MILLRACE_STORE_SEEDS=4
    unit_programs release | xargs -P "$jobs" -I{} \
        sh -c "$valgrind --suppressions=test/unit/store/crash_test.supp build/release/{} >build/valgrind/{}.log 2>&1 || { echo {}:; cat build/valgrind/{}.log; exit 1; }"
}

layers() { section "layers" python3 tools/layers.py; }
format() { section "format" run_format; }
tidy() { section "clang-tidy and analyzer" run_tidy ''; }
tidy_quick() { section "clang-tidy" run_tidy '-clang-analyzer-*'; }
build() { section "build (gcc, release)" build_preset release; }
unit() { section "unit tests" run_ctest release; }
clang() { section "build (clang)" build_preset clang; }
sim() { section_if build/release/sim "simulator" run_sim release 8000 2000 --must-happen; }
sim_nightly() { section "simulator (nightly)" run_sim release 10000 10000 --must-happen; }
mutants() { # [name...]: each guarantee is taken away once, and its tests must notice
    # shellcheck disable=SC2046
    section "build (mutants)" build_preset mutants $(python3 test/mutants.py --programs)
    section "mutants" python3 test/mutants.py --jobs "$jobs" --doc doc/testing.md "$@"
}
model() { section "rows against the service model" python3 test/clients/run.py --millrace "$millrace" --only model; }
golden() { section "golden data directories" python3 test/golden/run.py --millrace "$millrace"; }
hostile() { section "hostile HTTP" $launcher python3 test/hostile/run.py --millrace "$millrace" "$@"; }
server() { section_if test/server/run.py "server" python3 test/server/run.py --millrace "$millrace"; }
crash() { section "kill -9 under load" $launcher python3 test/crash/run.py --millrace "$millrace" --kills "${KILLS:-100}"; }
power_loss() { section "power cuts under load" python3 test/crash/run.py --millrace "$millrace" --kills "${KILLS:-50}" --power-loss; }
disk() { section_if test/disk/run.py "full, broken and damaged disks" python3 test/disk/run.py --millrace "$millrace" "$@"; }
container() { # needs a container engine and its registry
    local engine=${ENGINE:-$(command -v podman || command -v docker || echo podman or docker)}
    section_if "$(command -v "${engine%% *}" || echo "$engine")" "container" python3 test/container/run.py --engine "$engine"
}
crash_quick() { section "kill -9 under load (short)" python3 test/crash/run.py --millrace "$millrace" --kills 8; }
clients() { section "real clients" python3 test/clients/run.py --millrace "$millrace" "$@"; }
clients_quick() { section "real clients (quick set)" python3 test/clients/run.py --millrace "$millrace" --quick; }

everything() { section "everything at once" $launcher python3 test/server/run.py --millrace "$millrace" --only everything:; }

# What another build of the program must pass, too: `millrace` and `kind` hold for the sections called from here.
asan() { # [sections]: others than those of `make test`
    local millrace=build/asan/millrace kind=" (address and undefined behaviour sanitizers)"
    section "build" build_preset asan
    "${1:-asan_sections}"
}

asan_sections() {
    section "unit tests" run_ctest asan
    section "simulator" run_sim asan 500 500
    server
    hostile --unbounded
}

# Some kernels place programs where the thread sanitizer of gcc 12 cannot be: a fixed layout helps, where it may be had.
tsan() { # [sections]
    local millrace=build/tsan/millrace kind=" (thread sanitizer)" launcher=
    ! setarch -R true 2>/dev/null || launcher="setarch -R"
    section "build" build_tsan
    "${1:-tsan_sections}"
}

tsan_sections() {
    section "unit tests" run_ctest tsan -R '^unit_' "${tsan_skips[@]}"
    section "simulator" run_sim tsan 200 300
    everything
    hostile --unbounded
}

sanitized() { # what `make test` has no time for
    local KILLS=${KILLS:-20}
    asan asan_long
    tsan tsan_long
}

asan_long() {
    section "simulator" run_sim asan 1000 2000
    crash
    power_loss
    disk --step 31
    clients --only boto3,raw
}

tsan_long() {
    section "simulator" run_sim tsan 500 1000
    crash
}

valgrind() {
    local millrace=build/valgrind/millrace kind=" (valgrind)"
    build
    mkdir -p build/valgrind
    printf '#!/bin/sh\nexec %s "%s/build/release/millrace" "$@"\n' "$valgrind" "$PWD" >"$millrace"
    chmod +x "$millrace"
    section "unit tests" run_valgrind_unit
    everything
    hostile --unbounded
}

arm64() {
    local kind=" (arm64)"
    section "build" build_preset arm64
    section "unit tests" run_ctest arm64
}

fuzz() { # [target] [seconds]: one target ("json" or "json_fuzz"), or every one in turn
    local seconds=${2:-60} target targets
    if [ -n "${1:-}" ]; then
        targets=("${1%_fuzz}_fuzz")
        ls test/fuzz/*/"${targets[0]}.c" >/dev/null
    else
        mapfile -t targets < <(find test/fuzz -name '*_fuzz.c' -exec basename {} .c \; | sort)
    fi
    section "build (fuzz targets)" build_preset fuzz "${targets[@]}"
    for target in "${targets[@]}"; do
        section "fuzz $target for $seconds s" run_fuzz "$target" "$seconds"
    done
}

check() { layers; format; tidy_quick; build; unit; }
build_and_unit() { build; unit; }
build_and_sim() { build; sim; }

all() {
    check
    sim
    model
    golden
    hostile
    server
    crash_quick
    disk --step 31
    clients_quick
    clang
    asan
    tsan
}

word=${1:-all}
[ $# -eq 0 ] || shift
"$word" "$@"
[ "$skipped" -eq 0 ] || printf '\n%d skipped (named above)' "$skipped"
printf '\n%d passed, 0 failed\n' "$passed"
