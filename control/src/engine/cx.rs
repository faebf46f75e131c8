//! What every state machine is handed with each call, and how a message reached us.

use super::config::EngineConfig;
use super::counters::{Counter, Counters};
use super::event::{Action, LocalPort, Notice, Time};
use super::rng::Rng;
use std::net::{IpAddr, SocketAddr};

/// UDP port of LISP control messages (RFC 9301 section 12.1).
pub const CONTROL_PORT: u16 = 4342;

/// The surroundings of one step: the clock, randomness, where actions go, what is configured.
///
/// Sub-state-machines are plain structs with methods `on_x(&mut self, cx: &mut Cx, ...)`; none of
/// them keeps a clock, a socket or a random source of its own.
#[derive(Debug)]
pub struct Cx<'a> {
    /// Now.
    pub now: Time,
    /// CSPRNG.
    pub rng: &'a mut Rng,
    /// What the runtime is to do, in this order.
    pub out: &'a mut Vec<Action>,
    /// Exact counters.
    pub counters: &'a mut Counters,
    /// The configuration in force.
    pub config: &'a EngineConfig,
}

impl Cx<'_> {
    /// Adds one to a counter.
    pub fn count(&mut self, counter: Counter) {
        self.counters.add(counter, 1);
    }

    /// Counts, and tells the operator (the runtime limits the rate of log lines, R-215). `detail`
    /// is only computed here: keep it short and free of secrets.
    pub fn notice(&mut self, counter: Counter, detail: impl std::fmt::Display) {
        self.count(counter);
        self.out.push(Action::Notice(Notice { kind: counter.name().to_owned(), detail: detail.to_string() }));
    }

    /// Sends a control message from our RLOC of the destination's family (the kernel chooses the
    /// source when we have none of that family).
    pub fn send(&mut self, to: SocketAddr, payload: Vec<u8>) {
        let source = self.rloc_like(to.ip());
        self.send_from(source, to, payload);
    }

    /// Sends a control message with a given source address.
    pub fn send_from(&mut self, source: Option<IpAddr>, to: SocketAddr, payload: Vec<u8>) {
        self.out.push(Action::Send { port: LocalPort::Control, source, to, payload });
    }

    /// Our first configured RLOC of the same address family as `of`.
    #[must_use]
    pub fn rloc_like(&self, of: IpAddr) -> Option<IpAddr> {
        self.config.rlocs.iter().copied().find(|r| r.is_ipv4() == of.is_ipv4())
    }
}

/// How a control message reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Outer sender.
    pub from: SocketAddr,
    /// Our address and port it was sent to.
    pub to: SocketAddr,
    /// Present when the message came inside an ECM.
    pub inner: Option<InnerAddresses>,
}

/// Addresses of the inner headers of an ECM (RFC 9301 section 5.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InnerAddresses {
    /// Inner source address and UDP port.
    pub source: SocketAddr,
    /// Inner destination address and UDP port: the EID asked for, 4342.
    pub destination: SocketAddr,
}

impl Meta {
    /// UDP port a Map-Reply to this Map-Request goes to (wire.md TRAP 17): the inner source port of
    /// an encapsulated request, never the outer one.
    #[must_use]
    pub fn reply_port(&self) -> u16 {
        self.inner.map_or(self.from.port(), |inner| inner.source.port())
    }
}

/// Whether a role took a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// Taken: answered, forwarded or deliberately dropped (and counted).
    Yes,
    /// Not for this role: the next one is asked.
    No,
}
