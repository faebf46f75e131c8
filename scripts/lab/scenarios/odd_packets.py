"""10,000 malformed frames from both sides while traffic flows: none of the traffic is lost, no buffer leaks.

The topology is that of `interworking`. The frames are made from a seed: cut, damaged and invented IPv4, IPv6, ARP
and LISP packets, fragments that contradict each other, extension headers without end.
"""

import random
import struct
import sys

from .. import frames, measure
from . import interworking

FRAMES = 10_000
SEED = 4
# Buffers in rings and caches, which come and go.
SLACK = 400


class Corpus:
    """The frames of one side. Last octets are random, so that many flows, EIDs and RLOCs are touched."""

    def __init__(self, mac, seed):
        self.mac = bytes.fromhex(mac.replace(":", ""))
        self.rng = random.Random(seed)

    def octet(self):
        return self.rng.randrange(256)

    def inner(self):
        rng, octet = self.rng, self.octet
        data = bytes(rng.randrange(80))
        odd = bytes([rng.choice([7, 68, 130, 131, 137, 148, octet()])])
        options = odd + bytes(octet() for _ in range(rng.choice([3, 7, 39])))
        chain = bytes([rng.choice([0, 43, 44, 51, 60, 17]), octet()]) + bytes(rng.randrange(120))
        some = ".".join(str(octet()) for _ in range(4))
        return rng.choice([
            frames.v4(f"10.4.0.{octet()}", "192.0.2.10", 17, frames.udp(7, 9, data)),
            frames.v4(f"192.0.2.{octet()}", f"10.{octet()}.0.{octet()}", 17, frames.udp(7, 9, data)),
            frames.v6(f"2001:db8:e004::{octet():x}", "2001:db8:1::10", 17, frames.udp(7, 9, data)),
            frames.v6("2001:db8:1::10", f"2001:db8:e004::{octet():x}", rng.choice([0, 43, 44, 51, 60, 59]), chain),
            frames.v4(f"192.0.2.{octet()}", "10.4.0.10", rng.choice([1, 6, 17, 47, 50]), data, options),
            frames.v4(some, f"{octet()}.{octet()}.0.1", octet(), data),
        ])

    def lisp(self):
        rng, octet = self.rng, self.octet
        header = bytes([rng.choice([0, 0, 8, octet()]), octet(), octet(), octet(), 0, 0, rng.choice([0, octet()]), octet()])
        packet = frames.udp(rng.randrange(65536), 4341, header + self.inner())
        fragment = struct.pack("!BBHI", 17, 0, rng.randrange(40) << 3 | rng.randrange(2), rng.randrange(8))
        word = rng.randrange(40) | rng.choice([0, 0x2000])
        return rng.choice([
            frames.v6("2001:db8:c0:2::2", "2001:db8:c0::2", 17, packet),
            frames.v4(f"198.51.100.{octet()}", "198.51.100.2", 17, packet, fragment=word, ident=octet()),
            frames.v6("2001:db8:c0:2::2", "2001:db8:c0::2", 44, fragment + packet),
            frames.v4(f"198.51.100.{octet()}", "198.51.100.2", 17, packet),
        ])

    def error(self):
        quoted = frames.lisp("198.51.100.2", f"198.51.100.{self.octet()}", self.inner())
        message = frames.icmp(3, 4, self.rng.randrange(2000), quoted[:self.rng.randrange(len(quoted))])
        return frames.v4(f"203.0.113.{self.octet()}", "198.51.100.2", 1, message)

    def frame(self):
        """A packet, and in two of three cases something done to it."""
        rng, octet = self.rng, self.octet
        packet = rng.choice([self.inner, self.inner, self.lisp, self.lisp, self.error])()
        ethertype = None
        damage = rng.randrange(6)
        if damage == 0:
            packet = packet[:rng.randrange(len(packet) + 1)]
        elif damage == 1:
            damaged = bytearray(packet)
            for _ in range(rng.randrange(1, 6)):
                damaged[rng.randrange(min(len(packet), 120))] = octet()
            packet = bytes(damaged)
        elif damage == 2:
            packet += bytes(octet() for _ in range(rng.randrange(60)))
        elif damage == 3:
            ethertype = rng.choice([0x0806, 0x8100, 0x88A8, 0x8847, 0x0800, 0x86DD, 5, 0xFFFF])
        to = rng.choice([self.mac] * 8 + [b"\xff" * 6, bytes([1, 0, 94, octet(), 0, 1])])
        return frames.frame(to, packet, ethertype)[:1514]


def build(lab):
    """As `interworking`."""
    interworking.build(lab)


def buffers(lab):
    """Packet buffers in use, those of packets that wait included."""
    return lab.cli("pxtr", "show", "statistics")["mbufs_in_use"]


def waiting(lab):
    rows = lab.cli("pxtr", "show", "workers")["workers"]
    return sum(w["counters"]["held"] + w["counters"]["originated_held"] for w in rows)


def counted(lab, name):
    return sum(w["counters"][name] for w in lab.cli("pxtr", "show", "workers")["workers"])


def check(lab):
    """Pings in all combinations run while the corpus is sent from the host's and from the core's side."""
    for name, (_, site_ip, _) in interworking.COMBINATIONS.items():
        measure.ping(lab, f"{name}: host to site", "host", site_ip, count=2)
    before, clean = counted(lab, "received"), buffers(lab)
    macs = {p["name"]: p["mac"] for p in lab.cli("pxtr", "show", "ports")["ports"]}
    pings = [(name, lab.spawn("host", "ping", "-n", "-q", "-i", "0.02", "-c", "400", "-W", "2", site_ip,
                              stdout=(out := open(f"{lab.dir}/ping-{name}", "w", encoding="utf-8"))), out)
             for name, (_, site_ip, _) in interworking.COMBINATIONS.items()]
    sources = []
    for side, (node, interface, port) in enumerate((("host", "eth0", "native"), ("core", "pxtr-0", "core"))):
        corpus, path = Corpus(macs[port], SEED + side), f"{lab.dir}/corpus-{node}"
        frames.save(path, (corpus.frame() for _ in range(FRAMES // 2)))
        sources.append(lab.spawn(node, sys.executable, measure.TOOL, "frames", interface, path, "1000"))
    ends = [child.wait(timeout=60) for child in sources]
    lab.record("the corpus was sent", ends == [0, 0], FRAMES, "frames")
    for name, child, out in pings:
        child.wait(timeout=60)
        out.close()
        with open(out.name, encoding="utf-8") as text:
            got = int(text.read().split(" received")[0].rsplit(" ", 1)[-1])
        lab.record(f"{name}: pings while it went on", got == 400, got, "of 400 replies")
    lab.record("the proxy got the frames", counted(lab, "received") - before >= FRAMES,
               counted(lab, "received") - before, "packets received")
    reasons = len(lab.cli("pxtr", "show", "drops")["reasons"])
    lab.record("drops have names", reasons >= 15, reasons, "different reasons")
    lab.check_alive("pxtr")
    measure.fates(lab, "pxtr: sum of fates equals packets received", "pxtr")
    # Fragments without their rest wait for a minute: they are counted, and no leak.
    lab.wait("packet buffers come back but for what waits", lambda: buffers(lab) - waiting(lab) <= clean + SLACK, 10)
    lab.record("packet buffers in use, before and after; of these wait", True,
               f"{clean}, {buffers(lab)}; {waiting(lab)}", "")
    for name, (_, site_ip, _) in interworking.COMBINATIONS.items():
        measure.ping(lab, f"{name}: host to site afterwards", "host", site_ip, count=2)
