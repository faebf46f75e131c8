"""Traffic for the labs of the control plane: first packets. Run inside a namespace, one verb a process, as
traffic.py."""

import socket
import sys
import time


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


VERBS = {f.__name__.replace("_", "-"): f for f in (udp_first, udp_fan)}

if __name__ == "__main__":
    VERBS[sys.argv[1]](*sys.argv[2:])
