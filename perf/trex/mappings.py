"""Static mappings for the device under test: lines to be put at the end of its configuration, in [lisp].

    python3 perf/trex/mappings.py 1000000 --rlocs 100000 >>/etc/pxtr/pxtr.toml

EID-prefix n is the n-th /24 from 1.0.0.0 on (with --v6 also the n-th /48 from 2001:: on), RLOC n is 203.0.0.0 + n:
what the TRex profiles and the scripts for Pktgen and testpmd send to.
"""

import argparse
import ipaddress

FIRST_EID, FIRST_EID6 = 0x01000000, 0x2001 << 32
FIRST_RLOC = 0xCB000000


def prefix(n, v6=False):
    """EID-prefix n."""
    if v6:
        return f"{ipaddress.IPv6Address((FIRST_EID6 + n) << 80)}/48"
    return f"{ipaddress.IPv4Address(FIRST_EID + (n << 8))}/24"


def lines(count, rlocs, v6=False):
    """The mappings, as TOML."""
    yield "static_mapping = ["
    for family in (False, True)[:1 + v6]:
        for n in range(count):
            rloc = ipaddress.IPv4Address(FIRST_RLOC + n % rlocs)
            yield f'  {{ eid_prefix = "{prefix(n, family)}", locators = [{{ rloc = "{rloc}" }}] }},'
    yield "]"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--rlocs", type=int, default=1000)
    parser.add_argument("--v6", action="store_true")
    options = parser.parse_args()
    for line in lines(options.count, options.rlocs, options.v6):
        print(line)


if __name__ == "__main__":
    main()
