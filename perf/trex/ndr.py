"""NDR and PDR of a profile with a TRex server, by MLRsearch, as FD.io CSIT searches them.

    python3 perf/trex/ndr.py --server 127.0.0.1 --profile perf/trex/bidir.py -t eids=10000 -t frame=64

Prints JSON of the shape of perf/run.sh. Both ports of the server must be up; loss is that of all ports together.
"""

import argparse
import json
import sys
import time

import lbr_trex_client  # noqa: F401  (puts TRex's modules on the path)
from MLRsearch import AbstractMeasurer, Config, MeasurementResult, MultipleLossRatioSearch, SearchGoal
from trex_stl_lib.api import STLClient, STLProfile

RATIOS = {"ndr": 0.0, "pdr": 0.005}
PORTS = (0, 1)
# After the last packet was sent, so long for those under way.
DRAIN_S = 0.2


class Measurer(AbstractMeasurer):
    """Trials on a connected client: the load is packets per second over all ports."""

    def __init__(self, client, profile, tunables, quiet=False):
        self.client, self.quiet = client, quiet
        self.count, self.start = 0, time.monotonic()
        self.shares = self._load(profile, tunables)

    def _load(self, path, tunables):
        """Puts the streams on their ports; each port's packets per second at multiplier 1."""
        self.client.reset(ports=list(PORTS))
        shares = {}
        for port in PORTS:
            profile = STLProfile.load_py(path, direction=port % 2, port_id=port, tunables=list(tunables))
            streams = profile.get_streams()
            # Stamped streams have a fixed rate and statistics of their own.
            paced = [s for s in streams if not s.has_flow_stats()]
            if streams:
                self.client.add_streams(streams, ports=[port])
            if paced:
                shares[port] = sum(s.to_json()["mode"]["rate"]["value"] for s in paced)
        if not shares:
            raise ValueError(f"{path} sends nothing")
        return shares

    def measure(self, intended_duration, intended_load):
        client, ports = self.client, list(self.shares)
        client.clear_stats()
        multiplier = intended_load / sum(self.shares.values())
        client.start(ports=ports, mult=str(multiplier), duration=intended_duration, force=True)
        client.wait_on_traffic(ports=ports, timeout=intended_duration + 30)
        time.sleep(DRAIN_S)
        stats = client.get_stats()
        sent = sum(stats[port]["opackets"] for port in PORTS)
        received = sum(stats[port]["ipackets"] for port in PORTS)
        self._show(intended_load, sent - received, sent)
        # Frames that others send to us must not make up for lost ones.
        return MeasurementResult(intended_duration, intended_load, offered_count=sent,
                                 loss_count=max(0, sent - received),
                                 intended_count=round(intended_load * intended_duration))

    def _show(self, load, lost, sent):
        self.count += 1
        if not self.quiet:
            bar = "#" * min(40, self.count)
            print(f"\r[{bar:40}] {time.monotonic() - self.start:5.0f} s  {load / 1e6:8.3f} Mpps, lost {lost} of {sent}  ",
                  end="", file=sys.stderr, flush=True)


def search(measurer, max_pps, min_pps=10_000.0, trial_s=1.0, trials=21, width=0.005, limit_s=1200.0):
    """Rates by name; `None` where even the lowest loses more."""
    config = Config()
    goals = {key: SearchGoal(loss_ratio=ratio, exceed_ratio=0.5, relative_width=width, initial_trial_duration=trial_s,
                             final_trial_duration=trial_s, duration_sum=trial_s * trials, preceding_targets=2,
                             expansion_coefficient=2, fail_fast=False)
             for key, ratio in RATIOS.items()}
    config.goals = goals.values()
    config.max_load, config.min_load = max_pps, min_pps
    config.search_duration_max, config.warmup_duration = limit_s, trial_s
    found = MultipleLossRatioSearch(config).search(measurer, debug=lambda _: None)
    rates = {key: found[goal].conditional_throughput for key, goal in goals.items()}
    return {key: float(rate) if rate else None for key, rate in rates.items()}


def tunables(pairs):
    """`eids=10` as TRex's console gives it to a profile: `--eids 10`."""
    return [word for pair in pairs for word in (f"--{pair.split('=', 1)[0]}", pair.split("=", 1)[1])]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default="127.0.0.1")
    parser.add_argument("--profile", required=True)
    parser.add_argument("-t", "--tunable", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--max-pps", type=float, default=60e6, help="packets per second over all ports")
    parser.add_argument("--trial-seconds", type=float, default=1.0)
    parser.add_argument("--quiet", action="store_true", help="no bar")
    options = parser.parse_args()
    client = STLClient(server=options.server)
    client.connect()
    try:
        client.acquire(ports=list(PORTS), force=True)
        measurer = Measurer(client, options.profile, tunables(options.tunable), options.quiet)
        rates = search(measurer, options.max_pps, trial_s=options.trial_seconds)
    finally:
        client.disconnect()
    results = [{"metric": f"{key}_mpps", "value": (rate or 0) / 1e6, "unit": "Mpps", "spread": 0}
               for key, rate in rates.items()]
    print(json.dumps({"bench": f"trex {options.profile}", "tunables": options.tunable, "results": results}, indent=2))


if __name__ == "__main__":
    main()
