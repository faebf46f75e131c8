"""Both ways at once: even ports send native packets, odd ones LISP data.

    start -f perf/trex/bidir.py -m 50% -t --eids 10000 --frame 128 --v6 1
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from profiles import Profile, decap, encap  # noqa: E402


def register():
    return Profile(encap, decap)
