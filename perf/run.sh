#!/usr/bin/env bash
# Takes a number that may be shown: in a release build, on hugepages, on a CPU of its own, with the
# facts of the machine and the commit.
#   perf/run.sh list
#   perf/run.sh NAME [--json FILE] [--only PART] [further options of benches of the whole daemon]
# The hugepages that it reserves are given back at the end. Needs root for them.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
cd "$ROOT"

HUGEPAGES=/sys/kernel/mm/hugepages/hugepages-2048kB
BIN=${CARGO_TARGET_DIR:-target}/release

had_pages=
had_niceness=
give_back() {
  [ -z "$had_pages" ] || echo "$had_pages" >"$HUGEPAGES/nr_hugepages"
  [ -z "$had_niceness" ] || echo "$had_niceness" >/proc/self/autogroup
}
trap give_back EXIT

# Before all other sessions while it measures: with the kernel's autogroups each session has the same share of
# the CPUs, whatever the niceness of its processes.
go_first() {
  [ -w /proc/self/autogroup ] || return 0
  had_niceness=$(sed 's/.*nice //' /proc/self/autogroup)
  echo -15 >/proc/self/autogroup 2>/dev/null || had_niceness=
}

usage() { sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

# Reserves so many MiB beyond what is free; what was reserved before comes back at exit.
take_hugepages() {
  [ -w "$HUGEPAGES/nr_hugepages" ] || die "no hugepages, no numbers: run as root on a kernel with 2 MiB pages"
  local had free wanted
  had=$(cat "$HUGEPAGES/nr_hugepages")
  free=$(cat "$HUGEPAGES/free_hugepages")
  wanted=$((had - free + $1 / 2 + 8))
  [ "$wanted" -gt "$had" ] || return 0
  had_pages=$had
  echo "$wanted" >"$HUGEPAGES/nr_hugepages"
  if [ "$(cat "$HUGEPAGES/nr_hugepages")" -lt "$wanted" ]; then
    sync
    echo 3 >/proc/sys/vm/drop_caches
    echo 1 >/proc/sys/vm/compact_memory
    echo "$wanted" >"$HUGEPAGES/nr_hugepages"
  fi
  [ "$(cat "$HUGEPAGES/nr_hugepages")" -ge "$wanted" ] ||
    die "no hugepages, no numbers: the kernel has no $1 MiB in pieces of 2 MiB"
}

# One JSON object.
machine() {
  local model
  model=$(awk -F': *' '/^model name|^cpu family|^model\t/ {print $2}' /proc/cpuinfo | head -n 3 | paste -sd/)
  printf '{"cpu":"%s","cpus":%s,"kernel":"%s","os":"%s","dpdk":"%s","rustc":"%s","load":"%s","date":"%s"}' \
    "$model" "$(nproc)" "$(uname -r)" "$(. /etc/os-release && echo "$PRETTY_NAME")" \
    "$(pkg-config --modversion libdpdk)" "$(rustc --version | cut -d' ' -f2)" \
    "$(cut -d' ' -f1-3 /proc/loadavg)" "$(date -u +%Y-%m-%dT%H:%MZ)"
}

commit() {
  local dirty=
  git diff --quiet HEAD -- 2>/dev/null || dirty=+
  echo "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)$dirty"
}

build() {
  say "building" >&2
  ${CARGO:-cargo} build --release --locked -p pxtr-perf "$@" >&2
}

[ $# -ge 1 ] || { usage; exit 2; }
name=$1
shift
json=
args=()
more=()
while [ $# -gt 0 ]; do
  case "$1" in
    --json) json=${2:?--json FILE}; shift 2 ;;
    --only) args+=(--only "${2:?--only PART}"); shift 2 ;;
    --*) more+=("$1" "${2:?$1 VALUE}"); shift 2 ;;
    *) usage; exit 2 ;;
  esac
done

# Prints the report, and keeps it.
finish() {
  [ -z "$json" ] || printf '%s\n' "$1" >"$json"
  printf '%s\n' "$1"
}

# Benches of the whole daemon, in perf/rig: pxtrd on one CPU, the generator on the other.
export PYTHONPATH="$ROOT/perf:$ROOT/scripts" PYTHONDONTWRITEBYTECODE=1 PXTR_BIN_DIR="$ROOT/$BIN"
[ "${BIN#/}" = "$BIN" ] || PXTR_BIN_DIR=$BIN
PYTHON=python3
rig() { "$PYTHON" -m rig "$@"; }

# What of PyPI the rig needs, in a folder of its own.
need_venv() {
  PYTHON=${CARGO_TARGET_DIR:-target}/perf-venv/bin/python
  [ -x "$PYTHON" ] || python3 -m venv "$(dirname "$(dirname "$PYTHON")")"
  "$PYTHON" -m pip install --quiet --disable-pip-version-check -r perf/requirements.txt
}

run_rig() {
  [ "$(id -u)" = 0 ] || die "$name makes a network namespace: run it as root"
  [ "$(nproc)" -ge 2 ] || die "$name needs two CPUs, one for pxtrd and one for the generator"
  command -v dpdk-testpmd >/dev/null || die "dpdk-testpmd is missing: apt install dpdk-dev"
  build --no-default-features --bin pxtr-traffic
  ${CARGO:-cargo} build --release --locked -p pxtr-control --bin pxtrd --bin pxtr >&2
  take_hugepages 768
  local out status=0
  out=$(rig "$name" --machine "$(machine)" --commit "$(commit)" "${args[@]}" "${more[@]}") || status=$?
  # Namespaces of a run that was killed.
  python3 -m lab reap >&2
  [ "$status" = 0 ] || exit "$status"
  finish "$out"
}

case "$name" in
  -h | --help) usage ;;
  list)
    build --no-default-features --bin pxtr-bench
    "$BIN/pxtr-bench" list
    rig list
    ;;
  wire | soak | loop) run_rig ;;
  ndr | latency | profiles)
    need_venv
    run_rig
    ;;
  *)
    [ ${#more[@]} -eq 0 ] || die "$name has no option ${more[0]}"
    build --no-default-features --bin pxtr-bench
    benches=$("$BIN/pxtr-bench" list)
    grep -q "^$name " <<<"$benches" || die "there is no bench $name; see: perf/run.sh list"
    case "$name" in lpm) take_hugepages 3200 ;; *) take_hugepages 160 ;; esac
    go_first
    out=$("$BIN/pxtr-bench" "$name" --hugepages --machine "$(machine)" --commit "$(commit)" "${args[@]}")
    if [ "$name" = memory ]; then
      build --bin perf-engine
      out=$(python3 -m rig.control "$BIN/perf-engine" "${args[1]:-}" <<<"$out")
    fi
    finish "$out"
    ;;
esac
