-- Pktgen-DPDK: native packets to EID-prefixes from port 0, at rising rates; what comes back on port 1 is LISP data.
--
--   pktgen -l 0-2 -n 4 -- -P -m "1.0,2.1" -f perf/pktgen/encap.lua
--
-- Addresses are those of perf/trex/README.md. EIDS, FRAME and SECONDS may be changed here.
package.path = package.path .. ";?.lua;test/?.lua;app/?.lua;perf/pktgen/?.lua"
require "Pktgen"
local rates = require "rates"

local EIDS, FRAME, SECONDS = 1000, 64, 10
local DEVICE_MAC = os.getenv("DEVICE_MAC") or "02:00:00:00:00:01"

-- The n-th /24 from 1.0.0.0 on.
local function eid(n)
    return string.format("%d.%d.%d.7", 1 + n // 65536, n // 256 % 256, n % 256)
end

pktgen.stop("all")
pktgen.clear("all")
pktgen.range.dst_mac("0", "start", DEVICE_MAC)
pktgen.range.src_ip("0", "start", "172.16.0.1")
pktgen.range.src_ip("0", "inc", "0.0.0.1")
pktgen.range.src_ip("0", "min", "172.16.0.1")
pktgen.range.src_ip("0", "max", "172.16.255.254")
pktgen.range.dst_ip("0", "start", eid(0))
pktgen.range.dst_ip("0", "inc", "0.0.1.0")
pktgen.range.dst_ip("0", "min", eid(0))
pktgen.range.dst_ip("0", "max", eid(EIDS - 1))
pktgen.range.ip_proto("0", "udp")
pktgen.range.src_port("0", "start", 1025)
pktgen.range.src_port("0", "inc", 1)
pktgen.range.src_port("0", "min", 1025)
pktgen.range.src_port("0", "max", 65024)
pktgen.range.dst_port("0", "start", 2000)
pktgen.range.dst_port("0", "inc", 0)
pktgen.range.dst_port("0", "min", 2000)
pktgen.range.dst_port("0", "max", 2000)
pktgen.range.pkt_size("0", "start", FRAME)
pktgen.range.pkt_size("0", "inc", 0)
pktgen.range.pkt_size("0", "min", FRAME)
pktgen.range.pkt_size("0", "max", FRAME)
pktgen.set_range("0", "on")

rates.rise("0", "1", SECONDS)
