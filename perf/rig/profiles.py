"""`profiles`: the packets of the TRex profiles through pxtrd. testpmd reads them from a file again and again and
sends them over memif; each kind must come back, encapsulated or stripped."""

import os
import re
import subprocess
import sys
import tempfile
import time

from lab.net import ROOT

from .device import Device
from .report import metric
from .testpmd import Testpmd

EIDS = 500
KINDS = {"encap": (), "decap": (), "encap_v6": ("--v6", "--frame", "128"), "decap_v6": ("--v6", "--frame", "128")}
_COUNT = re.compile(r"(RX|TX)-packets: (\d+)")


def _write(path, kind):
    """The file, by the python that has TRex's client: the one we run on."""
    subprocess.run([sys.executable, "-W", "ignore", os.path.join(ROOT, "perf", "trex", "pcap.py"), path,
                    "--way", kind.split("_", maxsplit=1)[0], "--eids", str(EIDS), "--mac", "00:01:02:03:04:01",
                    *KINDS[kind]], check=True, timeout=60)


def _counts(generator):
    """Packets received and sent on the memif port."""
    generator.talker.say("show port stats 0")
    pattern = {}
    while len(pattern) < 2:
        found = generator.talker.wait_for(_COUNT.search, 10)
        pattern[found.group(1)] = int(found.group(2))
    return pattern["RX"], pattern["TX"]


def _through(device, folder, kind):
    path = os.path.join(folder, f"{kind}.pcap")
    _write(path, kind)
    generator = Testpmd(device.socket, "client", "io", vdevs=(f"net_pcap0,rx_pcap={path},infinite_rx=1",))
    try:
        device.connected()
        generator.start()
        time.sleep(1)
        generator.stop()
        return _counts(generator)
    finally:
        generator.end()


def run(options):
    """Shares of the packets that came back, by kind."""
    results = []
    for kind in KINDS:
        if options.only and options.only not in kind:
            continue
        with tempfile.TemporaryDirectory(prefix="pxtr-perf-") as folder:
            with Device(EIDS, inner_v6=kind.endswith("v6"), flows=False, in_order=True) as device:
                device.settled()
                back, sent = _through(device, folder, kind)
                counters = device.show("workers")["workers"][0]["counters"]
        did = counters["encapsulated" if kind.startswith("encap") else "decapsulated"]
        results += [metric(f"profiles_{kind}_sent", "packets", sent),
                    metric(f"profiles_{kind}_done_percent", "%", 100 * did / max(1, sent))]
        print(f"{kind}: {sent} sent, {did} {'encapsulated' if kind.startswith('encap') else 'decapsulated'}, "
              f"{back} came back", file=sys.stderr)
    return results
