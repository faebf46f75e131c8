"""Small traffic ends for the labs: run inside a namespace, one verb a process."""

import array
import ctypes
import errno
import hashlib
import json
import os
import selectors
import signal
import socket
import struct
import sys
import time
import urllib.request


# Linux: <asm-generic/socket.h>; Python has no names for them.
SO_RCVBUFFORCE = 33
CLONE_NEWNET = 0x40000000
SO_TIMESTAMPNS = 35
SO_MAX_PACING_RATE = 47


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def listener(kind, port):
    """One socket for both families."""
    sock = socket.socket(socket.AF_INET6, kind)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Not bounded by net.core.rmem_max: a receiver that waits for a CPU loses nothing.
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
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


def udp_sink(port):
    """Takes datagrams and answers nothing, not even that the port is closed."""
    sock = listener(socket.SOCK_DGRAM, int(port))
    ready()
    while True:
        sock.recv(65536)


def udp_asks(address, port, count, interval_ms):
    """Numbered questions to an echo, one each interval: prints when each was asked and answered (or null), seconds since
    the epoch."""
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    sock.connect((address, int(port)))
    asked, answered = [], [None] * int(count)
    until = time.monotonic() + int(count) * int(interval_ms) / 1000 + 3
    due = time.monotonic()
    while time.monotonic() < until and None in answered:
        if len(asked) < len(answered) and time.monotonic() >= due:
            asked.append(time.time())
            due += int(interval_ms) / 1000
            sock.send(struct.pack("<I", len(asked) - 1))
        sock.settimeout(max(0.001, min(due if len(asked) < len(answered) else until, until) - time.monotonic()))
        try:
            number = struct.unpack("<I", sock.recv(64))[0]
            answered[number] = time.time()
        except (TimeoutError, OSError):
            pass
    print(json.dumps([asked, answered]))


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


def udp_send(address, port, count):
    """Datagrams to one port, a thousand a second."""
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    for _ in range(int(count)):
        sock.sendto(b"marked", (address, int(port)))
        time.sleep(0.001)


def udp_flood(address, port, size, per_second, seconds):
    """Datagrams of one size at a steady rate, a pause without CPU made up for; prints how many were sent."""
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    sock.connect((address, int(port)))
    data, sent, begin = bytes(int(size)), 0, time.monotonic()
    total = int(per_second) * int(seconds)
    while sent < total:
        due = min(total, int((time.monotonic() - begin) * int(per_second)))
        while sent < due:
            try:
                sock.send(data)
            except ConnectionRefusedError:
                continue
            sent += 1
        time.sleep(0.001)
    print(sent)


def udp_blast(address, port, flows):
    """One datagram a flow, 250 source ports times many destination ports, 10,000 a second; a pause without CPU is
    not made up for, so that no queue on the way sees more than that."""
    flows = int(flows)
    sockets = []
    for source in range(20000, 20250):
        sock = socket.socket(family(address), socket.SOCK_DGRAM)
        sock.bind(("", source))
        sockets.append(sock)
    due = time.monotonic()
    for n in range(flows):
        sockets[n % 250].sendto(b"flow", (address, 10000 + n // 250))
        due = max(due + 0.0001, time.monotonic() - 0.005)
        ahead = due - time.monotonic()
        if ahead > 0.002:
            time.sleep(ahead)


def stream_source(address, port, interval_ms, log):
    """A numbered datagram each interval, until SIGTERM; it carries the time at which it was sent, ns, and the times
    of all go to a file in the end."""
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    sock.connect((address, int(port)))
    times, interval = array.array("Q"), float(interval_ms) / 1000

    def end(_number, _frame):
        with open(log, "wb") as out:
            times.tofile(out)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    begin = time.monotonic()
    while True:
        times.append(time.time_ns())
        try:
            sock.send(struct.pack("<QQ", len(times), times[-1]))
        except OSError:
            pass
        ahead = begin + len(times) * interval - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)


def stream_sink(port, log):
    """Writes (sequence, sent, arrived) of each datagram, ns; the kernel says when it arrived, so that a sink
    that has to wait for a CPU does not matter."""
    sock = listener(socket.SOCK_DGRAM, int(port))
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    with open(log, "wb", buffering=0) as out:
        ready()
        while True:
            data, control, _, _ = sock.recvmsg(64, 64)
            seconds, nanoseconds = struct.unpack("qq", control[0][2][:16])
            out.write(data[:16] + struct.pack("<Q", seconds * 1_000_000_000 + nanoseconds))


def fleet_source(port, interval_ms, *addresses):
    """A stream as above to each of many addresses, in turns, until killed."""
    sockets = []
    for address in addresses:
        sock = socket.socket(family(address), socket.SOCK_DGRAM)
        sock.connect((address, int(port)))
        sockets.append(sock)
    step = float(interval_ms) / 1000 / len(sockets)
    due, turn = time.monotonic(), 0
    while True:
        number, flow = divmod(turn, len(sockets))
        try:
            sockets[flow].send(struct.pack("<QQQ", number + 1, time.time_ns(), flow))
        except OSError:
            pass
        turn += 1
        # After a pause without CPU it goes on as from then: a flood would measure queues.
        due = max(due + step, time.monotonic() - 0.01)
        ahead = due - time.monotonic()
        if ahead > 0.001:
            time.sleep(ahead)


def fleet_sink(port, log):
    """Writes (sequence, sent, flow, arrived) of each datagram, ns."""
    sock = listener(socket.SOCK_DGRAM, int(port))
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    with open(log, "wb", buffering=0) as out:
        ready()
        while True:
            data, control, _, _ = sock.recvmsg(64, 64)
            seconds, nanoseconds = struct.unpack("qq", control[0][2][:16])
            out.write(data[:24] + struct.pack("<Q", seconds * 1_000_000_000 + nanoseconds))


def enter(namespace):
    """This process goes into a network namespace; sockets made before stay where they are."""
    with open(f"/run/netns/{namespace}", "rb") as handle:
        if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")


def tenants(host, site, seconds, interval_ms, *pairs):
    """A question to each tenant's site each interval, and its answer: `pairs` are namespaces, HOST:SITE. Prints for each
    tenant when what was asked and answered (or null), seconds since the epoch, and how many datagrams of others came."""
    ends, book = selectors.DefaultSelector(), []
    for number, pair in enumerate(pairs):
        socks = []
        # A port of its own: flows that differ in the tenant alone would all take one uplink.
        client, server = (host, 20000 + number), (site, 7000)
        for namespace, here, there in zip(pair.split(":"), (client, server), (server, client)):
            enter(namespace)
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20)
            sock.bind(here)
            sock.connect(there)
            sock.setblocking(False)
            ends.register(sock, selectors.EVENT_READ, (number, bool(socks)))
            socks.append(sock)
        book.append({"asked": [], "answered": [], "foreign": 0, "sock": socks[0]})
    interval = int(interval_ms) / 1000
    begin = due = time.monotonic()
    end = begin + float(seconds)
    while (now := time.monotonic()) < end + 1:
        if now >= due and now < end:
            due += interval
            for number, row in enumerate(book):
                row["asked"].append(time.time())
                row["answered"].append(None)
                try:
                    row["sock"].send(struct.pack("<II", number, len(row["asked"]) - 1))
                except OSError:
                    pass
        for key, _ in ends.select(max(0.0, min(due, end) - time.monotonic()) if now < end else 0.1):
            tenant_datagram(key, book)
    print(json.dumps([{k: v for k, v in row.items() if k != "sock"} for row in book]))


def tenant_datagram(key, book):
    """A datagram at one of the ends of `tenants`."""
    number, is_site = key.data
    try:
        data = key.fileobj.recv(64)
        if struct.unpack_from("<I", data)[0] != number:
            book[number]["foreign"] += 1
        elif is_site:
            key.fileobj.send(data)
        else:
            book[number]["answered"][struct.unpack_from("<I", data, 4)[0]] = time.time()
    except OSError:
        pass


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


def tcp_send(address, port, size, bytes_per_second=""):
    """Sends `size` bytes, prints the same line as the sink must. Paced by the kernel if a rate is given."""
    block = hashlib.sha512(address.encode()).digest() * 4096
    left, digest = int(size), hashlib.sha256()
    with socket.create_connection((address, int(port)), timeout=60) as sock:
        if bytes_per_second:
            sock.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, int(bytes_per_second))
        while left:
            chunk = block[:left]
            sock.sendall(chunk)
            digest.update(chunk)
            left -= len(chunk)
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)
    print(size, digest.hexdigest())


def frames(interface, path, per_second, times="1"):
    """Sends frames as they are in the file, each with its length (2 bytes) in front; all of them so many times."""
    with open(path, "rb") as source:
        data = source.read() * int(times)
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind((interface, 0))
    begin, at, number = time.monotonic(), 0, 0
    while at < len(data):
        size = struct.unpack_from("!H", data, at)[0]
        sock.send(data[at + 2:at + 2 + size])
        at, number = at + 2 + size, number + 1
        ahead = begin + number / int(per_second) - time.monotonic()
        if ahead > 0.002:
            time.sleep(ahead)
    print(number)


def http_get(url):
    with urllib.request.urlopen(url, timeout=5) as reply:
        print(reply.read().decode(), end="")


VERBS = {f.__name__.replace("_", "-"): f for f in
         (udp_echo, udp_sink, udp_asks, udp_sizes, udp_flows, udp_send, udp_flood, udp_blast, stream_source, stream_sink, fleet_source,
          fleet_sink, tenants, tcp_sink, tcp_send, http_get,
          frames)}

if __name__ == "__main__":
    VERBS[sys.argv[1]](*sys.argv[2:])
