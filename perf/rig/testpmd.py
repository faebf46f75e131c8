"""Debian's dpdk-testpmd: generator and counter (flowgen), or in the place of the device under test."""

import os
import re
import time

from .processes import Talker

GENERATOR_CPU, DEVICE_CPU = 0, 1
_RX_PPS = re.compile(r"Rx-pps:\s+(\d+)")


class Testpmd:
    """One testpmd with one memif port; its forwarding thread has a CPU to itself, the prompt has CPU 0."""

    def __init__(self, socket, role, mode, extra=(), vdevs=()):
        cpu = GENERATOR_CPU if role == "client" else DEVICE_CPU
        self.talker = Talker([
            "stdbuf", "-oL", "dpdk-testpmd", "--lcores", f"0@{GENERATOR_CPU},1@{cpu}", "--in-memory", "--no-pci", "--no-telemetry",
            "-m", "128", "--file-prefix", f"pxtr-{os.getpid()}-{role}", "--log-level", "*:error",
            "--vdev", f"net_memif0,role={role},id=0,socket={socket},socket-abstract=no,mac=00:01:02:03:04:0"
            + ("0" if role == "client" else "1"),
            *(word for vdev in vdevs for word in ("--vdev", vdev)), "--", "-i", f"--forward-mode={mode}", "--total-num-mbufs=16384", "--no-flush-rx", "--disable-link-check", "--burst=32",
            "--rxd=1024", "--txd=1024", *extra], f"testpmd {mode}")
        self.talker.wait_for(lambda line: "Done" in line, 20)

    @classmethod
    def flowgen(cls, socket):
        """Sends frames of 64 bytes (with FCS) of 1,024 flows to 10.253.0.0 and on."""
        return cls(socket, "client", "flowgen", ("--txpkts=60", "--flowgen-flows=1024"))

    @property
    def pid(self):
        return self.talker.pid

    def start(self):
        self.talker.say("start")
        self.talker.wait_for(lambda line: "packet forwarding - ports" in line, 10)

    def received_pps(self, samples, seconds):
        """Packets per second that came back, by its own clock, one number for each interval."""
        rates = []
        for sample in range(samples + 1):
            self.talker.say("show port stats 0")
            rate = self.talker.wait_for(_RX_PPS.search, 10)
            if sample:
                rates.append(int(rate.group(1)))
            if sample < samples:
                time.sleep(seconds)
        return rates

    def stop(self):
        self.talker.say("stop")
        time.sleep(0.3)

    def end(self):
        self.talker.end(patience=0.2)
