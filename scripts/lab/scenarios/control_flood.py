"""An attacker on the core sends control messages as fast as it can.

The topology is that of `control_plane`, with a node more on the core.
"""

import subprocess
import sys
import time

from .. import measure, topology
from .control_plane import PROXY, STREAM, TOOL, FirstPackets, build_site, prefixes, record_times

MAP_SERVER = topology.uplink4(4)


class ControlFlood:
    """Floods of Map-Requests, Map-Replies, SMRs and forged Map-Registers: lookups, registrations and traffic go on."""

    name = "control-flood"
    seconds = 6
    kinds = (("map-request", "ms", MAP_SERVER, "map_requests_over_sender_rate"),
             ("map-reply", "pxtr", PROXY, "map_replies_unsolicited"),
             ("smr", "pxtr", PROXY, "smrs_limited"),
             ("map-register", "ms", MAP_SERVER, "map_registers_bad_auth"))

    def build(self, lab):
        """An attacker somewhere in the core."""
        build_site(lab, self.name, 400, (("attacker", 7, False),))

    def check(self, lab):
        """New EIDs are resolved and a stream flows while each flood runs."""
        hosts = [host for _, host in prefixes(400)]
        measure.ping(lab, "ping host to site", "host", "10.1.0.10")
        record_times(lab, "in peace: resolution", FirstPackets(lab, hosts[:60], 20).took_ms(), 3000)
        stream = measure.Stream(lab, "host", "site", "10.1.0.10", STREAM)
        time.sleep(1)
        for n, (kind, node, address, counter) in enumerate(self.kinds):
            self.flood(lab, stream, hosts[60 + 80 * n:140 + 80 * n], kind, node, address, counter)
        stream.drain()
        registered = lab.cli("ms", "show", "statistics")["registrations"]
        lab.record("registrations after all floods", registered == 401, registered, "of 401")

    def flood(self, lab, stream, hosts, kind, node, address, counter):
        """One kind of message against one daemon."""
        before, mark = _counters(lab, node), stream.received()
        attack = lab.spawn("attacker", sys.executable, TOOL, "flood", kind, address, str(self.seconds),
                           stdout=subprocess.PIPE)
        attack.stdout.readline()
        time.sleep(0.5)
        lookups = FirstPackets(lab, hosts, 20)
        rate = int(attack.communicate(timeout=60)[0])
        times = lookups.took_ms()
        after = _counters(lab, node)
        dropped = sum(after.get(c, 0) - before.get(c, 0) for c in (counter, "control_over_sender_rate"))
        # What overflows the socket is dropped by the kernel, and counted there.
        lab.record(f"{kind}: flood dropped by {counter} and its like", dropped > rate * self.seconds // 2, dropped,
                   f"of {rate * self.seconds} sent, {rate}/s")
        record_times(lab, f"{kind}: resolution meanwhile", times, 3000)
        lost = stream.lost_since(mark)
        lab.record(f"{kind}: packets of a stream lost", lost == 0, lost, f"of {stream.received() - mark}")


def _counters(lab, node):
    return lab.cli(node, "show", "statistics")["engine"]
