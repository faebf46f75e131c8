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

VM, HOST, GATEWAY = "10.1.0.10", "192.0.2.10", "10.1.0.1"
# By the router that the client sits behind: the client, and the router's address there.
CLIENT = {"pxtr": HOST, "x3": "10.3.0.10"}
NEAR = {"pxtr": "192.0.2.1", "x3": "10.3.0.1"}
GATEWAY_MAC = "02:00:5e:00:01:01"
RLOC = {"x1": topology.uplink4(1), "x2": topology.uplink4(2)}
BRIDGE = {"x1": "br1", "x2": "br2"}
# What a hypervisor sends for a VM that has arrived: a gratuitous ARP request.
ANNOUNCE = """
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
mac, ip = s.getsockname()[4], socket.inet_aton(sys.argv[1])
s.send(b"\\xff" * 6 + mac + struct.pack("!HHHBBH", 0x806, 1, 0x800, 6, 4, 1) + mac + ip + b"\\0" * 6 + ip)
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


def _move(lab, to, down_s):
    """The VM's cable goes to the other site; what runs on it is not told."""
    lab.run("sites", "ip", "link", "set", "dev", "vm", "down")
    lab.run("sites", "ip", "link", "set", "dev", "vm", "nomaster")
    time.sleep(down_s)
    lab.run("sites", "ip", "link", "set", "dev", "vm", "master", BRIDGE[to])
    lab.run("sites", "ip", "link", "set", "dev", "vm", "up")


def _announce(lab):
    lab.run("vm", sys.executable, "-c", ANNOUNCE, VM)


def _registered_by(lab):
    """RLOCs under which the VM itself is registered."""
    rows = lab.cli("ms", "show", "registrations")["registrations"]
    return [loc["rloc"] for r in rows if r["eid_prefix"] == f"{VM}/32" for loc in r["locators"]]


def _sends_to(lab, node):
    """RLOCs of the mapping that a router uses for the VM."""
    entries = lab.cli(node, "show", "map-cache", VM)["entries"]
    return [loc["rloc"] for e in entries for loc in e["locators"]]


def _hosts(lab, node, what):
    """EIDs that a router lists as here (dynamic-eid) or elsewhere (away)."""
    return [e["eid"] for e in lab.cli(node, "show", what)["entries"]]


def _counter(lab, node, name):
    return lab.cli(node, "show", "statistics")["engine"][name]


def _since(begin):
    return round(1000 * (time.monotonic() - begin))


def _at_home(lab):
    """The VM is found at home by its first packets, and registered."""
    measure.ping(lab, "host to VM at home, first packet included", "host", VM)
    lab.wait("VM registered from home", lambda: _registered_by(lab) == [RLOC["x1"]], 10)
    lab.record("show dynamic-eid at x1", VM in _hosts(lab, "x1", "dynamic-eid"), VM, "")


def _check_moved(lab, old, new):
    """Every router knows where the VM is now."""
    lab.record(f"show dynamic-eid at {new}", VM in _hosts(lab, new, "dynamic-eid"), VM, "")
    lab.record(f"show away at {old}", VM in _hosts(lab, old, "away"), VM, "")
    lab.record(f"no longer live at {old}", VM not in _hosts(lab, old, "dynamic-eid"), VM, "")
    routes = lab.run(new, "ip", "route", "show", "proto", "99").stdout
    lab.record(f"kernel host route at {new}", VM in routes, routes.strip() or "none", "")


def _end(lab, router="pxtr"):
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
        _at_home(lab)
        lab.run("vm", "ip", "neigh", "replace", GATEWAY, "lladdr", GATEWAY_MAC, "dev", "eth0", "nud", "permanent")
        measure.ping(lab, "VM to host with the gateway's fixed Ethernet address", "vm", HOST)
        _move(lab, "x2", 2)
        begin = time.monotonic()
        measure.ping(lab, "VM to host from the new site, first packet included", "vm", HOST)
        lab.wait("VM registered from the new site", lambda: _registered_by(lab) == [RLOC["x2"]], 10)
        lab.record("VM up to its registration", True, _since(begin), "ms, five pings included")
        lab.wait("x1 told", lambda: VM in _hosts(lab, "x1", "away"), 10)
        measure.ping(lab, "host to VM at the new site", "host", VM)
        lab.wait("proxy uses the new RLOC", lambda: _sends_to(lab, "pxtr") == [RLOC["x2"]], 10)
        _check_moved(lab, "x1", "x2")
        measure.tcp_bulk(lab, "TCP bulk to the VM, hash", "host", "vm", VM, 10_000_000)
        measure.tcp_bulk(lab, "TCP bulk from the VM, hash", "vm", "host", HOST, 10_000_000)
        _end(lab)


class Silent:
    """Nobody speaks while a VM moves; then the client sends first, and the other way round."""

    name = "mobility-silent"
    router = "pxtr"

    def build(self, lab):
        """Two sites without any layer 2 between them."""
        _build(lab, self.name, self.router)

    def check(self, lab):
        """A stale map-cache costs no packet: old router, away entry, SMR, new mapping."""
        _at_home(lab)
        self._stale(lab, "map-cache of the client's router before the move")
        begin = time.monotonic()
        _move(lab, "x2", 1)
        _announce(lab)
        lab.wait("x1 told that the VM is away", lambda: VM in _hosts(lab, "x1", "away"), 10)
        lab.record("first frame at the new site to away entry at the old router", True, _since(begin) - 1000, "ms (at most)")
        self._stale(lab, "map-cache of the client's router after the move")
        self._client_first(lab)
        _check_moved(lab, "x1", "x2")
        self._vm_first(lab)
        _end(lab, self.router)

    def _stale(self, lab, name):
        now = _sends_to(lab, self.router)
        lab.record(name, now == [RLOC["x1"]], " ".join(now), "")

    def _client_first(self, lab):
        stream = measure.Stream(lab, "host", "vm", VM, 9004)
        begin = time.monotonic()
        lab.wait("client's router uses the new RLOC", lambda: _sends_to(lab, self.router) == [RLOC["x2"]], 10)
        lab.record("client sends first: time until its router uses the new RLOC", True, _since(begin), "ms (at most)")
        time.sleep(1)
        stream.stop()
        lost, received = stream.lost_since(0), stream.received()
        lab.record("client sends first: packets lost", lost == 0 and received > 500, lost, f"of {received}")
        sent = _counter(lab, "x1", "smrs_sent")
        lab.record("x1 sent SMRs", sent >= 1, sent, "SMRs")

    def _vm_first(self, lab):
        _move(lab, "x1", 1)
        # The first answer may reach the other site's router before the Map-Notify does: nobody can
        # know there that the VM left. It is lost like any packet in flight during the move.
        done = lab.run("vm", "ping", "-n", "-c", "5", "-i", "0.2", "-W", "3", CLIENT[self.router], check=False)
        got = sum("bytes from" in line for line in done.stdout.splitlines())
        lab.record("VM sends first from home: answers in flight lost", got >= 4, 5 - got, "of 5, at most 1")
        lab.wait("VM registered from home", lambda: _registered_by(lab) == [RLOC["x1"]], 10)
        lab.wait("x2 told", lambda: VM in _hosts(lab, "x2", "away"), 10)
        measure.ping(lab, "host to VM at home again", "host", VM)
        lab.record("its return cleared the away entry", VM not in _hosts(lab, "x1", "away"), VM, "")
        _check_moved(lab, "x2", "x1")


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
        _at_home(lab)
        mac = lab.run("vm", "cat", "/sys/class/net/eth0/address").stdout.strip()
        got = self._pings(lab, "stranger")
        lab.record("stranger gets no access by plugging in", got == 0, got, "of 3 replies")
        dropped = _dropped(lab, "x1", "source_foreign")
        lab.record("stranger: drops named source_foreign", dropped >= 3, dropped, "packets")
        lab.run("sites", "ip", "link", "set", "dev", "thief", "up")
        lab.run("thief", sys.executable, "-c", ANNOUNCE, VM)
        got = self._pings(lab, "thief")
        lab.record("who claims the VM's address gets nothing", got == 0, got, "of 3 replies")
        dropped = _dropped(lab, "x1", "eid_claimed")
        lab.record("claims: drops named eid_claimed", dropped >= 4, dropped, "packets")
        claims = _counter(lab, "x1", "dynamic_eids_claimed")
        lab.record("claims: told to the operator", claims >= 1 and "dynamic_eids_claimed" in lab.log_text("x1"), claims, "events")
        known = lab.run("x1", "ip", "neigh", "show", VM, "dev", "site").stdout
        lab.record("the kernel still has the VM's Ethernet address", mac in known, known.strip(), "")
        lab.run("sites", "ip", "link", "set", "dev", "thief", "down")
        _announce(lab)
        measure.ping(lab, "host to VM afterwards", "host", VM)
        _end(lab)

    def _pings(self, lab, node):
        done = lab.run(node, "ping", "-n", "-c", "3", "-i", "0.2", "-W", "1", HOST, check=False)
        return sum("bytes from" in line for line in done.stdout.splitlines())


def _dropped(lab, node, reason):
    """Packets dropped for that reason."""
    return sum(r["packets"] for r in lab.cli(node, "show", "drops")["reasons"] if r["reason"] == reason)
