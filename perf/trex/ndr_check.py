"""Checks the NDR driver on a client that is none: a device that loses what is above a rate."""

import os

import ndr

HERE = os.path.dirname(os.path.abspath(__file__))
# Loses everything above this, and one packet in a thousand above the other.
LIMIT, CLEAN = 3_000_000.0, 2_000_000.0


class Device:
    """What ndr.py calls of STLClient."""

    def __init__(self):
        self.streams, self.load, self.seconds = {}, 0.0, 0.0

    def reset(self, ports):
        self.streams = {port: [] for port in ports}

    def add_streams(self, streams, ports):
        for port in ports:
            self.streams[port] += streams

    def clear_stats(self):
        self.load = 0.0

    def start(self, ports, mult, duration, force):
        assert force and all(self.streams[port] for port in ports)
        base = sum(s.to_json()["mode"]["rate"]["value"] for port in ports for s in self.streams[port])
        self.load, self.seconds = base * float(mult), duration

    def wait_on_traffic(self, ports, timeout):
        assert timeout > self.seconds and ports

    def get_stats(self):
        sent = self.load * self.seconds
        passed = min(sent, LIMIT * self.seconds)
        if self.load > CLEAN:
            passed *= 0.999
        return {0: {"opackets": round(sent), "ipackets": 0}, 1: {"opackets": 0, "ipackets": round(passed)}}


def main():
    """The search finds both rates of the device, within its width."""
    ndr.DRAIN_S = 0
    arguments = ndr.tunables(["eids=10", "frame=64"])
    assert arguments == ["--eids", "10", "--frame", "64"], arguments
    measurer = ndr.Measurer(Device(), os.path.join(HERE, "encap.py"), arguments, quiet=True)
    rates = ndr.search(measurer, max_pps=20e6)
    for key, wanted in (("ndr", CLEAN), ("pdr", LIMIT)):
        found = rates[key]
        if not 0.98 * wanted <= found <= 1.02 * wanted:
            raise AssertionError(f"{key}: {found} found, the device does {wanted}")
    print(f"ok   NDR driver: {measurer.count} trials, NDR {rates['ndr'] / 1e6:.3f}, PDR {rates['pdr'] / 1e6:.3f} Mpps")
