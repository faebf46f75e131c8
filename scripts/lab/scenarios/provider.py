"""A LISP service provider: 50 tenants with the same addresses behind one proxy.

    h01 192.0.2.10 --.                                      .-- s01 10.4.0.10
    ...              |-- 50 VLANs -- pxtr -- core == xtr -- 50 VLANs --| ...
    h50 192.0.2.10 --'                        |             '-- s50 10.4.0.10
                                              ms

Tenant N has Instance-ID 1000+N, VLAN 100+N at the proxy and 200+N at the sites, and a VRF in a network namespace of
its own on both routers. Each site's mapping has two locators, one for each uplink of its router.
"""

import json
import subprocess
import sys
import time

from .. import measure, topology
from ..net import LabError

TENANTS = [f"t{n:02}" for n in range(1, 51)]
HOST, SITE = "192.0.2.10", "10.4.0.10"
GATEWAY = {"pxtr": "192.0.2.1", "xtr": "10.4.0.1"}
RLOCS = (topology.uplink4(1), topology.uplink4(2))
SECONDS, INTERVAL_MS = 12, 50
CUT_AFTER = 5


class Provider:
    """50 tenants with own Instance-ID and VLAN and overlapping addresses, every site multihomed."""

    name = "provider"

    def build(self, lab):
        """A host and a site for each tenant, two trunks."""
        lab.node("pxtr", "xtr", "ms", "sw-host", "sw-site")
        lab.node("core", forwarding=True)
        for router, switch, letter, vlan, address in (("pxtr", "sw-host", "h", 100, HOST), ("xtr", "sw-site", "s", 200, SITE)):
            ends = {letter + t[1:]: str(vlan + n) for n, t in enumerate(TENANTS, 1)}
            lab.node(*ends)
            topology.trunk(lab, switch, router, ends)
            for tenant in TENANTS:
                lab.tenant(router, tenant)
            for end in ends:
                lab.address(end, "eth0", f"{address}/24")
                lab.route(end, "default", GATEWAY[router])
        topology.uplink(lab, "pxtr", 0, (4,))
        for n in (1, 2):
            topology.uplink(lab, "xtr", n, (4,), device=f"up{n}")
        topology.mapping_system(lab, 3, (4,))
        for node in ("ms", "pxtr", "xtr"):
            lab.daemon(node, f"{self.name}/{node}.toml")
        lab.wait_interface("pxtr", "core", timeout=60)
        topology.uplink_address(lab, "pxtr", 0, (4,), default=False)
        lab.wait_interface("xtr", "core1", "core2", timeout=60)
        for n in (2, 1):
            topology.uplink_address(lab, "xtr", n, (4,), interface=f"core{n}")
        for router, gateway in GATEWAY.items():
            for tenant in TENANTS:
                lab.wait_interface(f"{router}.{tenant}", tenant, timeout=60)
                lab.address(f"{router}.{tenant}", tenant, f"{gateway}/24")
        for node in ("ms", "pxtr", "xtr"):
            lab.wait_daemon(node)
        topology.wait_registered(lab, len(TENANTS))

    def check(self, lab):
        """Every tenant reaches its own site and nobody else's; one uplink dies under all of them."""
        lab.record("tenants registered, each with the same EID-prefix", True, topology.registered(lab), "")
        capture = measure.Capture(lab, "core", filter_="udp dst port 4341 and src host " + topology.uplink4(0))
        pairs = [f"{lab.ns('h' + t[1:])}:{lab.ns('s' + t[1:])}" for t in TENANTS]
        exchange = lab.spawn("core", sys.executable, measure.TOOL, "tenants", HOST, SITE, str(SECONDS), str(INTERVAL_MS), *pairs,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        begin = time.time()
        lab.mark("all tenants send, no mapping known", begin)
        time.sleep(CUT_AFTER)
        cut = time.time()
        lab.run("core", "ip", "route", "replace", "blackhole", f"{RLOCS[1]}/32")
        lab.mark("one uplink of the sites dies silently", cut)
        out, error = exchange.communicate(timeout=SECONDS + 30)
        capture.stop()
        if exchange.returncode:
            raise LabError(f"exchange: {error.decode()[-300:]}")
        self._judge(lab, json.loads(out), cut)
        self._split(lab, capture, cut)
        entries = lab.cli("pxtr", "show", "map-cache", "--limit", "5000")["entries"]
        learnt = {e["instance_id"] for e in entries if e["origin"] == "learnt"}
        lab.record("the proxy has a mapping for each Instance-ID", len(learnt) == len(TENANTS), len(learnt), f"of {len(TENANTS)}")
        for node in ("pxtr", "xtr"):
            measure.fates(lab, f"{node}: fates sum up to packets received", node)

    def _judge(self, lab, tenants, cut):
        foreign = sum(t["foreign"] for t in tenants)
        lab.record("packets of another tenant seen, at all ends", foreign == 0, foreign, "")
        first = [t["answered"][0] - t["asked"][0] for t in tenants if t["answered"][0]]
        lab.record("tenants whose first packet is answered", len(first) == len(TENANTS), len(first), f"of {len(TENANTS)}")
        lab.record("first packet to its answer, slowest tenant", True, round(1000 * max(first, default=0), 1), "ms")
        # What was asked a moment before may be on its way when the uplink dies.
        early = sum(1 for t in tenants for a, b in zip(t["asked"], t["answered"]) if a < cut - 0.2 and not b)
        lab.record("packets lost before the uplink dies", early == 0, early, "")
        lost = [[a for a, b in zip(t["asked"], t["answered"]) if a >= cut - 0.2 and not b] for t in tenants]
        outage = max((max(rows) - cut for rows in lost if rows), default=0.0)
        hit = sum(1 for rows in lost if rows)
        lab.record("tenants whose flow was on that uplink", 0 < hit < len(TENANTS), hit, f"of {len(TENANTS)}")
        lab.record("their outage, at most", outage <= 1.0, round(1000 * outage), "ms (at 200 ms probing)")
        lab.mark("the last tenant's flow goes by the other uplink", cut + outage)
        lab.sums_up(round(1000 * outage), sum(map(len, lost)), round(1000 * outage))

    def _split(self, lab, capture, cut):
        rows = [r.split(";") for r in capture.fields("frame.time_epoch", "udp.dstport == 7000", "ip.dst")]
        before = {r[1].split(",")[0] for r in rows if float(r[0]) < cut}
        late = {r[1].split(",")[0] for r in rows if float(r[0]) > cut + 2}
        lab.record("locators in use before", before == set(RLOCS), " ".join(sorted(before)), "")
        lab.record("locators in use after", late == {RLOCS[0]}, " ".join(sorted(late)), "")
