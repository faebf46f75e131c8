"""One tenant floods; a policer holds it to its rate, and the other tenant loses nothing.

The topology is that of `multi-tenant`. Red has a policer of 8 Mbit/s each way, one site of blue one of 100
packets/s for IPv6; blue's IPv4 has none.
"""

import subprocess
import sys
import time

from .. import measure
from . import multi_tenant
from .multi_tenant import HOST4, SITE4, SITE6

RATE, SIZE, FLOOD, SECONDS = 8_000_000, 1000, 4_000, 12
ASKS, INTERVAL_MS = 2_000, 4
SITE_RATE, SITE_BURST = 100, 20


def build(lab):
    """That of `multi-tenant`, with policers."""
    multi_tenant.build(lab, "policer")


def check(lab):
    """A flood of red in each direction, under questions and answers of blue; then blue's policed site."""
    for tenant in multi_tenant.TENANTS:
        measure.ping(lab, f"{tenant}: host to site", f"host-{tenant}", SITE4)
    for name, source, sink, address in (("host to site", "host-red", "site-red", SITE4),
                                        ("site to host", "site-red", "host-red", HOST4)):
        _flood(lab, name, source, sink, address)
    _site(lab)
    measure.fates(lab, "pxtr: sum of fates equals packets received", "pxtr")


def _flood(lab, name, source, sink, address):
    """Four times what red may send."""
    before = _policer(lab, "red")
    drops, blue_drops = measure.drops(lab, "pxtr", "policed"), _dropped(lab, "blue")
    arrived, server = _arrived(lab, sink), measure.serve(lab, sink, "udp-sink", "7000")
    flood = lab.spawn(source, sys.executable, measure.TOOL, "udp-flood", address, "7000", str(SIZE), str(FLOOD),
                      str(SECONDS), stdout=subprocess.PIPE)
    time.sleep(1)
    first, begin = _policer(lab, "red"), time.monotonic()
    answers = measure.asks(lab, "host-blue", "site-blue", SITE4, ASKS, INTERVAL_MS)
    last, end = _policer(lab, "red"), time.monotonic()
    sent = int(flood.communicate(timeout=60)[0])
    time.sleep(0.5)
    server.terminate()
    after = _policer(lab, "red")
    bits = 8 * (last["passed"]["bytes"] - first["passed"]["bytes"])
    rate = bits / (end - begin)
    offered = 8 * (SIZE + 28) * sent / SECONDS
    lab.record(f"{name}: red offers", offered > 3 * RATE, round(offered / 1e6, 2), "Mbit/s")
    lab.record(f"{name}: red gets its 8 Mbit/s within 5 %", abs(rate / RATE - 1) <= 0.05, round(rate / 1e6, 3), "Mbit/s")
    whole = 8 * (after["passed"]["bytes"] - before["passed"]["bytes"])
    most = 400_000 + RATE * (SECONDS + 2)
    lab.record(f"{name}: red's burst and rate, at most", whole <= most, round(whole / 1e6, 2), f"of {most / 1e6:g} Mbit")
    passed, dropped = (after[w]["packets"] - before[w]["packets"] for w in ("passed", "dropped"))
    lab.record(f"{name}: passed and dropped are what red sent", passed + dropped >= sent, passed + dropped, f"of {sent}")
    counted = measure.drops(lab, "pxtr", "policed") - drops
    lab.record(f"{name}: drops are named", counted == dropped, counted, "packets 'policed'")
    got = _arrived(lab, sink) - arrived
    lab.record(f"{name}: what passed arrives", got >= passed - 10, got, f"of {passed} packets")
    answered = sum(1 for _, answer in answers if answer)
    lab.record(f"{name}: blue's questions answered meanwhile", answered == ASKS, answered, f"of {ASKS}")
    lost = _dropped(lab, "blue") - blue_drops
    lab.record(f"{name}: blue's packets dropped by the proxy", lost == 0, lost, "packets")


def _site(lab):
    """A site's policer in packets, for one way of its prefix."""
    measure.ping(lab, "blue: IPv6 within the rate of its site", "host-blue", SITE6)
    time.sleep(1)
    server = measure.serve(lab, "site-blue", "udp-sink", "7000")
    before = _policer(lab, "blue-site")
    lab.run("host-blue", sys.executable, measure.TOOL, "udp-flood", SITE6, "7000", "100", "500", "5")
    time.sleep(0.3)
    server.terminate()
    after = _policer(lab, "blue-site")
    dropped = after["dropped"]["packets"] - before["dropped"]["packets"]
    expected = 500 * 5 - (SITE_RATE * 5 + SITE_BURST)
    near = abs(dropped - expected) <= 0.05 * SITE_RATE * 5 + 5
    lab.record("blue: its site's policer drops what is above 100 packets/s", near, dropped, f"of 2500, {expected} expected")


def _policer(lab, name):
    return next(p for p in lab.cli("pxtr", "show", "policers")["policers"] if p["policer"] == name)


def _dropped(lab, vrf):
    return next(v["dropped_packets"] for v in lab.cli("pxtr", "show", "vrfs")["vrfs"] if v["vrf"] == vrf)


def _arrived(lab, node):
    """Frames that came to a node."""
    return int(lab.run(node, "cat", "/sys/class/net/eth0/statistics/rx_packets").stdout)
