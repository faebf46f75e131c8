//! The words by which `trace add` and `capture` choose packets.

use crate::api::{EidFilter, WatchQuery};
use pxtr_dataplane::verdict::DropReason;
use std::net::IpAddr;
use std::str::FromStr;

/// A word of a packet filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PacketFilter {
    About(EidFilter),
    Protocol(u8),
    TransportPort(u16),
    Dropped,
    Reason(String),
    /// A port of the daemon: what is nothing else.
    Port(String),
}

/// IP protocols that have a name here (IANA numbers).
const PROTOCOLS: [(&str, u8); 7] =
    [("tcp", 6), ("udp", 17), ("sctp", 132), ("icmp", 1), ("icmp6", 58), ("gre", 47), ("esp", 50)];

impl FromStr for PacketFilter {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        if let Some((_, number)) = PROTOCOLS.iter().find(|(name, _)| *name == word) {
            return Ok(Self::Protocol(*number));
        }
        if let Some(number) = word.strip_prefix("port=") {
            let number = number.parse().map_err(|_| format!("'{number}' is no port number"))?;
            return Ok(Self::TransportPort(number));
        }
        if word == "dropped" {
            return Ok(Self::Dropped);
        }
        if DropReason::ALL.iter().any(|reason| reason.name() == word) {
            return Ok(Self::Reason(word.to_owned()));
        }
        if word.contains(['/', ':']) || word.parse::<IpAddr>().is_ok() {
            return word.parse().map(Self::About);
        }
        Ok(Self::Port(word.to_owned()))
    }
}

/// The filter as the daemon wants it.
///
/// # Errors
/// Two words that exclude each other.
pub(super) fn watch_query(filters: &[PacketFilter]) -> Result<WatchQuery, String> {
    let mut query = WatchQuery::default();
    for filter in filters {
        let former = match filter.clone() {
            PacketFilter::About(about) => {
                query.about.push(about);
                false
            }
            PacketFilter::Protocol(number) => query.protocol.replace(number).is_some(),
            PacketFilter::TransportPort(number) => query.transport_port.replace(number).is_some(),
            PacketFilter::Dropped => std::mem::replace(&mut query.dropped, true),
            PacketFilter::Reason(reason) => query.reason.replace(reason).is_some(),
            PacketFilter::Port(name) => query.port.replace(name).is_some(),
        };
        if former {
            return Err("give one protocol, one port=, one drop reason and one port at most".to_owned());
        }
    }
    Ok(query)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(line: &str) -> Result<WatchQuery, String> {
        let words: Result<Vec<_>, _> = line.split_whitespace().map(str::parse).collect();
        words.and_then(|words| watch_query(&words))
    }

    #[test]
    fn words_are_what_they_look_like() {
        let all = query("10.4.0.0/16 2001:db8::1 udp port=53 map_drop dropped core").expect("a filter");
        let about = ["10.4.0.0/16", "2001:db8::1"].map(|text| text.parse().expect("a prefix"));
        let expected = WatchQuery {
            port: Some("core".to_owned()),
            about: about.to_vec(),
            protocol: Some(17),
            transport_port: Some(53),
            dropped: true,
            reason: Some("map_drop".to_owned()),
            count: None,
            snap: None,
        };
        assert_eq!(all, expected);
        assert_eq!(query(""), Ok(WatchQuery::default()));
    }

    #[test]
    fn mistakes_are_told() {
        for (line, told) in [
            ("tcp udp", "one protocol"),
            ("core lan", "one port"),
            ("port=http", "'http' is no port number"),
            ("10.4.0.1/16", "host bits"),
            ("10.4.0.0/64", "neither an EID"),
        ] {
            let error = query(line).expect_err(line);
            assert!(error.contains(told), "{line}: {error}");
        }
    }
}
