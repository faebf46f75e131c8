#!/usr/bin/env bash
# The house rules, checked: layout, dependency direction, file sizes, unsafe, format, lints, docs.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

python3 scripts/rules.py
python3 scripts/conformance.py

cargo fmt --all --check
for extra in control/fuzz dataplane/fuzz; do
  [ -f "$extra/Cargo.toml" ] || continue
  (cd "$extra" && cargo fmt --check)
  # These have lock files of their own, which a dependency added to a room leaves behind.
  cargo metadata --locked --format-version 1 --manifest-path "$extra/Cargo.toml" >/dev/null ||
    die "$extra/Cargo.lock is stale: (cd $extra && cargo update --workspace) and commit it"
done
cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet --document-private-items
if command -v shellcheck >/dev/null; then
  shellcheck -x -P scripts:scripts/lab scripts/*.sh perf/*.sh perf/*/*.sh perf/report .ci/run
else
  echo "note: shellcheck is not installed; shell scripts were not checked" >&2
fi
python3 -m compileall -q scripts perf >/dev/null
find scripts perf -name __pycache__ -prune -exec rm -rf {} +
echo "checks passed"
