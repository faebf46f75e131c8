"""Checks the profiles without TRex: builds every stream with PyPI's lbr-trex-client, runs its field engine in a
small interpreter, and takes the packets apart with scapy. perf/trex/check.sh runs it."""

import base64
import ipaddress
import os
import random
import struct
import sys

import lbr_trex_client  # noqa: F401  (puts TRex's modules on the path)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from trex_stl_lib.api import STLProfile  # noqa: E402  (first: it brings scapy)

from lisp import DATA_PORT, DEVICE_RLOC, FCS, FIRST_EID, FIRST_EID6, FIRST_RLOC, IMIX, OVERHEAD  # noqa: E402
from scapy.layers.inet import IP, UDP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402

PACKETS = 200
PROFILES = {
    # name: (stream names of even ports, of odd ones)
    "encap": (["encap-64"], []),
    "decap": ([], ["decap-64"]),
    "bidir": (["encap-64"], ["decap-64"]),
    "imix": ([f"encap-{f}" for f, _ in IMIX], [f"decap-{f}" for f, _ in IMIX]),
    "scale": (["encap-64"], ["decap-64"]),
    "latency": (["encap-64", "latency-0"], ["decap-64", "latency-1"]),
}
DEFAULT_EIDS = {"scale": 1_000_000}
DEFAULT_RLOCS = {"scale": 100_000}


def run_vm(packet, instructions, state, rng):
    """One turn of a stream's field engine on its packet; `state` keeps the counting variables."""
    packet = bytearray(packet)
    values = state
    for ins in instructions:
        kind = ins["type"]
        if kind == "flow_var":
            low, high = ins["min_value"], ins["max_value"]
            if ins["op"] == "random":
                values[ins["name"]] = rng.randint(low, high)
            else:
                last = values.get(ins["name"])
                values[ins["name"]] = low if last is None or last + ins["step"] > high else last + ins["step"]
            sizes = {i["name"]: i["size"] for i in instructions if i["type"] == "flow_var"}
        elif kind == "write_flow_var":
            at, size = ins["pkt_offset"], sizes[ins["name"]]
            packet[at:at + size] = (values[ins["name"]] + ins["add_value"]).to_bytes(size, "big")
        elif kind == "write_mask_flow_var":
            at, size, mask = ins["pkt_offset"], ins["pkt_cast_size"], ins["mask"]
            shift = ins["shift"]
            value = values[ins["name"]] + ins["add_value"]
            value = value << shift if shift >= 0 else value >> -shift
            old = int.from_bytes(packet[at:at + size], "big")
            packet[at:at + size] = (old & ~mask | value & mask).to_bytes(size, "big")
        elif kind == "fix_checksum_ipv4":
            at = ins["pkt_offset"]
            packet[at + 10:at + 12] = b"\0\0"
            packet[at + 10:at + 12] = checksum(packet[at:at + 20]).to_bytes(2, "big")
        else:
            raise AssertionError(f"the check does not know the instruction {kind}")
    return bytes(packet)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def check_ip(packet, what):
    """Version, length and checksum of an IP packet and its UDP; returns it parsed."""
    v6 = packet[0] >> 4 == 6
    ip = IPv6(packet) if v6 else IP(packet)
    if v6:
        expect(ip.plen + 40 == len(packet), f"{what}: IPv6 length {ip.plen}, packet {len(packet)}")
    else:
        expect(ip.len == len(packet), f"{what}: IPv4 length {ip.len}, packet {len(packet)}")
        expect(checksum(packet[:20]) == 0, f"{what}: header checksum")
    expect(ip[UDP].len == len(packet) - (40 if v6 else 20), f"{what}: UDP length")
    return ip


def eid_number(address):
    """n of the EID-prefix that an address is in."""
    number = int(ipaddress.ip_address(address))
    return ((number >> 80) - FIRST_EID6) if ":" in address else (number - FIRST_EID) >> 8


def check_encap(frame, eids, length, v6):
    """A native packet to an EID; which one."""
    expect(len(frame) == max(length - FCS, 14 + (48 if v6 else 28)), f"frame of {len(frame)} bytes")
    ip = check_ip(frame[14:], "native packet")
    expect(Ether(frame).type == (0x86DD if v6 else 0x0800), "EtherType")
    number = eid_number(ip.dst)
    expect(0 <= number < eids, f"{ip.dst} is none of {eids} EIDs")
    return number, ip[UDP].sport


def check_decap(frame, eids, rlocs, length, v6):
    """LISP data to the device; which EID and RLOC."""
    expect(len(frame) == max(length - FCS, 14 + (48 if v6 else 28)) + OVERHEAD, f"frame of {len(frame)} bytes")
    outer = check_ip(frame[14:], "outer header")
    expect(outer.dst == DEVICE_RLOC and outer[UDP].dport == DATA_PORT, "not for the device")
    expect(0 <= int(ipaddress.ip_address(outer.src)) - FIRST_RLOC < rlocs, f"{outer.src} is none of {rlocs} RLOCs")
    expect(outer[UDP].sport >= 49152 and outer[UDP].chksum == 0, "outer UDP")
    lisp = frame[14 + 28:14 + OVERHEAD]
    expect(lisp == bytes(8), f"LISP header {lisp.hex()}")
    inner = check_ip(frame[14 + OVERHEAD:], "inner packet")
    number = eid_number(inner.src)
    expect(0 <= number < eids, f"{inner.src} is none of {eids} EIDs")
    return number, outer.src


def check_stream(name, stream, eids, rlocs, v6):
    """Some packets of a stream, each as it should be, and not all the same."""
    described = stream.to_json()
    instructions = described["vm"].get("instructions", [])
    packet = base64.b64decode(described["packet"]["binary"])
    rng, state, seen = random.Random(7), {}, set()
    way, length = name.split("-")[0], int(name.split("-")[1])
    for _ in range(PACKETS):
        frame = run_vm(packet, instructions, state, rng)
        if way == "encap":
            seen.add(check_encap(frame, eids, length, v6))
        elif way == "decap":
            seen.add(check_decap(frame, eids, rlocs, length, v6))
        else:
            ip = check_ip(frame[14:], "stamped packet")
            expect(ip.dst.startswith("172.1") and described["flow_stats"]["enabled"], "stamped packet")
    expect(way == "latency" or len(seen) > PACKETS / 4, f"only {len(seen)} different packets of {PACKETS}")


def check_profile(name, tunables=()):
    """All streams of both directions, with tunables as TRex's console gives them."""
    given = dict(zip(tunables[::2], tunables[1::2]))
    eids = int(given.get("--eids", DEFAULT_EIDS.get(name, 1000)))
    v6, frame = given.get("--v6") == "1", int(given.get("--frame", 64))
    count = 0
    for direction in (0, 1):
        profile = STLProfile.load_py(os.path.join(HERE, f"{name}.py"), direction=direction, port_id=direction,
                                     tunables=list(tunables))
        streams = profile.get_streams()
        names = [s.get_name() for s in streams]
        wanted = [n.replace("-64", f"-{frame}") for n in PROFILES[name][direction]]
        expect(names == wanted, f"{name}, direction {direction}: streams {names}, expected {wanted}")
        for stream in streams:
            try:
                check_stream(stream.get_name(), stream, eids, DEFAULT_RLOCS.get(name, 1000), v6)
            except AssertionError as error:
                raise AssertionError(f"{name}, {stream.get_name()}: {error}") from error
        count += len(streams)
    print(f"ok   {name} {' '.join(tunables)}: {count} streams, {PACKETS} packets each")


def main():
    for name in PROFILES:
        check_profile(name)
    for name in ("encap", "decap", "bidir", "scale"):
        check_profile(name, ("--eids", "4000000"))
        check_profile(name, ("--v6", "1", "--frame", "128"))
    import ndr_check
    ndr_check.main()
    print("TRex profiles: all as they should be")


if __name__ == "__main__":
    main()
