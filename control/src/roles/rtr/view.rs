//! What `pxtr show nat` lists of an RTR.

use super::behind::{Router, XtrId};
use crate::engine::Translated;
use crate::engine::event::{EidPrefix, Time};
use std::net::IpAddr;

/// A router behind a NAT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BehindView {
    /// xTR-ID.
    pub xtr_id: [u8; 16],
    /// Where the NAT lets packets through to it.
    pub through: Translated,
    /// Its own address.
    pub private: IpAddr,
    /// The Map-Server that confirmed it.
    pub map_server: IpAddr,
    /// First confirmed.
    pub since: Time,
    /// Last confirmed.
    pub confirmed: Time,
    /// How often it had another address or port than before.
    pub moves: u32,
    /// EID-prefixes behind it.
    pub eids: Vec<EidPrefix>,
}

pub(super) fn view((xtr_id, router): (&XtrId, &Router)) -> BehindView {
    BehindView {
        xtr_id: *xtr_id,
        through: router.through,
        private: router.private,
        map_server: router.map_server,
        since: router.since,
        confirmed: router.confirmed,
        moves: router.moves,
        eids: router.eids.keys().copied().collect(),
    }
}
