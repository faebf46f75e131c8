"""What the profiles share: addresses of the test network, packets, and the field engine's ways to vary them.

The network is that of README.md: TRex port 0 is the native side, port 1 the core; the device under test has
192.0.2.1 and 198.51.100.2 there. EID-prefix n is the n-th /24 from 1.0.0.0 on (or /48 from 2001:0:0:: on),
RLOC n of the sites is 203.0.0.0 + n, native hosts are 172.16.0.0/16 (2001:db8:1::/112).
"""

import struct

# It puts its own scapy on the path.
from trex_stl_lib.api import (STLScVmRaw, STLStream, STLPktBuilder, STLTXCont, STLVmFixIpv4, STLVmFlowVar,
                              STLVmWrFlowVar, STLVmWrMaskFlowVar)

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

NATIVE_HOST, NATIVE_HOST6 = "172.16.0.1", "2001:db8:1::1"
DEVICE_RLOC = "198.51.100.2"
FIRST_EID, FIRST_EID6 = 0x01000000, 0x2001 << 32
FIRST_RLOC = 0xCB000000
MAX_EIDS = 1 << 22
DATA_PORT = 4341
FCS = 4
# Outer IPv4, UDP and LISP headers.
OVERHEAD = 20 + 8 + 8
# The "simple IMIX": frames of 64, 594 and 1418 bytes in the ratio 7:4:1.
IMIX = ((64, 7), (594, 4), (1418, 1))


def header(instance_id=0):
    """RFC 9300 section 5.3: no nonce; the I bit where there is an Instance-ID."""
    return struct.pack("!II", 0x08000000 if instance_id else 0, instance_id << 8)


def _padded(packet, frame):
    """Payload up to so many bytes of frame, the FCS included; the smallest that fits when there is no room."""
    return packet / Raw(b"\0" * max(0, frame - FCS - len(packet)))


def native(frame, v6=False):
    """A UDP packet of a native host to the first EID. Addresses are varied by the field engine."""
    layer3 = IPv6(src=NATIVE_HOST6, dst="2001::7") if v6 else IP(src=NATIVE_HOST, dst="1.0.0.7")
    return _padded(Ether() / layer3 / UDP(sport=1025, dport=2000, chksum=0), frame)


def data(frame, v6=False):
    """LISP data from the first site's RLOC to the device: the way back of `native`. `frame` is the length
    of the frame that comes out of it."""
    layer3 = IPv6(dst=NATIVE_HOST6, src="2001::7") if v6 else IP(dst=NATIVE_HOST, src="1.0.0.7")
    inner = _padded(layer3 / UDP(sport=2000, dport=1025, chksum=0), frame - 14)
    outer = Ether() / IP(src="203.0.0.0", dst=DEVICE_RLOC, flags="DF") / UDP(sport=49152, dport=DATA_PORT, chksum=0)
    return outer / Raw(header() + bytes(inner))


def _eids(vm, offset, eids, v6, op):
    """The upper three bytes of an IPv4 address or bytes 2 to 5 of an IPv6 one: prefix n."""
    if v6:
        vm += [STLVmFlowVar("eid", min_value=0, max_value=eids - 1, size=4, op=op),
               STLVmWrFlowVar("eid", pkt_offset=offset + 2)]
    else:
        low = FIRST_EID >> 8
        vm += [STLVmFlowVar("eid", min_value=low, max_value=low + eids - 1, size=4, op=op),
               STLVmWrMaskFlowVar("eid", pkt_offset=offset, pkt_cast_size=4, mask=0xFFFFFF00, shift=8)]


def _checked(eids):
    if not 1 <= eids <= MAX_EIDS:
        raise ValueError(f"eids={eids}: 1 to {MAX_EIDS}")


def encap_vm(eids, v6=False, op="random"):
    """Destinations: any of the EIDs; 64,000 source ports."""
    _checked(eids)
    ip = 14
    vm = []
    _eids(vm, ip + (24 if v6 else 16), eids, v6, op)
    vm += [STLVmFlowVar("port", min_value=1025, max_value=65024, size=2, op="inc"),
           STLVmWrFlowVar("port", pkt_offset=ip + (40 if v6 else 20))]
    return STLScVmRaw(vm if v6 else [*vm, STLVmFixIpv4(offset=ip)])


def decap_vm(eids, rlocs, v6=False, op="random"):
    """Inner sources: any of the EIDs; outer sources: any of the RLOCs; outer ports as ITRs spread them."""
    _checked(eids)
    ip, inner = 14, 14 + OVERHEAD
    vm = []
    _eids(vm, inner + (8 if v6 else 12), eids, v6, op)
    vm += [STLVmFlowVar("rloc", min_value=FIRST_RLOC, max_value=FIRST_RLOC + rlocs - 1, size=4, op=op),
           STLVmWrFlowVar("rloc", pkt_offset=ip + 12),
           STLVmFlowVar("port", min_value=49152, max_value=65535, size=2, op="inc"),
           STLVmWrFlowVar("port", pkt_offset=ip + 20),
           STLVmFixIpv4(offset=ip)]
    return STLScVmRaw(vm if v6 else [*vm, STLVmFixIpv4(offset=inner)])


def stream(packet, vm, pps, name, **more):
    """A continuous stream; `pps` are shares: `start -m` scales them all."""
    return STLStream(packet=STLPktBuilder(pkt=packet, vm=vm), mode=STLTXCont(pps=pps), name=name, **more)
