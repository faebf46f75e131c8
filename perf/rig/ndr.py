"""`ndr`: the highest rate at which nothing is lost (NDR), and half a percent (PDR), found as FD.io CSIT does: by
MLRsearch (PyPI `MLRsearch`), with many short trials instead of one long one, half of which may fail."""

import sys
import time

from MLRsearch import AbstractMeasurer, Config, MeasurementResult, MultipleLossRatioSearch, SearchGoal

from .device import Device
from .distance import one_way_ns, wait_until_near
from .report import metric
from .traffic import DEEP_RING, Traffic
from .wire import binaries

RATIOS = {"ndr": 0.0, "pdr": 0.005}
MIN_PPS, MAX_PPS = 20_000.0, 20e6
# A trial that the generator could not offer because it lost its CPU says nothing of the device; one that it can not
# offer again and again is beyond the generator: then what it did not send counts as lost, so that no rate is said that
# nobody offered.
SKIPPED_MAX, RETRIES = 0.02, 3


class Trials(AbstractMeasurer):
    """Trials by pxtr-traffic, with a bar."""

    def __init__(self, traffic, name, estimate):
        self.traffic, self.name, self.estimate = traffic, name, estimate
        self.count, self.start, self.seen = 0, time.monotonic(), ""

    def measure(self, intended_duration, intended_load):
        for attempt in range(RETRIES):
            round_ = self.traffic.run(intended_load, intended_duration)
            if round_["skipped"] <= SKIPPED_MAX * intended_load * intended_duration or attempt == RETRIES - 1:
                break
        offered = round_["sent"] + round_["refused"]
        if round_["skipped"] > SKIPPED_MAX * intended_load * intended_duration:
            offered += round_["skipped"]
        lost = offered - round_["received"]
        self._show(intended_load, lost, offered)
        return MeasurementResult(intended_duration, intended_load, offered_count=offered, loss_count=lost)

    def _show(self, load, lost, offered):
        self.count += 1
        self.seen = f"{load / 1e6:7.3f} Mpps, lost {lost} of {offered}"
        done = min(0.99, self.count / self.estimate)
        bar = "#" * round(20 * done)
        end = "\r" if sys.stderr.isatty() else "\n"
        if sys.stderr.isatty() or self.count % 10 == 0:
            print(f"{self.name} [{bar:20}] {time.monotonic() - self.start:4.0f} s  {self.seen:50}", end=end,
                  file=sys.stderr, flush=True)


def search(traffic, name, ratios, trial_s=0.2, trials=9, width=0.02, limit_s=60):
    """Rates by the name of their loss ratio; `None` where even the lowest rate loses more."""
    config = Config()
    goals = {key: SearchGoal(loss_ratio=ratio, exceed_ratio=0.5, relative_width=width, initial_trial_duration=trial_s,
                             final_trial_duration=trial_s, duration_sum=trial_s * trials, preceding_targets=2,
                             expansion_coefficient=2, fail_fast=False)
             for key, ratio in ratios.items()}
    config.goals = goals.values()
    config.max_load, config.min_load = MAX_PPS, MIN_PPS
    config.search_duration_max, config.warmup_duration = limit_s, 0.5
    measurer = Trials(traffic, name, estimate=40 * len(ratios))
    found = MultipleLossRatioSearch(config).search(measurer, debug=lambda _: None)
    print(f"{name}: {measurer.count} trials in {time.monotonic() - measurer.start:.0f} s", file=sys.stderr)
    rates = {key: found[goal].conditional_throughput for key, goal in goals.items()}
    return {key: float(rate) if rate else None for key, rate in rates.items()}


def run(options):
    """NDR and PDR of encapsulation and decapsulation."""
    results = []
    for kind in ("encap", "decap"):
        if options.only and options.only not in kind:
            continue
        before = wait_until_near()
        with Device(options.mappings, flows=False) as device:
            device.settled()
            traffic = Traffic(binaries(), device.socket, kind, options.mappings, ring=DEEP_RING)
            device.connected()
            lost, start = device.preemptions(), time.monotonic()
            try:
                rates = search(traffic, f"ndr {kind}", RATIOS)
                preempted = (device.preemptions() - lost) / (time.monotonic() - start)
            finally:
                traffic.end()
        results.append(metric(f"ndr_{kind}_preemptions", "1/s", preempted))
        for key, rate in rates.items():
            results.append(metric(f"{key}_{kind}_mpps", "Mpps", (rate or 0) / 1e6))
            print(f"{key}_{kind}: {(rate or 0) / 1e6:.3f} Mpps", file=sys.stderr)
        results.append(metric(f"ndr_{kind}_core_to_core_ns", "ns", max(before, one_way_ns())))
    return results
