"""`soak`: a fixed rate for minutes while mappings change all the time; what is lost, and whether memory and
packet buffers stay what they were."""

import statistics
import sys
import time

from .device import Device
from .processes import resident_kib
from .report import metric
from .traffic import DEEP_RING, Traffic
from .wire import binaries

SAMPLE_S = 1.0


def _median(samples, key):
    return statistics.median(s[key] for s in samples)


def _sample(device):
    shown = device.show("statistics")
    return {"mbufs": shown["mbufs_in_use"], "rss": resident_kib(device.pid)}


def _watch(device, traffic, options):
    """Samples, each after a reload that gives all mappings other RLOCs; then what the generator counted."""
    traffic.begin(options.rate, options.minutes * 60)
    samples, turns, end = [], 0, time.monotonic() + options.minutes * 60
    while time.monotonic() < end - SAMPLE_S:
        turns += 1
        device.reload(shift=turns)
        time.sleep(SAMPLE_S)
        samples.append(_sample(device))
        if turns % 30 == 0:
            print(f"{turns} s: {samples[-1]}", file=sys.stderr)
    return samples, traffic.finish(60)


def run(options):
    """Loss, and growth from the second quarter of the time to the last."""
    with Device(options.mappings, flows=False) as device:
        device.settled()
        traffic = Traffic(binaries(), device.socket, "mixed", options.mappings, ring=DEEP_RING)
        try:
            device.connected()
            # Tables and pools take their shape first.
            traffic.run(options.rate, 2)
            start, preempted = device.applied(), device.preemptions()
            samples, taken = _watch(device, traffic, options)
            changes = (device.applied() - start) / taken["seconds"]
            preempted = (device.preemptions() - preempted) / taken["seconds"]
        finally:
            traffic.end()
    quarter = max(1, len(samples) // 4)
    early, late = samples[quarter:2 * quarter] or samples, samples[-quarter:]
    offered = taken["sent"] + taken["refused"]
    lost = offered - taken["received"]
    print(f"{offered} packets in {taken['seconds']:.0f} s, {lost} lost, of these {taken['refused']} refused by a full "
          f"ring; {changes:.0f} changes/s", file=sys.stderr)
    return [
        metric("soak_seconds", "s", taken["seconds"]),
        metric("soak_offered_mpps", "Mpps", offered / taken["seconds"] / 1e6),
        metric("soak_changes_per_second", "1/s", changes),
        metric("soak_preemptions", "1/s", preempted),
        metric("soak_lost_packets", "packets", lost),
        metric("soak_lost_ppm", "ppm", 1e6 * lost / offered),
        metric("soak_ring_full_packets", "packets", taken["refused"]),
        metric("soak_mbufs_in_use", "mbufs", [s["mbufs"] for s in samples], better=min),
        metric("soak_mbufs_growth", "mbufs", _median(late, "mbufs") - _median(early, "mbufs")),
        metric("soak_rss_mib", "MiB", [s["rss"] / 1024 for s in samples], better=min),
        metric("soak_rss_growth_mib", "MiB", (_median(late, "rss") - _median(early, "rss")) / 1024),
    ]
