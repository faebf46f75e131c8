"""What `pxtr trace` and `pxtr capture` show of packets that the lab sends."""

import json
import os
import subprocess
import time

from .net import LabError, sh


class Watch:
    """A `pxtr trace add` or `pxtr capture` of a node's daemon, begun when this is made."""

    def __init__(self, lab, node, *argv):
        self.child = lab.spawn(node, *lab.cli_argv(node, argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if b"watching" not in (line := self.child.stderr.readline()):
            raise LabError(f"pxtr {' '.join(argv)}: {line.decode()}")
        # The daemon hands the watch to its workers within a few milliseconds.
        time.sleep(0.3)

    def lines(self, timeout=10):
        """What it printed, when it has ended by itself."""
        try:
            return self.child.communicate(timeout=timeout)[0].decode().splitlines()
        except subprocess.TimeoutExpired as error:
            self.child.kill()
            raise LabError("pxtr still waits for packets") from error


def trace(lab, name, node, address, prefix, rloc, send):
    """A packet to an EID: its map-cache entry and locator, and the frame that left."""
    watch = Watch(lab, node, "--json", "trace", "add", "1", address)
    send()
    seen = [reply["packet"] for line in watch.lines() if "packet" in (reply := json.loads(line))]
    told = [(s["event"]["kind"], s["event"].get("story", {})) for s in seen]
    received = next((story for kind, story in told if kind == "received"), {})
    sent = next((s for s in seen if s["event"]["kind"] == "sent"), {})
    good = (received.get("mapping"), received.get("rloc")) == (prefix, rloc) \
        and received["fate"]["kind"] == "encapsulated" and sent.get("number") == 1 and sent["bytes"] > seen[0]["bytes"]
    lab.record(name, good, f"{received.get('mapping')} to {received.get('rloc')}, {[kind for kind, _ in told]}", "")


def captured_drop(lab, name, node, reason, send):
    """A packet that is dropped is in the capture file, and tshark shows the reason as its comment."""
    path = os.path.join(lab.dir, f"{reason}.pcapng")
    watch = Watch(lab, node, "capture", reason, "--count", "1", "-w", path)
    send()
    watch.lines()
    rows = sh("tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=;", "-e", "frame.interface_name",
              "-e", "frame.comment", "-e", "ip.dst").stdout.splitlines()
    lab.record(name, len(rows) == 1 and f"dropped: {reason}" in rows[0], "; ".join(rows) or "nothing", "")
