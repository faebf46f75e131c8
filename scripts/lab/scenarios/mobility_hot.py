"""A VM moves while it talks.

    host -- pxtr -- core -- x1 -- lan (s1)     x1: home of 10.1.0.0/24
                     |  \\-- x2 -- lan (s2)     x2: 10.2.0.0/24, and hosts of 10.1.0.0/24 that come
                     ms       s1 ==VXLAN== s2

The sites' bridges are joined by the kernel's VXLAN over a cable of their own. Both routers have the gateway
address 10.1.0.1 with one Ethernet address, which the bridges pin to the port of their own router: packets of a
host to its gateway reach the router of the site where it is.
"""

import time

from .. import measure, topology
from ..net import sh
from . import mobility
from .mobility import GATEWAY, GATEWAY_MAC, HOST, RLOC, VM

BYTES = 60_000_000
BYTES_PER_SECOND = 5_000_000


def _site(lab, router, site, number):
    """A bridge with the router's port and one end of the VXLAN."""
    lab.run(site, "ip", "link", "add", "lan", "type", "bridge")
    lab.run(site, "ip", "link", "set", "dev", "lan", "up")
    lab.link(router, "site0", site, router)
    lab.run(site, "ip", "link", "set", "dev", router, "master", "lan")
    lab.run(site, "bridge", "fdb", "add", GATEWAY_MAC, "dev", router, "master", "static", "sticky")
    lab.address(site, "dci", f"192.168.77.{number}/24")
    lab.run(site, "ip", "link", "add", "vx", "type", "vxlan", "id", "77", "dstport", "4789",
            "local", f"192.168.77.{number}", "remote", f"192.168.77.{3 - number}")
    lab.run(site, "ip", "link", "set", "dev", "vx", "master", "lan", "up")


class Hot:
    """A VM moves between L2-extended sites under a TCP transfer and a 1 kHz UDP stream."""

    name = "mobility-hot"

    def build(self, lab):
        """Two sites, one subnet over both."""
        lab.node("host", "pxtr", "x1", "x2", "ms", "vm", "s1", "s2")
        lab.node("core", forwarding=True)
        topology.host(lab, "host", "pxtr", "native0", (f"{HOST}/24",), ("192.0.2.1",))
        topology.uplink(lab, "pxtr", 0, (4,))
        # Room for the VXLAN header.
        lab.link("s1", "dci", "s2", "dci", mtu=1600)
        for number in (1, 2):
            _site(lab, f"x{number}", f"s{number}", number)
            topology.uplink(lab, f"x{number}", number, (4,))
        lab.link("vm", "eth0", "s1", "vm")
        lab.run("s1", "ip", "link", "set", "dev", "vm", "master", "lan")
        lab.address("vm", "eth0", f"{VM}/24")
        lab.route("vm", "default", GATEWAY)
        mobility.start(lab, self.name, "pxtr")

    def check(self, lab):
        """TCP survives, the outage is that of the move, and nothing is lost afterwards."""
        mobility.at_home(lab)
        stream = measure.Stream(lab, "host", "vm", VM, 9004)
        bulk = measure.Bulk(lab, "host", "vm", VM, BYTES, BYTES_PER_SECOND)
        time.sleep(2)
        first = measure.FirstPacket(lab, "core", mobility.from_to("x2"))
        mac = lab.run("vm", "cat", "/sys/class/net/eth0/address").stdout.strip()
        frame = measure.FirstPacket(lab, "s2", f"ether src {mac} and ( arp or ip )", interface="lan")
        begin = time.time()
        lab.mark("the VM leaves site 1", begin)
        sh("ip", "-n", lab.ns("s1"), "link", "set", "dev", "vm", "netns", lab.ns("s2"))
        sh("ip", "-n", lab.ns("s2"), "link", "set", "dev", "vm", "master", "lan", "up")
        arrived = time.time()
        lab.mark("the VM's cable is in at site 2", arrived)
        lab.wait("x1 told that the VM is away", lambda: VM in mobility.hosts(lab, "x1", "away"), 10)
        lab.wait("proxy uses the new RLOC", lambda: mobility.sends_to(lab, "pxtr") == [RLOC["x2"]], 10)
        used, frame = first.seen(10), frame.seen(10)
        lab.mark("the VM's first frame at site 2", frame)
        bulk.end(lab, "TCP transfer that goes on during the move arrives whole, hash")
        stream.drain()
        self._judge(lab, stream, (begin, arrived, frame, used))
        mobility.check_moved(lab, "x1", "x2")
        mobility.end(lab)

    def _judge(self, lab, stream, moments):
        begin, arrived, frame, used = moments
        move = round(1000 * (arrived - begin), 1)
        outage, lost = stream.outage_ms(), stream.lost_since(0)
        mobility.mark_move(lab, "x1", "x2", begin)
        lab.mark("first packet from the proxy straight to x2", used)
        lab.record("the move itself", True, move, "ms")
        lab.record("outage, at most 50 ms beyond the move", outage <= move + 50, outage, "ms")
        lab.record("packets lost in all", True, lost, f"of {stream.received()}")
        after = stream.lost_after(frame)
        lab.record("packets lost after the first frame from the new place", not after, len(after), "packets")
        convergence = round(1000 * (used - frame), 1)
        lab.record("first frame from the new place to the proxy using the new RLOC", convergence <= 1000, convergence, "ms")
        if after:
            measure.explain_loss(lab)
            for number, sent in after:
                lab.mark(f"datagram {number}, lost, is sent", sent)
        lab.sums_up(outage, lost, convergence)
