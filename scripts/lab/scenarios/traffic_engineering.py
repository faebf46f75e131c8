"""Weights and backups: the shares that the mapping asks for, flow by flow."""

import os
import shutil
import sys
import time

from .. import measure, topology
from ..net import ROOT

RLOCS = {topology.uplink4(n): f"RLOC {n}" for n in (1, 2, 3)}
FLOWS = 100_000


def _build(lab, folder, ms=None):
    lab.node("host", "pxtr", "xtr", "site", "ms")
    lab.node("core", forwarding=True)
    topology.host(lab, "host", "pxtr", "native0", ("192.0.2.10/24",), ("192.0.2.1",))
    topology.host(lab, "site", "xtr", "site0", ("10.1.0.10/24", "10.2.0.10/24"), ("10.1.0.1",))
    topology.uplink(lab, "pxtr", 0, (4,))
    for n in (1, 2, 3):
        topology.uplink(lab, "xtr", n, (4,), device=f"up{n}")
    topology.mapping_system(lab, 4, (4,))
    lab.config = os.path.join(lab.dir, "xtr.toml")
    shutil.copy(os.path.join(ROOT, "configs", folder, "xtr.toml"), lab.config)
    lab.daemon("ms", ms or f"{folder}/ms.toml")
    lab.daemon("pxtr", f"{folder}/pxtr.toml")
    lab.daemon("xtr", lab.config)
    lab.wait_interface("pxtr", "native", "core")
    lab.address("pxtr", "native", "192.0.2.1/24")
    topology.uplink_address(lab, "pxtr", 0, (4,), default=False)
    lab.wait_interface("xtr", "site", "core1", "core2", "core3")
    lab.address("xtr", "site", "10.1.0.1/24", "10.2.0.1/24")
    for n in (3, 2, 1):
        topology.uplink_address(lab, "xtr", n, (4,), interface=f"core{n}")
    for node in ("ms", "pxtr", "xtr"):
        lab.wait_daemon(node)


def _flow_map(lab, address, flows):
    """Sends one datagram a flow, returns flow -> outer destination as the core saw it."""
    capture = measure.Capture(lab, "core", filter_="udp dst port 4341 and src host 198.51.100.2")
    lab.run("host", sys.executable, measure.TOOL, "udp-blast", address, "9003", str(flows), timeout=120)
    capture.stop()
    return measure.outer_destinations(capture.file)


def _split(lab, name, flow_map, wanted):
    """Shares within one percentage point, no flow lost."""
    total = len(flow_map)
    for rloc, share in wanted.items():
        seen = 100 * sum(1 for d in flow_map.values() if d == rloc) / max(total, 1)
        lab.record(f"{name}: share of {RLOCS[rloc]}, wanted {share}", abs(seen - share) <= 1, round(seen, 2), "% of flows")
    lab.record(f"{name}: flows seen", total == FLOWS, total, f"of {FLOWS}")


def _moved(before, after):
    both = before.keys() & after.keys()
    return 100 * sum(1 for f in both if before[f] != after[f]) / max(len(both), 1)


class Weights:
    """100,000 flows split 50/50, then 70/30, then 60/30/10, only as many moving as must."""

    name = "te-weights"

    def build(self, lab):
        """One site with three uplinks."""
        _build(lab, self.name)
        topology.wait_registered(lab, 1)

    def check(self, lab):
        """The split by flows, and what a change of weights moves."""
        measure.ping(lab, "ping host to site", "host", "10.1.0.10")
        one, two, three = RLOCS
        maps = [_flow_map(lab, "10.1.0.10", FLOWS)]
        stream = measure.Stream(lab, "host", "site", "10.1.0.10", 9004, interval_ms=10)
        worst = 0
        _split(lab, "50/50", maps[0], {one: 50, two: 50})
        for name, config, wanted, must in (
            ("70/30", "xtr-70-30.toml", {one: 70, two: 30}, 20),
            ("60/30/10", "xtr-60-30-10.toml", {one: 60, two: 30, three: 10}, 10),
        ):
            shutil.copy(os.path.join(ROOT, "configs", self.name, config), lab.config)
            begin = time.monotonic()
            lab.mark(f"the site's router is told of {name}")
            lab.reload_daemon("xtr")
            lab.wait(f"{name} in the proxy's map-cache", lambda w=wanted: _weights(lab) == sorted(w.values()), 10)
            lab.mark(f"the proxy's map-cache has {name} (seen from outside)")
            took = round(1000 * (time.monotonic() - begin))
            worst = max(worst, took)
            lab.record(f"{name}: reload to new map-cache entry", True, took, "ms")
            maps.append(_flow_map(lab, "10.1.0.10", FLOWS))
            _split(lab, name, maps[-1], wanted)
            moved = _moved(maps[-2], maps[-1])
            lab.record(f"{name}: flows that moved, {must} % must", abs(moved - must) <= 1, round(moved, 2), "% of flows")
        stream.drain()
        lost = stream.lost_since(0)
        lab.record("packets of a stream beside it lost", lost == 0, lost, f"of {stream.received()}")
        lab.sums_up(stream.outage_ms(), lost, worst)


def _weights(lab):
    entries = lab.cli("pxtr", "show", "map-cache", "10.1.0.10")["entries"]
    return sorted(x["weight"] for x in entries[0]["locators"])


class Backup:
    """A primary dies silently and the backup takes over, then gives back; weights among survivors."""

    name = "te-backup"

    def build(self, lab):
        """As for the weights, with fast probing at the proxy."""
        _build(lab, self.name)
        topology.wait_registered(lab, 2)

    def check(self, lab):
        """Fail-over and fail-back in ms; shares of survivors."""
        one, two, three = RLOCS
        measure.ping(lab, "ping host to primary/backup prefix", "host", "10.1.0.10")
        measure.ping(lab, "ping host to weighted prefix", "host", "10.2.0.10")
        before = _flow_map(lab, "10.2.0.10", FLOWS)
        _split(lab, "50/30/20", before, {one: 50, two: 30, three: 20})
        stream = measure.Stream(lab, "host", "site", "10.1.0.10", 9004)
        time.sleep(1)
        lab.run("core", "ip", "route", "replace", "blackhole", f"{one}/32")
        lab.mark("the primary's RLOC dies silently")
        time.sleep(3)
        outage = stream.outage_ms()
        lab.mark("the stream goes on by the backup", stream.resumed())
        lab.record("silent death of the primary: outage", 0 < outage <= 1000, outage, "ms (at 200 ms probing)")
        after = _flow_map(lab, "10.2.0.10", FLOWS)
        _split(lab, "survivors 30/20", after, {two: 60, three: 40})
        stayed = [f for f, d in before.items() if d != one]
        moved = sum(1 for f in stayed if after.get(f) != before[f])
        lab.record("flows of surviving locators that moved", moved == 0, moved, f"of {len(stayed)} flows")
        fail_over = stream.lost_since(0)
        mark = stream.received()
        lab.run("core", "ip", "route", "del", "blackhole", f"{one}/32")
        begin = time.monotonic()
        lab.mark("the primary's RLOC is alive again")
        lab.wait("primary in use again", lambda: _rloc_up(lab, one), 10)
        lab.mark("the proxy uses the primary again (seen from outside)")
        lab.record("fail-back: primary alive to in use again", True, round(1000 * (time.monotonic() - begin)), "ms")
        time.sleep(1)
        lab.record("fail-back: packets lost", stream.lost_since(mark) == 0, stream.lost_since(mark), "packets")
        stream.drain()
        lab.record("fail-over: packets lost of a 1 kHz stream", True, fail_over, "packets")
        lab.sums_up(outage, stream.lost_since(0), outage)
        _split(lab, "back to 50/30/20", _flow_map(lab, "10.2.0.10", FLOWS), {one: 50, two: 30, three: 20})


def _rloc_up(lab, rloc):
    return any(r["rloc"] == rloc and r["state"] == "up" for r in lab.cli("pxtr", "show", "rlocs")["rlocs"])
