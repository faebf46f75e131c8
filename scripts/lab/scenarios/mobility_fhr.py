"""A host behind a First-Hop Router moves.

    host -- pxtr -- core -- x1 -- br1            x1: home of 10.1.0.0/24
                     |  \\-- x2 -- f2 -- br2      x2: 10.2.0.0/24; f2 finds the hosts and tells x2 (E bit)
                     ms

The VM is a namespace; to move it, its cable goes from one site's bridge to the other's. x1 and f2 have the gateway
address 10.1.0.1 with the same Ethernet address.
"""

import sys
import time

from .. import measure, topology
from . import mobility
from .mobility import BRIDGE, GATEWAY, GATEWAY_MAC, HOST, RLOC, VM

ROUTER = "10.2.0.2"
NODES = ("pxtr", "x1", "x2", "f2")


class FirstHop:
    """A VM comes to a site whose First-Hop Router finds it, and leaves it under a 1 kHz stream."""

    name = "mobility-fhr"

    def build(self, lab):
        """Two sites without any layer 2 between them; the second has a router inside."""
        lab.node("host", "ms", "vm", "sites", *NODES)
        lab.node("core", forwarding=True)
        topology.host(lab, "host", "pxtr", "native0", (f"{HOST}/24",), ("192.0.2.1",))
        topology.uplink(lab, "pxtr", 0, (4,))
        for number, node in enumerate(("x1", "x2"), 1):
            lab.run("sites", "ip", "link", "add", BRIDGE[node], "type", "bridge")
            lab.run("sites", "ip", "link", "set", "dev", BRIDGE[node], "up")
            topology.uplink(lab, node, number, (4,))
        lab.link("x2", "site0", "f2", "up0")
        for node, bridge in (("x1", "br1"), ("f2", "br2")):
            lab.link(node, "site0", "sites", node)
            lab.run("sites", "ip", "link", "set", "dev", node, "master", bridge)
        lab.link("vm", "eth0", "sites", "vm")
        lab.run("sites", "ip", "link", "set", "dev", "vm", "master", "br1")
        lab.address("vm", "eth0", f"{VM}/24")
        lab.route("vm", "default", GATEWAY)
        lab.run("vm", "ip", "neigh", "replace", GATEWAY, "lladdr", GATEWAY_MAC, "dev", "eth0", "nud", "permanent")
        self._start(lab)

    def _start(self, lab):
        topology.mapping_system(lab, 3, (4,))
        for node in ("ms", *NODES):
            lab.daemon(node, f"{self.name}/{node}.toml")
        lab.wait_interface("pxtr", "native", "core")
        lab.address("pxtr", "native", "192.0.2.1/24")
        topology.uplink_address(lab, "pxtr", 0, (4,), default=False)
        for number, (node, address) in enumerate((("x1", f"{GATEWAY}/24"), ("x2", "10.2.0.1/24")), 1):
            lab.wait_interface(node, "site", "core")
            lab.address(node, "site", address)
            topology.uplink_address(lab, node, number, (4,))
        lab.wait_interface("f2", "site", "up")
        lab.address("f2", "site", f"{GATEWAY}/32")
        lab.address("f2", "up", f"{ROUTER}/24")
        lab.route("f2", "default", "10.2.0.1")
        for node in ("ms", *NODES):
            lab.wait_daemon(node)
        topology.wait_registered(lab, 2)

    def check(self, lab):
        """Its site's xTR registers it, and the First-Hop Router is told when it left."""
        mobility.at_home(lab)
        self._comes(lab)
        self._leaves(lab)
        for node in NODES:
            measure.fates(lab, f"{node}: fates sum up to packets received", node)

    def _comes(self, lab):
        arrived = mobility.move(lab, "x2", 1)
        asked = measure.asks(lab, "vm", "host", HOST)
        lab.wait("VM registered from site 2", lambda: mobility.registered_by(lab) == [RLOC["x2"]], 10)
        lab.wait("x1 told", lambda: VM in mobility.hosts(lab, "x1", "away"), 10)
        found = lab.logged("f2", "dynamic_eids_appeared", arrived)
        seen, told = mobility.mark_move(lab, "x1", "x2", arrived)
        lab.mark("f2 sees the VM and registers it with x2 (E bit)", found)
        lab.record("f2 sees the VM to x1 told", told - found <= 1, round(1000 * (told - found), 1), "ms")
        mobility.only_in_flight(lab, "VM to host from behind f2 at once", asked, told)
        measure.ping(lab, "host to VM behind f2", "host", VM)
        entry = lab.cli("x2", "show", "dynamic-eid")["entries"][0]
        source = (entry["eid"], entry.get("first_hop_router"), entry["seen_by"])
        lab.record("show dynamic-eid at x2: its source", source == (VM, ROUTER, "eid-notify"), " ".join(map(str, source)), "")
        lab.record("show dynamic-eid at f2", VM in mobility.hosts(lab, "f2", "dynamic-eid"), VM, "")
        routes = lab.run("x2", "ip", "route", "show", "proto", "99").stdout
        lab.record("kernel route at x2", f"{VM} via {ROUTER}" in routes, routes.strip() or "none", "")
        measure.tcp_bulk(lab, "TCP bulk to the VM behind f2, hash", "host", "vm", VM, 5_000_000)

    def _leaves(self, lab):
        stream = measure.Stream(lab, "host", "vm", VM, 9004)
        time.sleep(1)
        direct = measure.FirstPacket(lab, "core", mobility.from_to("x1"))
        # A VM that is never silent for long.
        lab.spawn("vm", sys.executable, "-c", mobility.ANNOUNCE, VM, "3")
        time.sleep(1)
        begin = time.time()
        arrived = mobility.move(lab, "x1", 0)
        lab.wait("x2 told that the VM is away", lambda: VM in mobility.hosts(lab, "x2", "away"), 10)
        lab.wait("proxy uses the new RLOC", lambda: mobility.sends_to(lab, "pxtr") == [RLOC["x1"]], 10)
        used = direct.seen(10)
        time.sleep(1)
        stream.drain()
        seen, told = mobility.mark_move(lab, "x2", "x1", begin)
        lab.wait("f2 told", lambda: lab.logged("f2", "dynamic_eids_moved_away", begin), 10)
        heard = lab.logged("f2", "dynamic_eids_moved_away", begin)
        lab.mark("f2 is told by x2 (Map-Notify), and removes the VM", heard)
        lab.mark("first packet from the proxy straight to x1", used)
        lab.record("x1 sees the VM to f2 told", heard - seen <= 1, round(1000 * (heard - seen), 1), "ms")
        lab.record("no longer live at f2", VM not in mobility.hosts(lab, "f2", "dynamic-eid"), VM, "")
        left = lab.run("f2", "ip", "route", "show", "proto", "99").stdout.strip()
        lab.record("f2's kernel route is gone", not left, left or "none", "")
        acknowledged = mobility.counter(lab, "x2", "map_notify_acks_received")
        lab.record("f2 acknowledged", acknowledged >= 1, acknowledged, "Map-Notify-Acks")
        self._judge(lab, stream, (begin, arrived, seen, told, used))
        mobility.check_moved(lab, "x2", "x1")
        measure.ping(lab, "host to VM at home again", "host", VM)

    def _judge(self, lab, stream, moments):
        begin, arrived, seen, told, used = moments
        move, outage, lost = round(1000 * (arrived - begin), 1), stream.outage_ms(), stream.lost_since(0)
        lab.record("the move itself", True, move, "ms")
        lab.record("outage, at most 50 ms beyond the time that the move takes", outage <= move + 50, outage, "ms")
        after = len(stream.lost_after(told + 0.002))
        lab.record("packets lost after the site was told", not after, after, f"of {stream.received()}")
        if after:
            measure.explain_loss(lab)
        lab.sums_up(outage, lost, round(1000 * (used - seen), 1))
