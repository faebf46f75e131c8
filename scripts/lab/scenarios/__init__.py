"""The scenarios by name. A scenario has a docstring, `build(lab)` and `check(lab)`."""

from ..net import LabError
from . import crypto, interworking, mtu, multi_tenant, odd_packets, policer, spoof, spread, traceroute
from .bgp import Pair, PuntFlood
from .control_flood import ControlFlood
from .control_plane import MapResolverFailover, RlocProbe, SolicitMapRequest
from .ddt import Ddt
from .dr_move import SiteMove
from .dr_move_router import RouterMove
from .elp import ExplicitPath
from .echo_nonce import EchoNonce
from .lisp_sec import LispSec
from .mobility import Cold, LispPeer, Silent, Spoof
from .mobility_fhr import FirstHop
from .mobility_hot import Hot
from .nat import Nat
from .pubsub import PubSub
from .provider import Provider
from .traffic_engineering import Backup, Weights
from .trusted import Trusted
from .use_petr import UsePetr
from .v6_migration import Ipv4Islands, SitesOverIpv4, SiteToInternet

ALL = {
    "interworking": interworking,
    "multi-tenant": multi_tenant,
    "policer": policer,
    "v6-migration-1": SitesOverIpv4(),
    "v6-migration-2": SiteToInternet("v6-migration-2"),
    "v6-migration-3": SiteToInternet("v6-migration-3"),
    "v4-islands": Ipv4Islands(),
    "te-weights": Weights(),
    "te-backup": Backup(),
    "use-petr": UsePetr(),
    "elp": ExplicitPath(),
    "dr-move": SiteMove(),
    "dr-move-router": RouterMove(),
    "mobility-hot": Hot(),
    "mtu": mtu,
    "traceroute": traceroute,
    "odd-packets": odd_packets,
    "spoof": spoof,
    "spread": spread,
    "crypto": crypto,
    "trusted": Trusted(),
    "echo-nonce": EchoNonce(),
    "pubsub": PubSub(),
    "lisp-sec": LispSec(),
    "mobility-cold": Cold(),
    "mobility-silent": Silent(),
    "mobility-lisp-peer": LispPeer(),
    "mobility-spoof": Spoof(),
    "mobility-fhr": FirstHop(),
    "mr-failover": MapResolverFailover(),
    "smr": SolicitMapRequest(),
    "rloc-probe": RlocProbe(),
    "ddt": Ddt(),
    "nat": Nat(),
    "control-flood": ControlFlood(),
    "provider": Provider(),
    "proxy-pair": Pair(),
    "punt-flood": PuntFlood(),
}


def get(name):
    """The scenario of that name."""
    if name not in ALL:
        raise LabError(f"no scenario {name}; there are: {' '.join(ALL)}")
    return ALL[name]
