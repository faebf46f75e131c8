"""A whole site moves to another router: 1,000 EID-prefixes, and back.

    host -- pxtr -- core -- xtr -- site      xtr: the site's router
                     |  \\-- dr  -- /         dr: the router of the DR site, in reserve
                     ms

First the site's router dies silently, and the one in reserve is told to serve the site: it registers everything with
its own RLOC. The proxy finds by RLOC-probes that the old one is dead, and asks for what is in use. Then the site's router
is there again and registers; the Map-Server tells the other one, which solicits those who have its mappings.
"""

import os
import shutil
import time

from .. import measure, topology
from ..net import ROOT
from .dr_move import INTERVAL_MS, LIVE, NEW, NEXT_HOP, OLD, PREFIXES, SiteMove, flows_by, registered_with

DR_HOP = "172.16.9.10"


class RouterMove(SiteMove):
    """Another router takes over 1,000 EID-prefixes, 100 of them with live flows, and gives them back."""

    name = "dr-move-router"

    def build(self, lab):
        """The site has both routers; one of them serves it."""
        lab.node("host", "pxtr", "xtr", "dr", "site", "ms")
        lab.node("core", forwarding=True)
        topology.host(lab, "host", "pxtr", "native0", ("192.0.2.10/24",), ("192.0.2.1",))
        topology.host(lab, "site", "xtr", "site0", (f"{NEXT_HOP}/24",), ("10.16.0.1",))
        lab.link("site", "eth1", "dr", "site0")
        lab.address("site", "eth1", f"{DR_HOP}/24")
        lab.address("site", "lo", *(f"{a}/32" for a in self.live()[1:]))
        topology.uplink(lab, "pxtr", 0, (4,))
        for n, node in ((1, "xtr"), (2, "dr")):
            topology.uplink(lab, node, n, (4,))
        topology.mapping_system(lab, 3, (4,))
        lab.config = os.path.join(lab.dir, "dr.toml")
        self._configure(lab, "dr.toml")
        for node in ("ms", "pxtr", "xtr"):
            lab.daemon(node, f"{self.name}/{node}.toml")
        lab.daemon("dr", lab.config)
        lab.wait_interface("pxtr", "native", "core")
        lab.address("pxtr", "native", "192.0.2.1/24")
        topology.uplink_address(lab, "pxtr", 0, (4,), default=False)
        for n, node, address, hop in ((1, "xtr", "10.16.0.1", NEXT_HOP), (2, "dr", "172.16.9.1", DR_HOP)):
            lab.wait_interface(node, "site", "core")
            lab.address(node, "site", f"{address}/24")
            topology.uplink_address(lab, node, n, (4,))
            lab.route(node, "10.16.0.0/14", hop)
        for node in ("ms", "pxtr", "xtr", "dr"):
            lab.wait_daemon(node)
        topology.wait_registered(lab, PREFIXES + 1)

    def _configure(self, lab, file):
        shutil.copy(os.path.join(ROOT, "configs", self.name, file), lab.config)

    def check(self, lab):
        """Every flow goes on by the other router, and comes back without loss."""
        measure.ping(lab, "ping host to site", "host", NEXT_HOP)
        fleet = measure.Fleet(lab, "host", "site", self.live(), 9005, INTERVAL_MS)
        lab.wait("all flows are in the proxy's map-cache", lambda: len(flows_by(lab, OLD)) == LIVE, 20)
        time.sleep(2)
        moved = self._dies(lab)
        time.sleep(2)
        back = self._returns(lab)
        time.sleep(2)
        fleet.drain()
        rows = fleet.flows()
        ends = {flow: [r for r in all_ if r[1] < back] for flow, all_ in rows.items()}
        self._judge(lab, ends, moved)
        lost = sum(self._missing([r for r in all_ if r[1] >= back]) for all_ in rows.values())
        lab.record("return of the first router: packets lost", lost == 0, lost, "of all flows")
        for node in ("pxtr", "xtr", "dr"):
            measure.fates(lab, f"{node}: fates sum up to packets received", node)

    @staticmethod
    def _missing(rows):
        return rows[-1][0] - rows[0][0] + 1 - len(rows) if rows else 0

    def _dies(self, lab):
        self._configure(lab, "dr-active.toml")
        moved = time.time()
        # Neither to it nor from it.
        lab.run("core", "ip", "rule", "add", "from", OLD, "blackhole")
        lab.run("core", "ip", "route", "replace", "blackhole", f"{OLD}/32")
        lab.reload_daemon("dr")
        lab.mark("the site's router dies, the one in reserve is told to serve the site", moved)
        lab.wait("the proxy uses the other router for all flows", lambda: len(flows_by(lab, NEW)) == LIVE, 60)
        lab.mark("the proxy's map-cache has the other router for all flows (seen from outside)")
        lab.wait("all EID-prefixes registered by the other router", lambda: registered_with(lab, NEW) == PREFIXES + 1, 30)
        down = lab.logged("pxtr", "rlocs_down", moved)
        lab.record("RLOC-probes find the death", down is not None, round(1000 * ((down or moved) - moved)), "ms")
        if down:
            lab.mark("the proxy finds the old RLOC dead, and asks for what is in use", down)
        return moved

    def _returns(self, lab):
        back = time.time()
        lab.run("core", "ip", "rule", "del", "from", OLD, "blackhole")
        lab.run("core", "ip", "route", "del", "blackhole", f"{OLD}/32")
        lab.mark("the site's router is there again", back)
        lab.wait("all EID-prefixes registered by the site's router", lambda: registered_with(lab, OLD) == PREFIXES, 30)
        lab.wait("the proxy uses the site's router for all flows", lambda: len(flows_by(lab, OLD)) == LIVE, 30)
        lab.mark("the proxy's map-cache has the site's router for all flows (seen from outside)")
        told = lab.logged("dr", "database_taken_over", back)
        self._configure(lab, "dr.toml")
        lab.reload_daemon("dr")
        lab.record("return: the other router is told by the Map-Server", told is not None, round(1000 * ((told or back) - back)), "ms")
        if told:
            lab.mark("the other router is told, and solicits those who have its mappings", told)
        self._judge_return(lab)
        return back

    def _judge_return(self, lab):
        """Each mapping in use was solicited by the other router, and the proxy asked because of SMRs.

        The Map-Server also says again to the site's router that the other one took over (nobody confirmed that while it was
        dead), so that one may solicit too, and then the proxy may be right before the other router has sent all of its SMRs.
        """
        engine = lambda node: lab.cli(node, "show", "statistics")["engine"]
        until = time.monotonic() + 5
        while (sent := engine("dr")["smrs_sent"]) < LIVE and time.monotonic() < until:
            time.sleep(0.05)
        by_xtr, proxy = engine("xtr")["smrs_sent"], engine("pxtr")
        lab.record("return: SMRs", LIVE <= sent <= 3 * LIVE, sent, f"of at least {LIVE} (and {by_xtr} of the site's router)")
        invoked = proxy["smr_invoked_sent"]
        lab.record("return: Map-Requests because of SMRs", invoked >= LIVE, invoked, f"of {proxy['map_requests_sent']}")

    def _judge_smrs(self, lab):
        """Nobody is there to send any when a router dies."""
