"""Measurements that scenarios share. Each records one check with the value it saw."""

import os
import re
import struct
import subprocess
import sys
import time

from .net import LabError, sh

FIRST_BLAST_PORT = (10000).to_bytes(2, "big")
TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "traffic.py")


def ping(lab, name, node, address, count=5):
    """All of `count` echo requests are answered."""
    done = lab.run(node, "ping", "-n", "-c", str(count), "-i", "0.2", "-W", "3", address, check=False)
    got = re.search(r"(\d+) received", done.stdout)
    got = int(got.group(1)) if got else 0
    lab.record(name, got == count, got, f"of {count} replies")


def ping_unreachable(lab, name, node, address):
    """An ICMP unreachable comes back rather than silence."""
    done = lab.run(node, "ping", "-n", "-c", "3", "-i", "0.5", "-W", "2", address, check=False)
    hit = re.search(r"^From (\S+).*?(Destination [^\n]*?(?:[Uu]nreachable[^\n]*)|No route|Address unreachable)",
                    done.stdout, re.M)
    lab.record(name, hit is not None, f"{hit.group(2)} from {hit.group(1)}" if hit else "no ICMP error", "")


def traceroute(lab, name, node, address, first_hop):
    """The destination answers and the first hop is the proxy's face to the source."""
    done = lab.run(node, "traceroute", "-n", "-q", "1", "-w", "2", "-m", "10", address, check=False)
    hops = [(m.group(1)) for m in re.finditer(r"^ *\d+ +(\S+)", done.stdout, re.M)]
    lab.record(name, bool(hops) and hops[0] == first_hop and hops[-1] == address, " ".join(hops), "")


def _serve(lab, node, *argv):
    server = lab.spawn(node, sys.executable, TOOL, *argv, stdout=subprocess.PIPE)
    line = server.stdout.readline()
    if line.strip() != b"ready":
        raise LabError(f"{argv[0]} in {node} did not start")
    return server


def udp_sizes(lab, name, client, server, address):
    """Datagrams of every size come back unchanged."""
    echo = _serve(lab, server, "udp-echo", "9000")
    done = lab.run(client, sys.executable, TOOL, "udp-sizes", address, "9000", "1", "1400", check=False)
    echo.terminate()
    good = int(done.stdout or 0)
    lab.record(name, good == 1400, good, "of 1400 sizes")


def tcp_bulk(lab, name, client, server, address, size):
    """A bulk transfer arrives whole."""
    sink = _serve(lab, server, "tcp-sink", "9001")
    begin = time.monotonic()
    sent = lab.run(client, sys.executable, TOOL, "tcp-send", address, "9001", str(size), check=False, timeout=120)
    seconds = time.monotonic() - begin
    try:
        got = sink.communicate(timeout=20)[0].decode().strip()
    except subprocess.TimeoutExpired:
        sink.kill()
        got = "nothing"
    same = bool(got) and got == sent.stdout.strip() and got.startswith(f"{size} ")
    lab.record(name, same, size / seconds * 8e-6 if same else f"{got or sent.stderr[-200:]}", "Mbit/s")


def port_spread(lab, name, client, server, address, core):
    """The outer source port differs from flow to flow (R-083)."""
    flows = 1000
    sink = _serve(lab, server, "udp-echo", "9002")
    capture = Capture(lab, core, filter_="udp dst port 4341")
    lab.run(client, sys.executable, TOOL, "udp-flows", address, "9002", str(flows))
    time.sleep(0.5)
    capture.stop()
    sink.terminate()
    rows = capture.fields("udp.srcport", f"ip.dst == {address} && udp.dstport == 9002")
    ports = {int(r.split(",")[0]) for r in rows if r}
    spread = len(ports)
    lab.record(name, spread >= 900 and min(ports) >= 49152, spread, f"ports of {flows} flows")


def metric(lab, node, listen, name):
    """The sum over all labels of a metric."""
    text = lab.run(node, sys.executable, TOOL, "http-get", f"http://{listen}/metrics").stdout
    values = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M)
    if not values:
        raise LabError(f"{node}: no metric {name}")
    return int(sum(float(v) for v in values))


def fates(lab, name, node):
    """Every packet that a worker received ended in exactly one fate."""
    for _ in range(20):
        rows = lab.cli(node, "show", "workers")["workers"]
        received = sum(w["packets"] for w in rows)
        ended = sum(w["dropped"] + sum(w["counters"][fate] for fate in ("tx", "host", "held")) for w in rows)
        if received == ended:
            break
        time.sleep(0.2)
    lab.record(name, received == ended and received > 0, ended - received, f"difference of {received} packets")


def no_native(lab, capture, name, display_filter):
    """Nothing on the core matches the filter."""
    rows = capture.rows(display_filter)
    lab.record(name, not rows, len(rows), "other packets" + (f"; first: {rows[0]}" if rows else ""))


def outer_destinations(pcap):
    """Inner ports -> outer IPv4 destination of each flow of udp-blast, from a capture of `any`."""
    flows = {}
    with open(pcap, "rb") as data:
        data.read(24)
        while len(head := data.read(16)) == 16:
            frame = data.read(struct.unpack("<I", head[8:12])[0])
            outer = frame[20:]  # Linux cooked capture v2
            inner = outer[20 + 8 + 8:]
            ports = inner[(inner[0] & 15) * 4:][:4]
            if ports[2:] < FIRST_BLAST_PORT:
                continue
            flows[ports] = ".".join(map(str, outer[16:20]))
    return flows


class Stream:
    """A numbered 1 kHz UDP stream between two hosts; the receiver keeps arrival times in a file."""

    def __init__(self, lab, client, server, address, port):
        self.file = os.path.join(lab.dir, f"stream-{port}.log")
        self.sink = _serve(lab, server, "stream-sink", str(port), self.file)
        self.source = lab.spawn(client, sys.executable, TOOL, "stream-source", address, str(port))

    def arrivals(self):
        """(sequence, arrival in ms) of each datagram."""
        with open(self.file, "rb") as log:
            data = log.read()
        return [struct.unpack_from("<QQ", data, at) for at in range(0, len(data) - 15, 16)]

    def received(self):
        """How far the sequence has come."""
        return max((n for n, _ in self.arrivals()), default=0)

    def longest_gap_ms(self):
        """The longest silence."""
        times = [t for _, t in self.arrivals()]
        return max((b - a for a, b in zip(times, times[1:])), default=0)

    def lost_since(self, sequence):
        """Sequence numbers after `sequence` that are missing below the newest."""
        seen = {n for n, _ in self.arrivals() if n > sequence}
        return (max(seen) - sequence - len(seen)) if seen else 0

    def stop(self):
        """Ends both ends."""
        self.source.terminate()
        self.sink.terminate()


class Capture:
    """A tcpdump on all interfaces of a node."""

    def __init__(self, lab, node, packets=None, filter_=""):
        self.lab = lab
        self.file = os.path.join(lab.dir, f"capture-{len(lab.children)}.pcap")
        limit = ["-c", str(packets)] if packets else []
        self.child = lab.spawn(node, "tcpdump", "-U", "-Z", "root", "-B", "16384", "-ni", "any", "-Q", "in",
                               "-w", self.file, *limit, *filter_.split(), stderr=subprocess.PIPE)
        while True:
            line = self.child.stderr.readline()
            if b"listening on" in line:
                break
            if not line:
                raise LabError(f"tcpdump in {node} did not start")

    def stop(self):
        time.sleep(0.2)
        self.child.terminate()
        self.child.wait(timeout=10)

    def _tshark(self, *argv):
        done = sh("tshark", "-n", "-r", self.file, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
                  "-o", "tcp.check_checksum:TRUE", *argv, timeout=300)
        return [row for row in done.stdout.splitlines() if row]

    def rows(self, display_filter):
        """tshark's one-line summaries of the packets that match."""
        return self._tshark("-Y", display_filter)

    def fields(self, field, display_filter):
        return self._tshark("-Y", display_filter, "-T", "fields", "-E", "separator=;", "-e", field)

    def check_clean(self, name):
        """tshark finds LISP in it, nothing malformed and no bad checksum at any layer."""
        lisp = len(self._tshark("-Y", "lisp || lisp-data"))
        # The kernel writes a TCP checksum of zero as 0xffff, its equal in one's complement; tshark does not like it.
        bad = self._tshark("-Y", "_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0 || "
                           "(tcp.checksum.status == 0 && !(tcp.checksum == 0xffff)) || icmp.checksum.status == 0 || icmpv6.checksum.status == 0")
        self.lab.record(f"{name}: malformed or bad checksum", lisp > 0 and not bad,
                        len(bad), f"of {lisp} LISP packets" + (f"; first: {bad[0]}" if bad else ""))
