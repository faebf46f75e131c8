#!/usr/bin/env bash
# testpmd in front of a device under test with real NICs (or any DPDK ports): flowgen makes native packets to
# 10.253.0.0 and on; LISP data comes from a file. Ends at Enter; prints what was sent and received.
#   perf/testpmd/generate.sh encap PCI-ADDRESS [FLOWS]      one-armed: sends and counts on one port
#   perf/testpmd/generate.sh decap PCI-ADDRESS FILE.pcap    FILE by perf/trex/pcap.py
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

[ $# -ge 2 ] || { sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2; }
way=$1 port=$2 more=${3:-1024}
command -v dpdk-testpmd >/dev/null || die "dpdk-testpmd is missing: apt install dpdk-dev"
eal=(-l "${LCORES:-0,1}" --in-memory)
case "$way" in
  encap)
    exec dpdk-testpmd "${eal[@]}" -a "$port" -- -i --forward-mode=flowgen --txpkts=60 \
      --flowgen-flows="$more" --auto-start --stats-period 1
    ;;
  decap)
    [ -r "$more" ] || die "$more is missing: see perf/trex/pcap.py"
    # Port 0 is the NIC, port 1 the file, read again and again from memory.
    exec dpdk-testpmd "${eal[@]}" -a "$port" --vdev "net_pcap0,rx_pcap=$more,infinite_rx=1" -- -i \
      --forward-mode=io --auto-start --stats-period 1
    ;;
  *) die "encap or decap, not $way" ;;
esac
