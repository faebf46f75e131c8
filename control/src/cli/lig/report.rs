//! What `lig` found.

use crate::api::DecodedRecord;
use ipnet::IpNet;
use serde::Serialize;
use std::net::{IpAddr, SocketAddr};

/// About one EID.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::cli) struct Report {
    /// EID asked for.
    pub(in crate::cli) eid: IpAddr,
    /// Its instance.
    pub(in crate::cli) instance_id: u32,
    /// Map-Requests sent, to whom each.
    pub(in crate::cli) asked: Vec<IpAddr>,
    /// The answer, if one came.
    pub(in crate::cli) reply: Option<LigReply>,
    /// `self`: the configured EID-prefix that this is about.
    pub(in crate::cli) own_prefix: Option<IpNet>,
    /// `self`: what is wrong with the answer; `null`: nothing.
    pub(in crate::cli) wrong: Option<String>,
}

/// A Map-Reply to `lig`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::cli) struct LigReply {
    /// Who answered.
    pub(in crate::cli) from: SocketAddr,
    /// Whom the Map-Request was sent to.
    pub(in crate::cli) map_resolver: IpAddr,
    /// Time from that Map-Request to the answer, milliseconds.
    pub(in crate::cli) rtt_ms: f64,
    /// What it says.
    pub(in crate::cli) records: Vec<DecodedRecord>,
}

impl Report {
    /// Nothing to complain about.
    pub(in crate::cli) fn is_good(&self) -> bool {
        self.reply.is_some() && self.wrong.is_none()
    }

    /// Compares the answer about our own EID-prefix with what we would have said: RFC 6835 section
    /// 3.2, is the site registered as it should be?
    pub(super) fn judge(&mut self, own: IpNet, ours: &[IpAddr]) {
        self.own_prefix = Some(own);
        let Some(reply) = &self.reply else { return };
        let holds = |r: &&DecodedRecord| r.eid_prefix.is_some_and(|p| p.contains(&self.eid));
        let best = reply.records.iter().filter(holds).max_by_key(|r| r.eid_prefix.map(|p| p.prefix_len()));
        self.wrong = match best {
            None => Some("the answer is about another EID-prefix".to_owned()),
            Some(record) if record.locators.is_empty() => Some("not registered".to_owned()),
            Some(record) if record.eid_prefix != Some(own) => {
                let found = record.eid_prefix.map(|p| p.to_string()).unwrap_or_default();
                Some(format!("the answer is for {found}, configured is {own}"))
            }
            Some(record) => {
                let registered = |rloc: &&IpAddr| record.locators.iter().any(|l| l.rloc == Some(**rloc));
                let missing: Vec<_> = ours.iter().filter(|r| !registered(r)).map(IpAddr::to_string).collect();
                (!missing.is_empty()).then(|| format!("without locator {}", missing.join(", ")))
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::DecodedLocator;

    fn report(prefix: &str, locators: &[&str]) -> Report {
        let locator = |rloc: &&str| DecodedLocator {
            locator: (*rloc).to_owned(),
            rloc: rloc.parse().ok(),
            priority: 1,
            weight: 100,
            local: true,
            probed: false,
            reachable: true,
        };
        let record = DecodedRecord {
            instance_id: 0,
            eid_prefix: Some(prefix.parse().unwrap()),
            eid: None,
            ttl_minutes: Some(1440),
            action: None,
            authoritative: true,
            subscribe: false,
            locators: locators.iter().map(locator).collect(),
        };
        let from = "198.51.100.6:4342".parse().unwrap();
        let map_resolver = "198.51.100.14".parse().unwrap();
        Report {
            eid: "10.4.0.0".parse().unwrap(),
            instance_id: 0,
            asked: vec![map_resolver],
            reply: Some(LigReply { from, map_resolver, rtt_ms: 1.0, records: vec![record] }),
            own_prefix: None,
            wrong: None,
        }
    }

    #[test]
    fn r061_lig_self_finds_what_is_wrong() {
        let own: IpNet = "10.4.0.0/24".parse().unwrap();
        let ours: Vec<IpAddr> =
            ["198.51.100.6", "198.51.100.10"].iter().map(|r| r.parse().unwrap()).collect();
        let cases: [(&str, &[&str], Option<&str>); 5] = [
            ("10.4.0.0/24", &["198.51.100.6", "198.51.100.10"], None),
            ("10.4.0.0/24", &["198.51.100.6"], Some("without locator 198.51.100.10")),
            ("10.4.0.0/24", &[], Some("not registered")),
            (
                "10.4.0.0/16",
                &["198.51.100.6"],
                Some("the answer is for 10.4.0.0/16, configured is 10.4.0.0/24"),
            ),
            ("10.5.0.0/16", &["198.51.100.6"], Some("the answer is about another EID-prefix")),
        ];
        for (prefix, locators, wrong) in cases {
            let mut report = report(prefix, locators);
            report.judge(own, &ours);
            assert_eq!(report.wrong.as_deref(), wrong, "{prefix} {locators:?}");
            assert_eq!(report.is_good(), wrong.is_none());
        }
    }
}
