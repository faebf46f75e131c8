"""The streams behind the profiles: one function each, so that profiles can be put together."""

import argparse

from lisp import IMIX, data, decap_vm, encap_vm, native, stream


def tunables(argv, **defaults):
    """`-t eids=...,frame=...` of TRex: its console gives them as `--eids ...`."""
    parser = argparse.ArgumentParser(prog="profile")
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    return parser.parse_args(argv)


def encap(t, frame=None, pps=1000.0):
    """Native packets to EIDs."""
    frame = frame or t.frame
    return [stream(native(frame, bool(t.v6)), encap_vm(t.eids, bool(t.v6)), pps, f"encap-{frame}")]


def decap(t, frame=None, pps=1000.0):
    """LISP data for native hosts; `frame` is what comes out."""
    frame = frame or t.frame
    return [stream(data(frame, bool(t.v6)), decap_vm(t.eids, t.rlocs, bool(t.v6)), pps, f"decap-{frame}")]


def imix(t, way):
    """A way with three lengths. Each stream starts a bit later than the one before it."""
    return [s for frame, share in IMIX for s in way(t, frame, 1000.0 * share)]


class Profile:
    """What TRex asks a profile for."""

    defaults = {"eids": 1000, "rlocs": 1000, "frame": 64, "v6": 0}

    def __init__(self, native_side, core_side, **defaults):
        self.sides = (native_side, core_side)
        self.defaults = {**self.defaults, **defaults}

    def get_streams(self, direction=0, tunables=(), **_):
        """Streams of a port: even ports are on the native side, odd ones on the core's."""
        wanted = globals()["tunables"](list(tunables), **self.defaults)
        side = self.sides[direction % 2]
        return side(wanted) if side else []
