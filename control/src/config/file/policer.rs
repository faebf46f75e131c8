//! `[[policer]]`.

use crate::config::leaf::{At, Bounded, Key, Word};
use crate::config::words::{Name, Prefix, UnitWord};
use schemars::JsonSchema;
use serde::Deserialize;

/// `[[policer]]`: holds a tenant, or LISP sites of its, to a rate, so that it can not starve the others.
///
/// Each way has its own bucket: what the VRF's ports bring, and what comes out of LISP headers. What is over is
/// dropped as "policed". Packets of a VRF with policers take a longer way.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicerTable {
    /// The name of the policer, unique in this file.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub name: Key<Word<Name>>,
    /// The name of the VRF whose packets it holds.
    ///
    /// Default: the first VRF. Change: live.
    pub vrf: Key<Word<Name>>,
    /// The EID prefixes of the LISP sites whose packets it holds: by their destination on the way there, by
    /// their inner source on the way back.
    ///
    /// All of them share the rate. A policer of the whole VRF holds them besides.
    /// Default: none, all packets of the VRF. Change: live.
    pub eid_prefixes: Key<Vec<At<Word<Prefix>>>>,
    /// The units a second that get through in the long run, over all workers.
    ///
    /// Required. Change: live.
    #[schemars(extend("x-required" = true))]
    pub rate: Key<Bounded<1, 1_000_000_000_000>>,
    /// The units that get through at once after a pause; what is larger by itself never does.
    ///
    /// Default: a tenth of a second of `rate`, and at least two packets of 9216 bytes, or 32 packets. Change: live.
    pub burst: Key<Bounded<1, 8_000_000_000>>,
    /// The unit: "bits" of inner IP packets, without what LISP and Ethernet add, or "packets".
    ///
    /// Default: `"bits"`. Change: live.
    pub unit: Key<Word<UnitWord>>,
}
