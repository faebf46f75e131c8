"""A whole site moves: 1,000 EID-prefixes get new RLOCs at once.

    host -- pxtr -- core == xtr -- site      xtr: the site's router, at two providers
                     |
                     ms

The router knows both of its RLOCs from the start. At the moment of the move the old one dies silently in the
core, and the router reads a configuration that has the new one in every mapping.
"""

import os
import shutil
import time

from .. import measure, topology
from ..net import ROOT

PREFIXES, LIVE = 1000, 100
OLD, NEW = topology.uplink4(1), topology.uplink4(2)
NEXT_HOP = "10.16.0.10"
INTERVAL_MS = 20


def _address(number):
    """A host in the site's prefix `number`."""
    return f"10.{16 + number // 250}.{number % 250}.10"


class SiteMove:
    """1,000 EID-prefixes re-register with new RLOCs while 100 of them carry traffic."""

    name = "dr-move"

    def build(self, lab):
        """One site with two uplinks; its host has an address in every tenth prefix."""
        lab.node("host", "pxtr", "xtr", "site", "ms")
        lab.node("core", forwarding=True)
        topology.host(lab, "host", "pxtr", "native0", ("192.0.2.10/24",), ("192.0.2.1",))
        topology.host(lab, "site", "xtr", "site0", (f"{NEXT_HOP}/24",), ("10.16.0.1",))
        lab.address("site", "lo", *(f"{a}/32" for a in self.live()[1:]))
        topology.uplink(lab, "pxtr", 0, (4,))
        for n in (1, 2):
            topology.uplink(lab, "xtr", n, (4,), device=f"up{n}")
        topology.mapping_system(lab, 3, (4,))
        lab.config = os.path.join(lab.dir, "xtr.toml")
        shutil.copy(os.path.join(ROOT, "configs", self.name, "xtr.toml"), lab.config)
        for node in ("ms", "pxtr"):
            lab.daemon(node, f"{self.name}/{node}.toml")
        lab.daemon("xtr", lab.config)
        lab.wait_interface("pxtr", "native", "core")
        lab.address("pxtr", "native", "192.0.2.1/24")
        topology.uplink_address(lab, "pxtr", 0, (4,), default=False)
        lab.wait_interface("xtr", "site", "core1", "core2")
        lab.address("xtr", "site", "10.16.0.1/24")
        for n in (1, 2):
            topology.uplink_address(lab, "xtr", n, (4,), interface=f"core{n}")
        lab.route("xtr", "10.16.0.0/14", NEXT_HOP)
        for node in ("ms", "pxtr", "xtr"):
            lab.wait_daemon(node)
        topology.wait_registered(lab, PREFIXES)

    @staticmethod
    def live():
        """The addresses that traffic goes to."""
        return [_address(n * PREFIXES // LIVE) for n in range(LIVE)]

    def check(self, lab):
        """Every flow goes on by the new RLOC; how long it took, flow by flow."""
        measure.ping(lab, "ping host to site", "host", NEXT_HOP)
        lab.record("EID-prefixes registered", True, topology.registered(lab), "")
        fleet = measure.Fleet(lab, "host", "site", self.live(), 9005, INTERVAL_MS)
        lab.wait("all flows are in the proxy's map-cache", lambda: len(flows_by(lab, OLD)) == LIVE, 20)
        time.sleep(2)
        shutil.copy(os.path.join(ROOT, "configs", self.name, "xtr-moved.toml"), lab.config)
        moved = time.time()
        lab.run("core", "ip", "route", "replace", "blackhole", f"{OLD}/32")
        lab.reload_daemon("xtr")
        lab.mark("the old RLOC dies, the router is told of the new one", moved)
        lab.wait("the proxy uses the new RLOC for all flows", lambda: len(flows_by(lab, NEW)) == LIVE, 60)
        lab.mark("the proxy's map-cache has the new RLOC for all flows (seen from outside)")
        time.sleep(1)
        lab.wait("all EID-prefixes registered with the new RLOC", lambda: registered_with(lab, NEW) == PREFIXES, 30)
        fleet.drain()
        self._judge(lab, fleet.flows(), moved)
        for node in ("pxtr", "xtr"):
            lost = lab.cli(node, "show", "statistics")["dataplane"].get("drop_host_full_control", 0)
            lab.record(f"{node}: control messages lost on their way to the kernel", lost == 0, lost, "")
            measure.fates(lab, f"{node}: fates sum up to packets received", node)

    def _judge(self, lab, flows, moved):
        lost, back = [], []
        for rows in flows.values():
            before = max((r[0] for r in rows if r[2] <= moved), default=0)
            after = [r for r in rows if r[0] > before]
            lost.append(after[-1][0] - before - len(after) if after else 0)
            # From the moment after which nothing is missing any more.
            gaps = [b for a, b in zip(rows, rows[1:]) if b[0] > a[0] + 1 and b[2] > moved]
            back.append(gaps[-1][2] if gaps else moved)
        back.sort()
        ms = [round(1000 * (at - moved)) for at in back]
        lab.record("flows that go on", len(flows) == LIVE and all(rows[-1][1] > back[-1] for rows in flows.values()),
                   len(flows), f"of {LIVE}")
        lab.record("convergence of the proxy: first flow", True, ms[0], "ms")
        lab.record("convergence of the proxy: median flow", True, ms[len(ms) // 2], "ms")
        lab.record("convergence of the proxy: last flow", ms[-1] <= 3000, ms[-1], "ms (at most 3000)")
        lab.record("packets lost", True, sum(lost), f"of all flows, at {1000 // INTERVAL_MS} a second each")
        self._judge_smrs(lab)
        for share in (1, 50, 100):
            lab.mark(f"{share} of {len(back)} flows arrive by the new RLOC", back[share - 1])
        lab.sums_up(ms[-1], sum(lost), ms[-1])

    def _judge_smrs(self, lab):
        sent = lab.cli("xtr", "show", "statistics")["engine"]["smrs_sent"]
        lab.record("SMRs: a few for each flow in use, none for the others", LIVE <= sent <= 3 * LIVE, sent, "")


def flows_by(lab, rloc):
    """EID-prefixes that the proxy sends to an RLOC."""
    entries = lab.cli("pxtr", "show", "map-cache", "--limit", "5000")["entries"]
    return [e for e in entries if [loc["rloc"] for loc in e["locators"]] == [rloc]]


def registered_with(lab, rloc):
    """How many EID-prefixes are registered with that RLOC alone."""
    rows = lab.cli("ms", "show", "registrations", "--limit", "5000")["registrations"]
    return sum(1 for r in rows if [loc["rloc"] for loc in r["locators"]] == [rloc])
