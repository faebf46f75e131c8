#!/usr/bin/env bash
# Labs: real pxtrd daemons and real kernel hosts in network namespaces. See scripts/README.md.
#   scripts/lab.sh list
#   scripts/lab.sh run NAME [--json FILE]     up, all checks, down; exit 0 = all checks passed
#   scripts/lab.sh run all [--json DIR]       every scenario, one after the other
#   scripts/lab.sh up NAME | down NAME        leave it running | remove it
#   scripts/lab.sh exec NAME NODE COMMAND...  a command in a node's namespace
#   scripts/lab.sh cli NAME NODE ARGS...      the pxtr client against a node's daemon
#   scripts/lab.sh logs NAME NODE             a daemon's log
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ "$(id -u)" = 0 ] || die "labs need root (network namespaces, AF_PACKET): run with sudo"
if ! command -v ip >/dev/null || ! command -v tshark >/dev/null || ! command -v traceroute >/dev/null; then
  need_packages "${LAB_PACKAGES[@]}"
fi
# Only what starts daemons needs them built.
if [[ "${1:-}" =~ ^(run|up)$ ]] && [ ! -x "${PXTR_BIN_DIR:-$ROOT/target/release}/pxtrd" ]; then
  need_packages "${BUILD_PACKAGES[@]}"
  need_rust
  build_release || exit 1
fi

export PYTHONPATH="$ROOT/scripts" PYTHONDONTWRITEBYTECODE=1 ROOT
export PXTR_LAB_OWNER=$$
if [ "${1:-}" = run ]; then
  # The child does the work and cleans up; should it die without, this shell does it for it.
  trap ':' INT TERM HUP
  python3 -m lab "$@" &
  child=$!
  trap 'kill -TERM $child 2>/dev/null' INT TERM HUP
  wait $child
  status=$?
  while kill -0 $child 2>/dev/null; do
    wait $child
    status=$?
  done
  python3 -m lab reap
  exit $status
fi
exec python3 -m lab "$@"
