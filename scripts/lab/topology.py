"""Plans that scenarios share: a routed core, uplinks to it, sites behind a router.

Uplink number N of the core has 198.51.100.(4N)/30 and 2001:db8:c0:N::/64; the core's end is the
first address, the node's the second.
"""

import ipaddress
import os
import subprocess
import sys

from .net import LabError


def uplink4(number):
    """The node's IPv4 address on uplink `number`."""
    return f"198.51.100.{4 * number + 2}"


def uplink6(number):
    """The node's IPv6 address on uplink `number`."""
    return str(ipaddress.ip_address(f"2001:db8:c0:{number:x}::2"))


def _core_end(number, family):
    return f"198.51.100.{4 * number + 1}" if family == 4 else f"2001:db8:c0:{number:x}::1"


def uplink(lab, node, number, families=(4, 6), device="core0"):
    """The cable to the core, and the core's addresses."""
    end = f"{node}-{number}"
    lab.link(node, device, "core", end)
    for family in families:
        lab.address("core", end, f"{_core_end(number, family)}/{30 if family == 4 else 64}")


def uplink_address(lab, node, number, families=(4, 6), interface="core", default=True):
    """The node's addresses and its way to everything else."""
    for family in families:
        lab.address(node, interface, f"{uplink4(number)}/30" if family == 4 else f"{uplink6(number)}/64")
        everything, core = ("default", "198.51.100.0/24") if family == 4 else ("::/0", "2001:db8:c0::/48")
        lab.route(node, everything if default else core, _core_end(number, family))


def host(lab, node, router, router_device, addresses, gateways):
    """A kernel host on a cable to a router's port."""
    lab.link(node, "eth0", router, router_device)
    lab.address(node, "eth0", *addresses)
    for gateway in gateways:
        lab.route(node, "::/0" if ":" in gateway else "default", gateway)


def trunk(lab, switch, router, hosts, mtus=None, device="trunk0"):
    """A VLAN switch between a router's trunk port and hosts, each on its VLAN ("100", or "200.7" for two
    tags): the kernels of test machines often have no 802.1Q."""
    lab.link(switch, "trunk0", router, device)
    plan = []
    for number, (host, vlan) in enumerate(hosts.items()):
        lab.link(switch, f"p{number}", host, "eth0", mtu=(mtus or {}).get(host, 1500))
        plan.append(f"p{number}={vlan}")
    tagger = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tagger.py")
    child = lab.spawn(switch, sys.executable, tagger, "trunk0", *plan, stdout=subprocess.PIPE)
    if child.stdout.readline().strip() != b"ready":
        raise LabError(f"the VLAN switch in {switch} did not start")


def mapping_system(lab, number, families=(4, 6), node="ms"):
    """A node of ordinary sockets: no DPDK, its addresses sit on the cable itself."""
    uplink(lab, node, number, families)
    uplink_address(lab, node, number, families, interface="core0")


def wait_registered(lab, count, node="ms", timeout=20):
    """Until the Map-Server holds that many live registrations."""
    lab.wait(f"{count} EID-prefixes registered", lambda: registered(lab, node) == count, timeout)


def registered(lab, node="ms"):
    """How many registrations of the Map-Server are alive."""
    return len(lab.cli(node, "show", "registrations", "--limit", "5000")["registrations"])
