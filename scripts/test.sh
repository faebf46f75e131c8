#!/usr/bin/env bash
# Installs what is missing, builds, and passes all tests. Exit 0 = releasable.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

need_packages "${BUILD_PACKAGES[@]}" "${LAB_PACKAGES[@]}" "${CHECK_PACKAGES[@]}"
need_rust
need_nextest

say "checks: layout, dependency direction, sizes, lints, docs"
scripts/check.sh

say "unit, property, packet-table, EAL and namespace tests"
cargo nextest run --workspace --locked --no-fail-fast
cargo test --workspace --locked --doc --quiet

say "fuzz targets, short runs"
scripts/fuzz.sh 10

build_release

say "instruction budgets of the packet path"
cargo build --release --locked -p pxtr-perf --no-default-features --bin pxtr-bench
perf/budget.sh

say "simulator: 10,000 seeds"
target/release/pxtr-sim run --seeds 10000

# One of each kind, about half a minute each.
quick=(interworking traceroute spoof v6-migration-3 v4-islands mobility-hot mobility-cold mobility-silent mobility-spoof dr-move te-backup)
say "labs: ${quick[*]}"
for lab in "${quick[@]}"; do
  scripts/lab.sh run "$lab"
done
say "labs left out here (scripts/lab.sh run all has them): $(scripts/lab.sh list | awk '{print $1}' \
  | grep -vxF -f <(printf '%s\n' "${quick[@]}") | tr '\n' ' ')"

say "all tests passed"
