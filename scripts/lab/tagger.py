"""A VLAN switch of sockets, for kernels without 802.1Q: one trunk, and access ports.

    tagger.py TRUNK ACCESS=VLAN[.INNER] ...

A frame of an access port leaves by the trunk with the tag of its VLAN (802.1Q; with an inner
identifier 802.1ad and 802.1Q), a frame of the trunk by the access ports of its VLAN without.
"""

import select
import socket
import struct
import sys

ETH_P_ALL = 3
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 8, 23
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 0x10, 0x40
QINQ, DOT1Q = 0x88A8, 0x8100
BATCH = 256


def opened(interface):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.bind((interface, ETH_P_ALL))
    s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    s.setblocking(False)
    return s


def received(s):
    """A frame as it was on the wire: the kernel takes the outer tag out and tells it apart."""
    frame, extra, _, _ = s.recvmsg(65536, 128)
    for level, kind, data in extra:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data[:20])
            if status & TP_STATUS_VLAN_VALID:
                kind = tpid if status & TP_STATUS_VLAN_TPID_VALID else DOT1Q
                frame = frame[:12] + struct.pack("!HH", kind, tci) + frame[12:]
    return frame


def untagged(frame):
    """VLAN identifiers and the frame without its tags."""
    ids = []
    while len(frame) >= 18 and struct.unpack_from("!H", frame, 12)[0] in (QINQ, DOT1Q):
        ids.append(struct.unpack_from("!H", frame, 14)[0] & 0xFFF)
        frame = frame[:12] + frame[16:]
    return tuple(ids), frame


def tag(ids):
    kinds = (DOT1Q,) if len(ids) == 1 else (QINQ, DOT1Q)
    return b"".join(struct.pack("!HH", kind, vlan) for kind, vlan in zip(kinds, ids))


def main(trunk_name, *plan):
    trunk = opened(trunk_name)
    access, by_vlan = {}, {}
    for entry in plan:
        name, vlan = entry.split("=")
        ids = tuple(int(part) for part in vlan.split("."))
        s = opened(name)
        access[s] = tag(ids)
        by_vlan.setdefault(ids, []).append(s)
    poll = select.epoll()
    sockets = {s.fileno(): s for s in (trunk, *access)}
    for fd in sockets:
        poll.register(fd, select.EPOLLIN)
    print("ready", flush=True)
    while True:
        for fd, _ in poll.poll():
            s = sockets[fd]
            for _ in range(BATCH):
                try:
                    frame = received(s)
                    if s is trunk:
                        ids, frame = untagged(frame)
                        for to in by_vlan.get(ids, ()):
                            to.send(frame)
                    else:
                        trunk.send(frame[:12] + access[s] + frame[12:])
                except BlockingIOError:
                    break
                except OSError:
                    continue  # too long, or a cable that is out: a switch drops


if __name__ == "__main__":
    main(*sys.argv[1:])
