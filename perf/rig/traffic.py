"""Our own generator, pxtr-traffic: LISP packets, fixed rates, latency, first packets."""

import json
import os

from .processes import Talker


# Packets that the link holds where nothing is to be lost while a CPU is away for some milliseconds: as deep as
# memif allows, a few times the rings of a NIC.
DEEP_RING = 1 << 14


class Traffic:
    """A running pxtr-traffic on CPU 0. `ring`: packets that the link holds in each direction."""

    def __init__(self, binaries, socket, kind, mappings, inner_v6=False, payload=18,
                 reflected=False, ring=1024):
        argv = [os.path.join(binaries, "pxtr-traffic"), "--kind", kind, "--mappings", str(mappings),
                "--payload", str(payload), "--cpu", "0", "--device-args",
                f"role=client,id=0,socket={socket},socket-abstract=no,mac=00:01:02:03:04:00,rsize={ring.bit_length() - 1}"]
        argv += ["--inner-v6"] * inner_v6 + ["--reflected"] * reflected
        self.talker = Talker(argv, f"pxtr-traffic {kind}")
        self.talker.wait_for(lambda line: line.strip() == "ready", 30)

    @property
    def pid(self):
        return self.talker.pid

    def _order(self, line, timeout):
        self.talker.say(line)
        return self._answer(timeout)

    def _answer(self, timeout):
        return json.loads(self.talker.wait_for(lambda said: said if said.startswith("{") else None, timeout))

    def run(self, pps, seconds):
        """Sends at a rate (0: as fast as it goes); the counts of it."""
        return self._order(f"run {pps} {seconds}", seconds + 10)

    def begin(self, pps, seconds):
        """Starts to send, and returns at once."""
        self.talker.say(f"run {pps} {seconds}")

    def finish(self, timeout):
        """The counts of what was begun."""
        return self._answer(timeout)

    def first(self, eid, count):
        """First packets to `count` EIDs 256 apart; latencies are those of whole lookups."""
        return self._order(f"first {eid} {count}", 10 + 3.1 * count)

    def received_pps(self, samples, seconds):
        """Packets per second that came back, at full speed."""
        return [self.run(0, seconds)["received_pps"] for _ in range(samples)]

    def end(self):
        self.talker.end()
