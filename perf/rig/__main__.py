"""python3 -m rig NAME: takes one bench of the whole daemon and prints its report as JSON."""

import argparse
import importlib
import json
import signal
import sys

BENCHES = {
    "wire": "Mpps through net_memif: pxtrd, and testpmd io and macswap in its place",
    "latency": "percentiles at 10, 50 and 90 % of the rate without loss; first packets",
    "ndr": "NDR and PDR by MLRsearch",
    "soak": "--minutes at --rate while mappings change: loss, memory, packet buffers",
    "profiles": "packets of the TRex profiles through pxtrd, each kind",
    "loop": "system calls and page faults of a worker that forwards",
}


def _tsc_hz():
    """From the kernel's boot-time calibration."""
    with open("/proc/cpuinfo", encoding="ascii") as info:
        return round(next(float(line.split(":")[1]) for line in info if line.startswith("bogomips")) * 5e5)


def main():
    parser = argparse.ArgumentParser(prog="perf/run.sh")
    parser.add_argument("name", choices=[*BENCHES, "list"])
    parser.add_argument("--machine", default="{}", type=json.loads)
    parser.add_argument("--commit", default="")
    parser.add_argument("--only", help="cases whose name contains this")
    parser.add_argument("--mappings", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=0.5, help="of a sample")
    parser.add_argument("--samples", type=int, default=9)
    parser.add_argument("--rounds", type=int, default=3, help="of wire")
    parser.add_argument("--attempts", type=int, default=2, help="of a case of wire whose CPUs went apart")
    parser.add_argument("--rate", type=float, default=500_000, help="packets per second of soak and loop")
    parser.add_argument("--minutes", type=float, default=1, help="of soak")
    options = parser.parse_args()
    if options.name == "list":
        for name, about in BENCHES.items():
            print(f"{name:10} {about}")
        return
    # An end from outside is an end like any other: everything is cleaned up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = importlib.import_module(f".{options.name}", __package__).run(options)
    if not results:
        sys.exit("no case has that name")
    report = {"bench": options.name, "machine": options.machine, "commit": options.commit,
              "tsc_hz": _tsc_hz(), "results": results}
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
