"""A lab: namespaces, links, daemons, and their certain end.

Everything a lab makes carries its id in its name (`pxl-ID-NODE`) or lives under its folder in
/run/pxtr-lab, so that several labs run side by side and a later one can remove what a dead one
left. Daemons see their own /run/pxtr and /var/lib/pxtr (bind mounts), so that the example
configurations run unchanged.
"""

import datetime
import json
import os
import shutil
import signal
import subprocess
import time

STATE = "/run/pxtr-lab"
ROOT = os.environ["ROOT"]
BIN = os.environ.get("PXTR_BIN_DIR") or os.path.join(ROOT, "target", "release")


class LabError(Exception):
    """Something a lab needs did not happen."""


def sh(*argv, check=True, timeout=60, stdin=None):
    """Runs a command, returns its completed process; a failure becomes a LabError."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, input=stdin)
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()}")
    return done


def alive(pid):
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def started_at(pid):
    """Start time of a process in clock ticks: with the pid it names a process for good."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[19]
    except OSError:
        return None


class Lab:
    """One running lab."""

    def __init__(self, scenario, ident, owner):
        self.scenario = scenario
        self.ident = ident
        self.owner = owner
        self.nodes = []
        self.daemons = {}
        self.children = []
        self.checks = []
        self.timeline = []
        self.summary = {}
        self.config = None
        self.dir = os.path.join(STATE, ident)

    # ---- life ----

    @classmethod
    def fresh(cls, scenario):
        """A lab that lives as long as its owner (the shell that runs it)."""
        owner = int(os.environ.get("PXTR_LAB_OWNER", os.getpid()))
        lab = cls(scenario, f"{owner:x}", owner)
        os.makedirs(lab.dir)
        lab.save()
        return lab

    @classmethod
    def named(cls, scenario):
        """A lab that stays until `down`."""
        lab = cls(scenario, scenario[:12], 0)
        if os.path.exists(os.path.join(lab.dir, "lab.json")):
            raise LabError(f"{scenario} is up already: scripts/lab.sh down {scenario}")
        os.makedirs(lab.dir)
        lab.save()
        return lab

    @classmethod
    def load(cls, name):
        """The lab that `up` left running."""
        return cls.from_dir(os.path.join(STATE, name[:12]), name)

    @classmethod
    def from_dir(cls, folder, name):
        try:
            with open(os.path.join(folder, "lab.json"), encoding="utf-8") as saved:
                facts = json.load(saved)
        except OSError as error:
            raise LabError(f"lab {name} is not up: scripts/lab.sh up {name}") from error
        lab = cls(facts["scenario"], facts["ident"], facts["owner"])
        lab.nodes = facts["nodes"]
        lab.daemons = facts["daemons"]
        lab.children = [tuple(c) for c in facts["children"]]
        return lab

    def save(self):
        facts = {k: getattr(self, k) for k in ("scenario", "ident", "owner", "nodes", "daemons", "children")}
        with open(os.path.join(self.dir, "lab.json"), "w", encoding="utf-8") as out:
            json.dump(facts, out)

    def destroy(self):
        """Ends every process we started, then the namespaces, then the folder."""
        for sig, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 2.0)):
            for pid, start in self.children:
                if started_at(pid) == start:
                    try:
                        os.killpg(pid, sig)
                    except OSError:
                        pass
            until = time.monotonic() + patience
            while time.monotonic() < until and any(started_at(p) == s for p, s in self.children):
                self._collect()
                time.sleep(0.05)
        for node in self.nodes:
            for pid in sh("ip", "netns", "pids", self.ns(node), check=False).stdout.split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except OSError:
                    pass
            sh("ip", "netns", "del", self.ns(node), check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def _collect(self):
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except OSError:
            pass

    # ---- building ----

    def ns(self, node):
        return f"pxl-{self.ident}-{node}"

    def node(self, *names, forwarding=False):
        """New namespaces, quiet (no DAD, no RA) so that the first packet counts."""
        for name in names:
            self.nodes.append(name)
            self.save()
            sh("ip", "netns", "add", self.ns(name))
            self.run(name, "ip", "link", "set", "dev", "lo", "up")
            values = {"net.ipv6.conf.all.accept_dad": 0, "net.ipv6.conf.default.accept_dad": 0,
                      "net.ipv6.conf.all.accept_ra": 0, "net.ipv6.conf.default.accept_ra": 0,
                      "net.ipv4.conf.all.rp_filter": 0, "net.ipv4.conf.default.rp_filter": 0,
                      "net.ipv4.icmp_ratelimit": 0, "net.ipv6.icmp.ratelimit": 0}
            if forwarding:
                values |= {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1}
            for key, value in values.items():
                self.sysctl(name, key, value)

    def tenant(self, node, name):
        """The network namespace of a tenant on a node: `netns = NAME` in the node's configuration, node
        `NODE.NAME` in the lab."""
        self.node(f"{node}.{name}")

    def _tenants(self, node):
        return [(self.ns(n), n.split(".", 1)[1]) for n in self.nodes if n.startswith(f"{node}.")]

    def sysctl(self, node, key, value):
        self.run(node, "sh", "-c", f"echo {value} > /proc/sys/{key.replace('.', '/')}")

    def link(self, a, a_if, b, b_if, mtu=1500):
        """A cable between two namespaces. Checksum offload off: DPDK sees what is in memory."""
        sh("ip", "-n", self.ns(a), "link", "add", a_if, "mtu", str(mtu), "type", "veth",
           "peer", "name", b_if, "mtu", str(mtu), "netns", self.ns(b))
        for node, name in ((a, a_if), (b, b_if)):
            self.run(node, "ethtool", "-K", name, "tx", "off", "tso", "off", "gso", "off", "gro", "off", check=False)
            self.run(node, "ip", "link", "set", "dev", name, "up")

    def address(self, node, interface, *addresses):
        for a in addresses:
            self.run(node, "ip", "addr", "add", a, "dev", interface, *(["nodad"] if ":" in a else []))

    def route(self, node, destination, via):
        self.run(node, "ip", "route", "replace", destination, "via", via)

    # ---- running ----

    def exec_argv(self, node, argv):
        if node not in self.nodes:
            raise LabError(f"no node {node}; there are: {' '.join(self.nodes)}")
        return ["ip", "netns", "exec", self.ns(node), *argv]

    def run(self, node, *argv, check=True, timeout=60):
        return sh(*self.exec_argv(node, argv), check=check, timeout=timeout)

    def spawn(self, node, *argv, log=None, **kwargs):
        """A process of its own group in a node; ends with the lab at the latest."""
        out = open(log, "ab") if log else subprocess.DEVNULL
        options = {"stdout": out, "stderr": subprocess.STDOUT if log else subprocess.DEVNULL,
                   "stdin": subprocess.DEVNULL} | kwargs
        child = subprocess.Popen(self.exec_argv(node, argv), start_new_session=True, **options)
        self.children.append((child.pid, started_at(child.pid)))
        self.save()
        return child

    def daemon(self, node, config):
        """Starts pxtrd in a node with an example configuration, and waits until it answers."""
        run_dir, lib_dir = (os.path.join(self.dir, node, d) for d in ("run", "lib"))
        for folder in (run_dir, lib_dir, "/run/pxtr", "/var/lib/pxtr"):
            os.makedirs(folder, exist_ok=True)
        # Its tenants have their plain names where it looks for them.
        names_dir = os.path.join(self.dir, node, "netns")
        binds = "".join(f' && mount --bind /run/netns/{ns} "$5/{name}"' for ns, name in self._tenants(node))
        if binds:
            binds += ' && mount --rbind "$5" /run/netns'
            os.makedirs(names_dir, exist_ok=True)
            for _, name in self._tenants(node):
                open(os.path.join(names_dir, name), "w", encoding="ascii").close()
        script = (f'mount --bind "$1" /run/pxtr && mount --bind "$2" /var/lib/pxtr{binds} '
                  '&& exec "$3" --config "$4"')
        path = os.path.join(ROOT, "configs", config)  # an absolute `config` stays as it is
        child = self.spawn(node, "sh", "-c", script, "pxtrd", run_dir, lib_dir,
                           os.path.join(BIN, "pxtrd"), path, names_dir, log=self.log_file(node))
        self.daemons[node] = child.pid
        self.save()
        return child

    def wait_daemon(self, node, timeout=20):
        self.wait(f"{node}: pxtrd answers on its socket", lambda: os.path.exists(self.socket(node))
                  and self.cli(node, "show", "statistics", check=False) is not None,
                  timeout, lambda: self.check_alive(node))

    def check_alive(self, node):
        pid = self.daemons[node]
        self._collect()
        if not alive(pid):
            raise LabError(f"{node}: pxtrd ended; last of its log:\n{self.log_text(node)[-2000:]}")

    def reload_daemon(self, node):
        """The daemon reads its configuration file again."""
        os.kill(self.daemons[node], signal.SIGHUP)

    def kill_daemon(self, node):
        """The daemon dies without a word."""
        os.kill(self.daemons[node], signal.SIGKILL)
        self.wait(f"{node}: the dead daemon is gone", lambda: self._collect() or not alive(self.daemons[node]))

    def wait_interface(self, node, *interfaces, timeout=20):
        """They are there, and up: the kernel refuses a gateway behind one that is not yet."""
        for name in interfaces:
            self.wait(f"{node}: interface {name} is up",
                      lambda n=name: self.run(node, "ip", "link", "show", n, "up", check=False).stdout != "",
                      timeout, lambda: self.check_alive(node.split(".")[0]))

    def wait(self, what, condition, timeout=10.0, meanwhile=None):
        until = time.monotonic() + timeout
        while not condition():
            if meanwhile:
                meanwhile()
            if time.monotonic() > until:
                raise LabError(f"waited {timeout:g} s in vain for: {what}")
            time.sleep(0.05)

    def socket(self, node):
        return os.path.join(self.dir, node, "run", f"{node}.sock")

    def cli_argv(self, node, argv):
        return [os.path.join(BIN, "pxtr"), "--socket", self.socket(node), *argv]

    def cli(self, node, *argv, check=True):
        """A command of the pxtr client: its reply, without the envelope (API version, name of the reply)."""
        done = sh(*self.cli_argv(node, ["--json", *argv]), check=check)
        if done.returncode != 0:
            return None
        return next(value for key, value in json.loads(done.stdout).items() if key != "version")

    def log_file(self, node):
        os.makedirs(os.path.join(self.dir, node), exist_ok=True)
        return os.path.join(self.dir, node, "pxtrd.log")

    def log_text(self, node):
        try:
            with open(self.log_file(node), encoding="utf-8", errors="replace") as log:
                return log.read()
        except OSError as error:
            raise LabError(f"no log of {node}: {error.strerror}") from error

    def show_logs(self):
        for node in self.daemons:
            print(f"--- end of {node}'s log\n{self.log_text(node)[-1500:]}")

    # ---- checks ----

    def record(self, name, passed, value, unit):
        self.checks.append({"name": name, "pass": bool(passed), "value": value, "unit": unit})
        shown = value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
        print(f"{'ok  ' if passed else 'FAIL'} {name}: {shown} {unit}".rstrip(), flush=True)

    def mark(self, what, at=None):
        """Something happened, now or at `at` (seconds since the epoch): a line of the time line."""
        self.timeline.append((at or time.time(), what))

    def logged(self, node, kind, since=0.0):
        """When a daemon first logged a notice of this kind after `since`; seconds since the epoch."""
        for line in self.log_text(node).splitlines():
            stamp = line.split(" ", 1)[0]
            if f'kind="{kind}"' in line and stamp.endswith("Z"):
                at = datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
                if at >= since:
                    return at
        return None

    def sums_up(self, outage_ms, lost, convergence_ms):
        """What the scenario is about, in three numbers."""
        self.summary = {"outage_ms": outage_ms, "lost_packets": lost, "convergence_ms": convergence_ms}

    def show_story(self):
        """The three numbers and the time line, as text."""
        if self.summary:
            print("\n" + ", ".join(f"{k.rsplit('_', 1)[0]} {v} {k.rsplit('_', 1)[1]}"
                                   for k, v in self.summary.items()))
        rows = sorted(self.timeline)
        for at, what in rows:
            print(f"{1000 * (at - rows[0][0]):10.1f} ms  {what}")

    def report(self):
        rows = sorted(self.timeline)
        return {"scenario": self.scenario,
                "pass": bool(self.checks) and all(c["pass"] for c in self.checks),
                **self.summary,
                "timeline": [{"ms": round(1000 * (at - rows[0][0]), 1), "what": what} for at, what in rows],
                "checks": self.checks}


def reap():
    """Removes labs whose owner is gone, and what a dead child of our own shell left."""
    mine = int(os.environ.get("PXTR_LAB_OWNER", 0))
    if not os.path.isdir(STATE):
        return
    for ident in os.listdir(STATE):
        folder = os.path.join(STATE, ident)
        try:
            lab = Lab.from_dir(folder, ident)
        except (LabError, ValueError, KeyError):
            continue
        if lab.owner and (lab.owner == mine or not alive(lab.owner)):
            lab.destroy()
