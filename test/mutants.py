#!/usr/bin/env bash
# The checking is checked: every row of src/base/mutants.def takes one guarantee away; a few hundred histories must notice.
# mutants.sh [--sim build/mutants/sim] [--seeds 1000] [--steps 2000] [name...]
set -euo pipefail
cd "$(dirname "$0")/../.."
sim=build/mutants/sim seeds=1000 steps=2000 names=()
while [ $# -gt 0 ]; do
    case $1 in
    --sim) sim=$2 && shift 2 ;;
    --seeds) seeds=$2 && shift 2 ;;
    --steps) steps=$2 && shift 2 ;;
    *) names+=("$1") && shift ;;
    esac
done
[ ${#names[@]} -gt 0 ] || mapfile -t names < <(sed -n 's/^MUTANT_ROW(\([a-z_]*\),.*/\1/p' src/base/mutants.def)

if ! MILLRACE_MUTANT=none "$sim" --seeds 50 --steps "$steps" --stop >/dev/null; then
    echo "the simulator fails without any mutant: mend that first" >&2
    exit 1
fi

survivors=0
printf '%-24s %-10s %-10s %s\n' mutant "caught at" by "guarantee taken away"
for name in "${names[@]}"; do
    text=$(sed -n "s/^MUTANT_ROW($name, \"\(.*\)\")/\1/p" src/base/mutants.def)
    # a mutant may also loop for ever or crash: that is noticed, too
    output=$(MILLRACE_MUTANT=$name timeout 300 "$sim" --seeds "$seeds" --steps "$steps" --stop 2>&1) && code=0 || code=$?
    if [ "$code" -eq 0 ]; then
        survivors=$((survivors + 1))
        printf '%-24s %-10s %-10s %s\n' "$name" "NEVER" "-" "$text"
        continue
    fi
    found=$(sed -n 's/^seed \([0-9]*\) failed at step [0-9]*: \(SQS-INV-[0-9]*\):.*/\1 \2/p' <<<"$output" | head -n 1)
    printf '%-24s %-10s %-10s %s\n' "$name" "seed ${found%% *}" "${found##* }" "$text"
done
echo "${#names[@]} mutants, $survivors survived"
[ "$survivors" -eq 0 ]
