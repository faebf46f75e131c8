"""`wire`: two processes over net_memif, one-armed: what comes back through pxtrd in a second, and through
testpmd in its place.

flowgen of testpmd asks for encapsulation only; for LISP packets, and for a fair comparison with them, our
own generator drives the same devices.
"""

import os
import statistics
import sys
import tempfile
import time

from .device import Device
from .distance import near
from .processes import cpu_seconds
from .report import metric, value
from .testpmd import Testpmd
from .traffic import Traffic

KINDS = ("encap", "decap", "mixed")


def binaries():
    return os.environ["PXTR_BIN_DIR"]


class _Case:
    """Takes samples of one generator on one device, and how much of its CPU the device got."""

    def __init__(self, options, results):
        self.options, self.results = options, results

    def wants(self, name):
        return not self.options.only or self.options.only in name

    def sample(self, generator, device_pid):
        """Rates, and the CPU that the device got."""
        cpu, start = cpu_seconds(device_pid), time.monotonic()
        rates = generator.received_pps(self.options.samples, self.options.seconds)
        return rates, (cpu_seconds(device_pid) - cpu) / (time.monotonic() - start)

    def take(self, name, drive):
        """`drive` starts device and generator and returns what `sample` does, and perhaps more metrics."""
        (rates, share, *more), ns = near(drive, self.options.attempts)
        self.results += [metric(f"{name}_mpps", "Mpps", [r / 1e6 for r in rates]),
                         metric(f"{name}_device_cpu_percent", "%", 100 * share),
                         metric(f"{name}_core_to_core_ns", "ns", ns), *more]
        print(f"{name}: {statistics.median(rates) / 1e6:.2f} Mpps, best {max(rates) / 1e6:.2f}; device had "
              f"{100 * share:.0f} % of its CPU; CPUs {ns:.0f} ns apart", file=sys.stderr)


def _flowgen(case, socket, pid, connected=None):
    generator = Testpmd.flowgen(socket)
    try:
        if connected:
            connected()
        generator.start()
        time.sleep(1)
        taken = case.sample(generator, pid)
        generator.stop()
        return taken
    finally:
        generator.end()


def _own(case, socket, pid, kind, connected=None):
    generator = Traffic(binaries(), socket, kind, case.options.mappings, reflected=connected is None)
    try:
        if connected:
            connected()
        generator.run(0, 1)
        return case.sample(generator, pid)
    finally:
        generator.end()


def _testpmd(case, mode):
    """testpmd in the place of pxtrd. Each generator gets a fresh one: a peer that leaves can crash it."""
    for name, drive in ((f"wire_testpmd_{mode}", _flowgen),
                        (f"wire_own_{mode}", lambda *a: _own(*a, "encap")),
                        (f"wire_own_{mode}_decap", lambda *a: _own(*a, "decap"))):
        if case.wants(name):
            case.take(name, lambda d=drive: _through_testpmd(case, mode, d))


def _through_testpmd(case, mode, drive):
    with tempfile.TemporaryDirectory(prefix="pxtr-perf-") as folder:
        socket = os.path.join(folder, "memif.sock")
        device = Testpmd(socket, "server", mode)
        try:
            device.start()
            return drive(case, socket, device.pid)
        finally:
            device.end()


def _pxtrd(case):
    for name, drive in (("wire_encap", _flowgen),
                        *(("wire_own_encap" if kind == "encap" else f"wire_{kind}",
                           lambda *a, k=kind: _own(*a[:3], k, a[3])) for kind in KINDS)):
        if case.wants(name):
            case.take(name, lambda d=drive, n=name: _through_pxtrd(case, n, d))


def _through_pxtrd(case, name, drive):
    with Device(case.options.mappings) as device:
        device.settled()
        taken = drive(case, device.socket, device.pid, device.connected)
        worker = device.show("workers")["workers"][0]
        # What the generator was too slow to fetch counts, too: the link is full then.
        dropped = 100 * worker["dropped"] / max(1, worker["packets"])
        return (*taken, metric(f"{name}_cycles", "cycles/packet", worker["cycles_per_packet"]),
                metric(f"{name}_dropped_percent", "%", dropped))


def run(options):
    """Metrics of all cases."""
    results = []
    case = _Case(options, results)
    for mode in ("io", "macswap"):
        _testpmd(case, mode)
    _pxtrd(case)
    for way in ("encap", "decap"):
        for mode in ("io", "macswap"):
            results += _ratio(results, way, mode)
    return results


def _ratio(results, way, mode):
    """pxtrd against testpmd in its place, if both were measured with the CPUs equally far apart."""
    ours, theirs = f"wire_{way}", f"wire_testpmd_{mode}" if way == "encap" else f"wire_own_{mode}_decap"
    if not {f"{ours}_mpps", f"{theirs}_mpps"} <= {r["metric"] for r in results}:
        return []
    near_and_far = sorted(value(results, f"{name}_core_to_core_ns") for name in (ours, theirs))
    if near_and_far[1] > 1.6 * near_and_far[0]:
        return []
    ratio = value(results, f"{ours}_mpps") / value(results, f"{theirs}_mpps")
    return [metric(f"{ours}_of_{mode}_percent", "%", 100 * ratio)]
