"""Traffic for the labs of the control plane: first packets, and an attacker. Run inside a namespace, one verb a
process, as traffic.py."""

import socket
import struct
import sys
import time


def ready():
    print("ready", flush=True)


def udp_first(port, per_second, *prefixes):
    """Asks a host of each prefix for an echo, so many new ones a second, each again every 250 ms until it
    answers: prints the milliseconds that each took, -1 for none in 8 s."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sock.settimeout(0.002)
    begin, port = time.monotonic(), int(port)
    waiting, took, todo = {}, {}, list(prefixes)
    while todo or waiting:
        now = time.monotonic()
        while todo and len(prefixes) - len(todo) <= (now - begin) * float(per_second):
            waiting[todo.pop(0)] = [now, 0.0]
        for address, times in list(waiting.items()):
            if now - times[0] > 8:
                del waiting[address]
            elif now - times[1] >= 0.25:
                times[1] = now
                sock.sendto(address.encode(), (address, port))
        try:
            while True:
                address = sock.recv(2048).decode()  # the echo may come from another address of the site
                if address in waiting:
                    took[address] = round(1000 * (time.monotonic() - waiting.pop(address)[0]))
        except OSError:
            pass
    print(" ".join(str(took.get(address, -1)) for address in prefixes))


def udp_fan(port, per_second, *prefixes):
    """One datagram to each address."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    begin = time.monotonic()
    for number, address in enumerate(prefixes):
        sock.sendto(b"fan", (address, int(port)))
        ahead = number / float(per_second) - (time.monotonic() - begin)
        if ahead > 0.002:
            time.sleep(ahead)


def ipv4_checksum(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def hostile(kind, number):
    """A control message of an attacker: right in form, wrong in substance."""
    nonce = struct.pack("!Q", 0x5EED << 32 | number)
    eid = socket.inet_aton(f"10.1.{number >> 8 & 255}.{number & 255}")
    request = struct.pack("!I", 0x10000001) + nonce + b"\0\0" + b"\0\1" + socket.inet_aton("198.51.100.30") + b"\0\x20\0\1" + eid
    record = struct.pack("!IBBHHH", 1440, 1, 24, 0x1000, 0, 1) + eid[:3] + b"\0" \
        + struct.pack("!BBBBHH", 1, 100, 255, 0, 5, 1) + socket.inet_aton("198.51.100.30")
    if kind == "map-request":
        udp = struct.pack("!HHHH", 4342, 4342, 8 + len(request), 0) + request
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, socket.inet_aton("198.51.100.30"), eid)
        return b"\x80\0\0\0" + ip[:10] + struct.pack("!H", ipv4_checksum(ip)) + ip[12:] + udp
    if kind == "map-reply":
        return struct.pack("!I", 0x20000001) + nonce + record
    if kind == "smr":
        return struct.pack("!I", 0x11002001) + nonce + b"\0\1" + eid + request[14:]
    if kind == "map-register":
        return struct.pack("!I", 0x38000101) + nonce + struct.pack("!BBH", 1, 2, 32) + bytes(32) + record
    raise SystemExit(f"no kind {kind}")


def flood(kind, address, seconds):
    """As many of these messages as this process can send; prints how many a second those were."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", 4342))
    sock.connect((address, 4342))
    messages = [hostile(kind, number) for number in range(4096)]
    begin, sent = time.monotonic(), 0
    ready()
    while time.monotonic() - begin < float(seconds):
        for message in messages[sent & 4095:(sent & 4095) + 64]:
            try:
                sock.send(message)
            except OSError:
                pass
        sent += 64
    print(round(sent / (time.monotonic() - begin)))


VERBS = {f.__name__.replace("_", "-"): f for f in (udp_first, udp_fan, flood)}

if __name__ == "__main__":
    VERBS[sys.argv[1]](*sys.argv[2:])
