"""Proxies of a LISP service provider that announce the EID space by BGP.

    host -- isp -- pxtr1 -- core -- xtr -- site  10.4.0.0/16
    198.18.0.0/24 `-- pxtr2 --'  `-- ms
     (AS 65000)  (AS 65010, FRR beside each pxtrd)
"""

import random
import sys
import time

from .. import frames, measure, topology
from ..frr import Router

HOST = "198.18.0.10"
STREAM, FLEET, ECHO = 9020, 9021, 9022
SITE_HOSTS = [f"10.4.1.{n}" for n in range(1, 41)]


def _native(number):
    """The proxy's and the provider's address on cable `number`."""
    return f"192.0.2.{4 * number + 1}", f"192.0.2.{4 * number + 2}"


def build(lab, folder, proxies):
    """The plan above with these proxies; the site has every EID of its prefix."""
    lab.node("host", *proxies, "xtr", "site", "ms")
    lab.node("core", "isp", forwarding=True)
    lab.sysctl("isp", "net.ipv4.fib_multipath_hash_policy", 1)
    topology.host(lab, "host", "isp", "lan", (f"{HOST}/24",), ("198.18.0.1",))
    lab.address("isp", "lan", "198.18.0.1/24")
    topology.host(lab, "site", "xtr", "site0", ("10.4.0.10/24",), ("10.4.0.1",))
    lab.run("site", "ip", "route", "add", "local", "10.4.0.0/16", "dev", "lo")
    for number, proxy in enumerate(proxies):
        lab.link(proxy, "native0", "isp", proxy)
        lab.address("isp", proxy, f"{_native(number)[1]}/30")
        topology.uplink(lab, proxy, number, (4,))
    topology.uplink(lab, "xtr", 2, (4,))
    topology.mapping_system(lab, 3, (4,))
    for node in ("ms", *proxies, "xtr"):
        lab.daemon(node, f"{folder}/{node}.toml")
    lab.bgp = {"isp": Router(lab, "isp", f"{folder}/isp.frr.conf")}
    for number, proxy in enumerate(proxies):
        addresses(lab, proxy, number)
        lab.bgp[proxy] = Router(lab, proxy, f"{folder}/{proxy}.frr.conf")
    lab.wait_interface("xtr", "site", "core")
    lab.address("xtr", "site", "10.4.0.1/24")
    lab.run("xtr", "ip", "route", "add", "10.4.0.0/16", "via", "10.4.0.10")
    topology.uplink_address(lab, "xtr", 2, (4,))
    for node in ("ms", *proxies, "xtr"):
        lab.wait_daemon(node)
    topology.wait_registered(lab, 1)
    lab.bgp["isp"].wait_up(len(proxies))
    for proxy in proxies:
        lab.wait(f"{proxy}: the provider's route", lambda p=proxy: "proto bgp" in _route(lab, p, "198.18.0.0/24"), 10)
    lab.wait("the provider's way to the EID space", lambda: _next_hops(lab) == len(proxies), 10)


def addresses(lab, proxy, number):
    """What a proxy's kernel has on its host interfaces."""
    lab.wait_interface(proxy, "native", "core")
    lab.address(proxy, "native", f"{_native(number)[0]}/30")
    topology.uplink_address(lab, proxy, number, (4,), default=False)


def _route(lab, node, prefix):
    return lab.run(node, "ip", "route", "show", prefix).stdout


def _next_hops(lab):
    """Ways of the provider's kernel to the EID space."""
    return _route(lab, "isp", "10.0.0.0/8").count("via ")


def _encapsulated(lab, node):
    return sum(w["counters"]["encapsulated"] for w in lab.cli(node, "show", "workers")["workers"])


class Pair:
    """Two proxies share the load that the provider's BGP gives them; one dies, the other takes all, and it comes back."""

    proxies = ("pxtr1", "pxtr2")

    def build(self, lab):
        """Both announce 10.0.0.0/8; the provider spreads flows over them."""
        build(lab, "proxy-pair", self.proxies)

    def check(self, lab):
        """Shares, loss and outage in both directions."""
        lab.record("the provider has two ways to the EID space, by BGP", _next_hops(lab) == 2, _next_hops(lab), "next hops")
        measure.ping(lab, "ping host to site, first packet included", "host", "10.4.0.10")
        measure.ping(lab, "ping site to host", "site", HOST)
        self.shares(lab, "each proxy has its share of 1,000 flows")
        out = measure.Fleet(lab, "host", "site", SITE_HOSTS, FLEET, 400)
        back = [measure.Stream(lab, "site", "host", HOST, STREAM + 10 + n, interval_ms=10) for n in range(8)]
        time.sleep(2)
        lab.kill_daemon("pxtr1")
        lab.mark("pxtr1 dies (kill -9)")
        died = time.time()
        lab.wait("BGP withdraws the dead proxy's route", lambda: _next_hops(lab) == 1, 10)
        lab.mark("the provider's BGP has withdrawn its route")
        withdrawn = round(1000 * (time.time() - died))
        lab.record("BGP withdraws the dead proxy (hold time 3 s)", withdrawn <= 4000, withdrawn, "ms")
        time.sleep(2)
        before = _encapsulated(lab, "pxtr2")
        measure.ping(lab, "ping by the other proxy", "host", "10.4.0.10")
        lab.record("the other proxy takes all", _encapsulated(lab, "pxtr2") > before, _encapsulated(lab, "pxtr2") - before, "packets")
        self.back(lab)
        time.sleep(2)
        out.drain()
        for stream in back:
            stream.drain(0)
        worst = max(_longest_gap(rows, died, died + 6) for rows in out.flows().values())
        lab.record("host to site: longest outage of 40 flows, death of a proxy", worst <= 4500, round(worst), "ms")
        gaps = [stream.outage_ms() for stream in back]
        lab.record("site to host: longest outage of 8 flows, death of a PETR at 200 ms probing", max(gaps) <= 1000, max(gaps), "ms")
        lost = sum(1 for rows in out.flows().values() for (n, *_), (m, sent, _) in zip(rows, rows[1:])
                   if m != n + 1 and sent > self.returned)
        lab.record("host to site: flows disturbed by its return", lost == 0, lost, "gaps")
        lab.sums_up(round(max(worst, *gaps), 1), sum(stream.lost_since(0) for stream in back), withdrawn)
        for node in self.proxies:
            measure.fates(lab, f"{node}: sum of fates equals packets received", node)

    def back(self, lab):
        """The dead proxy starts again, with its addresses, and BGP finds it."""
        lab.daemon("pxtr1", "proxy-pair/pxtr1.toml")
        addresses(lab, "pxtr1", 0)
        lab.wait_daemon("pxtr1")
        lab.mark("pxtr1 runs again")
        self.returned = time.time()
        lab.wait("BGP has the proxy back", lambda: _next_hops(lab) == 2, 30)
        lab.mark("the provider has two ways again")
        time.sleep(1)
        self.shares(lab, "after its return: each proxy has its share of 1,000 flows")

    def shares(self, lab, name):
        """Flows that differ in their ports, by what each proxy encapsulated: the hash is that of the provider's kernel."""
        before = [_encapsulated(lab, node) for node in self.proxies]
        sink = measure.serve(lab, "site", "udp-echo", str(ECHO))
        lab.run("host", sys.executable, measure.TOOL, "udp-flows", "10.4.0.10", str(ECHO), "1000")
        time.sleep(0.5)
        sink.terminate()
        sent = [_encapsulated(lab, node) - b for node, b in zip(self.proxies, before)]
        share = 100 * sent[0] / max(1, sum(sent))
        lab.record(name, sum(sent) >= 1000 and 30 <= share <= 70, f"{share:.1f} : {100 - share:.1f}", "%")


def _longest_gap(rows, begin, end):
    """Longest time without an arrival, for what was sent between two moments, in ms."""
    arrivals = [arrived for _, sent, arrived in rows if begin - 1 < sent < end]
    return 1000 * max((b - a for a, b in zip(arrivals, arrivals[1:])), default=1e9)


class PuntFlood:
    """Floods of what workers hand to the control plane and the kernel; BGP and LISP control stay up."""

    seconds = 8
    per_second = 40_000
    distinct = 20_000

    def build(self, lab):
        """One proxy, and a site whose router died: requests for its EIDs stay without an answer."""
        build(lab, "punt-flood", ("pxtr",))
        lab.node("gone")
        topology.uplink(lab, "gone", 4, (4,))
        lab.link("gone", "site0", "core", "nobody")
        lab.daemon("gone", "punt-flood/gone.toml")
        lab.wait_interface("gone", "core")
        topology.uplink_address(lab, "gone", 4, (4,))
        lab.wait_daemon("gone")
        topology.wait_registered(lab, 2)
        lab.kill_daemon("gone")

    def check(self, lab):
        """The same questions without a flood and with each."""
        measure.ping(lab, "ping host to site, first packet included", "host", "10.4.0.10")
        mac = lab.cli("pxtr", "show", "ports")["ports"][0]["mac"]
        rng = random.Random(8)
        own = _native(0)[0]
        near = lambda: f"192.0.2.{rng.randrange(128, 250)}"
        some = lambda: f"10.{rng.randrange(128, 256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
        kinds = {
            "misses": lambda: frames.v4("198.18.0.66", some(), 17, frames.udp(7, 9, b"flood")),
            "pings to the box": lambda: frames.echo(HOST, own, rng.randrange(65536)),
            "bytes for a closed TCP port of the box": lambda: frames.v4(HOST, own, 6, bytes(20)),
            "LISP control from the native side": lambda: frames.v4(near(), own, 17, frames.udp(4342, 4342, bytes(40))),
        }
        self.questions(lab, "no flood", 1)
        for number, (name, packet) in enumerate(kinds.items()):
            path = f"{lab.dir}/flood-{number}"
            frames.save(path, (frames.frame(mac, packet()) for _ in range(self.distinct)))
            times = self.seconds * self.per_second // self.distinct
            before = self.received(lab)
            source = lab.spawn("isp", sys.executable, measure.TOOL, "frames", "pxtr", path, str(self.per_second), str(times))
            time.sleep(1)
            self.questions(lab, f"flood of {name}", 10 + number)
            source.wait(timeout=60)
            rate = (self.received(lab) - before) / (self.seconds * 1000)
            lab.record(f"flood of {name}: was one", rate >= 20, round(rate, 1), "kpps received")
        reasons = {r["reason"]: r["packets"] for r in lab.cli("pxtr", "show", "drops")["reasons"] if r["packets"]}
        lab.record("drops have names", "hold_overflow" in reasons, " ".join(f"{k}={v}" for k, v in sorted(reasons.items())), "")
        measure.fates(lab, "sum of fates equals packets received", "pxtr")

    def received(self, lab):
        return sum(w["packets"] for w in lab.cli("pxtr", "show", "workers")["workers"])

    def questions(self, lab, when, net):
        """For five seconds: BGP, LISP control, packets to an EID whose mapping was just forgotten."""
        answered, tries, replies = 0, 5, 0
        for n in range(tries):
            begin = time.monotonic()
            lig = lab.run("pxtr", *lab.cli_argv("pxtr", ["lig", f"10.4.{net}.{n + 1}", "--timeout", "1", "--count", "2"]), check=False)
            answered += lig.returncode == 0
            lab.cli("pxtr", "clear", "map-cache", "10.4.0.0/16")
            ping = lab.run("host", "ping", "-n", "-c", "2", "-i", "0.5", "-W", "1", f"10.4.{net}.{n + 100}", check=False)
            replies += ping.returncode == 0
            time.sleep(max(0, 1 - (time.monotonic() - begin)))
        peers = {node: router.peers() for node, router in lab.bgp.items()}
        steady = all(state == "Established" and ups == 1 for rows in peers.values() for state, ups in rows.values())
        lab.record(f"{when}: BGP up, never lost", steady, "; ".join(f"{n}: {r}" for n, r in peers.items()), "")
        lab.record(f"{when}: lig answered", answered == tries, answered, f"of {tries}")
        lab.record(f"{when}: a mapping that was forgotten is learnt again within two packets", replies >= tries - 1, replies, f"of {tries} answered")
