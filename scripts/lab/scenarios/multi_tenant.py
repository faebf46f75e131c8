"""Two tenants with the same addresses, behind one trunk port of the proxy and one of a site router.

    host-red  --.                                                   .-- site-red   10.4.0.0/24 10.5.0.0/24
    192.0.2.10  |-- VLANs 100, 200.7 -- pxtr -- core -- xtr -- VLANs 11, 12 --|
    host-blue --'                                |                  '-- site-blue  10.4.0.0/24
    192.0.2.10                                   ms

Red is Instance-ID 101, blue 102. Nothing of one reaches the other: not a packet, not an ARP answer.
"""

import time

from .. import measure, topology

TENANTS = ("red", "blue")
HOST4, HOST6 = "192.0.2.10", "2001:db8:1::10"
SITE4, SITE6, ONLY_RED = "10.4.0.10", "2001:db8:e004::10", "10.5.0.10"
VLANS = {"pxtr": {"red": "100", "blue": "200.7"}, "xtr": {"red": "11", "blue": "12"}}
DAEMONS = ("ms", "pxtr", "xtr")
BULK_BYTES = 20_000_000
MARKED = 500


def build(lab, folder="multi-tenant"):
    """Namespaces, cables, taggers, daemons, addresses; returns when all sites are registered."""
    lab.node("pxtr", "xtr", "ms", "host-red", "host-blue", "site-red", "site-blue", "sw-host", "sw-site")
    lab.node("core", forwarding=True)
    for router, switch, side in (("pxtr", "sw-host", "host"), ("xtr", "sw-site", "site")):
        hosts = {f"{side}-{tenant}": vlan for tenant, vlan in VLANS[router].items()}
        # The kernel lets 802.1Q frames exceed the MTU of a cable by a tag, 802.1ad by none.
        mtus = {host: 1492 if "." in vlan else 1500 for host, vlan in hosts.items()}
        topology.trunk(lab, switch, router, hosts, mtus)
        for tenant in TENANTS:
            lab.tenant(router, tenant)
    for tenant in TENANTS:
        _host(lab, f"host-{tenant}", (f"{HOST4}/24", f"{HOST6}/64"), ("192.0.2.1", "2001:db8:1::1"))
        extra = (f"{ONLY_RED}/24",) if tenant == "red" else ()
        _host(lab, f"site-{tenant}", (f"{SITE4}/24", f"{SITE6}/64", *extra), ("10.4.0.1", "2001:db8:e004::1"))
    topology.uplink(lab, "pxtr", 0, (4,))
    topology.uplink(lab, "xtr", 1, (4,))
    topology.mapping_system(lab, 3, (4,))
    for node in DAEMONS:
        lab.daemon(node, f"{folder}/{node}.toml")
    for tenant in TENANTS:
        lab.wait_interface(f"pxtr.{tenant}", tenant)
        lab.address(f"pxtr.{tenant}", tenant, "192.0.2.1/24", "2001:db8:1::1/64")
        lab.wait_interface(f"xtr.{tenant}", tenant)
        lab.address(f"xtr.{tenant}", tenant, "10.4.0.1/24", "2001:db8:e004::1/64")
    lab.address("xtr.red", "red", "10.5.0.1/24")
    lab.wait_interface("pxtr", "core")
    topology.uplink_address(lab, "pxtr", 0, (4,), default=False)
    lab.wait_interface("xtr", "core")
    topology.uplink_address(lab, "xtr", 1, (4,))
    for node in DAEMONS:
        lab.wait_daemon(node)
    topology.wait_registered(lab, 5)


def _host(lab, node, addresses, gateways):
    lab.address(node, "eth0", *addresses)
    for gateway in gateways:
        lab.route(node, "::/0" if ":" in gateway else "default", gateway)


def check(lab):
    """Each tenant is whole by itself, and knows nothing of the other."""
    for tenant in TENANTS:
        host, site = f"host-{tenant}", f"site-{tenant}"
        measure.ping(lab, f"{tenant}: the gateway answers in its own VLAN", host, "192.0.2.1")
        measure.ping(lab, f"{tenant}: IPv6 gateway", host, "2001:db8:1::1")
        for name, to_site, to_host in (("IPv4", SITE4, HOST4), ("IPv6", SITE6, HOST6)):
            measure.ping(lab, f"{tenant}: {name} host to site, first packet included", host, to_site)
            measure.ping(lab, f"{tenant}: {name} site to host, first packet included", site, to_host)
    for tenant in TENANTS:
        host, site = f"host-{tenant}", f"site-{tenant}"
        measure.udp_sizes(lab, f"{tenant}: UDP of 1..1400 bytes host to site and back", host, site, SITE4)
        measure.traceroute(lab, f"{tenant}: first hop of a traceroute is the tenant's gateway", host, SITE4,
                           "192.0.2.1")
    _leaks(lab)
    measure.ping(lab, "red: its other prefix", "host-red", ONLY_RED)
    measure.ping_unreachable(lab, "blue: red's other prefix is not in its mappings", "host-blue", ONLY_RED)
    for tenant in TENANTS:
        host, site = f"host-{tenant}", f"site-{tenant}"
        measure.tcp_bulk(lab, f"{tenant}: TCP bulk host to site, hash", host, site, SITE4, BULK_BYTES)
        measure.tcp_bulk(lab, f"{tenant}: TCP bulk site to host, hash", site, host, HOST6, BULK_BYTES)
    for tenant in TENANTS:
        _counted(lab, tenant)
    for node in ("pxtr", "xtr"):
        _totals(lab, node)
        measure.fates(lab, f"{node}: sum of fates equals packets received", node)


def _traffic(lab):
    """What the proxy counted by VRF and by sub-interface."""
    vrfs = {v["vrf"]: v for v in lab.cli("pxtr", "show", "vrfs")["vrfs"]}
    ports = {p["name"]: p["counters"] for p in lab.cli("pxtr", "show", "ports")["ports"]}
    return vrfs, ports


def _counted(lab, tenant):
    """Packets of one tenant are counted with it, on its sub-interface and in its VRF, and not with the other."""
    other = next(t for t in TENANTS if t != tenant)
    vrfs, ports = _traffic(lab)
    measure.send_marked(lab, f"host-{tenant}", SITE4, 7999, MARKED)
    time.sleep(0.5)
    vrfs_now, ports_now = _traffic(lab)
    sent = vrfs_now[tenant]["encapsulated"]["packets"] - vrfs[tenant]["encapsulated"]["packets"]
    lab.record(f"{tenant}: its packets in its VRF, encapsulated", sent == MARKED, sent, f"of {MARKED}")
    came = ports_now[tenant]["rx_packets"] - ports[tenant]["rx_packets"]
    # Its hosts ask for their gateway's Ethernet address now and then.
    lab.record(f"{tenant}: its packets on its sub-interface", MARKED <= came <= MARKED + 20, came, f"of {MARKED}")
    foreign = vrfs_now[other]["encapsulated"]["packets"] - vrfs[other]["encapsulated"]["packets"]
    lab.record(f"{tenant}: its packets counted with {other}", foreign == 0, foreign, "packets")


def _totals(lab, node):
    """What the VRFs count adds up to what the workers do."""
    for _ in range(10):
        vrfs, workers = lab.cli(node, "show", "vrfs")["vrfs"], lab.cli(node, "show", "workers")["workers"]
        sums = {word: sum(v[word]["packets"] for v in vrfs)
                for word in ("received", "encapsulated", "decapsulated", "forwarded")}
        totals = {word: sum(w["counters"][word] for w in workers) for word in sums}
        # What came before control had told the worker of the port is no VRF's.
        totals["received"] -= measure.drops(lab, node, "port_not_configured")
        if sums == totals:
            break
        time.sleep(0.2)
    lab.record(f"{node}: sums over VRFs equal the workers' counters", sums == totals, str(sums), "")


def _leaks(lab):
    """Marked packets of each tenant, both ways at once, looked for at every end of both."""
    ends = [f"{side}-{tenant}" for side in ("host", "site") for tenant in TENANTS]
    ports = {end: 7000 + number for number, end in enumerate(ends)}
    captures = {end: measure.Capture(lab, end, filter_="udp portrange 7000-7009") for end in ends}
    for end, port in ports.items():
        to = SITE4 if end.startswith("host") else HOST4
        measure.send_marked(lab, end, to, port, MARKED)
    for capture in captures.values():
        capture.stop()
    seen = {end: capture.fields("udp.dstport", "udp") for end, capture in captures.items()}
    for end in ends:
        side, tenant = end.split("-")
        far = f"{'site' if side == 'host' else 'host'}-{tenant}"
        arrived = seen[far].count(str(ports[end]))
        lab.record(f"{end}: marked packets arrive at {far}", arrived == MARKED, arrived, f"of {MARKED}")
    for end in ends:
        own = end.split("-")[1]
        foreign = sum(1 for port in seen[end] for other, p in ports.items() if port == str(p) and own not in other)
        lab.record(f"{end}: packets of the other tenant seen", foreign == 0, foreign, "packets")
