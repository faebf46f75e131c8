"""Routers that trust each other say in the headers of LISP data what they know of mappings: Map-Versions (RFC 9302) and
Locator-Status-Bits (RFC 9300 section 10).

    host -- pxtr -- core == xtr -- site       xtr: two uplinks, 10.1.0.0/24, the second is the backup
                     |  \\
                     ms  xtr2 -- site2        10.2.0.0/24

RLOCs are probed once a minute: what moves sooner was told.
"""

import os
import re
import shutil
import sys
import time

from .. import frames, measure, topology
from ..net import ROOT

SITE, SITE2, HOST = "10.1.0.10", "10.2.0.10", "192.0.2.10"
PRIMARY, BACKUP, OTHER, PROXY, STRANGER = (topology.uplink4(n) for n in (1, 2, 3, 0, 4))
HTTP = {"pxtr": 9341, "xtr": 9342, "xtr2": 9343}
FORGED = 50


class Trusted:
    """A site says that an uplink of its is down and that its mapping changed: who trusts it follows, forgers do not count."""

    name = "trusted"

    def build(self, lab):
        """Two sites, the proxy, the mapping system."""
        lab.node("host", "pxtr", "xtr", "site", "xtr2", "site2", "ms")
        lab.node("core", forwarding=True)
        topology.host(lab, "host", "pxtr", "native0", (f"{HOST}/24",), ("192.0.2.1",))
        topology.host(lab, "site", "xtr", "site0", (f"{SITE}/24",), ("10.1.0.1",))
        topology.host(lab, "site2", "xtr2", "site0", (f"{SITE2}/24",), ("10.2.0.1",))
        topology.uplink(lab, "pxtr", 0, (4,))
        for n in (1, 2):
            topology.uplink(lab, "xtr", n, (4,), device=f"up{n}")
        topology.uplink(lab, "xtr2", 3, (4,))
        topology.mapping_system(lab, 4, (4,))
        lab.config = os.path.join(lab.dir, "xtr.toml")
        shutil.copy(os.path.join(ROOT, "configs", self.name, "xtr.toml"), lab.config)
        for node in ("ms", "pxtr", "xtr2"):
            lab.daemon(node, f"{self.name}/{node}.toml")
        lab.daemon("xtr", lab.config)
        lab.wait_interface("pxtr", "native", "core")
        lab.address("pxtr", "native", "192.0.2.1/24")
        topology.uplink_address(lab, "pxtr", 0, (4,), default=False)
        lab.wait_interface("xtr2", "site", "core")
        lab.address("xtr2", "site", "10.2.0.1/24")
        topology.uplink_address(lab, "xtr2", 3, (4,))
        lab.wait_interface("xtr", "site", "core1", "core2")
        lab.address("xtr", "site", "10.1.0.1/24")
        for n in (1, 2):
            topology.uplink_address(lab, "xtr", n, (4,), interface=f"core{n}", default=False)
        # Both uplinks at once: what one of them can not carry goes by the other.
        lab.run("xtr", "ip", "route", "replace", "default", "nexthop", "via", "198.51.100.5", "nexthop", "via",
                "198.51.100.9")
        lab.run("xtr", "ip", "route", "del", "198.51.100.0/24")
        for node in HTTP:
            lab.wait_daemon(node)
        topology.wait_registered(lab, 2)

    def check(self, lab):
        """Headers, forgers, a new version, an uplink that goes and comes back."""
        for name, client, address in (("host to site", "host", SITE), ("site2 to site", "site2", SITE),
                                      ("site to host", "site", HOST), ("host to site2", "host", SITE2)):
            measure.ping(lab, f"ping {name}, first packet included", client, address)
        self._headers(lab)
        self._forged(lab)
        there = {name: measure.Stream(lab, name, "site", SITE, port, 2) for name, port in (("host", 9004), ("site2", 9005))}
        back = [measure.Stream(lab, "site", "host", HOST, 9006, 10), measure.Stream(lab, "site", "site2", SITE2, 9007, 10)]
        time.sleep(1)
        self._version(lab)
        lost = {name: stream.lost_since(0) for name, stream in there.items()}
        lab.record("packets lost by the new version", not any(lost.values()), sum(lost.values()), "packets")
        outage = self._uplink_dies(lab, there)
        # Long enough for the probe that the bit caused, and its repetitions, to fail as well.
        time.sleep(11)
        lost = {name: stream.lost_since(0) for name, stream in there.items()}
        took = self._uplink_back(lab)
        time.sleep(1)
        for stream in (*there.values(), *back):
            stream.drain()
        came_back = sum(stream.lost_since(0) - lost[name] for name, stream in there.items())
        lab.record("packets lost when the primary comes back", came_back == 0, came_back, "packets")
        lab.sums_up(outage, sum(lost.values()), max(outage, took))
        for node in HTTP:
            measure.fates(lab, f"{node}: fates sum up to packets received", node)

    @staticmethod
    def _headers(lab):
        """What the core sees of the LISP headers of both directions: flags, versions, bits."""
        capture = measure.Capture(lab, "core", filter_="udp port 4341")
        for client, address in (("host", SITE), ("site2", SITE), ("site", SITE2)):
            lab.run(client, "ping", "-n", "-q", "-c", "5", "-i", "0.05", address)
        capture.stop()
        seen = {}
        for row in capture.fields("ip.src", "udp.dstport == 4341", "udp.payload"):
            source, payload = row.split(";")
            seen.setdefault(source.split(",")[0], set()).add(payload.split(",")[0].replace(":", "")[:16])
        site = set().union(*(seen.get(rloc, set()) for rloc in (PRIMARY, BACKUP)))
        for name, got, wanted in (
            ("proxy to site: version of the destination", seen.get(PROXY), {"1000000100000000"}),
            ("site2 to site: versions of both, its one locator is up", seen.get(OTHER), {"50fff00100000001"}),
            ("site to site2 and to the proxy: both locators are up", site, {"50001fff00000003", "4000000000000003"}),
        ):
            lab.record(name, got == wanted, " ".join(sorted(got or ())), "in LISP headers")

    @staticmethod
    def _forged(lab):
        """The site's primary is down, says who is not trusted, and who is but has no part in this site."""
        mac = next(p["mac"] for p in lab.cli("pxtr", "show", "ports")["ports"] if p["name"] == "core")
        down = bytes.fromhex("4000000000000002")
        for name, rloc, foreign in (("a stranger", STRANGER, False), ("another site's router", OTHER, True)):
            before = metric(lab, "pxtr", "status_bits_foreign")
            path = f"{lab.dir}/forged"
            packet = frames.lisp(rloc, PROXY, frames.echo("10.1.0.66", HOST, 66), down)
            frames.save(path, [frames.frame(mac, packet)] * FORGED)
            lab.run("core", sys.executable, measure.TOOL, "frames", "pxtr-0", path, "1000", timeout=60)
            time.sleep(0.5)
            heard = metric(lab, "pxtr", "status_bits_foreign") - before
            lab.record(f"forged bits of {name}: told to control", (heard > 0) == foreign, heard, f"of {FORGED} packets")
            lab.record(f"forged bits of {name}: the primary is in use", state(lab, "pxtr", PRIMARY) == "up",
                       state(lab, "pxtr", PRIMARY), "")
        heeded = metric(lab, "pxtr", "status_bits_heeded")
        lab.record("forged bits that changed anything", heeded == 0, heeded, "")

    @staticmethod
    def _version(lab):
        """Another weight under a new version: who sends by the old one is told."""
        with open(lab.config, encoding="utf-8") as file:
            text = file.read()
        text = re.sub("map_version = 1", "map_version = 2", text).replace("priority = 2, weight = 100", "priority = 2, weight = 50")
        with open(lab.config, "w", encoding="utf-8") as file:
            file.write(text)
        begin = time.monotonic()
        lab.reload_daemon("xtr")
        def weights(node):
            entries = lab.cli(node, "show", "map-cache", SITE)["entries"]
            return sorted(locator["weight"] for locator in entries[0]["locators"])
        for node in ("pxtr", "xtr2"):
            lab.wait(f"{node} has the new mapping", lambda n=node: weights(n) == [50, 100], 10)
        lab.record("a new version: reload to new map-cache entries", True, round(1000 * (time.monotonic() - begin)), "ms")
        told = metric(lab, "xtr", "map_versions_outdated")
        lab.record("who sent by the old version was told", told >= 1, told, "times")

    @staticmethod
    def _uplink_dies(lab, there):
        """The primary's cable is cut; the core says nothing of it."""
        begin = time.time()
        lab.run("core", "ip", "route", "replace", "blackhole", f"{PRIMARY}/32")
        lab.run("core", "ip", "link", "set", "xtr-1", "down")
        lab.mark("the site's primary uplink dies", begin)
        for node in ("pxtr", "xtr2"):
            lab.wait(f"{node} no longer uses it", lambda n=node: state(lab, n, PRIMARY) != "up", 5)
            lab.record(f"{node}: why the primary is not used", state(lab, node, PRIMARY) == "said-down",
                       state(lab, node, PRIMARY), "")
        time.sleep(0.5)
        outages = {name: stream.outage_ms() for name, stream in there.items()}
        for name, outage in outages.items():
            lab.record(f"outage {name} to site", 0 < outage <= 500, outage, "ms (probed once a minute)")
        lab.mark("the stream from the host goes on by the backup", there["host"].resumed())
        for node in ("pxtr", "xtr2"):
            heeded = metric(lab, node, "status_bits_heeded")
            lab.record(f"{node}: bits heeded", heeded == 1, heeded, "")
        return max(outages.values())

    @staticmethod
    def _uplink_back(lab):
        """It is plugged in again, by when probes have found it dead, too."""
        lab.record("by now probes have found it dead, too", state(lab, "pxtr", PRIMARY) == "probe-down",
                   state(lab, "pxtr", PRIMARY), "")
        lab.run("core", "ip", "route", "del", "blackhole", f"{PRIMARY}/32")
        lab.run("core", "ip", "link", "set", "xtr-1", "up")
        begin = time.monotonic()
        lab.mark("the primary is back")
        for node in ("pxtr", "xtr2"):
            lab.wait(f"{node} uses it again", lambda n=node: state(lab, n, PRIMARY) == "up", 10)
        took = round(1000 * (time.monotonic() - begin))
        lab.record("back in use", took <= 5000, took, "ms (probed once a minute)")
        return took


def metric(lab, node, name):
    return measure.metric(lab, node, f"127.0.0.1:{HTTP[node]}", f"pxtr_{name}_total")


def state(lab, node, rloc):
    """What the locator is, as the map-cache has it."""
    for entry in lab.cli(node, "show", "map-cache", SITE)["entries"]:
        for locator in entry["locators"]:
            if locator["rloc"] == rloc:
                return locator["state"]
    return "absent"
