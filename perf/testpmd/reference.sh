#!/usr/bin/env bash
# testpmd in the place of pxtrd: what the NICs, the bus and the core do without any work on the packets.
#   perf/testpmd/reference.sh io|macswap PCI-ADDRESS...
# The generator has to send as it does to pxtrd; with two ports, packets cross from one to the other.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

[ $# -ge 2 ] || { sed -n '2,4s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2; }
mode=$1
shift
command -v dpdk-testpmd >/dev/null || die "dpdk-testpmd is missing: apt install dpdk-dev"
case "$mode" in io | macswap) ;; *) die "io or macswap, not $mode" ;; esac
ports=()
for address in "$@"; do ports+=(-a "$address"); done
exec dpdk-testpmd -l "${LCORES:-0,1}" --in-memory "${ports[@]}" -- -i --forward-mode="$mode" --nb-cores=1 \
  --burst=32 --auto-start --stats-period 1
