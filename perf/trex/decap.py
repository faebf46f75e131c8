"""Decapsulation: LISP data of 1,000 RLOCs, from odd ports; 64-byte packets come out.

    start -f perf/trex/decap.py -m 50% -t --eids 10000 --frame 128 --v6 1
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from profiles import Profile, decap  # noqa: E402


def register():
    return Profile(None, decap)
