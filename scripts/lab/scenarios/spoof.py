"""Forged inner and outer sources are dropped, each with its name, and what is honest gets through.

The topology is that of `interworking`. The proxy takes LISP data from the RLOCs of its two sites only, with the nonce
agreed upon, of Instance-ID 0; site 4 is bound to its RLOC by configuration, site 6 to what it has registered (strict).
"""

import os
import re
import subprocess
import sys
import time

from .. import frames, measure
from ..net import ROOT
from . import interworking

COUNT = 20
RLOC, OURS, ROUTER = "198.51.100.6", "198.51.100.2", "198.51.100.1"
EID, HOST = "10.4.0.66", "192.0.2.10"
OTHER_RLOC = "198.51.100.14"  # the Map-Server's: no site of ours
IDENT = 66
NONCE = bytes.fromhex("80c0ffee00000000")


def lisp(outer=RLOC, source=EID, destination=HOST, header=NONCE):
    return frames.lisp(outer, OURS, frames.echo(source, destination, IDENT), header)


def link_local():
    inner = frames.v6("fe80::7", "2001:db8:1::10", 58, frames.icmp(128, 0, IDENT << 16, b""))
    return frames.lisp(RLOC, OURS, inner, NONCE)


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
    ("an instance that nobody has", lisp(header=bytes.fromhex("88c0ffee00090900")), "core", "instance_unknown"),
    ("an instance that comes by another underlay", lisp(header=bytes.fromhex("88c0ffee00000700")), "core",
     "instance_not_admitted"),
    ("outer source is no site's", lisp(outer=OTHER_RLOC), "core", "outer_source_not_admitted"),
    ("no nonce", lisp(header=bytes(8)), "core", "nonce_not_agreed"),
    ("another nonce", lisp(header=bytes.fromhex("80c0ffef00000000")), "core", "nonce_not_agreed"),
    ("inner source is no site's", lisp(source="10.99.0.66"), "core", "inner_source_not_site"),
    ("inner source is no EID", lisp(source="8.8.8.8"), "core", "inner_source_not_site"),
    ("inner source is a strict site's, outer source another's", lisp(source="10.6.0.66"), "core",
     "inner_source_not_mapped"),
    ("native, source is our own address", frames.echo("192.0.2.1", "10.4.0.10", IDENT), "host", "own_source"),
    ("native, source is a martian", frames.echo("240.1.1.1", "10.4.0.10", IDENT), "host", "martian_source"),
    ("LISP data on a native port", lisp(outer=HOST), "host", "lisp_not_underlay"),
    ("a forged Fragmentation Needed", too_big(), "core", "core_error_forged"),
]


def build(lab):
    """As `interworking`, with a configuration of the proxy that can be changed."""
    with open(os.path.join(ROOT, "configs", "spoof", "pxtr.toml"), encoding="utf-8") as file:
        write(lab, file.read())
    interworking.build(lab, proxy=config(lab), sites="spoof")


def config(lab):
    return os.path.join(lab.dir, "spoof-pxtr.toml")


def write(lab, text):
    with open(config(lab), "w", encoding="utf-8") as file:
        file.write(text)


def drops(lab):
    """Drops of the proxy by reason."""
    found = {}
    for row in lab.cli("pxtr", "show", "drops")["reasons"]:
        found[row["reason"]] = found.get(row["reason"], 0) + row["packets"]
    return found


def send(lab, forged):
    """Each forged packet COUNT times, from where it comes."""
    macs = {p["name"]: p["mac"] for p in lab.cli("pxtr", "show", "ports")["ports"]}
    for node, interface, port in (("core", "pxtr-0", "core"), ("host", "eth0", "native")):
        sent = [frames.frame(macs[port], packet) for _, packet, side, _ in forged if side == node]
        if sent:
            path = f"{lab.dir}/forged-{node}"
            frames.save(path, sent * COUNT)
            lab.run(node, sys.executable, measure.TOOL, "frames", interface, path, "2000", timeout=90)
    time.sleep(0.5)


class Honest:
    """Echo requests of both sites to the host, a hundred a second."""

    def __init__(self, lab, count=300):
        self.lab, self.count = lab, count
        argv = ["ping", "-n", "-q", "-i", "0.01", "-W", "3", "-c", str(count), HOST]
        self.pings = {site: lab.spawn(site, *argv, stdout=subprocess.PIPE) for site in ("site4", "site6")}

    def check(self, when):
        for site, ping in self.pings.items():
            got = re.search(rb"(\d+) received", ping.communicate(timeout=60)[0])
            got = int(got.group(1)) if got else 0
            self.lab.record(f"{site}: honest packets {when}", got == self.count, got, f"of {self.count} replies")


def check(lab):
    """Each forgery is counted under its name, none of them gets out."""
    measure.ping(lab, "strict: a site that nobody has asked about yet gets through, first packet included", "site6",
                 HOST, count=3)
    measure.ping(lab, "an honest packet gets through", "host", "10.4.0.10", count=2)
    pings = measure.echo_requests(lab, "host")
    honest = Honest(lab)
    before = drops(lab)
    send(lab, FORGED)
    after = drops(lab)
    for reason in sorted({reason for *_, reason in FORGED}):
        names = [name for name, _, _, r in FORGED if r == reason]
        seen = after.get(reason, 0) - before.get(reason, 0)
        wanted = COUNT * len(names)
        lab.record(f"{reason}: {'; '.join(names)}", seen >= wanted, seen, f"of {wanted} dropped")
    honest.check("while others forge")
    # What answers come of the honest ones is theirs.
    got = measure.echo_requests(lab, "host") - pings - 2 * honest.count
    lab.record("forged packets that got to the host", got <= 0, max(got, 0), "")
    reload(lab)
    measure.ping(lab, "honest packets still get through", "host", "10.4.0.10", count=2)
    measure.fates(lab, "pxtr: sum of fates equals packets received", "pxtr")


def reload(lab):
    """Other rules at SIGHUP: they count at once, and cost honest packets nothing."""
    honest = Honest(lab)
    time.sleep(0.5)
    with open(config(lab), encoding="utf-8") as file:
        text = file.read()
    write(lab, text.replace('outer_sources = ["198.51.100.6/32", "2001', 'outer_sources = ["198.51.100.0/28", "2001'))
    lab.reload_daemon("pxtr")
    time.sleep(1)
    before = drops(lab)
    send(lab, [row for row in FORGED if row[3] == "outer_source_not_admitted"])
    seen = drops(lab).get("inner_source_not_bound", 0) - before.get("inner_source_not_bound", 0)
    lab.record("inner_source_not_bound: after a reload, an outer source that may send, but not for site 4", seen == COUNT,
               seen, f"of {COUNT} dropped")
    honest.check("over a reload of the rules")
