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

say "labs (the quick ones; the others: scripts/lab.sh list)"
for lab in interworking v4-islands; do
  scripts/lab.sh run "$lab"
done

say "all tests passed"
