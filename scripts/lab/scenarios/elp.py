"""Traffic engineering by explicit locator paths: site B says by which routers packets are to come.

    a -- xa -- core -- xb -- b      every router reaches every other one through the core
              / | \\
            r1  r2  ms              r1, r2: re-encapsulate (roles PITR and PETR)

10.2/24 is reached by r1 and r2, else by r2 alone, else straight; 10.3/24 by a path that comes back to r1 by its
other address; 10.4/24 by r1 and r2, which may be skipped.
"""

import re
import time

from .. import measure, topology

A, B = "10.1.0.10", "10.2.0.10"
XA, R1, R2, XB = (topology.uplink4(n) for n in (1, 2, 3, 4))
PATH = [R1, R2, XB]
# In the order of their uplinks.
ROUTERS = (("xa", (4,)), ("r1", (4, 6)), ("r2", (4, 6)), ("xb", (4,)))
COUNT = 200


class ExplicitPath:
    """The path is taken while a shorter one is there; a router on it dies, and the next best path takes over."""

    name = "elp"

    def build(self, lab):
        """Two sites, two routers between them, a mapping system."""
        lab.node("a", "xa", "r1", "r2", "xb", "b", "ms")
        lab.node("core", forwarding=True)
        topology.host(lab, "a", "xa", "site0", (f"{A}/24",), ("10.1.0.1",))
        topology.host(lab, "b", "xb", "site0", (f"{B}/24", "10.3.0.10/24", "10.4.0.10/24"), ("10.2.0.1",))
        for number, (node, families) in enumerate(ROUTERS, 1):
            topology.uplink(lab, node, number, families)
        topology.mapping_system(lab, 5, (4,))
        for node in ("ms", "xa", "r1", "r2", "xb"):
            lab.daemon(node, f"{self.name}/{node}.toml")
        for node, gateways in (("xa", ("10.1.0.1/24",)), ("xb", ("10.2.0.1/24", "10.3.0.1/24", "10.4.0.1/24"))):
            lab.wait_interface(node, "site", "core")
            lab.address(node, "site", *gateways)
        for number, (node, families) in enumerate(ROUTERS, 1):
            lab.wait_interface(node, "core")
            topology.uplink_address(lab, node, number, families)
        for node in ("ms", "xa", "r1", "r2", "xb"):
            lab.wait_daemon(node)
        topology.wait_registered(lab, 4)

    def check(self, lab):
        """In the order in which an operator would ask."""
        measure.ping(lab, "ping a to b, first packet included", "a", B)
        measure.ping(lab, "ping b to a", "b", A)
        self._shown(lab)
        self._taken(lab, "all alive", B, by=("r1", "r2"))
        self._hops(lab)
        self._loop(lab)
        measure.ping(lab, "ping a to the prefix whose path may be cut short", "a", "10.4.0.10")
        stream = measure.Stream(lab, "a", "b", B, 9004)
        time.sleep(1)
        first = self._dies(lab, stream, "r1", R1)
        self._taken(lab, "r1 is dead", B, by=("r2",))
        self._back(lab, stream, "xa", R1)
        self._taken(lab, "r1 is back", B, by=("r1", "r2"))
        self._dies(lab, stream, "r2", R2)
        self._taken(lab, "r2 is dead: r1 has no other path, and goes straight on", B, by=("r1",))
        measure.ping(lab, "r2 is dead: ping by the path that skips it", "a", "10.4.0.10")
        self._taken(lab, "r2 is dead and skipped", "10.4.0.10", by=("r1",))
        self._back(lab, stream, "r1", R2)
        self._taken(lab, "r2 is back", B, by=("r1", "r2"))
        stream.drain()
        outage, lost = stream.outage_ms(), stream.lost_since(0)
        lab.record("longest outage when a router on the path dies", 0 < outage <= 1000, outage,
                   "ms (at 200 ms probing)")
        lab.sums_up(outage, lost, first)
        for node in ("xa", "r1", "r2", "xb"):
            measure.fates(lab, f"{node}: fates sum up to packets received", node)

    def _shown(self, lab):
        """What the operator sees of it."""
        entry = lab.cli("xa", "show", "map-cache", B)["entries"][0]
        paths = [(x["priority"], x["rloc"], x.get("path", []), x["in_use"]) for x in entry["locators"]]
        wanted = {(1, R1, tuple(PATH), True), (2, R2, (R2, XB), False), (3, XB, (), False)}
        lab.record("xa: show map-cache has next hops and paths",
                   {(p, r, tuple(h), u) for p, r, h, u in paths} == wanted, entry["locators"][-1].get("path"), "")
        text = lab.run("xa", *lab.cli_argv("xa", ["show", "map-cache", B])).stdout
        whole = f"{R1} ({' > '.join(PATH)})"
        lab.record("xa: the table says it in words", whole in text, whole, "")
        lig = lab.run("xa", *lab.cli_argv("xa", ["lig", B]), check=False).stdout
        hops = re.search(r"^ +(\S+ > \S+ > \S+) ", lig, re.M)
        lab.record("xa: lig has the path, with the bits of each hop", hops and
                   hops.group(1) == " > ".join(f"{hop}(PS)" for hop in PATH), hops and hops.group(1), "")
        rows = lab.cli("ms", "show", "registrations")["registrations"]
        stored = [x.get("path", []) for r in rows if r["eid_prefix"] == "10.2.0.0/24" for x in r["locators"]]
        lab.record("ms: registered as they are", PATH in stored and [R2, XB] in stored, len(stored), "locators")

    def _taken(self, lab, name, address, by):
        """COUNT echo requests, and how many of them each router sent on."""
        before = {node: _encapsulated(lab, node) for node in ("r1", "r2")}
        lab.run("a", "ping", "-n", "-q", "-c", str(COUNT), "-i", "0.002", "-W", "2", address, check=False)
        for node in ("r1", "r2"):
            count = _encapsulated(lab, node) - before[node]
            # The stream beside it takes the same way.
            passed = count >= COUNT if node in by else count == 0
            lab.record(f"{name}: packets that {node} sent on, of {COUNT} and a stream", passed, count, "packets")

    def _hops(self, lab):
        """Each router counts once, as does the core in between: nothing else lengthens the way."""
        ttl = {}
        for node, address in (("a", B), ("b", A)):
            done = lab.run(node, "ping", "-n", "-c", "1", address)
            ttl[node] = int(re.search(r"ttl=(\d+)", done.stdout).group(1))
        # The answer of b comes straight: xb, core, xa. That of a: xa, r1, r2, xb and three times the core.
        lab.record("TTL of what came straight", ttl["a"] == 64 - 3, ttl["a"], "of 64")
        lab.record("TTL of what came by the path", ttl["b"] == 64 - 7, ttl["b"], "of 64")

    def _loop(self, lab):
        """r1 finds itself twice on the path, and uses the locator that is none."""
        before = _encapsulated(lab, "r2")
        measure.ping(lab, "ping a to the prefix whose path is a loop", "a", "10.3.0.10")
        counted = lab.cli("r1", "show", "statistics")["engine"].get("locator_paths_looped", 0)
        lab.record("r1: path that names it twice ignored and counted", counted >= 1, counted, "paths")
        sent = _encapsulated(lab, "r2") - before
        lab.record("r2: packets of it", sent == 0, sent, "packets")

    def _dies(self, lab, stream, node, rloc):
        before = stream.lost_since(0)
        lab.run("core", "ip", "route", "replace", "blackhole", f"{rloc}/32")
        lab.mark(f"{node} dies silently")
        time.sleep(2)
        lab.mark("the stream goes on without it", stream.resumed())
        outage = stream.outage_ms()
        lab.record(f"{node} dies: outage", 0 < outage <= 1000, outage, "ms (at 200 ms probing)")
        lab.record(f"{node} dies: lost", True, stream.lost_since(0) - before, "packets of a 1 kHz stream")
        return outage

    def _back(self, lab, stream, watcher, rloc):
        mark = stream.received()
        lab.run("core", "ip", "route", "del", "blackhole", f"{rloc}/32")
        lab.wait(f"{rloc} in use again", lambda: _up(lab, watcher, rloc), 10)
        lab.mark(f"{watcher} uses {rloc} again (seen from outside)")
        time.sleep(0.5)
        lost = stream.lost_since(mark)
        lab.record(f"{rloc} is back: packets lost", lost == 0, lost, "packets")


def _encapsulated(lab, node):
    return sum(w["counters"]["encapsulated"] for w in lab.cli(node, "show", "workers")["workers"])


def _up(lab, node, rloc):
    return any(r["rloc"] == rloc and r["state"] == "up" for r in lab.cli(node, "show", "rlocs")["rlocs"])
