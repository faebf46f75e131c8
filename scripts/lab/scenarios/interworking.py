"""A dual-stack host without LISP talks through the proxy with LISP sites behind IPv4 and IPv6 cores.

    host -- pxtr -- core -- xtr4 (IPv4-only core link) -- site4  10.4.0.0/24 2001:db8:e004::/48
                      |---- xtr6 (IPv6-only core link) -- site6  10.6.0.0/24 2001:db8:e006::/48
                      '---- ms   (Map-Server and Map-Resolver)
"""

from .. import looking, measure, topology

HOST4, HOST6 = "192.0.2.10", "2001:db8:1::10"
# combination (inner in outer) -> site node, its address, the host's address of that family
COMBINATIONS = {
    "v4-in-v4": ("site4", "10.4.0.10", HOST4),
    "v6-in-v4": ("site4", "2001:db8:e004::10", HOST6),
    "v4-in-v6": ("site6", "10.6.0.10", HOST4),
    "v6-in-v6": ("site6", "2001:db8:e006::10", HOST6),
}
UNREGISTERED4, UNREGISTERED6 = "10.99.0.1", "2001:db8:e099::1"
BULK_BYTES = 100_000_000
DAEMONS = ("ms", "pxtr", "xtr4", "xtr6")


def build(lab, proxy="interworking/pxtr.toml", sites="interworking"):
    """Namespaces, cables, daemons, addresses; returns when all sites are registered."""
    lab.node("host", "pxtr", "xtr4", "xtr6", "site4", "site6", "ms")
    lab.node("core", forwarding=True)
    topology.host(lab, "host", "pxtr", "native0", (f"{HOST4}/24", f"{HOST6}/64"), ("192.0.2.1", "2001:db8:1::1"))
    for site, xtr, n in (("site4", "xtr4", 4), ("site6", "xtr6", 6)):
        topology.host(lab, site, xtr, "site0", (f"10.{n}.0.10/24", f"2001:db8:e00{n}::10/64"),
                      (f"10.{n}.0.1", f"2001:db8:e00{n}::1"))
    topology.uplink(lab, "pxtr", 0)
    topology.uplink(lab, "xtr4", 1, families=(4,))
    topology.uplink(lab, "xtr6", 2, families=(6,))
    topology.mapping_system(lab, 3)
    for node in DAEMONS:
        folder = sites if node.startswith("xtr") else "interworking"
        lab.daemon(node, proxy if node == "pxtr" else f"{folder}/{node}.toml")
    lab.wait_interface("pxtr", "native", "core")
    lab.address("pxtr", "native", "192.0.2.1/24", "2001:db8:1::1/64")
    topology.uplink_address(lab, "pxtr", 0, default=False)
    for xtr, n, number, families in (("xtr4", 4, 1, (4,)), ("xtr6", 6, 2, (6,))):
        lab.wait_interface(xtr, "site", "core")
        lab.address(xtr, "site", f"10.{n}.0.1/24", f"2001:db8:e00{n}::1/64")
        topology.uplink_address(lab, xtr, number, families)
    for node in DAEMONS:
        lab.wait_daemon(node)
    topology.wait_registered(lab, 4)


def check(lab):
    """Every promise of the scenario, in the order in which a newcomer would ask."""
    capture = measure.Capture(lab, "core")
    for name, (site, site_ip, host_ip) in COMBINATIONS.items():
        measure.ping(lab, f"{name}: ping host to site, first packet included", "host", site_ip)
        measure.ping(lab, f"{name}: ping site to host, first packet included", site, host_ip)
    for name, (site, site_ip, host_ip) in COMBINATIONS.items():
        measure.udp_sizes(lab, f"{name}: UDP of 1..1400 bytes host to site and back", "host", site, site_ip)
        measure.traceroute(lab, f"{name}: traceroute reaches the site, first hop is the proxy", "host", site_ip,
                           "2001:db8:1::1" if ":" in site_ip else "192.0.2.1")
    negative(lab)
    measure.port_spread(lab, "source ports of 1,000 flows are spread", "host", "site4", "10.4.0.10", "core")
    capture.stop()
    capture.check_clean("core capture of pings, UDP and traceroutes")
    counters(lab)
    watch(lab)
    for name, (site, site_ip, host_ip) in COMBINATIONS.items():
        bulk = measure.Capture(lab, "core", packets=3000)
        measure.tcp_bulk(lab, f"{name}: TCP bulk host to site, hash", "host", site, site_ip, BULK_BYTES)
        measure.tcp_bulk(lab, f"{name}: TCP bulk site to host, hash", site, "host", host_ip, BULK_BYTES)
        bulk.stop()
        bulk.check_clean(f"{name}: core capture of the bulk transfer")
    for node in ("pxtr", "xtr4", "xtr6"):
        measure.fates(lab, f"{node}: sum of fates equals packets received", node)


def negative(lab):
    for address, family in ((UNREGISTERED4, "IPv4"), (UNREGISTERED6, "IPv6")):
        measure.ping_unreachable(lab, f"{family}: unregistered EID gets an ICMP error", "host", address)
        entries = lab.cli("pxtr", "show", "map-cache", address)["entries"]
        actions = [e["action"] for e in entries]
        lab.record(f"{family}: unregistered EID has a negative map-cache entry",
                   "natively-forward" in actions, ",".join(actions) or "none", "")


def watch(lab):
    """What the operator sees who looks at single packets."""
    looking.trace(lab, "pxtr trace: entry, locator and frame of a packet", "pxtr", "10.4.0.10", "10.4.0.0/24",
                  "198.51.100.6", lambda: lab.run("host", "ping", "-n", "-c", "1", "10.4.0.10"))
    looking.captured_drop(lab, "pxtr capture: a dropped packet with its reason", "pxtr", "ttl_expired",
                          lambda: lab.run("host", "ping", "-n", "-c", "1", "-W", "1", "-t", "1", "10.4.0.10", check=False))


def counters(lab):
    """Counters agree with packets sent, in a quiet moment and to the packet."""
    count = 200
    before = entry_packets(lab, "10.4.0.10"), lab_metric(lab, "pxtr_worker_encapsulated_total")
    lab.run("host", "ping", "-n", "-q", "-c", str(count), "-i", "0.005", "10.4.0.10")
    after = entry_packets(lab, "10.4.0.10"), lab_metric(lab, "pxtr_worker_encapsulated_total")
    lab.record("show map-cache agrees with the packets sent", after[0] - before[0] == count,
               after[0] - before[0], f"packets of {count}")
    lab.record("/metrics agrees with the packets sent", after[1] - before[1] == count,
               after[1] - before[1], f"packets of {count}")


def entry_packets(lab, eid):
    return lab.cli("pxtr", "show", "map-cache", eid)["entries"][0]["packets"]


def lab_metric(lab, name):
    return measure.metric(lab, "pxtr", "127.0.0.1:9341", name)
