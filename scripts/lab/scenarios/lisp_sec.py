"""Authentic Map-Replies (RFC 9303): forgers, greedy sites, and who takes the protection off."""

import os
import shutil
import signal
import socket
import struct
import sys
import time

from .. import measure, topology
from ..net import ROOT, alive

SITE, PROXY, XTR = "10.1.0.10", topology.uplink4(0), topology.uplink4(1)
# ECM header, authentication data of an ITR, inner IPv4 and UDP headers, first word of the Map-Request.
NONCE_AT = 4 + 36 + 20 + 8 + 4
SEND = "import socket,sys;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.sendto(bytes.fromhex(sys.argv[2]),(sys.argv[1],4342))"


class LispSec:
    """A forged Map-Reply, an over-claim and a stripped exchange are refused and counted; the honest one works."""

    name = "lisp-sec"

    def build(self, lab):
        """A proxy that requires LISP-SEC, Map-Resolver and Map-Server apart, a site that signs."""
        lab.node("host", "pxtr", "xtr", "site", "ms", "mr")
        lab.node("core", forwarding=True)
        topology.host(lab, "host", "pxtr", "native0", ("192.0.2.10/24",), ("192.0.2.1",))
        topology.host(lab, "site", "xtr", "site0", (f"{SITE}/24",), ("10.1.0.1",))
        topology.uplink(lab, "pxtr", 0, (4,))
        topology.uplink(lab, "xtr", 1, (4,), device="up1")
        topology.mapping_system(lab, 2, (4,))
        topology.mapping_system(lab, 3, (4,), node="mr")
        lab.mr_config = os.path.join(lab.dir, "mr.toml")
        shutil.copy(os.path.join(ROOT, "configs", self.name, "mr.toml"), lab.mr_config)
        for node, config in (("ms", "lisp-sec/ms.toml"), ("mr", lab.mr_config), ("pxtr", "lisp-sec/pxtr.toml")):
            lab.daemon(node, config)
        lab.wait_interface("pxtr", "native", "core")
        lab.address("pxtr", "native", "192.0.2.1/24")
        topology.uplink_address(lab, "pxtr", 0, (4,), default=False)
        for node in ("ms", "mr", "pxtr"):
            lab.wait_daemon(node)
        self._site(lab, "xtr.toml")
        topology.wait_registered(lab, 1)

    def _site(self, lab, config):
        lab.daemon("xtr", f"{self.name}/{config}")
        lab.wait_interface("xtr", "site", "core1")
        lab.address("xtr", "site", "10.1.0.1/24")
        topology.uplink_address(lab, "xtr", 1, (4,), interface="core1")
        lab.wait_daemon("xtr")

    def check(self, lab):
        """Honest, forged, stripped, over-claimed."""
        measure.ping(lab, "honest exchange: ping host to site, first packet included", "host", SITE)
        verified = _count(lab, "lisp_sec_replies_verified")
        lab.record("honest exchange: Map-Replies verified", verified >= 1, verified, "")
        measure.ping_unreachable(lab, "honest exchange: a signed negative Map-Reply is taken", "host", "10.99.0.1")
        self._forged(lab)
        self._stripped(lab)
        self._greedy(lab)

    def _forged(self, lab):
        """Whoever reads the nonce on the core answers first, while the site can not be reached."""
        lab.run("core", "ip", "route", "replace", "blackhole", f"{XTR}/32")
        lab.cli("pxtr", "clear", "map-cache")
        capture = measure.Capture(lab, "core", filter_=f"udp dst port 4342 and src host {PROXY}")
        lab.run("host", "ping", "-n", "-c", "1", "-W", "1", SITE, check=False)
        capture.stop()
        nonces = _nonces(capture.file)
        for nonce in nonces:
            record = struct.pack(">IBBHHH4s", 1440, 1, 24, 0x1000, 0, 1, socket.inet_aton("10.1.0.0"))
            locator = struct.pack(">BBBBHH4s", 1, 100, 255, 0, 5, 1, socket.inet_aton(topology.uplink4(3)))
            reply = bytes.fromhex("20000001") + nonce + record + locator
            lab.run("core", sys.executable, "-c", SEND, PROXY, reply.hex())
        lab.wait("the forged Map-Replies to be counted", lambda: _count(lab, "lisp_sec_replies_unsigned") > 0, 5)
        refused = _count(lab, "lisp_sec_replies_unsigned")
        lab.record("forged Map-Reply with the right nonce: refused and counted", refused >= 1, refused,
                   f"of {len(nonces)}")
        lab.record("forged Map-Reply: not in the map-cache", not _rlocs(lab), ",".join(_rlocs(lab)) or "nothing", "")
        lab.run("core", "ip", "route", "del", "blackhole", f"{XTR}/32")
        lab.wait("the honest answer", lambda: _asked(lab) and _rlocs(lab) == [XTR], 30)
        lab.record("forged Map-Reply: the honest one is taken afterwards", True, ",".join(_rlocs(lab)), "")

    def _stripped(self, lab):
        """A Map-Resolver that passes Map-Requests on without LISP-SEC."""
        shutil.copy(os.path.join(ROOT, "configs", self.name, "mr-strip.toml"), lab.mr_config)
        lab.reload_daemon("mr")
        time.sleep(1)
        before = _count(lab, "lisp_sec_replies_unsigned")
        lab.cli("pxtr", "clear", "map-cache")
        lab.run("host", "ping", "-n", "-c", "2", "-W", "1", SITE, check=False)
        refused = _count(lab, "lisp_sec_replies_unsigned") - before
        lab.record("stripped: Map-Replies without signature refused and counted", refused >= 1, refused, "")
        lab.record("stripped: not in the map-cache", not _rlocs(lab), ",".join(_rlocs(lab)) or "nothing", "")
        shutil.copy(os.path.join(ROOT, "configs", self.name, "mr.toml"), lab.mr_config)
        lab.reload_daemon("mr")
        lab.wait("the signed answer", lambda: _asked(lab) and _rlocs(lab) == [XTR], 40)
        lab.record("stripped: taken again once signed", True, ",".join(_rlocs(lab)), "")

    def _greedy(self, lab):
        """The site's router is replaced by one that answers for a prefix that the site does not have."""
        os.kill(lab.daemons["xtr"], signal.SIGKILL)
        lab.wait("the site's router to end", lambda: lab._collect() or not alive(lab.daemons["xtr"]), 20)
        self._site(lab, "xtr-greedy.toml")
        lab.cli("pxtr", "clear", "map-cache")
        lab.run("host", "ping", "-n", "-c", "2", "-W", "1", SITE, check=False)
        lab.wait("the over-claim to be counted", lambda: _asked(lab) and _count(lab, "lisp_sec_overclaims") > 0, 10)
        claims = _count(lab, "lisp_sec_overclaims")
        lab.record("over-claim: refused and counted", claims >= 1, claims, "")
        lab.record("over-claim: not in the map-cache", not _rlocs(lab), ",".join(_rlocs(lab)) or "nothing", "")


def _nonces(pcap):
    """The nonces of the Map-Requests of a capture of `any`."""
    found = []
    with open(pcap, "rb") as data:
        data.read(24)
        while len(head := data.read(16)) == 16:
            frame = data.read(struct.unpack("<I", head[8:12])[0])
            ecm = frame[20 + 20 + 8:]  # Linux cooked capture v2, IPv4, UDP
            if ecm[:1] == b"\x88" and len(ecm) > NONCE_AT + 8:
                found.append(ecm[NONCE_AT:NONCE_AT + 8])
    return found


def _asked(lab):
    """A packet that wants the mapping."""
    return lab.run("host", "ping", "-n", "-c", "1", "-W", "1", SITE, check=False) is not None


def _rlocs(lab):
    entries = lab.cli("pxtr", "show", "map-cache", SITE)["entries"]
    return sorted(x["rloc"] for x in entries[0]["locators"]) if entries else []


def _count(lab, counter):
    return lab.cli("pxtr", "show", "statistics")["engine"].get(counter, 0)
