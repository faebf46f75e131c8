"""Forged inner and outer sources are dropped, each with its name, and what is honest gets through.

The topology is that of `interworking`.
"""

import sys
import time

from .. import frames, measure
from . import interworking

COUNT = 20
RLOC, OURS, ROUTER = "198.51.100.6", "198.51.100.2", "198.51.100.1"
EID, HOST = "10.4.0.66", "192.0.2.10"
IDENT = 66


def lisp(outer=RLOC, source=EID, destination=HOST, header=bytes(8)):
    return frames.lisp(outer, OURS, frames.echo(source, destination, IDENT), header)


def link_local():
    inner = frames.v6("fe80::7", "2001:db8:1::10", 58, frames.icmp(128, 0, IDENT << 16, b""))
    return frames.lisp(RLOC, OURS, inner)


def too_big():
    """About a packet that the proxy did not send: the source port is not that of the flow."""
    inner = frames.v4(HOST, "10.4.0.10", 17, frames.udp(1, 2, bytes(40)))
    quoted = frames.lisp(OURS, RLOC, inner, port=50001)
    return frames.v4(ROUTER, OURS, 1, frames.icmp(3, 4, 600, quoted))


# (name, packet, where from: the core or the host, drop reason)
FORGED = [
    ("outer source is our own RLOC", lisp(outer=OURS), "core", "own_source"),
    ("outer source is a martian", lisp(outer="127.0.0.1"), "core", "martian_source"),
    ("inner source is our RLOC", lisp(source=OURS), "core", "inner_own_source"),
    ("inner source is a martian", lisp(source="127.0.0.1"), "core", "inner_martian_source"),
    ("inner source is link-local", link_local(), "core", "inner_martian_source"),
    ("inner destination is our own address", lisp(destination="192.0.2.1"), "core", "inner_own_destination"),
    ("inner destination is a martian", lisp(destination="127.0.0.1"), "core", "inner_martian_destination"),
    ("an instance that nobody has", lisp(header=bytes([8, 0, 0, 0, 0, 9, 9, 0])), "core", "instance_unknown"),
    ("native, source is our own address", frames.echo("192.0.2.1", "10.4.0.10", IDENT), "host", "own_source"),
    ("native, source is a martian", frames.echo("240.1.1.1", "10.4.0.10", IDENT), "host", "martian_source"),
    ("LISP data on a native port", lisp(outer=HOST), "host", "lisp_not_underlay"),
    ("a forged Fragmentation Needed", too_big(), "core", "core_error_forged"),
]


def build(lab):
    """As `interworking`."""
    interworking.build(lab)


def drops(lab):
    """Drops of the proxy by reason."""
    found = {}
    for row in lab.cli("pxtr", "show", "drops")["reasons"]:
        found[row["reason"]] = found.get(row["reason"], 0) + row["packets"]
    return found


def check(lab):
    """Each forgery is counted under its name, none of them gets out."""
    measure.ping(lab, "an honest packet gets through", "host", "10.4.0.10", count=2)
    macs = {p["name"]: p["mac"] for p in lab.cli("pxtr", "show", "ports")["ports"]}
    pings = measure.echo_requests(lab, "host")
    before = drops(lab)
    for node, interface, port in (("core", "pxtr-0", "core"), ("host", "eth0", "native")):
        sent = [frames.frame(macs[port], packet) for _, packet, side, _ in FORGED if side == node]
        path = f"{lab.dir}/forged-{node}"
        frames.save(path, sent * COUNT)
        lab.run(node, sys.executable, measure.TOOL, "frames", interface, path, "2000", timeout=90)
    time.sleep(0.5)
    after = drops(lab)
    for reason in sorted({reason for *_, reason in FORGED}):
        names = [name for name, _, _, r in FORGED if r == reason]
        seen = after.get(reason, 0) - before.get(reason, 0)
        wanted = COUNT * len(names)
        lab.record(f"{reason}: {'; '.join(names)}", seen >= wanted, seen, f"of {wanted} dropped")
    got = measure.echo_requests(lab, "host") - pings
    lab.record("forged packets that got to the host", got == 0, got, "")
    measure.ping(lab, "honest packets still get through", "host", "10.4.0.10", count=2)
    measure.fates(lab, "pxtr: sum of fates equals packets received", "pxtr")
