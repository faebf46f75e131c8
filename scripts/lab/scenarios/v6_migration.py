"""IPv6 sites and IPv4 islands over cores of the other family: the four migration scenarios."""

from .. import measure, topology

HOST4, HOST6 = "192.0.2.10", "2001:db8:1::10"


def _pxtr(lab, families, host_addresses):
    lab.wait_interface("pxtr", "native", "core")
    for a in host_addresses:
        lab.address("pxtr", "native", {"192.0.2.10": "192.0.2.1/24", "2001:db8:1::10": "2001:db8:1::1/64"}[a])
    topology.uplink_address(lab, "pxtr", 0, families, default=False)


def _site_router(lab, node, number, families, address):
    lab.wait_interface(node, "site", "core")
    lab.address(node, "site", address)
    topology.uplink_address(lab, node, number, families)


def _build(lab, folder, families, sites, host=None):
    """`sites`: (xtr, site node, uplink, router's address on the site, host's address)."""
    daemons = ["ms"] + [s[0] for s in sites] + (["pxtr"] if host else [])
    lab.node("ms", *(n for s in sites for n in s[:2]), *(("host", "pxtr") if host else ()))
    lab.node("core", forwarding=True)
    for xtr, site, number, router, address in sites:
        topology.host(lab, site, xtr, "site0", (address,), (router.split("/")[0],))
        topology.uplink(lab, xtr, number, families)
    if host:
        topology.host(lab, "host", "pxtr", "native0", [a + ("/64" if ":" in a else "/24") for a in host],
                      ["2001:db8:1::1" if ":" in a else "192.0.2.1" for a in host])
        topology.uplink(lab, "pxtr", 0, families)
    topology.mapping_system(lab, 3, families)
    for node in daemons:
        lab.daemon(node, f"{folder}/{node}.toml")
    if host:
        _pxtr(lab, families, host)
    for xtr, _, number, router, _ in sites:
        _site_router(lab, xtr, number, families, router)
    for node in daemons:
        lab.wait_daemon(node)
    topology.wait_registered(lab, len(sites))


def _both_ways(lab, capture, pairs):
    """`pairs`: (name, node, node, address of the second, address of the first)."""
    outage, lost, convergence = 0.0, 0, 0.0
    for name, a, b, to_b, to_a in pairs:
        convergence = max(convergence, measure.first_contact(lab, name, a, to_b))
        measure.ping(lab, f"{name}: ping back", b, to_a)
        stream = measure.Stream(lab, a, b, to_b, 9004, interval_ms=10)
        measure.udp_sizes(lab, f"{name}: UDP of 1..1400 bytes and back", a, b, to_b)
        stream.drain()
        lost += stream.lost_since(0)
        outage = max(outage, stream.outage_ms())
    lab.record("packets of a stream beside it lost", lost == 0, lost, "")
    lab.sums_up(outage, lost, convergence)
    capture.stop()
    capture.check_clean("core capture")
    for name, a, b, to_b, to_a in pairs:
        measure.tcp_bulk(lab, f"{name}: TCP bulk, hash", a, b, to_b, 20_000_000)
        measure.tcp_bulk(lab, f"{name}: TCP bulk back, hash", b, a, to_a, 20_000_000)


class SitesOverIpv4:
    """Two IPv6 LISP sites talk over an IPv4-only core."""

    name = "v6-migration-1"

    def build(self, lab):
        """Two sites, their routers, the mapping system; IPv4 only between them."""
        _build(lab, self.name, (4,), [("xtra", "sitea", 1, "2001:db8:e00a::1/64", "2001:db8:e00a::10/64"),
                                      ("xtrb", "siteb", 2, "2001:db8:e00b::1/64", "2001:db8:e00b::10/64")])

    def check(self, lab):
        """Both ways, and no IPv6 packet on the core outside LISP."""
        capture = measure.Capture(lab, "core")
        _both_ways(lab, capture, [("site a to site b", "sitea", "siteb", "2001:db8:e00b::10", "2001:db8:e00a::10")])
        measure.no_native(lab, capture, "the core carries IPv4 only", "ipv6 && !lisp-data && !lisp && !icmpv6")


class SiteToInternet:
    """An IPv6 LISP site with an IPv4-only provider reaches a dual-stack host through the proxy."""

    def __init__(self, name):
        self.name = name

    def build(self, lab):
        """One site, the proxy, the host."""
        _build(lab, self.name, (4,), [("xtra", "sitea", 1, "2001:db8:e00a::1/64", "2001:db8:e00a::10/64")],
               host=(HOST4, HOST6))

    def check(self, lab):
        """Both ways; where the mapping system was asked, its negative answer led to the PETR."""
        capture = measure.Capture(lab, "core")
        _both_ways(lab, capture, [("host to site", "host", "sitea", "2001:db8:e00a::10", HOST6)])
        entry = lab.cli("xtra", "show", "map-cache", HOST6)["entries"][0]
        asked = "learnt" if self.name.endswith("3") else "static"
        lab.record(f"the site reaches the host by a {asked} entry to the PETR",
                   entry["origin"] == asked and bool(entry["locators"]), entry["origin"], "")


class Ipv4Islands:
    """IPv4 islands, with and without LISP, over an IPv6-only core."""

    name = "v4-islands"

    def build(self, lab):
        """Two LISP islands and one behind the proxy."""
        _build(lab, self.name, (6,), [("xtra", "sitea", 1, "10.1.0.1/24", "10.1.0.10/24"),
                                      ("xtrb", "siteb", 2, "10.2.0.1/24", "10.2.0.10/24")], host=(HOST4,))

    def check(self, lab):
        """Each island reaches each other one."""
        capture = measure.Capture(lab, "core")
        _both_ways(lab, capture, [("island a to island b", "sitea", "siteb", "10.2.0.10", "10.1.0.10"),
                                  ("host to island a", "host", "sitea", "10.1.0.10", HOST4),
                                  ("host to island b", "host", "siteb", "10.2.0.10", HOST4)])
        measure.no_native(lab, capture, "the core carries IPv6 only", "ip && !lisp-data && !lisp")
