#!/usr/bin/env bash
# fuzz.sh [SECONDS] [TARGET...]: runs the fuzz targets (all, or those named), each for SECONDS (20).
# Exit 1 when one finds a crash; says how to run that input again and where to keep it.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SECONDS_EACH=${1:-20}
[[ $SECONDS_EACH =~ ^[0-9]+$ ]] || die "usage: fuzz.sh [SECONDS] [TARGET...]"
shift || true
WANTED=("$@")

need_packages "${BUILD_PACKAGES[@]}"
need_rust

HOST=$(rustc -vV | sed -n 's/^host: //p')
BUILD=$ROOT/target/fuzz
CORPUS=$ROOT/target/fuzz-corpus
# Coverage as libFuzzer wants it, by flags that stable rustc takes. They are for the targets only:
# with --target, build scripts and macros are built without.
COVERAGE="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"

wanted() {
  [ ${#WANTED[@]} -eq 0 ] && return 0
  local w
  for w in "${WANTED[@]}"; do [ "$w" = "$1" ] && return 0; done
  return 1
}

# run PACKAGE TARGET
run() {
  local package=$1 target=$2 room=${1%/fuzz}
  local binary=$BUILD/$HOST/release/$target corpus=$CORPUS/$room/$target crashes=$CORPUS/$room/crashes/
  local inputs=("$corpus") dir log status=0
  mkdir -p "$corpus" "$crashes"
  for dir in "$ROOT/$package/seeds/$target" "$ROOT/$package/regressions/$target"; do
    [ -d "$dir" ] && inputs+=("$dir")
  done
  log=$CORPUS/$room/$target.log
  # Nothing that comes in one datagram takes long or much memory: both are findings.
  "$binary" "${inputs[@]}" -max_total_time="$SECONDS_EACH" -max_len=4096 -timeout=5 -rss_limit_mb=2048 \
    -artifact_prefix="$crashes$target-" -print_final_stats=1 >"$log" 2>&1 || status=$?
  if [ "$status" -ne 0 ]; then
    tail -n 40 "$log" >&2
    local input
    input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    printf 'error: %s: target %s failed (exit %s)\n' "$package" "$target" "$status" >&2
    printf '  again:      %s %s\n' "$binary" "${input:-INPUT}" >&2
    printf '  to keep it: install -D -m 644 %s %s/regressions/%s/NAME   (NAME says what was wrong)\n' \
      "${input:-INPUT}" "$package" "$target" >&2
    return 1
  fi
  printf '%-18s %-12s %12s runs, %6s inputs kept, no crash\n' "$package" "$target" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" "$(find "$corpus" -type f | wc -l)"
}

failed=0
found=0
for package in control/fuzz dataplane/fuzz; do
  [ -f "$ROOT/$package/Cargo.toml" ] || continue
  targets=()
  for file in "$ROOT/$package"/fuzz_targets/*.rs; do
    name=$(basename "$file" .rs)
    if wanted "$name"; then targets+=("$name"); fi
  done
  [ ${#targets[@]} -eq 0 ] && continue
  found=$((found + ${#targets[@]}))
  say "building $package: ${targets[*]}"
  bins=()
  for target in "${targets[@]}"; do bins+=(--bin "$target"); done
  (cd "$ROOT/$package" && RUSTFLAGS="$COVERAGE" cargo build --release --locked --quiet \
    --target "$HOST" --target-dir "$BUILD" "${bins[@]}")
  for target in "${targets[@]}"; do
    run "$package" "$target" || failed=1
  done
done
[ "$found" -gt 0 ] || die "no such target: ${WANTED[*]}"
exit "$failed"
