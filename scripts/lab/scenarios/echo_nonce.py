"""A way that dies in one direction, found by missing echoes (RFC 9300 section 10.1; R-094).

    sitea -- xtra -- core == xtrb -- siteb      xtrb: two uplinks, the second one in reserve
                      |
                      ms

Both routers probe each other's RLOCs every 30 s only. What site b sends goes on arriving all the time.
"""

import sys
import time

from .. import frames, measure, topology

A, B = "10.1.0.10", "10.2.0.10"
OURS = topology.uplink4(1)
FIRST, RESERVE = topology.uplink4(2), topology.uplink4(4)
STRANGER = "203.0.113.9"
HTTP = {"xtra": "127.0.0.1:9341", "xtrb": "127.0.0.1:9342"}
FORGED = 1500


class EchoNonce:
    """Streams both ways; the primary's RLOC dies for what goes there, under forged echoes."""

    name = "echo-nonce"

    def build(self, lab):
        """Two sites, one of them with two uplinks."""
        lab.node("xtra", "sitea", "xtrb", "siteb", "ms")
        lab.node("core", forwarding=True)
        topology.host(lab, "sitea", "xtra", "site0", (f"{A}/24",), ("10.1.0.1",))
        topology.host(lab, "siteb", "xtrb", "site0", (f"{B}/24",), ("10.2.0.1",))
        topology.uplink(lab, "xtra", 1, (4,))
        for n, number in enumerate((2, 4), 1):
            topology.uplink(lab, "xtrb", number, (4,), device=f"up{n}")
        topology.mapping_system(lab, 3, (4,))
        for node in ("ms", "xtra", "xtrb"):
            lab.daemon(node, f"{self.name}/{node}.toml")
        lab.wait_interface("xtra", "site", "core")
        lab.address("xtra", "site", "10.1.0.1/24")
        topology.uplink_address(lab, "xtra", 1, (4,))
        lab.wait_interface("xtrb", "site", "core1", "core2")
        lab.address("xtrb", "site", "10.2.0.1/24")
        for n, number in ((2, 4), (1, 2)):
            topology.uplink_address(lab, "xtrb", number, (4,), interface=f"core{n}")
        for node in ("ms", "xtra", "xtrb"):
            lab.wait_daemon(node)
        topology.wait_registered(lab, 2)

    def check(self, lab):
        """Echoes while all is well, the death, the way back, and one-way traffic."""
        measure.ping(lab, "ping site a to site b", "sitea", B)
        there = measure.Stream(lab, "sitea", "siteb", B, 9004, interval_ms=2)
        back = measure.Stream(lab, "siteb", "sitea", A, 9005, interval_ms=2)
        self._echoes(lab)
        began = time.monotonic()
        forging = self._forge(lab)
        lab.run("core", "ip", "route", "replace", "blackhole", f"{FIRST}/32")
        lab.mark("nothing gets to the primary any more; what it sends goes on")
        lab.wait("the primary out of use", lambda: not _up(lab, FIRST), 20)
        found = round(1000 * (time.monotonic() - began))
        forging.wait(timeout=30)
        time.sleep(1)
        outage = there.outage_ms()
        lab.mark("site a sends to the reserve", there.resumed())
        lab.record("found by the missing echo, forged ones notwithstanding", found <= 8000, found, "ms (probing: 30 s)")
        lab.record("outage of what goes there", outage <= 8000, outage, "ms")
        lab.record("outage of what comes back", back.outage_ms() <= 100, back.outage_ms(), "ms")
        lab.record("site b sees its echoes all the time: site a's RLOC is up", _up(lab, OURS, "xtrb"), "up", "")
        missing = _metric(lab, "xtra", "missing")
        lab.record("echoes that were missing", missing == 1, missing, "")
        lost = there.lost_since(0)
        lab.run("core", "ip", "route", "del", "blackhole", f"{FIRST}/32")
        lab.mark("packets get to the primary again")
        lab.wait("the primary in use again, by an RLOC-probe", lambda: _up(lab, FIRST), 45)
        time.sleep(3)
        back.drain()
        undecided = _metric(lab, "xtra", "undecided")
        time.sleep(4)
        more = _metric(lab, "xtra", "undecided") - undecided
        lab.record("one-way traffic: no conclusion, the primary stays up", more > 0 and _up(lab, FIRST), more, "rounds")
        there.drain()
        at_return = there.lost_since(0) - lost
        lab.record("packets lost at the return and since", at_return == 0, at_return, "packets")
        lab.sums_up(outage, there.lost_since(0), outage)
        for node in ("xtra", "xtrb"):
            measure.fates(lab, f"{node}: fates sum up to packets received", node)

    @staticmethod
    def _echoes(lab):
        """Every nonce that site a wants to see again comes back from site b, in another packet's header."""
        capture = measure.Capture(lab, "core", filter_="udp dst port 4341")
        time.sleep(4)
        capture.stop()
        rows = [row.split(";") for row in capture.fields("ip.src", "udp.dstport == 4341", "udp.payload")]
        seen = {(source.split(",")[0], payload.replace(":", "")[:8]) for source, payload in rows}
        asked = {word[2:] for source, word in seen if source == OURS and word[:2] == "a0"}
        given = {word[2:] for source, word in seen if source == FIRST and word[:2] == "80"}
        lab.record("nonces of site a that site b echoed", len(asked) >= 2 and len(asked - given) <= 1,
                   len(asked & given), f"of {len(asked)} (the last one may be on its way)")
        for node, rloc in (("xtra", FIRST), ("xtrb", OURS)):
            echo = next((r["echo"] for r in lab.cli(node, "show", "rlocs")["rlocs"] if r["rloc"] == rloc), None)
            ago = echo and echo["last_echo_s_ago"]
            lab.record(f"{node}: pxtr show rlocs, last echo", ago is not None and ago <= 4, ago, "s ago")

    @staticmethod
    def _forge(lab):
        """Echoes of nonces that nobody asked for, in the name of site b's router, and of a stranger."""
        mac = next(p["mac"] for p in lab.cli("xtra", "show", "ports")["ports"] if p["name"] == "core")
        inner = frames.echo(B, A, 77)
        header = bytes.fromhex("80c0ffee00000000")
        packets = [frames.frame(mac, frames.lisp(source, OURS, inner, header)) for source in (FIRST, STRANGER)]
        path = f"{lab.dir}/forged"
        frames.save(path, packets * (FORGED // 2))
        return lab.spawn("core", sys.executable, measure.TOOL, "frames", "xtra-1", path, "300")


def _up(lab, rloc, node="xtra"):
    return any(r["rloc"] == rloc and r["state"] == "up" for r in lab.cli(node, "show", "rlocs")["rlocs"])


def _metric(lab, node, name):
    return measure.metric(lab, node, HTTP[node], f"pxtr_echoes_{name}_total")
