"""Sites and hosts with 9000-byte links talk over a core of 1500 bytes, one link of which shrinks to 1400 and 1300.

    host (9000) -- pxtr -- core --(shrinks)-- far -- xtr4 -- (9000) site4  10.4.0.0/24 2001:db8:e004::/48
                            '---- ms
"""

import re
import sys
import time

from .. import frames, measure, topology

HOST4, HOST6 = "192.0.2.10", "2001:db8:1::10"
SITE4, SITE6 = "10.4.0.10", "2001:db8:e004::10"
BIG, CORE, SHRUNK, NARROW = 9000, 1500, 1400, 1300
# Outer IPv4, UDP, LISP.
OVERHEAD = 36
DAEMONS = ("ms", "pxtr", "xtr4")


def build(lab):
    """As in `interworking` with one site, a router more in the core, and large links at both ends."""
    lab.node("host", "pxtr", "xtr4", "site4", "ms")
    lab.node("core", "far", forwarding=True)
    for node, router, device, addresses, gateways in (
            ("host", "pxtr", "native0", (f"{HOST4}/24", f"{HOST6}/64"), ("192.0.2.1", "2001:db8:1::1")),
            ("site4", "xtr4", "site0", (f"{SITE4}/24", f"{SITE6}/64"), ("10.4.0.1", "2001:db8:e004::1"))):
        lab.link(node, "eth0", router, device, mtu=BIG)
        lab.address(node, "eth0", *addresses)
        for gateway in gateways:
            lab.route(node, "::/0" if ":" in gateway else "default", gateway)
    topology.uplink(lab, "pxtr", 0)
    topology.mapping_system(lab, 3, families=(4,))
    # Uplink 1 ends at a second router, one link further.
    lab.link("core", "far0", "far", "core0")
    lab.address("core", "far0", "198.51.100.21/30")
    lab.address("far", "core0", "198.51.100.22/30")
    lab.link("xtr4", "core0", "far", "xtr4-1")
    lab.address("far", "xtr4-1", "198.51.100.5/30")
    lab.route("core", "198.51.100.4/30", "198.51.100.22")
    lab.route("far", "default", "198.51.100.21")
    for node in DAEMONS:
        lab.daemon(node, f"mtu/{node}.toml")
    lab.wait_interface("pxtr", "native", "core")
    lab.address("pxtr", "native", "192.0.2.1/24", "2001:db8:1::1/64")
    topology.uplink_address(lab, "pxtr", 0, default=False)
    lab.wait_interface("xtr4", "site", "core")
    lab.address("xtr4", "site", "10.4.0.1/24", "2001:db8:e004::1/64")
    topology.uplink_address(lab, "xtr4", 1, (4,))
    for node in DAEMONS:
        lab.wait_daemon(node)
    topology.wait_registered(lab, 2)


def shrink(lab, mtu):
    """The link between the two core routers."""
    lab.run("core", "ip", "link", "set", "dev", "far0", "mtu", str(mtu))
    lab.run("far", "ip", "link", "set", "dev", "core0", "mtu", str(mtu))


def probe(lab, node, address, size, fragment):
    """Pings of one IP size; whether the last was answered, and what errors came."""
    how = "dont" if fragment else "do"
    data = size - (48 if ":" in address else 28)
    done = lab.run(node, "ping", "-n", "-c", "4", "-i", "0.3", "-W", "1", "-M", how, "-s", str(data), address, check=False)
    told = re.findall(r"mtu[ =:]*(\d+)", done.stdout + done.stderr)
    return " 0 received" not in done.stdout, [int(m) for m in told]


def forget(lab, *nodes):
    """What the kernels learnt of paths."""
    for node in nodes:
        for family in ("-4", "-6"):
            lab.run(node, "ip", family, "route", "flush", "cache", check=False)


def check(lab):
    """Sizes, both families, before and after the link shrinks."""
    measure.ping(lab, "host to site, first packet included", "host", SITE4)
    measure.ping(lab, "host to site, IPv6", "host", SITE6)
    for mtu in (CORE, SHRUNK):
        if mtu == SHRUNK:
            shrink(lab, SHRUNK)
        sizes(lab, mtu)
        forget(lab, "host", "site4")
        for name, client, server, address in (("host to site", "host", "site4", SITE4),
                                              ("site to host", "site4", "host", HOST4),
                                              ("host to site, IPv6", "host", "site4", SITE6)):
            measure.tcp_bulk(lab, f"core {mtu}: TCP with PMTUD {name}, hash", client, server, address, 10_000_000)
    below_minimum(lab)
    black_hole(lab)
    reassembly(lab)
    for node in ("pxtr", "xtr4"):
        measure.fates(lab, f"{node}: sum of fates equals packets received", node)


def sizes(lab, mtu):
    """What fits gets through, what does not is told the right number, DF=0 gets through in pieces."""
    room = mtu - OVERHEAD
    for name, address in (("IPv4", SITE4), ("IPv6", SITE6)):
        forget(lab, "host", "site4")
        answered, _ = probe(lab, "host", address, room, False)
        lab.record(f"core {mtu}: {name} packet of {room} bytes gets through", answered, answered, "")
        forget(lab, "host", "site4")
        _, told = probe(lab, "host", address, room + 1, False)
        lab.record(f"core {mtu}: {name} packet of {room + 1} bytes with DF is told {room}",
                   bool(told) and told[-1] == room, ",".join(map(str, told)) or "nothing", "")
    forget(lab, "host", "site4")
    for size in (room + 100, 4000, BIG):
        answered, _ = probe(lab, "host", SITE4, size, True)
        lab.record(f"core {mtu}: IPv4 packet of {size} bytes without DF gets through in pieces", answered, answered, "")
    if mtu == SHRUNK:
        rlocs = {r["rloc"]: r for r in lab.cli("pxtr", "show", "rlocs")["rlocs"]}
        seen = rlocs["198.51.100.6"]
        lab.record("show rlocs: the path's MTU was learnt from the core", seen["mtu_bytes"] == SHRUNK,
                   seen["mtu_bytes"], f"bytes, forgotten in {seen['mtu_learnt_expires_s']} s")


def below_minimum(lab):
    """IPv6 packets of 1280 bytes with headers do not fit: the outer packets go in fragments (R-117)."""
    shrink(lab, NARROW)
    forget(lab, "host", "site4")
    # The first ones tell the proxies what the core carries.
    probe(lab, "host", SITE6, 1280, False)
    before = {node: fragments(lab, node) for node in ("pxtr", "xtr4")}
    answered, told = probe(lab, "host", SITE6, 1280, False)
    lab.record(f"core {NARROW}: IPv6 packet of 1280 bytes gets through, told nothing", answered and not told, answered, "")
    for node, count in before.items():
        cut = fragments(lab, node) - count
        lab.record(f"core {NARROW}: {node} sends the encapsulated packets in outer fragments", cut == 4, cut, "of 4")
    shrink(lab, SHRUNK)


def black_hole(lab):
    """A host that hears no ICMP error gets through by splitting: DF off."""
    lab.sysctl("host", "net.ipv4.ip_no_pmtu_disc", 1)
    forget(lab, "host")
    measure.tcp_bulk(lab, "TCP without PMTUD (DF off), hash", "host", "site4", SITE4, 5_000_000)
    lab.sysctl("host", "net.ipv4.ip_no_pmtu_disc", 0)


def reassembly(lab):
    """Encapsulated packets that a foreign encapsulator sends in outer fragments."""
    before = reassembled(lab)
    whole = frames.udp(50000, 4341, bytes(8) + frames.echo(SITE4, HOST4, 77, size=1400))
    cut = ("2001:db8:c0:9::9", "2001:db8:c0::2", 17, whole, 600)
    mac = {p["name"]: p["mac"] for p in lab.cli("pxtr", "show", "ports")["ports"]}["core"]
    first, second = list(frames.pieces(*cut, 9)), list(frames.pieces(*cut, 10))
    path = f"{lab.dir}/fragments"
    frames.save(path, (frames.frame(mac, piece) for piece in [*first, *second[::-1]]))
    before_host = measure.echo_requests(lab, "host")
    lab.run("core", sys.executable, measure.TOOL, "frames", "pxtr-0", path, "1000")
    time.sleep(0.5)
    seen = measure.echo_requests(lab, "host") - before_host
    lab.record("outer fragments in order and backwards: inner packets at the host", seen == 2, seen, "of 2")
    count = reassembled(lab) - before
    lab.record("fragments that became part of a packet", count >= 4, count, "")


def fragments(lab, node):
    return sum(w["counters"]["fragments"] for w in lab.cli(node, "show", "workers")["workers"])


def reassembled(lab):
    return sum(w["counters"]["reassembled"] for w in lab.cli("pxtr", "show", "workers")["workers"])
