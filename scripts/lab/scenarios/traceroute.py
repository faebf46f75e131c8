"""A traceroute through the proxy shows the proxy, the routers of the core, the site router and the site.

The topology is that of `interworking`; the proxy passes Time Exceeded from the core on.
"""

import re

from .. import measure
from . import interworking

# (combination, site's address, hops: the proxy, the core, the site router, the site)
EXPECTED = [
    ("v4-in-v4", "10.4.0.10", ["192.0.2.1", "198.51.100.1", "10.4.0.1", "10.4.0.10"]),
    ("v6-in-v6", "2001:db8:e006::10", ["2001:db8:1::1", "2001:db8:c0::1", "2001:db8:e006::1", "2001:db8:e006::10"]),
    # The core has no address of the inner family that could be shown: a gap.
    ("v6-in-v4", "2001:db8:e004::10", ["2001:db8:1::1", "*", "2001:db8:e004::1", "2001:db8:e004::10"]),
    ("v4-in-v6", "10.6.0.10", ["192.0.2.1", "*", "10.6.0.1", "10.6.0.10"]),
]


def build(lab):
    """`interworking` with another configuration of the proxy."""
    interworking.build(lab, proxy="traceroute/pxtr.toml")


def check(lab):
    """UDP and ICMP, all four combinations."""
    for name, address, _ in EXPECTED:
        measure.ping(lab, f"{name}: the mapping is there", "host", address, count=2)
    for name, address, expected in EXPECTED:
        for way, flag in (("UDP", None), ("ICMP", "-I")):
            argv = ["traceroute", "-n", "-q", "1", "-w", "2", "-m", "8", *([flag] if flag else []), address]
            done = lab.run("host", *argv, check=False)
            hops = re.findall(r"^ *\d+ +(\S+)", done.stdout, re.M)
            lab.record(f"{name}: traceroute by {way}", hops == expected, " ".join(hops), "")
    relayed = sum(w["counters"]["icmp_relayed"] for w in lab.cli("pxtr", "show", "workers")["workers"])
    lab.record("errors of the core passed on", relayed >= 4, relayed, "")
    measure.fates(lab, "pxtr: sum of fates equals packets received", "pxtr")
