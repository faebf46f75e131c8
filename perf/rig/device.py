"""The device under test: pxtrd itself, in a network namespace of its own, between memif and the kernel."""

import glob
import os
import time

from lab.net import ROOT, Lab

from .processes import cpu_seconds, goes_first

CONFIGS = os.path.join(ROOT, "configs", "perf")
RLOCS = 1000
FLOWS = 1024
NEXT_HOPS, NEXT_HOP_MAC = ("198.51.100.1", "2001:db8:ffff::1"), "00:01:02:03:04:00"


def eid_prefix(n, inner_v6=False):
    """Prefix of mapping `n`, as perf/src/frames.rs scatters them."""
    place = n * 2654435761
    if inner_v6:
        place &= 0xFFFFFFFF
        return f"2001:{place >> 16:x}:{place & 0xFFFF:x}::/48"
    place = 0x01000000 + ((place & (1 << 22) - 1) << 8)
    return f"{place >> 24}.{place >> 16 & 255}.{place >> 8 & 255}.0/24"


def eid_prefix_in_order(n, inner_v6=False):
    """Prefix of mapping `n`, as the TRex profiles have them: one after the other."""
    return (f"2001:{n >> 16:x}:{n & 0xFFFF:x}::/48" if inner_v6
            else f"{1 + (n >> 16)}.{n >> 8 & 255}.{n & 255}.0/24")


def mapping(prefix, n, rlocs=RLOCS):
    """A line of static mappings; RLOCs are 203.0.0.0 and on."""
    rloc = n % rlocs
    return f'  {{ eid_prefix = "{prefix}", locators = [{{ rloc = "203.0.{rloc >> 8}.{rloc & 255}" }}] }},'


def configuration(mappings, inner_v6=False, flows=True, shift=0, in_order=False):
    """The base file with so many static mappings, and one for each of flowgen's flows; `shift` gives them other
    RLOCs."""
    with open(os.path.join(CONFIGS, "wire.toml"), encoding="utf-8") as base:
        text = base.read()
    prefix = eid_prefix_in_order if in_order else eid_prefix
    lines = [mapping(prefix(n, inner_v6), n + shift) for n in range(mappings)]
    if flows:
        lines += [mapping(f"10.253.{n >> 8}.{n & 255}/32", n) for n in range(FLOWS)]
    return "\n".join([text.rstrip(), "static_mapping = [", *lines, "]", ""])


class Device:
    """pxtrd as the server of a memif socket. `with` ends it and removes everything."""

    def __init__(self, mappings=1000, inner_v6=False, flows=True, resolver=0, in_order=False):
        self.mappings, self.inner_v6, self.flows, self.resolver = mappings, inner_v6, flows, resolver
        self.in_order = in_order
        self.lab = None

    def __enter__(self):
        self.lab = Lab.fresh("perf")
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.lab:
            self.lab.destroy()

    def _build(self):
        lab = self.lab
        lab.node("pxtr")
        if self.resolver:
            self._mapping_system(self.resolver)
        config = os.path.join(lab.dir, "pxtrd.toml")
        self._write(config, configuration(self.mappings, self.inner_v6, self.flows, in_order=self.in_order))
        goes_first(lab.daemon("pxtr", config).pid)
        lab.wait_interface("pxtr", "wire", timeout=60)
        lab.run("pxtr", "ip", "link", "set", "wire", "up")
        lab.address("pxtr", "wire", "198.51.100.2/24", "2001:db8:ffff::2/64")
        for everything, next_hop in zip(("default", "::/0"), NEXT_HOPS):
            lab.route("pxtr", everything, next_hop)
        lab.wait_daemon("pxtr", timeout=60)

    def _mapping_system(self, prefixes):
        """A Map-Server and Map-Resolver with that many registered prefixes from 96.0.0.0 on, a cable away."""
        lab = self.lab
        lab.node("ms")
        lab.link("pxtr", "control", "ms", "control")
        lab.address("pxtr", "control", "192.0.2.13/30")
        lab.address("ms", "control", "192.0.2.14/30")
        lab.address("ms", "lo", "203.0.0.1/32")
        lab.route("ms", "198.51.100.2/32", "192.0.2.13")
        with open(os.path.join(CONFIGS, "mapping-system.toml"), encoding="utf-8") as base:
            text = "".join(line for line in base if not line.startswith("database ="))
        lines = [mapping(f"96.{n >> 8 & 255}.{n & 255}.0/24", 1) for n in range(prefixes)]
        config = os.path.join(lab.dir, "ms.toml")
        self._write(config, "\n".join([text.rstrip(), "database = [", *lines, "]", ""]))
        goes_first(lab.daemon("ms", config).pid)
        lab.wait_daemon("ms")
        lab.wait(f"{prefixes} EID-prefixes registered", lambda: self.registered() >= prefixes, 30)

    def registered(self):
        return len(self.lab.cli("ms", "show", "registrations", "--limit", "20000")["registrations"])

    @staticmethod
    def _write(path, text):
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)

    @property
    def socket(self):
        return os.path.join(self.lab.dir, "pxtr", "run", "memif.sock")

    @property
    def pid(self):
        """Of pxtrd itself: `ip netns exec` and the shell became it."""
        return self.lab.daemons["pxtr"]

    def cpu_seconds(self):
        return cpu_seconds(self.pid)

    def show(self, *what):
        return self.lab.cli("pxtr", "show", *what)

    def settled(self, timeout=60):
        """Until the workers have every static mapping."""
        wanted = self.mappings + (FLOWS if self.flows else 0)
        self.lab.wait(f"{wanted} mappings in the workers", lambda: self._lag() == 0, timeout)

    def _lag(self):
        return sum(worker["feed_lag"] for worker in self.show("workers")["workers"])

    def connected(self):
        """To be called when the generator is there: before, the port has no carrier and its RLOCs are down."""
        lab = self.lab
        lab.wait("the port has a carrier", lambda: "NO-CARRIER" not in lab.run("pxtr", "ip", "link", "show", "wire").stdout)
        lab.wait("static next hops", self._next_hops)
        self.settled()

    def _next_hops(self):
        """Writes the next hops down; false if that did not last: somebody who asks for a neighbour at the same time
        (pxtrd, for one it knows to have failed) makes it an ordinary one."""
        lab = self.lab
        for next_hop in NEXT_HOPS:
            lab.run("pxtr", "ip", "neigh", "replace", next_hop, "lladdr", NEXT_HOP_MAC, "dev", "wire", "nud", "permanent")
        # Netlink to the workers: milliseconds.
        time.sleep(0.5)
        shown = lab.run("pxtr", "ip", "neigh", "show", "dev", "wire", "nud", "permanent").stdout
        return all(next_hop + " " in shown for next_hop in NEXT_HOPS)

    def reload(self, shift):
        """The same mappings with other RLOCs, live."""
        config = os.path.join(self.lab.dir, "pxtrd.toml")
        self._write(config, configuration(self.mappings, self.inner_v6, self.flows, shift))
        self.lab.reload_daemon("pxtr")

    def applied(self):
        """Deltas that the workers have applied since their start."""
        return sum(worker["counters"]["applied"] for worker in self.show("workers")["workers"])

    def worker_thread(self):
        """Thread id of the only worker."""
        for comm in glob.glob(f"/proc/{self.pid}/task/*/comm"):
            with open(comm, encoding="ascii") as name:
                if name.read().strip() == "pxtr-worker0":
                    return int(comm.split("/")[4])
        raise RuntimeError("pxtrd has no worker")

    def worker_kernel_counters(self):
        """What the kernel counts for the worker's thread: a worker that polls faults no page and never gives its
        CPU up by itself; how often it lost it to others says how quiet the machine was."""
        task = f"/proc/{self.pid}/task/{self.worker_thread()}"
        with open(f"{task}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        with open(f"{task}/status", encoding="ascii") as status:
            switches = {line.split(":")[0]: int(line.split()[1]) for line in status if "ctxt_switches" in line}
        return {"page_faults": int(fields[7]) + int(fields[9]),
                "voluntary_switches": switches["voluntary_ctxt_switches"],
                "preemptions": switches["nonvoluntary_ctxt_switches"]}

    def preemptions(self):
        """How often the worker lost its CPU to another process."""
        return self.worker_kernel_counters()["preemptions"]
