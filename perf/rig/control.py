"""What `memory` adds for the control plane: bytes per mapping of engine and feeder, by the bench perf-engine.

    pxtr-bench memory ... | python3 -m rig.control PERF_ENGINE [ONLY]
"""

import json
import subprocess
import sys

from .report import metric

SIZES = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000, "2m": 2_000_000}


def _measured(engine, entries):
    argv = [engine, "--entries", str(entries)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=True)
    return json.loads(done.stdout)["engine_and_feeder_bytes_per_entry"]


def main():
    report = json.load(sys.stdin)
    only = sys.argv[2] if len(sys.argv) > 2 else ""
    for size, entries in SIZES.items():
        name = f"memory_{size}_bytes_per_mapping_control"
        if only in name:
            report["results"].append(metric(name, "bytes", _measured(sys.argv[1], entries)))
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
