"""Encapsulation: 64-byte packets of native hosts to 1,000 EID-prefixes, from even ports.

    start -f perf/trex/encap.py -m 50% -t --eids 10000 --frame 128 --v6 1
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from profiles import Profile, encap  # noqa: E402


def register():
    return Profile(encap, None)
