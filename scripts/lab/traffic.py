"""Small traffic ends for the labs: run inside a namespace, one verb a process."""

import errno
import hashlib
import selectors
import socket
import struct
import sys
import time
import urllib.request


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def listener(kind, port):
    """One socket for both families."""
    sock = socket.socket(socket.AF_INET6, kind)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sock.bind(("::", port))
    return sock


def ready():
    print("ready", flush=True)


def pattern(size):
    return bytes((i * 7 + size) & 0xFF for i in range(size))


def udp_echo(port):
    sock = listener(socket.SOCK_DGRAM, int(port))
    ready()
    while True:
        data, peer = sock.recvfrom(65536)
        sock.sendto(data, peer)


def udp_sizes(address, port, low, high):
    """Sends every size once, 16 in flight: prints how many came back unchanged. What the path refuses as
    too big is sent again, now in fragments, as any application would; the echo may be refused once, too."""
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    sock.connect((address, int(port)))
    sock.settimeout(2)
    good = 0
    sizes = list(range(int(low), int(high) + 1))
    for start in range(0, len(sizes), 16):
        missing = set(sizes[start:start + 16])
        too_big = 0
        while missing:
            try:
                for size in sorted(missing):
                    sock.send(pattern(size))
                while missing:
                    data = sock.recv(65536)
                    if data == pattern(len(data)):
                        missing.discard(len(data))
            except OSError as error:
                too_big += error.errno == errno.EMSGSIZE or too_big > 0
                if not 0 < too_big < 4:
                    break
        good += len(sizes[start:start + 16]) - len(missing)
    print(good)


def udp_flows(address, port, flows):
    """One datagram from each of many source ports."""
    for source in range(20000, 20000 + int(flows)):
        with socket.socket(family(address), socket.SOCK_DGRAM) as sock:
            sock.bind(("", source))
            sock.sendto(b"flow", (address, int(port)))
        if source % 50 == 0:
            time.sleep(0.01)


def udp_blast(address, port, flows):
    """One datagram a flow, 250 source ports times many destination ports, paced."""
    flows = int(flows)
    sockets = []
    for source in range(20000, 20250):
        sock = socket.socket(family(address), socket.SOCK_DGRAM)
        sock.bind(("", source))
        sockets.append(sock)
    begin = time.monotonic()
    for n in range(flows):
        sockets[n % 250].sendto(b"flow", (address, 10000 + n // 250))
        ahead = n / 10000 - (time.monotonic() - begin)
        if ahead > 0.002:
            time.sleep(ahead)


def stream_source(address, port):
    """A numbered datagram each millisecond, until killed."""
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    sock.connect((address, int(port)))
    begin, number = time.monotonic(), 0
    while True:
        number += 1
        try:
            sock.send(struct.pack("<Q", number))
        except OSError:
            pass
        ahead = begin + number / 1000 - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)


def stream_sink(port, log):
    """Writes (sequence, arrival ms) of each datagram."""
    sock = listener(socket.SOCK_DGRAM, int(port))
    with open(log, "wb", buffering=0) as out:
        ready()
        while True:
            data = sock.recv(64)
            out.write(data[:8] + struct.pack("<Q", int(time.monotonic() * 1000)))


def tcp_sink(port):
    """Takes one connection, prints `SIZE SHA256`."""
    server = listener(socket.SOCK_STREAM, int(port))
    server.listen(1)
    ready()
    waiting = selectors.DefaultSelector()
    waiting.register(server, selectors.EVENT_READ)
    if not waiting.select(30):
        return
    conn, _ = server.accept()
    digest, total = hashlib.sha256(), 0
    while chunk := conn.recv(1 << 20):
        digest.update(chunk)
        total += len(chunk)
    print(total, digest.hexdigest())


def tcp_send(address, port, size):
    """Sends `size` bytes, prints the same line as the sink must."""
    block = hashlib.sha512(address.encode()).digest() * 4096
    left, digest = int(size), hashlib.sha256()
    with socket.create_connection((address, int(port)), timeout=60) as sock:
        while left:
            chunk = block[:left]
            sock.sendall(chunk)
            digest.update(chunk)
            left -= len(chunk)
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)
    print(size, digest.hexdigest())


def http_get(url):
    with urllib.request.urlopen(url, timeout=5) as reply:
        print(reply.read().decode(), end="")


VERBS = {f.__name__.replace("_", "-"): f for f in
         (udp_echo, udp_sizes, udp_flows, udp_blast, stream_source, stream_sink, tcp_sink, tcp_send, http_get)}

if __name__ == "__main__":
    VERBS[sys.argv[1]](*sys.argv[2:])
