"""Measurements that scenarios share. Each records one check with the value it saw."""

import json
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


def ping_times(lab, node, address, count=5):
    """Echo requests: sequence -> (sent, answered) of those that were answered; seconds since the epoch."""
    done = lab.run(node, "ping", "-D", "-n", "-c", str(count), "-i", "0.2", "-W", "3", address, check=False)
    rows = re.findall(r"^\[(\d+\.\d+)\].*icmp_seq=(\d+) .*time=(\S+) ms$", done.stdout, re.M)
    return {int(n): (float(at) - float(rtt) / 1000, float(at)) for at, n, rtt in rows}


def asks(lab, client, server, address, count=5, interval_ms=200):
    """Questions by UDP: (when asked, when answered or None) of each, seconds since the epoch."""
    echo = serve(lab, server, "udp-echo", "9006")
    done = lab.run(client, sys.executable, TOOL, "udp-asks", address, "9006", str(count), str(interval_ms))
    echo.terminate()
    return list(zip(*json.loads(done.stdout)))


def first_contact(lab, name, node, address):
    """Nobody knows the mapping yet: all echo requests are answered, the first included. Returns how long that one
    took, ms."""
    got = ping_times(lab, node, address)
    lab.record(f"{name}: ping, first packet included", len(got) == 5, len(got), "of 5 replies")
    sent, answered = got.get(1, (0.0, 0.0))
    if not sent:
        return 0.0
    lab.mark(f"{name}: first packet, no mapping known", sent)
    lab.mark(f"{name}: it is answered", answered)
    return round(1000 * (answered - sent), 1)


def ping_unreachable(lab, name, node, address):
    """An ICMP unreachable comes back rather than silence."""
    done = lab.run(node, "ping", "-n", "-c", "3", "-i", "0.5", "-W", "2", address, check=False)
    hit = re.search(r"^From (\S+).*?(Destination [^\n]*?(?:[Uu]nreachable[^\n]*)|No route|Address unreachable)",
                    done.stdout, re.M)
    lab.record(name, hit is not None, f"{hit.group(2)} from {hit.group(1)}" if hit else "no ICMP error", "")


def echo_requests(lab, node):
    """Pings that a kernel host took, both families, ever."""
    v4 = lab.run(node, "cat", "/proc/net/snmp").stdout
    names, values = [row.split() for row in v4.splitlines() if row.startswith("Icmp:")]
    v6 = re.search(r"^Icmp6InEchos\s+(\d+)", lab.run(node, "cat", "/proc/net/snmp6").stdout, re.M)
    return int(values[names.index("InEchos")]) + int(v6.group(1))


def traceroute(lab, name, node, address, first_hop):
    """The destination answers and the first hop is the proxy's face to the source."""
    done = lab.run(node, "traceroute", "-n", "-q", "1", "-w", "2", "-m", "10", address, check=False)
    hops = [(m.group(1)) for m in re.finditer(r"^ *\d+ +(\S+)", done.stdout, re.M)]
    lab.record(name, bool(hops) and hops[0] == first_hop and hops[-1] == address, " ".join(hops), "")


def serve(lab, node, *argv):
    """A server verb of the traffic tool, listening when this returns."""
    server = lab.spawn(node, sys.executable, TOOL, *argv, stdout=subprocess.PIPE)
    line = server.stdout.readline()
    if line.strip() != b"ready":
        raise LabError(f"{argv[0]} in {node} did not start")
    return server


def udp_sizes(lab, name, client, server, address):
    """Datagrams of every size come back unchanged."""
    echo = serve(lab, server, "udp-echo", "9000")
    done = lab.run(client, sys.executable, TOOL, "udp-sizes", address, "9000", "1", "1400", check=False)
    echo.terminate()
    good = int(done.stdout or 0)
    lab.record(name, good == 1400, good, "of 1400 sizes")


class Bulk:
    """A TCP transfer that goes on while other things happen; paced if a rate is given."""

    def __init__(self, lab, client, server, address, size, bytes_per_second=None):
        self.size, self.begin = size, time.monotonic()
        self.sink = serve(lab, server, "tcp-sink", "9001")
        rate = [str(bytes_per_second)] if bytes_per_second else []
        self.source = lab.spawn(client, sys.executable, TOOL, "tcp-send", address, "9001", str(size), *rate,
                                stdout=subprocess.PIPE)

    def end(self, lab, name, timeout=120):
        """It arrived whole."""
        try:
            sent = self.source.communicate(timeout=timeout)[0].decode().strip()
            seconds = time.monotonic() - self.begin
            got = self.sink.communicate(timeout=20)[0].decode().strip()
        except subprocess.TimeoutExpired:
            self.source.kill()
            self.sink.kill()
            return lab.record(name, False, "not at its end", "")
        same = bool(got) and got == sent and got.startswith(f"{self.size} ")
        return lab.record(name, same, self.size / seconds * 8e-6 if same else got or "nothing arrived", "Mbit/s")


def tcp_bulk(lab, name, client, server, address, size):
    """A bulk transfer arrives whole."""
    Bulk(lab, client, server, address, size).end(lab, name)


def send_marked(lab, node, address, port, count):
    """That many datagrams to a port that tells whose they are, in half a second."""
    lab.run(node, sys.executable, TOOL, "udp-send", address, str(port), str(count))


def port_spread(lab, name, client, server, address, core):
    """The outer source port differs from flow to flow (R-083)."""
    flows = 1000
    sink = serve(lab, server, "udp-echo", "9002")
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
        ended = sum(w["dropped"] + sum(w["counters"][fate] for fate in ("tx", "host", "held", "reassembled", "core_errors")) for w in rows)
        if received == ended:
            break
        time.sleep(0.2)
    lab.record(name, received == ended and received > 0, ended - received, f"difference of {received} packets")


def drops(lab, node, reason):
    """Packets dropped for that reason."""
    return sum(r["packets"] for r in lab.cli(node, "show", "drops")["reasons"] if r["reason"] == reason)


def explain_loss(lab):
    """Prints what each daemon dropped and what its devices lost: for a check of loss that failed."""
    for node in lab.daemons:
        reasons = {r["reason"]: r["packets"] for r in lab.cli(node, "show", "drops")["reasons"] if r["packets"]}
        ports = {p["name"]: p["counters"] for p in lab.cli(node, "show", "ports")["ports"]}
        print(f"     {node}: drops {reasons}; ports {json.dumps(ports)}")


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
    """A numbered UDP stream between two hosts, 1 kHz if not said otherwise; the receiver keeps a file."""

    def __init__(self, lab, client, server, address, port, interval_ms=1):
        self.interval_ms = interval_ms
        self.file = os.path.join(lab.dir, f"stream-{port}-{len(lab.children)}.log")
        self.sink = serve(lab, server, "stream-sink", str(port), self.file)
        self.source = lab.spawn(client, sys.executable, TOOL, "stream-source", address, str(port),
                                str(interval_ms), self.file + ".sent")

    def arrivals(self):
        """(sequence, sent, arrived) of each datagram; seconds since the epoch."""
        with open(self.file, "rb") as log:
            data = log.read()
        rows = (struct.unpack_from("<QQQ", data, at) for at in range(0, len(data) - 23, 24))
        return [(n, sent / 1e9, arrived / 1e9) for n, sent, arrived in rows]

    def received(self):
        """How far the sequence has come."""
        return max((n for n, *_ in self.arrivals()), default=0)

    def lost_since(self, sequence):
        """Sequence numbers after `sequence` that are missing below the newest."""
        seen = {n for n, *_ in self.arrivals() if n > sequence}
        return (max(seen) - sequence - len(seen)) if seen else 0

    def lost_after(self, moment):
        """Which of those sent after a moment (seconds since the epoch) are missing below the newest: (sequence, sent).
        After `drain`."""
        with open(self.file + ".sent", "rb") as log:
            data = log.read()
        sent = [s / 1e9 for (s,) in struct.iter_unpack("<Q", data)]
        seen = {n for n, *_ in self.arrivals()}
        return [(n, at) for n, at in enumerate(sent, 1) if at > moment and n not in seen and n < max(seen)]

    def outage_ms(self):
        """The longest time for which nothing got through: from the sending of the first datagram that was
        lost, or came late, to the next arrival. A pause of the sender's is none."""
        worst, newest, newest_sent = 0.0, None, 0.0
        for number, sent, arrived in sorted(self.arrivals(), key=lambda row: row[2]):
            if newest is None or number > newest:
                lost = newest is not None and number > newest + 1
                worst = max(worst, arrived - (newest_sent + self.interval_ms / 1000 if lost else sent))
                newest, newest_sent = number, sent
        return round(1000 * worst, 1)

    def resumed(self):
        """When it went on after the longest pause, seconds since the epoch."""
        times = sorted(at for *_, at in self.arrivals())
        return max(zip(times, times[1:]), key=lambda pair: pair[1] - pair[0])[1]

    def drain(self, seconds=0.5):
        """Ends the sender and waits for what is on its way, then ends the receiver."""
        self.source.terminate()
        self.source.wait(timeout=10)
        time.sleep(seconds)
        self.sink.terminate()


class Fleet:
    """Streams to many addresses at once."""

    def __init__(self, lab, client, server, addresses, port, interval_ms):
        self.file = os.path.join(lab.dir, f"fleet-{port}.log")
        self.sink = serve(lab, server, "fleet-sink", str(port), self.file)
        self.source = lab.spawn(client, sys.executable, TOOL, "fleet-source", str(port), str(interval_ms), *addresses)

    def flows(self):
        """Flow -> (sequence, sent, arrived) of each datagram in the order of sequence; seconds since the epoch."""
        with open(self.file, "rb") as log:
            data = log.read()
        flows = {}
        for at in range(0, len(data) - 31, 32):
            number, sent, flow, arrived = struct.unpack_from("<QQQQ", data, at)
            flows.setdefault(flow, []).append((number, sent / 1e9, arrived / 1e9))
        return {flow: sorted(rows) for flow, rows in flows.items()}

    def drain(self, seconds=0.5):
        """Ends the sender and waits for what is on its way, then ends the receiver."""
        self.source.terminate()
        time.sleep(seconds)
        self.sink.terminate()


class FirstPacket:
    """Waits for the first packet that enters a node and matches a filter."""

    def __init__(self, lab, node, filter_, interface="any"):
        self.child = lab.spawn(node, "tcpdump", "-ni", interface, "-Q", "in", "-tt", "-l", "-c", "1", *filter_.split(),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while b"listening on" not in (line := self.child.stderr.readline()):
            if not line:
                raise LabError(f"tcpdump in {node} did not start")

    def seen(self, timeout):
        """When it came, seconds since the epoch."""
        try:
            return float(self.child.communicate(timeout=timeout)[0].split()[0])
        except (subprocess.TimeoutExpired, IndexError) as error:
            self.child.kill()
            raise LabError("the packet that was waited for did not come") from error


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
        """Ends it, with all that has arrived by now in the file: libpcap hands on a block that is not full after a
        second."""
        time.sleep(1.3)
        self.child.terminate()
        self.child.wait(timeout=10)

    def _tshark(self, *argv):
        done = sh("tshark", "-n", "-r", self.file, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
                  "-o", "tcp.check_checksum:TRUE", *argv, timeout=300)
        return [row for row in done.stdout.splitlines() if row]

    def rows(self, display_filter):
        """tshark's one-line summaries of the packets that match."""
        return self._tshark("-Y", display_filter)

    def fields(self, field, display_filter, *more):
        """Fields of the packets that match, a line each, with `;` between them."""
        wanted = [word for name in (field, *more) for word in ("-e", name)]
        return self._tshark("-Y", display_filter, "-T", "fields", "-E", "separator=;", *wanted)

    def check_clean(self, name):
        """tshark finds LISP in it, nothing malformed and no bad checksum at any layer."""
        lisp = len(self._tshark("-Y", "lisp || lisp-data"))
        # The kernel writes a TCP checksum of zero as 0xffff, its equal in one's complement; tshark does not like it.
        bad = self._tshark("-Y", "_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0 || "
                           "(tcp.checksum.status == 0 && !(tcp.checksum == 0xffff)) || icmp.checksum.status == 0 || icmpv6.checksum.status == 0")
        self.lab.record(f"{name}: malformed or bad checksum", lisp > 0 and not bad,
                        len(bad), f"of {lisp} LISP packets" + (f"; first: {bad[0]}" if bad else ""))
