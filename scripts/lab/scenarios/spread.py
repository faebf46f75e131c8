"""Two workers behind ports of one queue each (`spread = "software"`): both forward, and nobody notices.

The topology is that of `interworking`. All LISP packets of a router may come from one UDP port, by one queue: they
spread by the flows inside.
"""

import sys
import time

from .. import frames, measure
from . import interworking

FLOWS, EACH, FRAGMENTED = 200, 10, 100
BULK_BYTES = 10_000_000


def build(lab):
    """As `interworking`, with another proxy."""
    interworking.build(lab, "spread/pxtr.toml")


def check(lab):
    """Native flows, flows inside of one outer flow, fragments, TCP; then what the workers counted."""
    for name, (site, site_ip, host_ip) in interworking.COMBINATIONS.items():
        measure.ping(lab, f"{name}: ping host to site, first packet included", "host", site_ip, count=3)
        measure.ping(lab, f"{name}: ping site to host", site, host_ip, count=3)
    measure.udp_sizes(lab, "UDP of 1..1400 bytes host to site and back", "host", "site4", "10.4.0.10")
    _native(lab)
    mac = next(p["mac"] for p in lab.cli("pxtr", "show", "ports")["ports"] if p["name"] == "core")
    inner = [frames.v4("10.4.0.10", "192.0.2.10", 17, frames.udp(3000 + flow, 9, bytes(40))) for flow in range(FLOWS)]
    one = [frames.lisp("198.51.100.6", "198.51.100.2", packet) for packet in inner]
    _core(lab, f"{FLOWS} flows inside of one outer flow", mac, one * EACH, FLOWS * EACH)
    pieces = []
    for number in range(FRAGMENTED):
        source = f"2001:db8:c0:2::{number + 16:x}"
        packet = frames.udp(50000, 4341, bytes(8) + inner[number])
        pieces += frames.pieces(source, "2001:db8:c0::2", 17, packet, 32, number)
    _core(lab, f"{FRAGMENTED} packets in {len(pieces)} outer fragments", mac, pieces, FRAGMENTED, least=0.2)
    for name in ("v4-in-v4", "v6-in-v6"):
        site, site_ip, host_ip = interworking.COMBINATIONS[name]
        measure.tcp_bulk(lab, f"{name}: TCP bulk host to site, hash", "host", site, site_ip, BULK_BYTES)
        measure.tcp_bulk(lab, f"{name}: TCP bulk site to host, hash", site, "host", host_ip, BULK_BYTES)
    _sums(lab)


def _workers(lab):
    return lab.cli("pxtr", "show", "workers")["workers"]


def _counted(lab, name):
    return [w["counters"][name] for w in _workers(lab)]


def _native(lab):
    """Flows of the host, all to one address."""
    before = _counted(lab, "encapsulated")
    sink = measure.serve(lab, "site4", "udp-sink", "9002")
    lab.run("host", sys.executable, measure.TOOL, "udp-flows", "10.4.0.10", "9002", str(1000))
    time.sleep(0.3)
    sink.terminate()
    shares = [now - then for now, then in zip(_counted(lab, "encapsulated"), before)]
    _even(lab, "1000 native flows", shares, 1000, 0.35)


def _core(lab, name, mac, packets, expected, least=0.35):
    """Frames from the core: all are decapsulated and reach the host, by both workers."""
    path = f"{lab.dir}/core-frames"
    frames.save(path, (frames.frame(mac, packet) for packet in packets))
    before, drops, arrived = _counted(lab, "decapsulated"), _dropped(lab), _arrived(lab)
    lab.run("core", sys.executable, measure.TOOL, "frames", "pxtr-0", path, "4000")
    time.sleep(0.5)
    shares = [now - then for now, then in zip(_counted(lab, "decapsulated"), before)]
    _even(lab, name, shares, expected, least)
    lab.record(f"{name}: dropped", _dropped(lab) == drops, _dropped(lab) - drops, "packets")
    got = _arrived(lab) - arrived
    lab.record(f"{name}: at the host", got >= expected, got, f"of {expected} packets")


def _even(lab, name, shares, expected, least):
    good = expected <= sum(shares) <= expected + 50 and min(shares) >= least * expected
    lab.record(f"{name}: by worker", good, "+".join(map(str, shares)), f"packets of {expected}")


def _sums(lab):
    """Each worker's fates sum up to what came to it, and all workers' to what was received."""
    measure.fates(lab, "pxtr: sum of fates of both workers equals packets received", "pxtr")
    for _ in range(20):
        rows = _workers(lab)
        off = [_off(w) for w in rows]
        handed, taken = (sum(w["counters"][c] for w in rows) for c in ("handed_over", "taken_over"))
        if not any(off) and handed == taken:
            break
        time.sleep(0.2)
    lab.record("pxtr: each worker's fates equal what it received and took over", not any(off), off, "packets of difference")
    lab.record("pxtr: handed over equals taken over", handed == taken > 0, f"{handed}, {taken}", "packets")
    full = sum(w["handover_full"] for w in rows)
    lab.record("pxtr: lost on the way between workers", full == 0, full, "packets")
    others = sum(_counted(lab, "sent_for_others"))
    lab.record("pxtr: sent by the only transmit queue for the worker that has none", others > 0, others, "packets")


def _off(worker):
    counters = worker["counters"]
    fates = ("tx", "host", "held", "reassembled", "core_errors", "handed_over")
    return counters["received"] + counters["taken_over"] - worker["dropped"] - sum(counters[f] for f in fates)


def _dropped(lab):
    return sum(w["dropped"] for w in _workers(lab))


def _arrived(lab):
    """Frames that came to the host."""
    return int(lab.run("host", "cat", "/sys/class/net/eth0/statistics/rx_packets").stdout)
