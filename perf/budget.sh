#!/usr/bin/env bash
# Fails when a plain packet costs more instructions than it may. Counted by callgrind: the same on
# every machine and under any load, for one compiler.
#   perf/budget.sh [path/to/pxtr-bench]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
cd "$ROOT"

BENCH=${1:-${CARGO_TARGET_DIR:-target}/release/pxtr-bench}
# The bench's --quick: four samples of 16 bursts of 32, one of them by stage.
PACKETS=2048
WAY='worker::express::'

command -v valgrind >/dev/null || die "valgrind is missing: apt install valgrind"
[ -x "$BENCH" ] || die "$BENCH is missing: cargo build --release -p pxtr-perf --no-default-features"
scratch=$(mktemp -d /tmp/pxtr-budget-XXXXXX)
trap 'rm -rf "$scratch"' EXIT

# count CASE FUNCTION: runs the case, collecting inside FUNCTION alone.
count() {
  valgrind --tool=callgrind --callgrind-out-file="$scratch/$1" --toggle-collect="*$2*" \
    "$BENCH" path --quick --only "$1" >"$scratch/$1.log" 2>&1 || die "$(cat "$scratch/$1.log")"
  callgrind_annotate --inclusive=yes --auto=no --threshold=100 "$scratch/$1" >"$scratch/$1.txt"
}

# of CASE PATTERN: instructions a packet below the function.
of() {
  grep -E "$2" "$scratch/$1.txt" | tr -d ', ' | sed 's/(.*//' | sort -n | tail -n 1 |
    awk -v n="$PACKETS" '{ printf "%d", $1 / n }'
}

failed=0
# hold NAME VALUE BUDGET
hold() {
  local verdict=ok
  if [ "$2" -le 0 ] || [ "$2" -gt "$3" ]; then
    verdict=EXCEEDED
    failed=1
  fi
  printf '%-12s %4d instructions a packet, budget %4d  %s\n' "$1" "$2" "$3" "$verdict"
}

count encap_v4in4_1k_cycles "${WAY}outbound::Outbound::run"
count encap_v6in4_1k_cycles "${WAY}outbound::Outbound::run"
count decap_v4in4_1k_cycles "${WAY}inbound::Inbound::run"
count decap_v6in4_1k_cycles "${WAY}inbound::Inbound::run"
all=$(of encap_v4in4_1k_cycles 'PROGRAM TOTALS')
parse=$(of encap_v4in4_1k_cycles 'Outbound>?::look')
lookup=$(of encap_v4in4_1k_cycles 'lookup_burst')
hold parse "$parse" 48
hold "parse IPv6" "$(of encap_v6in4_1k_cycles 'Outbound>?::look')" 67
hold lookup "$lookup" 32
hold encapsulate $((all - parse - lookup)) 118
hold decapsulate $(($(of decap_v4in4_1k_cycles 'PROGRAM TOTALS') - $(of decap_v4in4_1k_cycles 'lookup_burst'))) 122
hold "... IPv6" $(($(of decap_v6in4_1k_cycles 'PROGRAM TOTALS') - $(of decap_v6in4_1k_cycles 'lookup_burst'))) 137
exit $failed
