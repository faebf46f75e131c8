"""A site's way out by several Proxy ETRs: weights among the best, one in reserve.

    site -- xtr -- core == pxtr -- host      pxtr: three RLOCs stand for three Proxy ETRs
                     |
                     ms
"""

import sys
import time

from .. import measure, topology

HOST = "192.0.2.10"
FLOWS = 20_000
UPLINKS = (2, 3, 5)
FIRST, SECOND, RESERVE = (topology.uplink4(n) for n in UPLINKS)


class UsePetr:
    """20,000 flows out of a site by three PETRs: 70/30 and a backup, as they die and come back."""

    name = "use-petr"

    def build(self, lab):
        """One site, the proxy, the host."""
        lab.node("host", "pxtr", "xtr", "site", "ms")
        lab.node("core", forwarding=True)
        topology.host(lab, "host", "pxtr", "native0", (f"{HOST}/24",), ("192.0.2.1",))
        topology.host(lab, "site", "xtr", "site0", ("10.1.0.10/24",), ("10.1.0.1",))
        topology.uplink(lab, "xtr", 1, (4,))
        for n, uplink in enumerate(UPLINKS, 1):
            topology.uplink(lab, "pxtr", uplink, (4,), device=f"up{n}")
        topology.mapping_system(lab, 4, (4,))
        for node in ("ms", "pxtr", "xtr"):
            lab.daemon(node, f"{self.name}/{node}.toml")
        lab.wait_interface("pxtr", "native", "core1", "core2", "core3")
        lab.address("pxtr", "native", "192.0.2.1/24")
        for n, uplink in enumerate(UPLINKS, 1):
            topology.uplink_address(lab, "pxtr", uplink, (4,), interface=f"core{n}", default=False)
        lab.wait_interface("xtr", "site", "core")
        lab.address("xtr", "site", "10.1.0.1/24")
        topology.uplink_address(lab, "xtr", 1, (4,))
        for node in ("ms", "pxtr", "xtr"):
            lab.wait_daemon(node)
        topology.wait_registered(lab, 1)

    def check(self, lab):
        """The split by flows, and who takes over from whom."""
        measure.ping(lab, "ping site to host", "site", HOST)
        before = self._flows(lab)
        self._split(lab, "70/30 and a backup", before, {FIRST: 70, SECOND: 30, RESERVE: 0})
        stream = measure.Stream(lab, "site", "host", HOST, 9004)
        time.sleep(1)
        self._dies(lab, FIRST)
        after = self._flows(lab)
        self._split(lab, "the first one dead", after, {FIRST: 0, SECOND: 100, RESERVE: 0})
        self._dies(lab, SECOND)
        self._split(lab, "both dead", self._flows(lab), {FIRST: 0, SECOND: 0, RESERVE: 100})
        lost = stream.lost_since(0)
        for rloc in (FIRST, SECOND):
            lab.run("core", "ip", "route", "del", "blackhole", f"{rloc}/32")
        lab.mark("both are alive again")
        lab.wait("both in use again", lambda: self._up(lab, FIRST) and self._up(lab, SECOND), 10)
        again = self._flows(lab)
        self._split(lab, "both back", again, {FIRST: 70, SECOND: 30, RESERVE: 0})
        moved = sum(1 for flow in before.keys() & again.keys() if before[flow] != again[flow])
        lab.record("flows that are elsewhere than in the beginning", moved == 0, moved, f"of {FLOWS}")
        stream.drain()
        came_back = stream.lost_since(0) - lost
        lab.record("packets lost at the return", came_back == 0, came_back, "packets")
        outage = stream.outage_ms()
        lab.record("outage when the PETR of a flow dies", outage <= 1000, outage, "ms (at 200 ms probing)")
        lab.sums_up(outage, stream.lost_since(0), outage)
        for node in ("pxtr", "xtr"):
            measure.fates(lab, f"{node}: fates sum up to packets received", node)

    @staticmethod
    def _flows(lab):
        """Sends one datagram a flow, returns flow -> outer destination as the core saw it."""
        capture = measure.Capture(lab, "core", filter_="udp dst port 4341 and src host 198.51.100.6")
        lab.run("site", sys.executable, measure.TOOL, "udp-blast", HOST, "9003", str(FLOWS), timeout=120)
        capture.stop()
        return measure.outer_destinations(capture.file)

    @staticmethod
    def _split(lab, name, flows, wanted):
        for rloc, share in wanted.items():
            seen = 100 * sum(1 for d in flows.values() if d == rloc) / max(len(flows), 1)
            lab.record(f"{name}: share of {rloc}, wanted {share}", abs(seen - share) <= (1 if 0 < share < 100 else 0),
                       round(seen, 2), "% of flows")
        lab.record(f"{name}: flows seen", len(flows) == FLOWS, len(flows), f"of {FLOWS}")

    def _dies(self, lab, rloc):
        lab.run("core", "ip", "route", "replace", "blackhole", f"{rloc}/32")
        lab.mark(f"PETR {rloc} dies silently")
        lab.wait(f"{rloc} out of use", lambda: not self._up(lab, rloc), 10)
        lab.mark(f"the site's router no longer uses {rloc} (seen from outside)")

    @staticmethod
    def _up(lab, rloc):
        rows = lab.cli("xtr", "show", "rlocs")["rlocs"]
        return any(r["rloc"] == rloc and r["state"] == "up" for r in rows)
