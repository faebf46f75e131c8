"""Packets between the proxy and one site's router are encrypted (RFC 8061), with a new key every two seconds.

The topology is that of `interworking`: site 4 must be spoken to encrypted, site 6 is not. First suite 5
(AES-128-GCM), then, by a reload under traffic, suite 6 (ChaCha20-Poly1305).
"""

import os
import re
import shutil
import subprocess
import sys
import time

from .. import frames, measure
from ..net import ROOT
from . import interworking

SITE, HOST = "10.4.0.10", "192.0.2.10"
RLOC, OURS = "198.51.100.6", "198.51.100.2"
SUITES = ("x25519-aes128-gcm", "x25519-chacha20-poly1305")
MARK = b"pxtr-crypto-mark"
FORGED = 20
BULK_BYTES, BYTES_PER_SECOND = 15_000_000, 2_500_000
PINGS = 600
# What would show that a change of keys costs packets.
REASONS = ("lisp_authentication", "lisp_encrypted", "lisp_clear_text", "crypt_room", "hold_timeout", "hold_overflow",
           "rloc_down")


def build(lab):
    """As `interworking`, with configurations that can be changed."""
    os.makedirs(folder(lab), exist_ok=True)
    for node in ("pxtr", "xtr4"):
        shutil.copy(os.path.join(ROOT, "configs", "crypto", f"{node}.toml"), folder(lab))
    shutil.copy(os.path.join(ROOT, "configs", "interworking", "xtr6.toml"), folder(lab))
    interworking.build(lab, proxy=os.path.join(folder(lab), "pxtr.toml"), sites=folder(lab))


def folder(lab):
    return os.path.join(lab.dir, "crypto")


def check(lab):
    """Both suites: everything gets through, nothing can be read on the core, forged clear text is dropped."""
    for suite in SUITES:
        if suite != SUITES[0]:
            change(lab, suite)
        measure.ping(lab, f"{suite}: ping host to site, first packet included", "host", SITE)
        measure.ping(lab, f"{suite}: ping site to host, first packet included", "site4", HOST)
        measure.ping(lab, f"{suite}: IPv6 in encrypted IPv4", "host", "2001:db8:e004::10")
        measure.ping(lab, f"{suite}: a site without encryption", "host", "10.6.0.10")
        under_rekeying(lab, suite)
        unreadable(lab, suite)
    clear_text(lab)
    for node in ("pxtr", "xtr4"):
        measure.fates(lab, f"{node}: sum of fates equals packets received", node)


def drops(lab):
    return {(node, reason): measure.drops(lab, node, reason) for node in ("pxtr", "xtr4") for reason in REASONS}


def agreed(lab, node):
    port = {"pxtr": 9341, "xtr4": 9342}[node]
    return measure.metric(lab, node, f"127.0.0.1:{port}", "pxtr_keys_agreed_total")


def under_rekeying(lab, suite):
    """TCP both ways and a hundred echo requests a second, over several changes of keys."""
    before, keys = drops(lab), {node: agreed(lab, node) for node in ("pxtr", "xtr4")}
    ping = lab.spawn("host", "ping", "-n", "-q", "-i", "0.01", "-W", "3", "-c", str(PINGS), SITE, stdout=subprocess.PIPE)
    there = measure.Bulk(lab, "host", "site4", SITE, BULK_BYTES, BYTES_PER_SECOND)
    back = measure.Bulk(lab, "site4", "host", HOST, BULK_BYTES, BYTES_PER_SECOND)
    there.end(lab, f"{suite}: TCP host to site, hash")
    back.end(lab, f"{suite}: TCP site to host, hash")
    got = re.search(rb"(\d+) received", ping.communicate(timeout=60)[0])
    got = int(got.group(1)) if got else 0
    lab.record(f"{suite}: echo requests meanwhile", got == PINGS, got, f"of {PINGS} replies")
    for node, old in keys.items():
        new = agreed(lab, node) - old
        lab.record(f"{suite}: keys that {node} agreed on meanwhile", new >= 2, new, "keys")
    after = drops(lab)
    lost = {f"{n} {r}": after[n, r] - before[n, r] for n, r in after if after[n, r] != before[n, r]}
    lab.record(f"{suite}: packets dropped because of encryption", not lost, sum(lost.values()), f"packets {lost or ''}")


def unreadable(lab, suite):
    """What the core sees has a key-id, and neither addresses nor payload of the inner packets."""
    capture = measure.Capture(lab, "core", filter_=f"udp port 4341 and host {RLOC}")
    pattern = MARK.hex()
    for node, address in (("host", SITE), ("site4", HOST)):
        lab.run(node, "ping", "-n", "-q", "-c", "20", "-i", "0.01", "-s", "200", "-p", pattern, address)
    capture.stop()
    headers = capture.fields("udp.payload", "udp.dstport == 4341")
    keyed = sum(1 for header in headers if int(header[1], 16) & 3)
    lab.record(f"{suite}: packets on the core with a key-id", keyed == len(headers) >= 80, keyed, f"of {len(headers)}")
    with open(capture.file, "rb") as file:
        seen = file.read()
    site, host = (bytes(int(part) for part in text.split(".")) for text in (SITE, HOST))
    shown = [name for name, what in (("payload", MARK), ("addresses", site + host), ("addresses back", host + site))
             if what in seen]
    lab.record(f"{suite}: what can be read on the core", not shown, " and ".join(shown) or "nothing", "")


def change(lab, suite):
    """The other suite at both ends, at SIGHUP, under traffic: nothing is lost."""
    ping = lab.spawn("host", "ping", "-n", "-q", "-i", "0.01", "-W", "3", "-c", str(PINGS), SITE, stdout=subprocess.PIPE)
    # First both are taken, then the new one is asked for: nobody is refused meanwhile.
    for words in (f'"{suite}", "{SUITES[0]}"', f'"{suite}"'):
        for node in ("xtr4", "pxtr"):
            path = os.path.join(folder(lab), f"{node}.toml")
            with open(path, encoding="utf-8") as file:
                text = file.read()
            with open(path, "w", encoding="utf-8") as file:
                file.write(re.sub(r"(?m)^suites = \[.*?\]", f"suites = [{words}]", text))
            lab.reload_daemon(node)
        time.sleep(2.5)
    got = re.search(rb"(\d+) received", ping.communicate(timeout=60)[0])
    got = int(got.group(1)) if got else 0
    lab.record(f"{suite}: echo requests while the suite changed", got == PINGS, got, f"of {PINGS} replies")


def clear_text(lab):
    """Forged in the name of the site's router, without encryption."""
    before = measure.drops(lab, "pxtr", "lisp_clear_text")
    packet = frames.lisp(RLOC, OURS, frames.echo(SITE, HOST, 77), bytes(8))
    mac = next(p["mac"] for p in lab.cli("pxtr", "show", "ports")["ports"] if p["name"] == "core")
    path = f"{lab.dir}/forged"
    frames.save(path, [frames.frame(mac, packet)] * FORGED)
    lab.run("core", sys.executable, measure.TOOL, "frames", "pxtr-0", path, "2000", timeout=90)
    time.sleep(0.5)
    seen = measure.drops(lab, "pxtr", "lisp_clear_text") - before
    lab.record("clear text from the router's RLOC is dropped", seen == FORGED, seen, f"of {FORGED}")
