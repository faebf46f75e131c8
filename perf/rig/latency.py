"""`latency`: how long a packet takes at 10, 50 and 90 % of the rate without loss, and how long the first packet to
an unknown EID takes: miss, Map-Request, Map-Server, Map-Reply, and out it goes."""

import sys
import time

from .device import Device
from .distance import one_way_ns, wait_until_near
from .ndr import RATIOS, search
from .report import metric
from .traffic import Traffic
from .wire import binaries

SHARES = (10, 50, 90)
FIRST_PACKETS = 400
PERCENTILES = ("min", "p50", "p90", "p99", "p999", "max")


def _at_rates(options, device):
    traffic = Traffic(binaries(), device.socket, "encap", options.mappings)
    try:
        device.connected()
        # Of one packet in two hundred: on CPUs that are shared, nothing is the rate without any loss.
        rate = search(traffic, "latency", {"pdr": RATIOS["pdr"]}, trials=5, width=0.05, limit_s=40)["pdr"]
        if not rate:
            raise RuntimeError("every rate loses packets: the machine is too busy to measure latency")
        yield metric("latency_rate_mpps", "Mpps", rate / 1e6)
        lost, start = device.preemptions(), time.monotonic()
        for share in SHARES:
            rounds = [traffic.run(rate * share / 100, options.seconds) for _ in range(options.samples)]
            rounds = [r["latency_us"] for r in rounds if r["latency_us"]]
            for which in PERCENTILES:
                values = [r[which] for r in rounds]
                yield metric(f"latency_{share}_{which}_us", "us", values, better=min)
                if share == 50 and which in ("p50", "p999"):
                    yield metric(f"latency_{which}_us", "us", values, better=min)
            print(f"at {share} % of {rate / 1e6:.2f} Mpps: "
                  + ", ".join(f"{which} {sorted(r[which] for r in rounds)[len(rounds) // 2]:.1f}"
                              for which in PERCENTILES) + " us", file=sys.stderr)
        # Each one holds up a ring of packets: they are the tail where CPUs are shared.
        yield metric("latency_preemptions", "1/s", (device.preemptions() - lost) / (time.monotonic() - start))
    finally:
        traffic.end()


def _first_packets(device):
    """The first of so many conversations. Packets that are still unanswered after 3 s are lost."""
    traffic = Traffic(binaries(), device.socket, "encap", 1)
    try:
        device.connected()
        taken = traffic.first("96.0.0.7", FIRST_PACKETS)
    finally:
        traffic.end()
    latency = taken["latency_us"]
    if not latency:
        raise RuntimeError(f"no first packet came through: {taken}")
    for which in PERCENTILES:
        yield metric(f"first_packet_ms_{which}", "ms", latency[which] / 1000, better=min)
    yield metric("first_packet_lost", "packets", FIRST_PACKETS - taken["received"])
    print(f"first packets: p50 {latency['p50'] / 1000:.3f} ms, p99 {latency['p99'] / 1000:.3f} ms, "
          f"{taken['received']} of {FIRST_PACKETS} came", file=sys.stderr)


def run(options):
    """Latencies, and the distance of the CPUs."""
    results = []
    before = wait_until_near()
    if not options.only or options.only in "rates":
        with Device(options.mappings, flows=False) as device:
            device.settled()
            results += _at_rates(options, device)
    if not options.only or options.only in "first":
        with Device(0, flows=False, resolver=FIRST_PACKETS) as device:
            device.settled()
            results += _first_packets(device)
    return [*results, metric("latency_core_to_core_ns", "ns", max(before, one_way_ns()))]
