//! Steps as lines that a human can read.

use crate::api::{DecodedMessage, decoded};
use crate::codec::Message;
use crate::engine::event::{Action, Event, Time};
use std::fmt::Write;

/// A step: when, whose, what came, and below it what was done about it.
#[must_use]
pub fn step(at: Time, who: &str, event: &Event, actions: &[Action]) -> String {
    let mut text = format!("{:>9} {who:<6} {}", at.0, heard(event));
    for action in actions {
        let _ = match action {
            Action::Send { to, payload, .. } => write!(text, "\n{:>18}> {to} {}", "", message(payload)),
            other => write!(text, "\n{:>18}: {other:?}", ""),
        };
    }
    text
}

fn heard(event: &Event) -> String {
    match event {
        Event::Datagram { from, payload, .. } => format!("< {from} {}", message(payload)),
        other => format!("{other:?}"),
    }
}

fn message(payload: &[u8]) -> String {
    match Message::decode(payload) {
        Ok(message) => words(&decoded(&message)),
        Err(error) => format!("{} bytes: {error}", payload.len()),
    }
}

fn words(message: &DecodedMessage) -> String {
    if let Some(inner) = &message.encapsulated {
        return format!("{} {}", message.kind, words(inner));
    }
    let mut text = message.kind.clone();
    for flag in &message.flags {
        let _ = write!(text, " {flag}");
    }
    if let Some(nonce) = &message.nonce {
        let _ = write!(text, " {nonce}");
    }
    if let Some(source) = &message.source_eid {
        let _ = write!(text, " from {source}");
    }
    for record in &message.records {
        let eid = record.eid_prefix.map(|eid| eid.to_string()).or_else(|| record.eid.clone());
        let _ = write!(text, " [{}] {}", record.instance_id, eid.unwrap_or_default());
        if let Some(ttl) = record.ttl_minutes {
            let _ = write!(text, " {ttl}min");
        }
        if let Some(action) = record.action.as_ref().filter(|_| record.locators.is_empty()) {
            let _ = write!(text, " {action}");
        }
        for l in &record.locators {
            let _ = write!(text, " {}/{}/{}", l.locator, l.priority, l.weight);
        }
    }
    text
}
