"""Both ways with a million EID-prefixes and 100,000 RLOCs, each packet another, by the field engine.

    start -f perf/trex/scale.py -m 50% -t --eids 10000 --frame 128 --v6 1
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from profiles import Profile, decap, encap  # noqa: E402


def register():
    return Profile(encap, decap, eids=1_000_000, rlocs=100_000)
