"""Packets byte by byte, for labs that send what no socket would."""

import socket
import struct


def checksum(data):
    """RFC 1071."""
    data += bytes(len(data) & 1)
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return ~value & 0xFFFF


def v4(source, destination, protocol, payload, options=b"", fragment=0x4000, ttl=64, ident=0):
    """`fragment`: flags and offset; DF by default."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), ident, fragment,
                       ttl, protocol, 0, socket.inet_aton(source), socket.inet_aton(destination)) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def v6(source, destination, following, payload, ttl=64):
    return (struct.pack("!IHBB", 6 << 28, len(payload), following, ttl) + socket.inet_pton(socket.AF_INET6, source)
            + socket.inet_pton(socket.AF_INET6, destination) + payload)


def udp(source, destination, payload):
    """Without checksum."""
    return struct.pack("!HHHH", source, destination, 8 + len(payload), 0) + payload


def icmp(kind, code, rest, data):
    message = struct.pack("!BBHI", kind, code, 0, rest) + data
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def echo(source, destination, ident, size=40):
    """An ICMPv4 echo request."""
    return v4(source, destination, 1, icmp(8, 0, ident << 16 | 1, b"x" * size), ttl=9)


def lisp(source, destination, inner, header=bytes(8), port=50000):
    """A LISP data packet over IPv4."""
    return v4(source, destination, 17, udp(port, 4341, header + inner))


def pieces(source, destination, following, payload, size, ident):
    """An IPv6 packet in fragments of `size` payload bytes, a multiple of 8. (The kernel puts IPv4 fragments
    together before net_af_packet sees them.)"""
    for start in range(0, len(payload), size):
        head = struct.pack("!BBHI", following, 0, start | (start + size < len(payload)), ident)
        yield v6(source, destination, 44, head + payload[start:start + size])


def frame(mac, packet, ethertype=None, source=bytes.fromhex("0200000000aa")):
    """An Ethernet frame; `mac` as text or bytes."""
    to = mac if isinstance(mac, bytes) else bytes.fromhex(mac.replace(":", ""))
    if ethertype is None:
        ethertype = 0x0800 if packet[:1] and packet[0] >> 4 == 4 else 0x86DD
    return to + source + struct.pack("!H", ethertype) + packet


def save(path, frames):
    """For `traffic.py frames`."""
    with open(path, "wb") as out:
        for data in frames:
            out.write(struct.pack("!H", len(data)) + data)
