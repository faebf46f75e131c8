"""Both ways as in bidir.py, and a stream with stamps through the same device: native packets to a native host
behind the other port, 1,000 a second.

TRex knows its stamped packets by their first IP header, so that they must come back as they went: they are
forwarded, not encapsulated, and wait in the same queues for the same worker. Latency of encapsulation
itself: `pxtr-traffic` (perf/run.sh latency), which also drives a NIC (--device 0000:3b:00.0).

    start -f perf/trex/latency.py -m 50%
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lisp import native, stream  # noqa: E402
from profiles import Profile, decap, encap  # noqa: E402
from scapy.layers.inet import IP  # noqa: E402
from trex_stl_lib.api import STLFlowLatencyStats  # noqa: E402

# Hosts beyond the native and the core side that are no EIDs.
BEYOND = ("172.16.0.1", "172.17.0.1")
STAMPED_PPS = 1000.0
# Room for TRex's 16 bytes.
FRAME = 80


def stamped(direction):
    """The stamped stream of a direction; its rate is fixed, whatever the multiplier."""
    packet = native(FRAME)
    packet[IP].src, packet[IP].dst = BEYOND if direction == 0 else BEYOND[::-1]
    stats = STLFlowLatencyStats(pg_id=10 + direction)
    return stream(packet, None, STAMPED_PPS, f"latency-{direction}", flow_stats=stats)


def register():
    return Profile(lambda t: [*encap(t), stamped(0)], lambda t: [*decap(t), stamped(1)])
