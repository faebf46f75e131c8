"""Both ways at once with the simple IMIX: frames of 64, 594 and 1418 bytes, 7:4:1.

    start -f perf/trex/imix.py -m 50% -t --eids 10000 --frame 128 --v6 1
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from profiles import Profile, decap, encap, imix  # noqa: E402


def register():
    return Profile(lambda t: imix(t, encap), lambda t: imix(t, decap))
