//! `[[port]]` and `[[vrf]]`.

use crate::config::leaf::{At, Bounded, Key, Word};
use crate::config::words::{
    DecapDscpWord, Device, IfName, Mac, Name, Namespace, Prefix, SpreadWord, TagWord, Text,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// `[[port]]`: a NIC port that DPDK drives, or a sub-interface of one.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PortTable {
    /// The name of the port, unique in this file.
    ///
    /// Required. Change: process restart.
    #[schemars(extend("x-required" = true))]
    pub name: Key<Word<Name>>,
    /// The DPDK device: a PCI address or a virtual device such as "net_af_packet".
    ///
    /// Required unless `parent` is given. Change: process restart.
    pub device: Key<Word<Device>>,
    /// The rest of DPDK's device argument string, such as "iface=eth0".
    ///
    /// Default: `""`. Change: process restart.
    pub device_args: Key<Word<Text>>,
    /// The name of the port that this one is a sub-interface of: it gets the frames with its VLAN tags.
    ///
    /// A sub-interface is a port in all other respects: it has a kernel interface, addresses, a VRF.
    /// Frames with other tags are dropped; those without a tag, or with a priority only, are the parent's.
    /// Default: none, the port has a device of its own. Change: process restart.
    pub parent: Key<Word<Name>>,
    /// The VLAN identifier of a sub-interface, that of the outer tag where there are two.
    ///
    /// Required unless the port has a device. Change: process restart.
    pub vlan: Key<Bounded<1, 4094>>,
    /// The VLAN identifier of the second tag (802.1ad, QinQ).
    ///
    /// net_af_packet sends no 802.1ad frame beyond its interface's MTU: give `mtu` 8 less than that.
    /// Default: none, there is one tag. Change: process restart.
    pub inner_vlan: Key<Bounded<1, 4094>>,
    /// The kind of the outer tag that is sent; received frames may have either kind.
    ///
    /// Default: "802.1q", with `inner_vlan` "802.1ad". Change: process restart.
    pub tag: Key<Word<TagWord>>,
    /// The kernel interface that is made as this port's face: addresses, ARP, ND and routes live there.
    ///
    /// Default: none, the kernel does not see the port. Change: process restart.
    pub host_interface: Key<Word<IfName>>,
    /// The number of receive queues, over which the NIC spreads packets by a hash of the flow.
    ///
    /// Each queue is polled by the worker of the same position in workers.cores: there must be as many, unless
    /// `spread` is "software".
    /// Default: one for each worker. Change: process restart.
    pub queues: Key<Bounded<1, 256>>,
    /// The choice who spreads packets over the workers: "nic" (RSS) or "software" (RPS, worker hand-off).
    ///
    /// With "software" fewer `queues` than workers will do, even one: for net_tap, net_af_packet, net_memif or
    /// virtio without multiqueue, and where all LISP packets come from one UDP port and so by one queue.
    /// A worker that receives hands each packet to the worker of its flow, which inside of LISP data
    /// is the inner one. What a worker does not take in time is dropped there as "handover_full".
    /// Default: `"nic"`. Change: process restart.
    pub spread: Key<Word<SpreadWord>>,
    /// The MTU of the link in bytes.
    ///
    /// The largest IP packet, without Ethernet header. Encapsulation adds 36 (IPv4) or 56 (IPv6) bytes:
    /// give underlay links as much more than native ones where they carry it.
    /// Default: `1500`; of a sub-interface its parent's. Change: process restart.
    pub mtu: Key<Bounded<1280, 9216>>,
    /// The choice whether LISP-encapsulated packets for our RLOCs are accepted here.
    ///
    /// Default: `false`. Change: live.
    pub underlay: Key<bool>,
    /// The Instance-IDs that LISP data may carry that arrives here.
    ///
    /// The Instance-ID is not protected on its way: where tenants have underlays of their own, list them.
    /// Packets with others are dropped as "instance_not_admitted". For underlay ports.
    /// Default: none, those of all VRFs. Change: live.
    pub instance_ids: Key<Vec<At<Bounded<0, 4_294_967_295>>>>,
    /// The choice whether native packets are accepted here for forwarding.
    ///
    /// Default: `false`. Change: live.
    pub native: Key<bool>,
    /// The name of the VRF that packets of this port belong to.
    ///
    /// Default: the first VRF. Change: live.
    pub vrf: Key<Word<Name>>,
    /// The Ethernet address of an anycast gateway, the same at every site that hosts move between.
    ///
    /// The port takes it in place of its own, and so do ARP and neighbour discovery: a host that moved
    /// keeps its gateway. For net_af_packet and net_af_xdp.
    /// Default: none, the NIC's address. Change: process restart.
    pub gateway_mac: Key<Word<Mac>>,
    /// The choice whether native sources must be routed back by this port, or be dynamic EIDs of it.
    ///
    /// Default: on where `lisp.dynamic_eid` looks for hosts, else off. Change: live.
    pub strict_source: Key<bool>,
    /// The choice whether there must be a route to native sources, the default route apart, or a map-cache
    /// entry.
    ///
    /// For ports where sources may come by several ways; `strict_source` asks for more.
    /// Default: `false`. Change: live.
    pub loose_source: Key<bool>,
    /// The choice whether packets with the address of a live dynamic EID but another Ethernet address
    /// are dropped; they are counted and logged anyway.
    ///
    /// Default: `true`. Change: live.
    pub refuse_claims: Key<bool>,
    /// The choice whether the core is believed when it says that an encapsulated packet was too big.
    ///
    /// On (stateful, RFC 9300 section 7.2): the MTU of the path to that RLOC is lowered for ten minutes,
    /// and sources are told. Off (stateless, section 7.1): `mtu` is the MTU of all paths. Errors that
    /// do not quote a packet we sent are never believed. For underlay ports.
    /// Default: `true`. Change: live.
    pub learn_path_mtu: Key<bool>,
    /// The choice whether Time Exceeded from core routers is passed on to who sent the inner packet.
    ///
    /// A traceroute through the proxy then shows the routers of the core, where inner and outer family
    /// are the same; else it shows a gap. For underlay ports.
    /// Default: `false`. Change: live.
    pub relay_time_exceeded: Key<bool>,
}

/// `[[vrf]]`: a tenant: its own Instance-ID, map-cache and routing table.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VrfTable {
    /// The name of the VRF, unique in this file.
    ///
    /// Required. Change: process restart.
    #[schemars(extend("x-required" = true))]
    pub name: Key<Word<Name>>,
    /// The Instance-ID of the VRF, unique in its low 24 bits; 0 is the default instance.
    ///
    /// 16777215 is reserved for NAT traversal.
    /// Required. Change: process restart.
    #[schemars(extend("x-required" = true))]
    pub instance_id: Key<Bounded<0, 4_294_967_295>>,
    /// The number of the kernel routing table that feeds the VRF's native routes.
    ///
    /// 254 is the kernel's table "main"; see /etc/iproute2/rt_tables for the others.
    /// Default: `254`. Change: process restart.
    pub table: Key<Bounded<1, 4_294_967_295>>,
    /// The network namespace in which the kernel interfaces of the VRF's ports are made.
    ///
    /// Tenants with the same addresses need one each (or a kernel VRF device each, whose table is given
    /// as `table`), or the kernel would mix up their ARP answers, pings and routing protocols. A name as
    /// of `ip netns add`, or a path; it must be there when pxtrd starts. Routes and neighbours are those of
    /// this namespace. Not for the VRF of the underlay.
    /// Default: none, that of pxtrd. Change: process restart.
    pub netns: Key<Word<Namespace>>,
    /// The choice whether the inner source of all LISP data must be mapped to the outer source.
    ///
    /// As `admission.site.strict`, for sources of all sites; those that are no EID are dropped. For a PETR:
    /// what a PITR sends to a site has sources that are no EIDs.
    /// Default: `false`. Change: live.
    pub strict_inner_source: Key<bool>,
    /// The EID prefixes that a PITR attracts and looks up in the mapping system.
    ///
    /// An xTR without this list takes every destination for a possible EID. A PETR looks inner sources up in it
    /// that are held to their mappings.
    /// Required by role pitr in one VRF at least. Default: `[]`. Change: live.
    pub eid_space: Key<Vec<At<Word<Prefix>>>>,
    /// The DSCP of outer headers, 0 to 63, for all packets of the VRF.
    ///
    /// Default: none, that of the inner packet. Change: live.
    pub encap_dscp: Key<Bounded<0, 63>>,
    /// The DSCP of packets that come out of an encapsulation: their own ("inner"), or that of the
    /// "outer" header (RFC 2983).
    ///
    /// Default: `"inner"`. Change: live.
    pub decap_dscp: Key<Word<DecapDscpWord>>,
    /// The largest IP packet, in bytes, that TCP connections through LISP are held to.
    ///
    /// The MSS option of SYNs, both ways, is lowered to this less 40 (IPv4) or 60 (IPv6) bytes. With 1500
    /// bytes in the underlay 1464 fit (1444 with IPv6 RLOCs). Packets of the VRF take a longer way.
    /// Default: none, MSS options are left alone. Change: live.
    pub clamp_mss_to_mtu: Key<Bounded<576, 9216>>,
}
