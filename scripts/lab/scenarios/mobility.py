"""Hosts that move between LISP sites and keep their address.

    host -- pxtr -- core -- x1 -- br1        x1: home of 10.1.0.0/24
                     |  \\-- x2 -- br2        x2: 10.2.0.0/24, and hosts of 10.1.0.0/24 that come
                     ms

The VM is a namespace; to move it, its cable goes from one site's bridge to the other's. Both sites have
the gateway address 10.1.0.1 with the same Ethernet address.
"""

import sys
import time

from .. import measure, topology
from ..net import LabError

VM, HOST, GATEWAY = "10.1.0.10", "192.0.2.10", "10.1.0.1"
# By the router that the client sits behind: the client, and the router's address there.
CLIENT = {"pxtr": HOST, "x3": "10.3.0.10"}
NEAR = {"pxtr": "192.0.2.1", "x3": "10.3.0.1"}
GATEWAY_MAC = "02:00:5e:00:01:01"
RLOC = {"x1": topology.uplink4(1), "x2": topology.uplink4(2)}
BRIDGE = {"x1": "br1", "x2": "br2"}
# What a hypervisor sends for a VM that has arrived: a gratuitous ARP request; one each 5 ms for those seconds.
ANNOUNCE = """
import socket, struct, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
mac, ip = s.getsockname()[4], socket.inet_aton(sys.argv[1])
end = time.time() + float(sys.argv[2])
while True:
    try:
        s.send(b"\\xff" * 6 + mac + struct.pack("!HHHBBH", 0x806, 1, 0x800, 6, 4, 1) + mac + ip + b"\\0" * 6 + ip)
    except OSError:
        pass  # its cable is out
    if time.time() >= end:
        break
    time.sleep(0.005)
"""


def _build(lab, folder, router="pxtr"):
    """`router`: what the client sits behind, a proxy or the router of a third site."""
    lab.node("host", router, "x1", "x2", "ms", "vm", "sites")
    lab.node("core", forwarding=True)
    topology.host(lab, "host", router, "native0", (f"{CLIENT[router]}/24",), (NEAR[router],))
    topology.uplink(lab, router, 0, (4,))
    for number, node in enumerate(("x1", "x2"), 1):
        lab.run("sites", "ip", "link", "add", BRIDGE[node], "type", "bridge")
        lab.run("sites", "ip", "link", "set", "dev", BRIDGE[node], "up")
        lab.link(node, "site0", "sites", node)
        lab.run("sites", "ip", "link", "set", "dev", node, "master", BRIDGE[node])
        topology.uplink(lab, node, number, (4,))
    lab.link("vm", "eth0", "sites", "vm")
    lab.run("sites", "ip", "link", "set", "dev", "vm", "master", "br1")
    lab.address("vm", "eth0", f"{VM}/24")
    lab.route("vm", "default", GATEWAY)
    start(lab, folder, router)


def start(lab, folder, router):
    """The mapping system, all daemons, their addresses; returns when the sites are registered."""
    topology.mapping_system(lab, 3, (4,))
    for node in ("ms", router, "x1", "x2"):
        lab.daemon(node, f"{folder}/{node}.toml")
    lab.wait_interface(router, "native", "core")
    lab.address(router, "native", f"{NEAR[router]}/24")
    topology.uplink_address(lab, router, 0, (4,), default=router != "pxtr")
    for number, (node, addresses) in enumerate((("x1", (f"{GATEWAY}/24",)), ("x2", ("10.2.0.1/24", f"{GATEWAY}/32"))), 1):
        lab.wait_interface(node, "site", "core")
        lab.address(node, "site", *addresses)
        topology.uplink_address(lab, node, number, (4,))
    for node in ("ms", router, "x1", "x2"):
        lab.wait_daemon(node)
    topology.wait_registered(lab, 2 if router == "pxtr" else 3)


def move(lab, to, down_s):
    """The VM's cable goes to the other site; what runs on it is not told. Returns when it was in again."""
    lab.run("sites", "ip", "link", "set", "dev", "vm", "down")
    lab.run("sites", "ip", "link", "set", "dev", "vm", "nomaster")
    lab.mark("the VM's cable is out")
    time.sleep(down_s)
    lab.run("sites", "ip", "link", "set", "dev", "vm", "master", BRIDGE[to])
    lab.run("sites", "ip", "link", "set", "dev", "vm", "up")
    lab.mark(f"the VM's cable is in behind {to}")
    return time.time()


def mark_move(lab, old, new, since):
    """What the routers' logs say of a move. Returns when the old router was told."""
    seen, told = lab.logged(new, "dynamic_eids_appeared", since), lab.logged(old, "dynamic_eids_moved_away", since)
    if not (seen and told):
        raise LabError("the move is not in the routers' logs")
    lab.mark(f"{new} sees the VM and registers it", seen)
    lab.mark(f"{old} is told: what still comes for the VM goes on to {new}", told)
    return seen, told


def only_in_flight(lab, name, asked, told):
    """Answers overtake the word of the move: one that reaches the old router before it is told is lost, like any
    packet in flight. Nothing is lost of what was asked afterwards. Returns the first answer's time, and the loss."""
    lost = [at for at, answer in asked if not answer]
    late = sum(1 for at in lost if at > told)
    lab.record(name, not late and len(lost) <= 1, len(lost),
               f"of {len(asked)} answers lost, {late} of them asked for after the old router was told")
    return min((answer for _, answer in asked if answer), default=told), len(lost)


def announce(lab):
    lab.run("vm", sys.executable, "-c", ANNOUNCE, VM, "0")


def registered_by(lab):
    """RLOCs under which the VM itself is registered."""
    rows = lab.cli("ms", "show", "registrations")["registrations"]
    return [loc["rloc"] for r in rows if r["eid_prefix"] == f"{VM}/32" for loc in r["locators"]]


def sends_to(lab, node):
    """RLOCs of the mapping that a router uses for the VM."""
    entries = lab.cli(node, "show", "map-cache", VM)["entries"]
    return [loc["rloc"] for e in entries for loc in e["locators"]]


def hosts(lab, node, what):
    """EIDs that a router lists as here (dynamic-eid) or elsewhere (away)."""
    return [e["eid"] for e in lab.cli(node, "show", what)["entries"]]


def from_to(node):
    """Filter: LISP data from the client's router to a site router."""
    return f"udp dst port 4341 and src host {topology.uplink4(0)} and dst host {RLOC[node]}"


def counter(lab, node, name):
    return lab.cli(node, "show", "statistics")["engine"][name]


def at_home(lab):
    """The VM is found at home by its first packets, and registered."""
    measure.ping(lab, "host to VM at home, first packet included", "host", VM)
    lab.wait("VM registered from home", lambda: registered_by(lab) == [RLOC["x1"]], 10)
    lab.record("show dynamic-eid at x1", VM in hosts(lab, "x1", "dynamic-eid"), VM, "")


def check_moved(lab, old, new):
    """Every router knows where the VM is now."""
    lab.record(f"show dynamic-eid at {new}", VM in hosts(lab, new, "dynamic-eid"), VM, "")
    lab.record(f"show away at {old}", VM in hosts(lab, old, "away"), VM, "")
    lab.record(f"no longer live at {old}", VM not in hosts(lab, old, "dynamic-eid"), VM, "")
    routes = lab.run(new, "ip", "route", "show", "proto", "99").stdout
    lab.record(f"kernel host route at {new}", VM in routes, routes.strip() or "none", "")


def end(lab, router="pxtr"):
    for node in (router, "x1", "x2"):
        measure.fates(lab, f"{node}: fates sum up to packets received", node)


class Cold:
    """A VM goes down, and comes up in the other site's subnet with its address and its gateway."""

    name = "mobility-cold"

    def build(self, lab):
        """Two sites without any layer 2 between them."""
        _build(lab, self.name)

    def check(self, lab):
        """New conversations work both ways without any change on the VM."""
        at_home(lab)
        lab.run("vm", "ip", "neigh", "replace", GATEWAY, "lladdr", GATEWAY_MAC, "dev", "eth0", "nud", "permanent")
        measure.ping(lab, "VM to host with the gateway's fixed Ethernet address", "vm", HOST)
        direct = measure.FirstPacket(lab, "core", from_to("x2"))
        arrived = move(lab, "x2", 2)
        asked = measure.asks(lab, "vm", "host", HOST)
        lab.wait("VM registered from the new site", lambda: registered_by(lab) == [RLOC["x2"]], 10)
        lab.wait("x1 told", lambda: VM in hosts(lab, "x1", "away"), 10)
        seen, told = mark_move(lab, "x1", "x2", arrived)
        lab.record("VM's first packet to x1 told", told - seen <= 1, round(1000 * (told - seen), 1), "ms")
        first, lost = only_in_flight(lab, "VM to host from the new site at once", asked, told)
        measure.ping(lab, "VM to host from the new site", "vm", HOST)
        measure.ping(lab, "host to VM at the new site", "host", VM)
        lab.wait("proxy uses the new RLOC", lambda: sends_to(lab, "pxtr") == [RLOC["x2"]], 10)
        used = direct.seen(10)
        lab.mark("first packet from the proxy straight to x2", used)
        lab.mark("the VM's first answer from outside", first)
        lab.sums_up(round(1000 * (first - seen), 1), lost, round(1000 * (used - seen), 1))
        check_moved(lab, "x1", "x2")
        measure.tcp_bulk(lab, "TCP bulk to the VM, hash", "host", "vm", VM, 10_000_000)
        measure.tcp_bulk(lab, "TCP bulk from the VM, hash", "vm", "host", HOST, 10_000_000)
        end(lab)


class Silent:
    """Nobody speaks while a VM moves; then the client sends first, and the other way round."""

    name = "mobility-silent"
    router = "pxtr"

    def build(self, lab):
        """Two sites without any layer 2 between them."""
        _build(lab, self.name, self.router)

    def check(self, lab):
        """A stale map-cache costs no packet: old router, away entry, SMR, new mapping."""
        at_home(lab)
        self._stale(lab, "map-cache of the client's router before the move")
        arrived = move(lab, "x2", 1)
        announce(lab)
        lab.wait("x1 told that the VM is away", lambda: VM in hosts(lab, "x1", "away"), 10)
        seen, told = mark_move(lab, "x1", "x2", arrived)
        lab.record("first frame at the new site to away entry at the old router", told - seen <= 1, round(1000 * (told - seen), 1), "ms")
        self._stale(lab, "map-cache of the client's router after the move")
        self._client_first(lab)
        check_moved(lab, "x1", "x2")
        self._vm_first(lab)
        end(lab, self.router)

    def _stale(self, lab, name):
        now = sends_to(lab, self.router)
        lab.record(name, now == [RLOC["x1"]], " ".join(now), "")

    def _client_first(self, lab):
        direct = measure.FirstPacket(lab, "core", from_to("x2"))
        stream = measure.Stream(lab, "host", "vm", VM, 9004)
        lab.wait("client's router uses the new RLOC", lambda: sends_to(lab, self.router) == [RLOC["x2"]], 10)
        used = direct.seen(10)
        time.sleep(1)
        stream.drain()
        first = stream.arrivals()[0]
        convergence = round(1000 * (used - first[1]), 1)
        lab.mark("the client sends, to the old place", first[1])
        lab.mark("its first packet reaches the VM by way of x1 and x2", first[2])
        lab.mark("first packet from the client's router straight to x2", used)
        lab.record("client sends first: time until its router uses the new RLOC", convergence <= 1000, convergence, "ms")
        lost, received = stream.lost_since(0), stream.received()
        lab.record("client sends first: packets lost", lost == 0 and received > 500, lost, f"of {received}")
        if lost:
            measure.explain_loss(lab)
        lab.sums_up(stream.outage_ms(), lost, convergence)
        sent = counter(lab, "x1", "smrs_sent")
        lab.record("x1 sent SMRs", sent >= 1, sent, "SMRs")

    def _vm_first(self, lab):
        arrived = move(lab, "x1", 1)
        asked = measure.asks(lab, "vm", "host", CLIENT[self.router])
        lab.wait("VM registered from home", lambda: registered_by(lab) == [RLOC["x1"]], 10)
        lab.wait("x2 told", lambda: VM in hosts(lab, "x2", "away"), 10)
        _, told = mark_move(lab, "x2", "x1", arrived)
        only_in_flight(lab, "VM sends first from home", asked, told)
        measure.ping(lab, "host to VM at home again", "host", VM)
        lab.record("its return cleared the away entry", VM not in hosts(lab, "x1", "away"), VM, "")
        check_moved(lab, "x2", "x1")


class LispPeer(Silent):
    """As `mobility-silent`, but the client sits behind the router of a third LISP site."""

    name = "mobility-lisp-peer"
    router = "x3"


class Spoof:
    """Who is not who he says: an address that has no business here, and one that somebody else has."""

    name = "mobility-spoof"

    def build(self, lab):
        """Two more hosts are plugged into the home site."""
        _build(lab, self.name)
        for node, address in (("stranger", "172.16.5.5/24"), ("thief", f"{VM}/24")):
            lab.node(node)
            lab.link(node, "eth0", "sites", node)
            lab.run("sites", "ip", "link", "set", "dev", node, "master", "br1")
            lab.address(node, "eth0", address)
            lab.run(node, "ip", "route", "replace", "default", "via", GATEWAY, "dev", "eth0", "onlink")
            lab.run(node, "ip", "neigh", "replace", GATEWAY, "lladdr", GATEWAY_MAC, "dev", "eth0", "nud", "permanent")
        # Whoever answers first for an address has it: the thief comes when the VM is known.
        lab.run("sites", "ip", "link", "set", "dev", "thief", "down")

    def check(self, lab):
        """Neither gets in, both are counted, and the VM notices nothing."""
        at_home(lab)
        stream = measure.Stream(lab, "host", "vm", VM, 9004, interval_ms=10)
        mac = lab.run("vm", "cat", "/sys/class/net/eth0/address").stdout.strip()
        lab.mark("a stranger is plugged in and sends")
        got = self._pings(lab, "stranger")
        lab.record("stranger gets no access by plugging in", got == 0, got, "of 3 replies")
        dropped = measure.drops(lab, "x1", "source_foreign")
        lab.record("stranger: drops named source_foreign", dropped >= 3, dropped, "packets")
        lab.run("sites", "ip", "link", "set", "dev", "thief", "up")
        begin = time.time()
        lab.mark("a thief announces the VM's address as his", begin)
        lab.run("thief", sys.executable, "-c", ANNOUNCE, VM, "0")
        got = self._pings(lab, "thief")
        lab.record("who claims the VM's address gets nothing", got == 0, got, "of 3 replies")
        dropped = measure.drops(lab, "x1", "eid_claimed")
        lab.record("claims: drops named eid_claimed", dropped >= 4, dropped, "packets")
        claims = counter(lab, "x1", "dynamic_eids_claimed")
        lab.record("claims: told to the operator", claims >= 1 and "dynamic_eids_claimed" in lab.log_text("x1"), claims, "events")
        noticed = lab.logged("x1", "dynamic_eids_claimed", begin) or time.time()
        lab.mark("x1 tells the operator of the claim", noticed)
        known = lab.run("x1", "ip", "neigh", "show", VM, "dev", "site").stdout
        lab.record("the kernel still has the VM's Ethernet address", mac in known, known.strip(), "")
        lab.run("sites", "ip", "link", "set", "dev", "thief", "down")
        stream.drain()
        lost = stream.lost_since(0)
        lab.record("packets of the VM lost meanwhile", lost == 0, lost, f"of {stream.received()}")
        lab.sums_up(stream.outage_ms(), lost, round(1000 * (noticed - begin), 1))
        announce(lab)
        measure.ping(lab, "host to VM afterwards", "host", VM)
        end(lab)

    def _pings(self, lab, node):
        done = lab.run(node, "ping", "-n", "-c", "3", "-i", "0.2", "-W", "1", HOST, check=False)
        return sum("bytes from" in line for line in done.stdout.splitlines())
