"""The device under test: pxtrd itself, in a network namespace of its own, between memif and the kernel."""

import os

from lab.net import ROOT, Lab

from .processes import cpu_seconds, goes_first

CONFIGS = os.path.join(ROOT, "configs", "perf")
RLOCS = 1000
FLOWS = 1024
NEXT_HOP, NEXT_HOP_MAC = "198.51.100.1", "00:01:02:03:04:00"


def eid_prefix(n, inner_v6=False):
    """Prefix of mapping `n`, as perf/src/frames.rs scatters them."""
    place = n * 2654435761
    if inner_v6:
        place &= 0xFFFFFFFF
        return f"2001:{place >> 16:x}:{place & 0xFFFF:x}::/48"
    place = 0x01000000 + ((place & (1 << 22) - 1) << 8)
    return f"{place >> 24}.{place >> 16 & 255}.{place >> 8 & 255}.0/24"


def mapping(prefix, n, rlocs=RLOCS):
    """A line of static mappings; RLOCs are 203.0.0.0 and on."""
    rloc = n % rlocs
    return f'  {{ eid_prefix = "{prefix}", locators = [{{ rloc = "203.0.{rloc >> 8}.{rloc & 255}" }}] }},'


def configuration(mappings, inner_v6=False, flows=True):
    """The base file with so many static mappings, and one for each of flowgen's flows."""
    with open(os.path.join(CONFIGS, "wire.toml"), encoding="utf-8") as base:
        text = base.read()
    lines = [mapping(eid_prefix(n, inner_v6), n) for n in range(mappings)]
    if flows:
        lines += [mapping(f"10.253.{n >> 8}.{n & 255}/32", n) for n in range(FLOWS)]
    return "\n".join([text.rstrip(), "static_mapping = [", *lines, "]", ""])


class Device:
    """pxtrd as the server of a memif socket. `with` ends it and removes everything."""

    def __init__(self, mappings=1000, inner_v6=False, flows=True):
        self.mappings, self.inner_v6, self.flows = mappings, inner_v6, flows
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
        config = os.path.join(lab.dir, "pxtrd.toml")
        self._write(config, configuration(self.mappings, self.inner_v6, self.flows))
        goes_first(lab.daemon("pxtr", config).pid)
        lab.wait_interface("pxtr", "wire", timeout=60)
        lab.run("pxtr", "ip", "link", "set", "wire", "up")
        lab.address("pxtr", "wire", "198.51.100.2/24", "2001:db8:ffff::2/64")
        lab.run("pxtr", "ip", "neigh", "replace", NEXT_HOP, "lladdr", NEXT_HOP_MAC, "dev", "wire", "nud", "permanent")
        lab.run("pxtr", "ip", "-6", "neigh", "replace", "2001:db8:ffff::1", "lladdr", NEXT_HOP_MAC, "dev", "wire",
                "nud", "permanent")
        lab.route("pxtr", "default", NEXT_HOP)
        lab.route("pxtr", "::/0", "2001:db8:ffff::1")
        lab.wait_daemon("pxtr", timeout=60)

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
