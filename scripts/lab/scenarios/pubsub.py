"""Subscriptions to mappings (RFC 9437): what they are worth, and what happens without them."""

import os
import shutil
import signal
import time

from .. import measure, topology
from ..net import ROOT, alive
from .traffic_engineering import _build

SITE = "10.1.0.10"
FIRST, SECOND = topology.uplink4(1), topology.uplink4(2)


class PubSub:
    """A site changes its locators: the subscribed proxy follows by Map-Notify; restart; fallback to pull."""

    name = "pubsub"

    def build(self, lab):
        """One site with several uplinks; a Map-Server whose configuration changes."""
        lab.ms_config = os.path.join(lab.dir, "ms.toml")
        shutil.copy(os.path.join(ROOT, "configs", self.name, "ms.toml"), lab.ms_config)
        _build(lab, self.name, ms=lab.ms_config)
        topology.wait_registered(lab, 1)

    def check(self, lab):
        """Subscribe, follow, restart, pull."""
        measure.ping(lab, "ping host to site, first packet included", "host", SITE)
        self._subscribed(lab, "after the first packet")
        asked = _count(lab, "pxtr", "map_requests_sent")
        stream = measure.Stream(lab, "host", "site", SITE, 9006)
        time.sleep(1)
        self._move(lab, "xtr-moved.toml", SECOND, "subscribed: reload of the site to new map-cache entry")
        time.sleep(1)
        stream.drain()
        lost = stream.lost_since(0)
        lab.record("subscribed: packets lost by the change", lost == 0, lost, "of a stream of 1,000/s")
        published = _count(lab, "pxtr", "publications_received")
        lab.record("subscribed: publications taken", published == 1, published, "")
        more = _count(lab, "pxtr", "map_requests_sent") - asked
        # The site also sends an SMR to those who probe its RLOCs; that asks once.
        lab.record("subscribed: Map-Requests for the change", more <= 1, more, "at most 1")
        behind = [s for s in _subscriptions(lab, "ms") if s["state"] != "current"]
        lab.record("subscribed: the Map-Server has its acknowledgement", not behind, len(behind), "open")
        self._restart(lab)
        self._pull(lab)

    def _restart(self, lab):
        """A subscriber that comes back without its state is taken for the same one."""
        os.kill(lab.daemons["pxtr"], signal.SIGTERM)
        lab.wait("the proxy to end", lambda: lab._collect() or not alive(lab.daemons["pxtr"]), 20)
        lab.daemon("pxtr", f"{self.name}/pxtr.toml")
        lab.wait_interface("pxtr", "native", "core")
        lab.address("pxtr", "native", "192.0.2.1/24")
        topology.uplink_address(lab, "pxtr", 0, (4,), default=False)
        lab.wait_daemon("pxtr")
        measure.ping(lab, "restarted: ping host to site, first packet included", "host", SITE)
        self._subscribed(lab, "after the restart")
        self._move(lab, "xtr.toml", FIRST, "restarted: reload of the site to new map-cache entry")
        published = _count(lab, "pxtr", "publications_received")
        lab.record("restarted: publications taken", published >= 1, published, "")

    def _pull(self, lab):
        """The same with a Map-Server that publishes to nobody."""
        shutil.copy(os.path.join(ROOT, "configs", self.name, "ms-pull.toml"), lab.ms_config)
        lab.reload_daemon("ms")
        lab.wait("the Map-Server to end its subscriptions", lambda: not _subscriptions(lab, "ms"), 10)
        lab.cli("pxtr", "clear", "map-cache")
        measure.ping(lab, "without Pub/Sub: ping host to site, first packet included", "host", SITE)
        declined = _count(lab, "pxtr", "subscribes_declined")
        lab.record("without Pub/Sub: answered by a Map-Reply", declined >= 1, declined, "")
        self._move(lab, "xtr-moved.toml", SECOND, "without Pub/Sub: reload of the site to new map-cache entry (SMR, pull)")
        smrs = _count(lab, "pxtr", "smrs_received")
        lab.record("without Pub/Sub: Solicit-Map-Requests taken", smrs >= 1, smrs, "")

    def _move(self, lab, config, rloc, name):
        shutil.copy(os.path.join(ROOT, "configs", self.name, config), lab.config)
        begin = time.monotonic()
        lab.reload_daemon("xtr")
        lab.wait(f"{rloc} in the proxy's map-cache", lambda: _rlocs(lab) == [rloc], 20)
        took = round(1000 * (time.monotonic() - begin))
        lab.record(name, took < 5000, took, "ms")

    def _subscribed(self, lab, when):
        lab.wait(f"a subscription {when}", lambda: len(_subscriptions(lab, "ms")) == 1, 10)
        ours = [s["eid_prefix"] for s in _subscriptions(lab, "pxtr")]
        theirs = [s["eid_prefix"] for s in _subscriptions(lab, "ms")]
        lab.record(f"{when}: both ends hold the subscription", ours == theirs == ["10.1.0.0/24"],
                   f"{','.join(ours)} / {','.join(theirs)}", "")


def _subscriptions(lab, node):
    return lab.cli(node, "show", "subscriptions")["subscriptions"]


def _rlocs(lab):
    entries = lab.cli("pxtr", "show", "map-cache", SITE)["entries"]
    return sorted(x["rloc"] for x in entries[0]["locators"]) if entries else []


def _count(lab, node, counter):
    return lab.cli(node, "show", "statistics")["engine"].get(counter, 0)
