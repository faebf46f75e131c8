"""`wire`: two processes over net_memif, one-armed: what comes back through pxtrd in a second, and through
testpmd in its place.

flowgen of testpmd asks for encapsulation only; for LISP packets, and for a fair comparison with them, our
own generator drives the same devices.

A virtual machine is not the same from one second to the next: its CPUs move away from each other and come back, and what
goes over shared memory has a third of its rate meanwhile. So all devices are taken in turn, several times over, and a
ratio is that of the best samples of both: neither the CPUs nor other load can make a device faster than it is.
"""

import os
import statistics
import sys
import tempfile
import time

from .device import Device
from .distance import near
from .processes import cpu_seconds
from .report import metric
from .testpmd import Testpmd
from .traffic import Traffic

MODES = ("io", "macswap")
# What is compared, and the metric that a ratio is named after.
RATIOS = {"encap": ("wire_encap", "wire_testpmd_{}"), "decap": ("wire_decap", "wire_own_{}_decap")}


def binaries():
    return os.environ["PXTR_BIN_DIR"]


class _Take:
    """One case in one round."""

    def __init__(self, rates, share, ns, extra):
        self.rates, self.share, self.ns, self.extra = rates, share, ns, extra

    @property
    def mpps(self):
        return statistics.median(self.rates) / 1e6


class _Cases:
    """All takes of all cases."""

    def __init__(self, options):
        self.options, self.rounds = options, []

    def wants(self, name):
        return not self.options.only or self.options.only in name

    def sample(self, generator, device_pid):
        """Rates, and the CPU that the device got."""
        cpu, start = cpu_seconds(device_pid), time.monotonic()
        samples = max(1, self.options.samples // self.options.rounds)
        rates = generator.received_pps(samples, self.options.seconds)
        return rates, (cpu_seconds(device_pid) - cpu) / (time.monotonic() - start)

    def take(self, name, drive):
        """`drive` starts device and generator and returns what `sample` does, and perhaps more metrics."""
        if not self.wants(name):
            return
        (rates, share, *extra), ns = near(drive, self.options.attempts)
        take = _Take(rates, share, ns, dict(extra))
        self.rounds[-1][name] = take
        print(f"{name}: {take.mpps:.2f} Mpps, best {max(rates) / 1e6:.2f}; device had {100 * share:.0f} % of its CPU; "
              f"CPUs {ns:.0f} ns apart", file=sys.stderr)

    def metrics(self):
        names = dict.fromkeys(name for takes in self.rounds for name in takes)
        results = [m for name in names for m in self._case([takes[name] for takes in self.rounds if name in takes], name)]
        for way, (ours, theirs) in RATIOS.items():
            for mode in MODES:
                results += self._ratio(f"wire_{way}_of_{mode}_percent", ours, theirs.format(mode))
        return results

    @staticmethod
    def _case(takes, name):
        """Of those with the CPUs as near each other as they were."""
        nearest = min(take.ns for take in takes)
        takes = [take for take in takes if _alike(take.ns, nearest)]
        yield metric(f"{name}_mpps", "Mpps", [rate / 1e6 for take in takes for rate in take.rates])
        yield metric(f"{name}_device_cpu_percent", "%", [100 * take.share for take in takes])
        yield metric(f"{name}_core_to_core_ns", "ns", [take.ns for take in takes], better=min)
        for what, unit in (("cycles", "cycles/packet"), ("dropped_percent", "%")):
            values = [take.extra[what] for take in takes if what in take.extra]
            if values:
                yield metric(f"{name}_{what}", unit, values, better=min)

    def _ratio(self, name, ours, theirs):
        """pxtrd against testpmd in its place."""
        bests = [[max(takes[case].rates) for takes in self.rounds if case in takes] for case in (ours, theirs)]
        return [metric(name, "%", 100 * max(bests[0]) / max(bests[1]))] if all(bests) else []


def _alike(one_ns, other_ns):
    return max(one_ns, other_ns) <= 1.6 * min(one_ns, other_ns)


def _flowgen(cases, socket, pid, connected=None):
    generator = Testpmd.flowgen(socket)
    try:
        if connected:
            connected()
        generator.start()
        time.sleep(1)
        taken = cases.sample(generator, pid)
        generator.stop()
        return taken
    finally:
        generator.end()


def _own(cases, socket, pid, kind, connected=None):
    generator = Traffic(binaries(), socket, kind, cases.options.mappings, reflected=connected is None)
    try:
        if connected:
            connected()
        generator.run(0, 1)
        return cases.sample(generator, pid)
    finally:
        generator.end()


def _own_of(kind):
    return lambda cases, socket, pid, connected=None: _own(cases, socket, pid, kind, connected)


def _through_testpmd(cases, mode, drive):
    """Each generator gets a fresh one: a peer that leaves can crash it."""
    with tempfile.TemporaryDirectory(prefix="pxtr-perf-") as folder:
        socket = os.path.join(folder, "memif.sock")
        device = Testpmd(socket, "server", mode)
        try:
            device.start()
            return drive(cases, socket, device.pid)
        finally:
            device.end()


def _through_pxtrd(cases, drive):
    with Device(cases.options.mappings) as device:
        device.settled()
        taken = drive(cases, device.socket, device.pid, device.connected)
        worker = device.show("workers")["workers"][0]
        # What the generator was too slow to fetch counts, too: the link is full then.
        dropped = 100 * worker["dropped"] / max(1, worker["packets"])
        return (*taken, ("cycles", worker["cycles_per_packet"]), ("dropped_percent", dropped))


def _round(cases):
    """What is compared is taken one after the other."""
    cases.rounds.append({})
    for ours, theirs, drive in (("wire_encap", "wire_testpmd_{}", _flowgen),
                                ("wire_own_encap", "wire_own_{}", _own_of("encap")),
                                ("wire_decap", "wire_own_{}_decap", _own_of("decap"))):
        for mode in MODES:
            cases.take(theirs.format(mode), lambda d=drive, m=mode: _through_testpmd(cases, m, d))
        cases.take(ours, lambda d=drive: _through_pxtrd(cases, d))
    cases.take("wire_mixed", lambda: _through_pxtrd(cases, _own_of("mixed")))


def run(options):
    """Metrics of all cases."""
    cases = _Cases(options)
    for _ in range(options.rounds):
        _round(cases)
    return cases.metrics()
