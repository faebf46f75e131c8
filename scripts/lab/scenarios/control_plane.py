"""The mapping system when something changes or dies.

    host -- pxtr -- core -- xtr (three uplinks) -- site     10.1.0.0/16, a /24 or smaller each
                     |----- ms, mr1, mr2                    as the lab needs them
"""

import collections
import json
import os
import re
import shutil
import subprocess
import sys
import time

from .. import measure, topology
from ..net import ROOT, LabError

ONE, TWO = topology.uplink4(1), topology.uplink4(2)
PROXY = topology.uplink4(0)
ECHO, FAN, STREAM = 9010, 9011, 9012
PCAP_HEADER = 24
TOOL = os.path.join(ROOT, "scripts", "lab", "control_traffic.py")


def prefixes(count):
    """(EID-prefix, a host in it): /28s that the first EID-prefix of the site's file does not hold."""
    return [(f"10.1.{1 + n // 16}.{n % 16 * 16}/28", f"10.1.{1 + n // 16}.{n % 16 * 16 + 1}") for n in range(count)]


def build_site(lab, folder, more=0, extra=()):
    """The proxy, a site with `more` EID-prefixes beside that of its file, its Map-Server, and `extra` nodes
    (name, uplink, whether it has a configuration) of ordinary sockets."""
    lab.node("host", "pxtr", "xtr", "site", "ms", *(name for name, _, _ in extra))
    lab.node("core", forwarding=True)
    topology.host(lab, "host", "pxtr", "native0", ("192.0.2.10/24",), ("192.0.2.1",))
    topology.host(lab, "site", "xtr", "site0", ("10.1.0.10/24",), ("10.1.0.1",))
    lab.run("site", "ip", "route", "add", "local", "10.1.0.0/16", "dev", "lo")  # it has every EID of the site
    topology.uplink(lab, "pxtr", 0, (4,))
    for n in (1, 2, 3):
        topology.uplink(lab, "xtr", n, (4,), device=f"up{n}")
    topology.mapping_system(lab, 4, (4,))
    for name, number, _ in extra:
        topology.mapping_system(lab, number, (4,), node=name)
    lab.config = os.path.join(lab.dir, "xtr.toml")
    shutil.copy(os.path.join(ROOT, "configs", folder, "xtr.toml"), lab.config)
    _add_prefixes(lab.config, more)
    daemons = ["ms", *(name for name, _, has_config in extra if has_config), "pxtr"]
    for node in daemons:
        lab.daemon(node, f"{folder}/{node}.toml")
    lab.daemon("xtr", lab.config)
    lab.wait_interface("pxtr", "native", "core")
    lab.address("pxtr", "native", "192.0.2.1/24")
    topology.uplink_address(lab, "pxtr", 0, (4,), default=False)
    lab.wait_interface("xtr", "site", "core1", "core2", "core3")
    lab.address("xtr", "site", "10.1.0.1/24")
    lab.run("xtr", "ip", "route", "add", "10.1.0.0/16", "via", "10.1.0.10")
    for n in (3, 2, 1):
        topology.uplink_address(lab, "xtr", n, (4,), interface=f"core{n}")
    for node in (*daemons, "xtr"):
        lab.wait_daemon(node)
    lab.wait("site registered", lambda: lab.cli("ms", "show", "statistics")["registrations"] == 1 + more, 30)


def _add_prefixes(path, count):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    kind = text[text.rindex("[[lisp.database]]"):]
    with open(path, "a", encoding="utf-8") as file:
        for prefix, _ in prefixes(count):
            file.write("\n" + re.sub(r'eid_prefix = "[^"]*"', f'eid_prefix = "{prefix}"', kind))


class FirstPackets:
    """Lookups under way: an echo from a host in each EID-prefix, so many new ones a second."""

    def __init__(self, lab, hosts, per_second):
        self.echo = measure.serve(lab, "site", "udp-echo", str(ECHO))
        self.child = lab.spawn("host", sys.executable, TOOL, "udp-first", str(ECHO), str(per_second), *hosts,
                               stdout=subprocess.PIPE)

    def took_ms(self):
        """Milliseconds to the first answer from each."""
        times = [int(t) for t in self.child.communicate(timeout=120)[0].split()]
        self.echo.terminate()
        return times


def record_times(lab, name, times, limit_ms):
    worst, lost = max(times, default=-1), times.count(-1)
    lab.record(name, times and not lost and worst <= limit_ms, worst, f"ms at most, of {len(times)} EIDs; {lost} never")


class MapResolverFailover:
    """Two Map-Resolvers, the first dies silently under load: no resolution takes longer than 3 s."""

    name = "mr-failover"
    count = 400

    def build(self, lab):
        """The Map-Resolvers are daemons of their own; the proxy prefers the first."""
        build_site(lab, self.name, self.count, (("mr1", 5, True), ("mr2", 6, True)))

    def check(self, lab):
        """Resolution times before, over and after the death; lig and the proxy's view of it."""
        hosts = [host for _, host in prefixes(self.count)]
        record_times(lab, "both answer: resolution", FirstPackets(lab, hosts[:100], 50).took_ms(), 3000)
        lookups = FirstPackets(lab, hosts[100:], 50)
        time.sleep(2)
        lab.run("core", "ip", "route", "replace", "blackhole", f"{topology.uplink4(5)}/32")
        record_times(lab, "the first dies after 2 s of 6: resolution", lookups.took_ms(), 3000)
        states = {r["address"]: r["suspect"] for r in lab.cli("pxtr", "show", "lisp")["map_resolvers"]}
        lab.record("show lisp: the dead one is known as silent",
                   states == {topology.uplink4(5): True, topology.uplink4(6): False}, str(states), "")
        self.lig(lab)
        lab.run("core", "ip", "route", "del", "blackhole", f"{topology.uplink4(5)}/32")
        found = _lig(lab, "pxtr", "10.1.0.10", f"@{topology.uplink4(5)}")
        lab.record("it is back: lig @mr1 is answered", _good(found), _told(found), "")

    def lig(self, lab):
        """The operator's view, by daemon and without."""
        found = _lig(lab, "pxtr", "10.1.0.10", f"@{topology.uplink4(5)}", "--timeout", "1", "--count", "2")
        lab.record("lig @dead gives up", found[0] == 1 and found[1]["lig"][0]["reply"] is None, found[0], "exit code")
        found = _lig(lab, "pxtr", "10.1.0.10", "--timeout", "1")
        lab.record("lig finds the mapping by the other one", _good(found), _told(found), "")
        # The attacker's place, any machine of the core: no daemon is there.
        found = _lig(lab, "ms", "10.1.0.10", f"@{topology.uplink4(6)}", daemon=False)
        lab.record("lig without a daemon", _good(found), _told(found), "")
        found = _lig(lab, "xtr", "self", f"@{topology.uplink4(6)}")
        wrong = [r for r in found[1]["lig"] if r["wrong"] or not r["reply"]]
        lab.record("lig self: every EID-prefix is registered as configured",
                   found[0] == 0 and len(found[1]["lig"]) == self.count + 1 and not wrong, len(wrong), "wrong")


def _lig(lab, node, *argv, daemon=True):
    socket = lab.socket(node) if daemon else "/nonexistent.sock"
    command = [*lab.cli_argv(node, [])[:1], "--socket", socket, "--json", "lig", *argv]
    done = lab.run(node, *command, check=False, timeout=120)
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError as error:
        raise LabError(f"lig in {node}: {done.stderr.strip()}") from error


def _good(found):
    code, answer = found
    records = (answer["lig"][0]["reply"] or {"records": []})["records"]
    return code == 0 and any(r["eid_prefix"] == "10.1.0.0/24" and r["locators"] for r in records)


def _told(found):
    reply = found[1]["lig"][0]["reply"]
    return f"{reply['records'][0]['eid_prefix']} from {reply['from']} in {reply['rtt_ms']:.1f} ms" if reply else "nothing"


class SolicitMapRequest:
    """A site changes its locator-set: the proxy follows within a round trip and 50 ms, and loses nothing."""

    name = "smr"

    def build(self, lab):
        """As for the weights."""
        build_site(lab, self.name)

    def check(self, lab):
        """From the SMR on the core to the first packet for the new RLOC, there and back again."""
        measure.ping(lab, "ping host to site", "host", "10.1.0.10")
        stream = measure.Stream(lab, "host", "site", "10.1.0.10", STREAM)
        time.sleep(1)
        for turn, (file, new) in enumerate((("xtr-moved", TWO), ("xtr", ONE), ("xtr-moved", TWO))):
            self.change(lab, stream, f"change {turn + 1}", file, new)
        stream.drain()

    def change(self, lab, stream, name, file, new):
        """One change of the site's file."""
        mark = stream.received()
        debug = lab.spawn("pxtr", *lab.cli_argv("pxtr", ["--json", "debug", "lisp", "--count", "3", "smr", "map-reply"]),
                          stdout=subprocess.PIPE)
        capture = measure.Capture(lab, "core", filter_=f"src host {PROXY} and udp dst port 4341")
        shutil.copy(os.path.join(ROOT, "configs", self.name, f"{file}.toml"), lab.config)
        lab.reload_daemon("xtr")
        lab.wait("the proxy has the new locator", lambda: _locators(lab) == [new], 10)
        lab.wait("a packet in the capture", lambda: os.path.getsize(capture.file) > PCAP_HEADER, 10)
        time.sleep(0.5)
        capture.stop()
        debug.terminate()
        seen = [json.loads(line)["debug"] for line in debug.communicate(timeout=10)[0].splitlines()]
        smr = next((m for m in seen if "smr" in m["message"]["flags"] and m["direction"] == "received"), None)
        moved = [float(t) for t in capture.fields("frame.time_epoch", f"ip.dst == {new}")]
        if smr is None or not moved:
            went = collections.Counter(r.split(",")[0] for r in capture.fields("ip.dst", "udp.dstport == 4341"))
            lab.record(f"{name}: SMR and packets for the new RLOC seen", False, f"{len(seen)} messages, packets to {dict(went)}", "")
            return
        round_trip = lab.cli("pxtr", "show", "lisp")["map_resolvers"][0]["rtt_ms"]
        took = 1000 * moved[0] - smr["unix_ms"]
        lab.record(f"{name}: SMR to the first packet for the new RLOC", took <= round_trip + 50, round(took, 1),
                   f"ms; round trip to the mapping system {round_trip} ms")
        lost = stream.lost_since(mark)
        lab.record(f"{name}: packets lost", lost == 0, lost, f"of {stream.received() - mark}")
        time.sleep(4)  # one SMR-invoked Map-Request per EID-prefix and 3 s


def _locators(lab):
    return [x["rloc"] for x in lab.cli("pxtr", "show", "map-cache", "10.1.0.10")["entries"][0]["locators"]]


class RlocProbe:
    """An RLOC dies silently: all entries that use it are on the other within 1 s, and come back with hysteresis."""

    name = "rloc-probe"
    count = 1000

    def build(self, lab):
        """One site with 1,000 EID-prefixes, all at the same two RLOCs."""
        build_site(lab, self.name, self.count)

    def check(self, lab):
        """One stream for the time, one packet for each entry for their number."""
        hosts = [host for _, host in prefixes(self.count)]
        record_times(lab, "map-cache filled", FirstPackets(lab, hosts, 200).took_ms(), 8000)
        self.fan(lab, "before", hosts, ONE)
        stream = measure.Stream(lab, "host", "site", "10.1.0.10", STREAM)
        time.sleep(1)
        lab.run("core", "ip", "route", "replace", "blackhole", f"{ONE}/32")
        time.sleep(1)
        self.fan(lab, "1 s after its death", hosts, TWO)
        outage = stream.outage_ms()
        lab.record("silent death of the primary: outage", 0 < outage <= 1000, outage, "ms (at 200 ms probing)")
        mark = stream.received()
        # A single answered probe must not bring it back: it is there for one interval, and gone again.
        lab.run("core", "ip", "route", "del", "blackhole", f"{ONE}/32")
        time.sleep(0.25)
        lab.run("core", "ip", "route", "replace", "blackhole", f"{ONE}/32")
        time.sleep(1)
        lab.record("an RLOC that flaps: packets lost", stream.lost_since(mark) == 0, stream.lost_since(mark), "packets")
        begin = time.monotonic()
        lab.run("core", "ip", "route", "del", "blackhole", f"{ONE}/32")
        lab.wait("primary in use again", lambda: _is_up(lab, ONE), 10)
        back = round(1000 * (time.monotonic() - begin))
        lab.record("back after three answers", 350 <= back <= 3000, back, "ms")
        self.fan(lab, "back", hosts, ONE)
        lab.record("fail-back: packets lost", stream.lost_since(mark) == 0, stream.lost_since(mark), "packets")
        stream.drain()

    def fan(self, lab, name, hosts, rloc):
        """A packet for each entry, and where the core saw it go."""
        capture = measure.Capture(lab, "core", filter_=f"src host {PROXY} and udp dst port 4341 and less 80")
        lab.run("host", sys.executable, TOOL, "udp-fan", str(FAN), "5000", *hosts)
        time.sleep(1)  # tcpdump on a busy machine
        capture.stop()
        rows = capture.fields("ip.dst", f"udp.dstport == {FAN}")
        there = sum(1 for row in rows if row.split(",")[0] == rloc)
        lab.record(f"{name}: entries on {rloc}", there == len(hosts), there, f"of {len(hosts)}")


def _is_up(lab, rloc):
    return any(r["rloc"] == rloc and r["state"] == "up" for r in lab.cli("pxtr", "show", "rlocs")["rlocs"])
