-- Pktgen-DPDK: LISP data from port 1, at rising rates; what comes back on port 0 is native. Pktgen has no LISP
-- header: the packets come from a file.
--
--   target/perf-venv/bin/python perf/trex/pcap.py /tmp/decap.pcap --eids 1000 --mac DEVICE-MAC
--   pktgen -l 0-2 -n 4 -- -P -m "1.0,2.1" -s 1:/tmp/decap.pcap -f perf/pktgen/decap.lua
package.path = package.path .. ";?.lua;test/?.lua;app/?.lua;perf/pktgen/?.lua"
require "Pktgen"
local rates = require "rates"

local SECONDS = 10

pktgen.stop("all")
pktgen.clear("all")
rates.rise("1", "0", SECONDS)
