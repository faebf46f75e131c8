//! Nonces that are echoed, on their way to the workers (RFC 9300 section 10.1; R-094).

use super::output::Output;
use pxtr_dataplane::echo::{Awaited, EchoMark, EchoNonce};
use pxtr_dataplane::feed::{Delta, RlocState};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What the engine said of RLOCs. It says when to forget.
#[derive(Debug, Default)]
pub(super) struct Echoes {
    marks: BTreeMap<IpAddr, EchoMark>,
    awaited: BTreeMap<IpAddr, EchoNonce>,
}

impl Echoes {
    /// Takes it, and tells the workers whose echo is awaited.
    pub(super) fn set(
        &mut self,
        rloc: IpAddr,
        mark: Option<EchoMark>,
        awaited: Option<EchoNonce>,
        out: &mut Output,
    ) {
        match mark {
            Some(mark) => self.marks.insert(rloc, mark),
            None => self.marks.remove(&rloc),
        };
        let before = match awaited {
            Some(nonce) => self.awaited.insert(rloc, nonce),
            None => self.awaited.remove(&rloc),
        };
        if before != awaited {
            self.tell(out);
        }
    }

    /// The engine starts anew and knows of none. Returns the RLOCs that had a nonce in what is sent there.
    pub(super) fn forget(&mut self, out: &mut Output) -> Vec<IpAddr> {
        if !self.awaited.is_empty() {
            self.awaited.clear();
            self.tell(out);
        }
        std::mem::take(&mut self.marks).into_keys().collect()
    }

    /// Puts the nonce into what is sent to an RLOC.
    pub(super) fn mark(&self, rloc: IpAddr, mut state: RlocState) -> RlocState {
        if let RlocState::Ready(rewrite) = &mut state {
            rewrite.options.echo = self.marks.get(&rloc).copied();
        }
        state
    }

    fn tell(&self, out: &mut Output) {
        let list = self.awaited.iter().map(|(rloc, nonce)| Awaited { rloc: *rloc, nonce: *nonce });
        out.delta(Delta::Awaited(list.collect()));
    }
}
