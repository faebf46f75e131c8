"""LISP data packets in a file, for generators that can not make them: Pktgen's `-s 1:FILE`, testpmd's net_pcap.

    target/perf-venv/bin/python perf/trex/pcap.py decap.pcap --eids 1000 [--frame 64] [--way encap] [--v6]
        [--mac 02:00:00:00:00:01]
"""

import argparse
import base64
import os
import random
import struct
import sys

import lbr_trex_client  # noqa: F401  (puts TRex's modules on the path)

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from check import run_vm  # noqa: E402
from lisp import data, decap_vm, encap_vm, native, stream  # noqa: E402


def frames(way, eids, rlocs, frame, v6, mac):
    """A packet for each EID-prefix, in order, to a device's port."""
    packet, vm = ((native(frame, v6), encap_vm(eids, v6, op="inc")) if way == "encap"
                  else (data(frame, v6), decap_vm(eids, rlocs, v6, op="inc")))
    packet.dst = mac
    described = stream(packet, vm, 1.0, way).to_json()
    template, state = base64.b64decode(described["packet"]["binary"]), {}
    for _ in range(eids):
        yield run_vm(template, described["vm"]["instructions"], state, random)


def write(path, packets):
    """The format of libpcap, without times."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for packet in packets:
            out.write(struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--way", choices=("encap", "decap"), default="decap")
    parser.add_argument("--eids", type=int, default=1000)
    parser.add_argument("--rlocs", type=int, default=1000)
    parser.add_argument("--frame", type=int, default=64)
    parser.add_argument("--v6", action="store_true")
    parser.add_argument("--mac", default="02:00:00:00:00:01", help="Ethernet address of the device's port")
    options = parser.parse_args()
    write(options.file, frames(options.way, options.eids, options.rlocs, options.frame, options.v6, options.mac))


if __name__ == "__main__":
    main()
