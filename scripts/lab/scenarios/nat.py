"""A LISP site behind a NAT44, reached through our RTR (draft-ermagan-lisp-nat-traversal-19).

    host -- pxtr -- core -- nat == xtr -- site     nat: nftables, masquerades 192.168.1.0/24
                     |
                     |---- rtr  (RTR: re-encapsulates)
                     '---- ms   (Map-Server and Map-Resolver)
"""

import subprocess
import time

from .. import measure, topology
from ..net import LabError

HOST, SITE = "192.0.2.10", "10.1.0.10"
RTR = topology.uplink4(2)
NAT = topology.uplink4(1)
PREFIX = "10.1.0.0/24"
BULK_BYTES = 30_000_000
DAEMONS = ("ms", "pxtr", "rtr", "xtr")
KEEPALIVE_S = 3
# UDP mappings of the NAT live that long when silent: less than anybody keeps a flow open for.
NAT_TIMEOUT_S = 10


class Nat:
    """A site behind a NAT44: reached, kept reachable, and found again after the NAT or the RTR forgot it."""

    name = "nat"

    def build(self, lab):
        """The NAT is a kernel router with nftables."""
        lab.node("host", "pxtr", "rtr", "xtr", "site", "ms")
        lab.node("core", "nat", forwarding=True)
        topology.host(lab, "host", "pxtr", "native0", (f"{HOST}/24",), ("192.0.2.1",))
        topology.host(lab, "site", "xtr", "site0", (f"{SITE}/24",), ("10.1.0.1",))
        topology.uplink(lab, "pxtr", 0, (4,))
        topology.uplink(lab, "nat", 1, (4,))
        topology.uplink_address(lab, "nat", 1, (4,), interface="core0")
        topology.uplink(lab, "rtr", 2, (4,))
        topology.mapping_system(lab, 3, (4,))
        lab.link("xtr", "core0", "nat", "inside")
        lab.address("nat", "inside", "192.168.1.1/24")
        self._nat(lab, 20_000)
        for key in ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"):
            lab.sysctl("nat", f"net.netfilter.{key}", NAT_TIMEOUT_S)
        for node in DAEMONS:
            lab.daemon(node, f"{self.name}/{node}.toml")
        lab.wait_interface("pxtr", "native", "core")
        lab.address("pxtr", "native", "192.0.2.1/24")
        topology.uplink_address(lab, "pxtr", 0, (4,), default=False)
        lab.wait_interface("rtr", "core")
        topology.uplink_address(lab, "rtr", 2, (4,))
        lab.wait_interface("xtr", "site", "core")
        lab.address("xtr", "site", "10.1.0.1/24")
        lab.address("xtr", "core", "192.168.1.2/24")
        lab.route("xtr", "default", "192.168.1.1")
        # The native Internet finds the host behind the proxy, and nobody finds the site but by LISP.
        lab.route("core", "192.0.2.0/24", topology.uplink4(0))
        for node in DAEMONS:
            lab.wait_daemon(node)
        topology.wait_registered(lab, 1)

    def check(self, lab):
        """In the order in which an operator would ask."""
        self._shown(lab)
        capture = measure.Capture(lab, "core", filter_="udp port 4341 or udp port 4342 or udp portrange 20000-22000")
        measure.ping(lab, "ping host to site, first packet included", "host", SITE)
        measure.ping(lab, "ping site to host", "site", HOST)
        capture.stop()
        self._way(lab, capture)
        measure.tcp_bulk(lab, "TCP bulk host to site, hash", "host", "site", SITE, BULK_BYTES)
        measure.tcp_bulk(lab, "TCP bulk site to host, hash", "site", "host", HOST, BULK_BYTES)
        self._kept_open(lab)
        self._found_again(lab)
        for node in ("pxtr", "rtr", "xtr"):
            measure.fates(lab, f"{node}: sum of fates equals packets received", node)

    def _shown(self, lab):
        """What the operator sees of it."""
        ours = lab.cli("xtr", "show", "nat")["ours"]
        lab.record("xtr: show nat says that there is one, and the way through", ours["state"] == "through-rtr"
                   and ours["rtrs_in_use"] == [RTR], f'{ours["state"]} {",".join(ours["rtrs_in_use"])}', "")
        seen = ours["map_servers"][0]["global"] or ""
        lab.record("xtr: what the Map-Server sees of it is the NAT", seen.startswith(f"{NAT}:2"), seen, "")
        router = self._router(lab)
        lab.record("rtr: show nat has the router behind the NAT, and its EID-prefix",
                   router and router["private"] == "192.168.1.2" and router["global"].startswith(f"{NAT}:2")
                   and [e["eid_prefix"] for e in router["eid_prefixes"]] == [PREFIX], router and router["global"], "")
        rlocs = [locator["rloc"] for row in lab.cli("ms", "show", "registrations")["registrations"]
                 for locator in row["locators"]]
        lab.record("ms: the site is registered with the RTR as locator", rlocs == [RTR], ",".join(rlocs), "")

    @staticmethod
    def _way(lab, capture):
        """Every packet of the site's took the way by the RTR, and the NAT saw one flow for all data."""
        text = lab.run("core", "tshark", "-n", "-r", capture.file, "-T", "fields", "-e", "ip.src", "-e", "ip.dst",
                       "-e", "udp.srcport", "-e", "udp.dstport").stdout
        rows = [line.split("\t") for line in text.splitlines()]
        # ICMP inside is shown too: the outer addresses come first.
        rows = [[field.split(",")[0] for field in row] for row in rows if row[2]]
        direct = [r for r in rows if {r[0], r[1]} == {topology.uplink4(0), NAT}]
        lab.record("no packet goes between proxy and NAT directly", not direct, len(direct), "packets")
        inwards = {(r[2], r[3]) for r in rows if r[0] == RTR and r[1] == NAT}
        ports = {source for source, _ in inwards}
        lab.record("the RTR sends to the NAT from the port that was spoken to", ports == {"4342"}, ",".join(ports), "")
        outwards = {r[2] for r in rows if r[0] == NAT and r[1] == RTR and r[3] == "4341"}
        lab.record("the NAT has one flow of data of the site", len(outwards) == 1, len(outwards), "flows")

    def _kept_open(self, lab):
        """Longer than the NAT remembers what is silent nobody sends anything; then the host is first to speak."""
        time.sleep(NAT_TIMEOUT_S + 2 * KEEPALIVE_S)
        measure.ping(lab, f"ping host to site after {NAT_TIMEOUT_S + 2 * KEEPALIVE_S} s of silence "
                     f"(the NAT forgets after {NAT_TIMEOUT_S} s)", "host", SITE)

    def _found_again(self, lab):
        stream = measure.Stream(lab, "host", "site", SITE, 9004, interval_ms=10)
        time.sleep(1)
        before = self._router(lab)["global"]
        at = time.time()
        # All its connections go with the link, and new ones get other ports: a NAT that started anew.
        self._nat(lab, 21_000)
        lab.run("nat", "ip", "link", "set", "dev", "core0", "down")
        lab.run("nat", "ip", "link", "set", "dev", "core0", "up")
        lab.route("nat", "default", "198.51.100.5")
        lab.mark("the NAT forgets everything and takes other ports", at)
        lab.wait("the RTR knows the new port", lambda: (self._router(lab) or {}).get("moves", 0) > 0, 15)
        found = time.time() - at
        after = self._router(lab)["global"]
        lab.mark(f"the RTR sends to {after} (seen from outside)")
        lab.record("the NAT's new port is found", found < 2 * KEEPALIVE_S, round(found, 1), f"s ({before} to {after})")
        time.sleep(1)
        outage = stream.outage_ms()
        lab.record("outage when the NAT starts anew", outage < 2000 * KEEPALIVE_S, outage, "ms")
        lost = stream.lost_since(0)
        stream.drain()
        measure.ping(lab, "ping site to host with the new port", "site", HOST)
        at = time.time()
        lab.kill_daemon("rtr")
        lab.mark("the RTR dies", at)
        lab.daemon("rtr", f"{self.name}/rtr.toml")
        lab.wait_interface("rtr", "core")
        topology.uplink_address(lab, "rtr", 2, (4,))
        lab.wait_daemon("rtr")
        up = time.time()
        lab.mark("it is there again, and knows nobody", up)
        lab.wait("the RTR knows the site again", lambda: self._router(lab), 30)
        took = time.time() - up
        lab.mark("the RTR knows the site again (seen from outside)")
        lab.record("a restarted RTR has its sites again", took < 20, round(took, 1), "s after it answers")
        measure.ping(lab, "ping host to site after the RTR's restart", "host", SITE)
        measure.ping(lab, "ping site to host after the RTR's restart", "site", HOST)
        lab.sums_up(outage, lost, round(1000 * found, 1))

    @staticmethod
    def _router(lab):
        routers = (lab.cli("rtr", "show", "nat", check=False) or {"routers": []})["routers"]
        return routers[0] if routers else None

    @staticmethod
    def _nat(lab, first_port):
        """Masquerades with ports from `first_port` on, and without memory of what was before."""
        rules = f"""
flush ruleset
table ip nat {{
  chain out {{
    type nat hook postrouting priority srcnat;
    oifname "core0" udp sport 1-65535 masquerade to :{first_port}-{first_port + 900}
    oifname "core0" masquerade
  }}
}}
"""
        try:
            done = subprocess.run(lab.exec_argv("nat", ["nft", "-f", "-"]), input=rules, text=True,
                                  capture_output=True, check=False)
        except FileNotFoundError as error:
            raise LabError("lab nat needs nft: apt install nftables") from error
        if done.returncode:
            raise LabError(f"nft: {done.stderr.strip()} (apt install nftables)")
