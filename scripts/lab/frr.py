"""FRR beside a daemon or alone: zebra and bgpd in a node, with a configuration from configs/."""

import json
import os
import shutil

from .net import ROOT, LabError, sh

DAEMONS = "/usr/lib/frr"


def needed():
    """Fails with a remedy where FRR is missing."""
    if not (os.path.exists(f"{DAEMONS}/bgpd") and shutil.which("vtysh")):
        raise LabError("this lab needs FRR: RUNLEVEL=1 apt-get install -y frr (RUNLEVEL=1: the machine's own routing stays off)")


class Router:
    """BGP of a node."""

    def __init__(self, lab, node, config):
        needed()
        self.lab, self.node = lab, node
        self.dir = os.path.join(lab.dir, node, "frr")
        os.makedirs(self.dir, exist_ok=True)
        shutil.chown(self.dir, "frr", "frrvty")
        zserv = os.path.join(self.dir, "zserv.api")
        self._start("zebra", zserv, "/dev/null")
        lab.wait(f"{node}: zebra listens", lambda: os.path.exists(zserv))
        self._start("bgpd", zserv, os.path.join(ROOT, "configs", config))
        lab.wait(f"{node}: bgpd answers", lambda: self.ask("show version", check=False).returncode == 0)

    def _start(self, daemon, zserv, config):
        """In the foreground, as a child of the lab; its files are the lab's."""
        argv = [f"{DAEMONS}/{daemon}", "-f", config, "-i", os.path.join(self.dir, f"{daemon}.pid"), "-z", zserv,
                "--vty_socket", self.dir, "-A", "127.0.0.1", "-P", "0", "-u", "frr", "-g", "frr", "--log", "stdout"]
        self.lab.spawn(self.node, *argv, log=os.path.join(self.dir, f"{daemon}.log"))

    def ask(self, command, check=True):
        """A command of vtysh."""
        return sh("vtysh", "--vty_socket", self.dir, "-c", command, check=check)

    def json(self, command):
        """Its answer as data."""
        return json.loads(self.ask(f"{command} json").stdout)

    def peers(self):
        """Neighbour -> (state, how often the session was up)."""
        peers = self.json("show bgp ipv4 unicast summary").get("peers", {})
        return {name: (peer["state"], peer["connectionsEstablished"]) for name, peer in peers.items()}

    def wait_up(self, count=1, timeout=20):
        """Until that many sessions are up."""
        up = lambda: sum(state == "Established" for state, _ in self.peers().values()) >= count
        self.lab.wait(f"{self.node}: {count} BGP sessions", up, timeout)
