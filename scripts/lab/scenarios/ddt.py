"""The Delegated Database Tree (RFC 8111): a Map-Resolver that knows the roots finds every Map-Server."""

import json
import time

from .. import measure, topology
from .control_plane import _lig

# (node, uplink of the core)
TREE = (("ms1", 2), ("ms2", 3), ("root1", 4), ("root2", 5), ("node1", 6), ("node2", 7), ("mr", 8))
SITE = ("10.1.0.10", "10.1.1.10", "10.2.0.10")


class Ddt:
    """Roots, two delegations, their Map-Servers: found, remembered, denied where nobody is, and a root that dies."""

    name = "ddt"

    def build(self, lab):
        """One site with EID-prefixes below both delegations; it registers at both Map-Servers."""
        lab.node("host", "pxtr", "xtr", "site", *(node for node, _ in TREE))
        lab.node("core", forwarding=True)
        topology.host(lab, "host", "pxtr", "native0", ("192.0.2.10/24",), ("192.0.2.1",))
        topology.host(lab, "site", "xtr", "site0", ("10.1.0.10/24", "10.1.1.10/24", "10.2.0.10/24"), ("10.1.0.1",))
        topology.uplink(lab, "pxtr", 0, (4,))
        topology.uplink(lab, "xtr", 1, (4,), device="up1")
        for node, number in TREE:
            topology.mapping_system(lab, number, (4,), node=node)
            lab.daemon(node, f"{self.name}/{node}.toml")
        lab.daemon("pxtr", f"{self.name}/pxtr.toml")
        lab.daemon("xtr", f"{self.name}/xtr.toml")
        lab.wait_interface("pxtr", "native", "core")
        lab.address("pxtr", "native", "192.0.2.1/24")
        topology.uplink_address(lab, "pxtr", 0, (4,), default=False)
        lab.wait_interface("xtr", "site", "core1")
        lab.address("xtr", "site", "10.1.0.1/24", "10.1.1.1/24", "10.2.0.1/24")
        topology.uplink_address(lab, "xtr", 1, (4,), interface="core1")
        for node in ("pxtr", "xtr", *(node for node, _ in TREE)):
            lab.wait_daemon(node)
        topology.wait_registered(lab, 2, node="ms1")
        topology.wait_registered(lab, 1, node="ms2")

    def check(self, lab):
        """What the Map-Resolver asks for the first, the next and the last EID, and what it answers."""
        capture = measure.Capture(lab, "core", filter_="udp port 4342")
        self._asks(lab, "first EID: root, node, Map-Server", SITE[0], 3)
        self._asks(lab, "another EID-prefix of the delegation: Map-Server only", SITE[1], 1)
        self._asks(lab, "the other delegation: root, node, Map-Server", SITE[2], 3)
        passed_on = _count(lab, "ddt_requests_acknowledged")
        lab.record("Map-Requests that a Map-Server acknowledged", passed_on == 3, passed_on, "of 3")
        self._denied(lab, "delegated to nobody", "10.3.0.1", "10.3.0.0/16", 15, 1)
        self._denied(lab, "the same hole is remembered", "10.3.7.1", "10.3.0.0/16", 15, 0)
        self._denied(lab, "delegated by the root, by its node to nobody", "10.2.200.1", "10.2.128.0/17", 15, 1)
        self._denied(lab, "delegated, and not registered", "10.1.200.1", "10.1.128.0/17", 1, 1)
        self._root_dies(lab)
        capture.stop()
        acks = capture.rows("lisp.type == 6")
        lab.record("Map-Referrals on the core", len(acks) >= 10, len(acks), "")

    def _asks(self, lab, name, host, wanted):
        before = _count(lab, "ddt_requests_sent")
        measure.ping(lab, f"{name}: ping, first packet included", "host", host)
        sent = _count(lab, "ddt_requests_sent") - before
        # The very first packets between two nodes may take half a second here, and are sent again then.
        lab.record(f"{name}: DDT Map-Requests", wanted <= sent <= wanted + 1, sent, f"of {wanted}")

    def _denied(self, lab, name, host, prefix, minutes, wanted):
        before = _count(lab, "ddt_requests_sent")
        code, answer = _lig(lab, "pxtr", host, "--count", "1")
        records = (answer["lig"][0]["reply"] or {"records": []})["records"]
        found = [(r["eid_prefix"], r["ttl_minutes"], r["action"], len(r["locators"])) for r in records]
        sent = _count(lab, "ddt_requests_sent") - before
        lab.record(f"{name}: {prefix}, {minutes} min, natively forward",
                   found == [(prefix, minutes, "natively-forward", 0)] and sent == wanted,
                   json.dumps(found), f"by {sent} DDT Map-Requests; exit code {code}")

    def _root_dies(self, lab):
        """What is remembered needs no root, and what is not is asked of the other one."""
        lab.run("core", "ip", "route", "replace", "blackhole", f"{topology.uplink4(4)}/32")
        lab.cli("pxtr", "clear", "map-cache")
        time.sleep(1)
        self._asks(lab, "a root is dead, the referral is remembered", SITE[0], 1)
        worst = 0
        for host in ("10.4.0.1", "10.8.0.1", "10.16.0.1", "10.32.0.1"):
            begin = time.monotonic()
            code, answer = _lig(lab, "pxtr", host, "--count", "1", "--timeout", "3")
            took = 1000 * (time.monotonic() - begin)
            worst = max(worst, took if answer["lig"][0]["reply"] else 9999)
        lab.record("a root is dead: the other one is asked", worst <= 2000, round(worst), "ms at most, of 4 lookups")
        lab.run("core", "ip", "route", "del", "blackhole", f"{topology.uplink4(4)}/32")


def _count(lab, counter):
    return lab.cli("mr", "show", "statistics")["engine"].get(counter, 0)
