"""The scenarios by name. A scenario is a module with `build(lab)` and `check(lab)`."""

from ..net import LabError
from . import interworking

ALL = {"interworking": interworking}


def get(name):
    """The scenario of that name."""
    if name not in ALL:
        raise LabError(f"no scenario {name}; there are: {' '.join(ALL)}")
    return ALL[name]
