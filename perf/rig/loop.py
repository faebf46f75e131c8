"""`loop`: a worker that forwards makes no system call, faults no page, never gives up its CPU by itself. strace
and the kernel's counters watch its thread under load. (That it allocates nothing is held by the counting
allocator in dataplane/tests/no_allocation.rs.)"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

from .device import Device
from .report import metric
from .traffic import Traffic
from .wire import binaries

SECONDS = 4


def _system_calls(tid, traffic, rate):
    """System calls by name while packets flow."""
    with tempfile.TemporaryDirectory(prefix="pxtr-perf-") as folder:
        log = os.path.join(folder, "strace")
        strace = subprocess.Popen(["strace", "-q", "-o", log, "-p", str(tid)])
        try:
            taken = traffic.run(rate, SECONDS)
        finally:
            strace.terminate()
            strace.wait()
        with open(log, encoding="utf-8") as calls:
            found = [m.group(1) for line in calls if (m := re.match(r"(\w+)\(", line))]
    return found, taken


def run(options):
    """System calls, page faults and voluntary switches of the worker's thread."""
    if not shutil.which("strace"):
        raise RuntimeError("strace is missing: apt install strace")
    with Device(options.mappings, flows=False) as device:
        device.settled()
        traffic = Traffic(binaries(), device.socket, "mixed", options.mappings)
        try:
            device.connected()
            traffic.run(options.rate, 1)
            tid = device.worker_thread()
            calls, traced = _system_calls(tid, traffic, options.rate)
            before = device.worker_kernel_counters()
            free = traffic.run(options.rate, SECONDS)
            after = device.worker_kernel_counters()
        finally:
            traffic.end()
    packets = traced["received"]
    if not packets or not free["received"]:
        raise RuntimeError(f"nothing was forwarded while it was watched: {traced}")
    print(f"system calls of the worker in {SECONDS} s and {packets} packets: {calls or 'none'}; "
          + ", ".join(f"{key} {after[key] - before[key]}" for key in after), file=sys.stderr)
    return [metric("loop_packets_watched", "packets", packets),
            metric("loop_system_calls", "calls", len(calls)),
            *(metric(f"loop_{key}", "", after[key] - before[key]) for key in after)]
