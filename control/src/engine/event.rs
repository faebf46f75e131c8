//! What goes into the engine and what comes out of it: values only, serialisable, no I/O.
//!
//! The runtime, the simulator and replay all speak exactly this. The engine reads no clock and
//! draws no randomness of its own: `now` and the seed come in.

use super::exchange::WorkerKey;
use crate::roles::map_server::KeptNonce;
use ipnet::IpNet;
use pxtr_dataplane::echo::{EchoMark, EchoNonce, EchoSaid};
use pxtr_dataplane::punt::Seen;
use pxtr_dataplane::trust::{Marks, Said};
use pxtr_dataplane::types::{MacAddr, PortId};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// Monotonic time, milliseconds since an arbitrary start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub u64);

impl Time {
    /// This time plus `ms` milliseconds.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
    /// Milliseconds since `earlier`, 0 if that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Instance-ID as in control messages: 32 bits; 0 = default instance (TRAP 11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Iid(pub u32);

/// An EID-prefix within its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EidPrefix {
    /// Instance.
    pub iid: Iid,
    /// Prefix, host bits zero.
    pub prefix: IpNet,
}

/// Which of our UDP sockets a message uses. The runtime owns the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LocalPort {
    /// 4342.
    Control,
    /// 4341: for what a NAT is to learn that port by.
    Data,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A deadline returned by `Engine::next_deadline` has come (or nothing else to do).
    Tick,
    /// A worker saw a packet for an EID without mapping.
    Miss {
        /// Instance.
        iid: Iid,
        /// Destination EID.
        eid: IpAddr,
        /// Inner source of the packet.
        source: IpAddr,
    },
    /// A UDP message came in on one of our control sockets. Undecoded: the engine authenticates
    /// over the raw bytes.
    Datagram {
        /// Sender.
        from: SocketAddr,
        /// Our address and port it was sent to.
        to: SocketAddr,
        /// The UDP payload.
        #[serde(with = "super::hex_bytes")]
        payload: Vec<u8>,
    },
    /// Packets were forwarded by these map-cache entries since the last report (periodic, from
    /// the counters; R-074).
    EntriesUsed(Vec<EidPrefix>),
    /// The underlay route or neighbour of an RLOC in use appeared or went.
    UnderlayChanged {
        /// RLOC.
        rloc: IpAddr,
        /// There is a way to it.
        reachable: bool,
    },
    /// A locator of our own site, of this router or another one, came up or went down, as this router's ports
    /// and routes see it. One never mentioned is up.
    SiteLocator {
        /// RLOC.
        rloc: IpAddr,
        /// It can be reached.
        up: bool,
    },
    /// An ICMP error quoted one of our packets to this RLOC and passed the trust check.
    IcmpUnreachable {
        /// RLOC.
        rloc: IpAddr,
    },
    /// A worker saw a host of a dynamic-EID prefix that is not live.
    HostSeen(HostSeen),
    /// An encapsulated packet came for a host of ours that is at another site.
    AwayHit {
        /// The host.
        eid: EidPrefix,
        /// Outer source of the packet.
        rloc: IpAddr,
    },
    /// The LISP header of a trusted router said something of a mapping (RFC 9302).
    Header {
        /// The EID that it is about, a prefix of full length.
        eid: EidPrefix,
        /// Outer source of the packet.
        rloc: IpAddr,
        /// What it said.
        said: Said,
    },
    /// The LISP header of a packet from a trusted router said something of an echo (RFC 9300 section 10.1).
    Echo {
        /// Outer source of the packet.
        rloc: IpAddr,
        /// What it said.
        said: EchoSaid,
        /// Packets that have gone to this RLOC.
        sent: u64,
    },
    /// The answer to [`Action::ProbeHost`].
    HostProbed {
        /// The host.
        eid: EidPrefix,
        /// It answers.
        alive: bool,
    },
    /// What a Map-Server must not forget when it starts anew: the nonces kept for it.
    NoncesKept(Vec<KeptNonce>),
    /// Packets were decrypted with these keys since the last report: outer source, RLOC of ours, key-id.
    KeysUsed(Vec<(IpAddr, IpAddr, u8)>),
    /// Operator asked to forget mappings learnt from the network: all, or those inside a prefix.
    ClearMapCache(Option<EidPrefix>),
}

/// A host of a dynamic-EID prefix, as a worker saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSeen {
    /// The host, a prefix of full length.
    pub eid: EidPrefix,
    /// Where.
    pub port: PortId,
    /// Its Ethernet address.
    pub mac: MacAddr,
    /// What showed it.
    pub seen: Seen,
    /// The EID is live with another Ethernet address.
    pub claim: bool,
}

/// Where a host of a dynamic-EID prefix is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// At our site.
    Here {
        /// Behind this port.
        port: PortId,
    },
    /// At our site, behind a First-Hop Router.
    Behind {
        /// The router's address.
        router: IpAddr,
    },
    /// At another site.
    Away {
        /// What still comes here for it is sent on, else dropped.
        forward: bool,
    },
    /// Nobody knows.
    Gone,
}

/// What the data plane is to do with an EID-prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Forwarding {
    /// Encapsulate to the best of these locators that are up (`LocatorState`): the whole
    /// locator-set in wire order, without locators that may never be used (priority 255, R=0).
    /// `select::shares` says which of them carry traffic; none of them: R-012.
    ///
    /// The set does not change when an RLOC goes down or comes back, so that failover costs one
    /// change per locator-set, not one per EID-prefix that uses it.
    Encapsulate(Vec<Locator>),
    /// ACT 0.
    NoAction,
    /// ACT 1.
    NativelyForward,
    /// ACT 2, and attracted EID space.
    SendMapRequest,
    /// ACT 3.
    DropNoReason,
    /// ACT 4.
    DropPolicyDenied,
    /// ACT 5.
    DropAuthFailure,
}

/// A locator of a mapping, as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Locator {
    /// RLOC.
    pub rloc: IpAddr,
    /// Lower is better, 0..=254.
    pub priority: u8,
    /// Relative share among locators of equal priority, as received.
    pub weight: u8,
    /// It carries traffic only in place of the locator before it, while that is down: the next hop of the same
    /// path, whose hops may be skipped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stand_in: bool,
    /// The ETR at the end of the path that the RLOC is a hop of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etr: Option<IpAddr>,
}

impl Locator {
    /// A locator that is no hop of a path.
    #[must_use]
    pub const fn new(rloc: IpAddr, priority: u8, weight: u8) -> Self {
        Self { rloc, priority, weight, stand_in: false, etr: None }
    }

    /// Behind it the way goes on to the ETR.
    #[must_use]
    pub fn is_on_the_way(&self) -> bool {
        self.etr.is_some_and(|etr| etr != self.rloc)
    }
}

/// What the runtime must do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Send a UDP message.
    Send {
        /// Socket.
        port: LocalPort,
        /// Source address to use; `None`: let the kernel choose.
        source: Option<IpAddr>,
        /// Destination.
        to: SocketAddr,
        /// UDP payload.
        #[serde(with = "super::hex_bytes")]
        payload: Vec<u8>,
    },
    /// Install or replace what the data plane does with an EID-prefix.
    Install {
        /// EID-prefix.
        eid: EidPrefix,
        /// What to do.
        forwarding: Forwarding,
    },
    /// Remove an EID-prefix from the data plane.
    Withdraw(EidPrefix),
    /// An RLOC went down or came back, for every locator-set that holds it. An RLOC
    /// never mentioned is up; when the last mapping that holds a down RLOC goes, the engine
    /// forgets it and says up.
    LocatorState {
        /// RLOC.
        rloc: IpAddr,
        /// It may carry traffic.
        up: bool,
    },
    /// What is said in LISP headers of the mapping behind an EID-prefix: one that was installed, or one of ours.
    Marks {
        /// EID-prefix.
        eid: EidPrefix,
        /// What is said.
        marks: Marks,
    },
    /// The RLOCs of those who go on with an old version of our mapping although they were told: what they send
    /// to it is dropped. Replaces the former list.
    Outdated(Vec<(IpAddr, EidPrefix)>),
    /// What LISP headers of packets to an RLOC have of echoes from now on, and what is awaited of those that
    /// come from there (RFC 9300 section 10.1).
    Echo {
        /// RLOC.
        rloc: IpAddr,
        /// What is sent.
        mark: Option<EchoMark>,
        /// What is awaited.
        awaited: Option<EchoNonce>,
    },
    /// Give up on an EID: packets held for it are dropped.
    Abandon {
        /// Instance.
        iid: Iid,
        /// EID.
        eid: IpAddr,
    },
    /// A host of a dynamic-EID prefix came, went away, or is forgotten: what the data plane and the
    /// kernel's routes are to say of it.
    Host {
        /// The host, a prefix of full length.
        eid: EidPrefix,
        /// Where it is.
        place: Place,
    },
    /// Find out whether a host is still there, and answer with [`Event::HostProbed`].
    ProbeHost {
        /// The host.
        eid: EidPrefix,
        /// Where it was seen.
        port: PortId,
    },
    /// What packets to an RLOC are encrypted with from now on, if they are to be (RFC 8061).
    Seal {
        /// RLOC.
        rloc: IpAddr,
        /// The key, or why there is none.
        seal: Seal,
    },
    /// All keys that packets from an outer source may come with, each with the RLOC of ours that it is for.
    OpenKeys {
        /// Outer source.
        source: IpAddr,
        /// Keys.
        keys: Vec<(IpAddr, WorkerKey)>,
    },
    /// Something worth telling the operator; the runtime logs it rate-limited.
    Notice(Notice),
}

/// An occurrence for the log. Counted by the engine, exactly; logged by the runtime, rate-limited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Short constant name, e.g. `map_reply_overclaim`; also the counter's name.
    pub kind: String,
    /// Free text without secrets.
    pub detail: String,
}

/// How far the key exchange with an RLOC is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seal {
    /// This is the key.
    Key(WorkerKey),
    /// It does not give one. It is asked on.
    Failed,
    /// There is no exchange any more.
    Forget,
}
