//! The mapping system: who we are in it, what goes to it and comes from it.

use super::text::{Sheet, or_dash};
use crate::api::{DebugMessage, DecodedLocator, DecodedMessage, DecodedRecord, Direction, Lisp};
use crate::cli::lig::{LigReply, Report};
use std::fmt::Write;

pub(in super::super) fn lisp(lisp: &Lisp) -> String {
    let list = |addresses: &[std::net::IpAddr]| match addresses {
        [] => "-".to_owned(),
        _ => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let mut text = format!("roles: {}\nRLOCs: {}\n", lisp.roles.join(" + "), list(&lisp.rlocs));
    let _ = writeln!(text, "Map-Servers: {}", list(&lisp.map_servers));
    for instance in &lisp.instances {
        let space: Vec<_> = instance.eid_space.iter().map(ToString::to_string).collect();
        let space = if space.is_empty() { String::new() } else { format!(", attracts {}", space.join(", ")) };
        let _ = writeln!(text, "VRF {}: Instance-ID {}{space}", instance.vrf, instance.instance_id);
    }
    if lisp.map_resolvers.is_empty() {
        return text + "no Map-Resolvers\n";
    }
    let mut sheet = Sheet::new(&["MAP-RESOLVER", "STATE", ">UNANSWERED", ">RTT-MS"]);
    for r in &lisp.map_resolvers {
        let state = match (r.suspect, r.rtt_ms) {
            (true, _) => "silent",
            (false, Some(_)) => "answers",
            (false, None) => "not tried",
        };
        sheet.row(vec![r.address.to_string(), state.to_owned(), r.unanswered.to_string(), or_dash(r.rtt_ms)]);
    }
    text + &sheet.finish()
}

/// A message in a line, and a line for each record and locator.
pub(in super::super) fn debug_message(seen: &DebugMessage) -> String {
    let mut text = String::new();
    if seen.left_out > 0 {
        let _ = writeln!(text, "... {} messages left out", seen.left_out);
    }
    let arrow = match seen.direction {
        Direction::Received => "<-",
        Direction::Sent => "->",
    };
    let _ = write!(text, "{} {arrow} {} ", time_of_day(seen.unix_ms), seen.peer);
    match (&seen.message, &seen.error) {
        (Some(message), _) => message_lines(&mut text, message),
        (None, error) => {
            let _ = writeln!(text, "undecodable, {} bytes: {}", seen.bytes, or_dash(error.as_ref()));
        }
    }
    text
}

/// `13:59:07.250`, UTC: the same on all routers of a network.
fn time_of_day(unix_ms: u64) -> String {
    let s = unix_ms / 1000;
    format!("{:02}:{:02}:{:02}.{:03}", s / 3600 % 24, s / 60 % 60, s % 60, unix_ms % 1000)
}

fn message_lines(text: &mut String, message: &DecodedMessage) {
    text.push_str(&message.kind);
    for flag in &message.flags {
        let _ = write!(text, " {flag}");
    }
    if let Some(nonce) = &message.nonce {
        let _ = write!(text, " nonce {nonce}");
    }
    if let Some(auth) = &message.auth {
        let _ = write!(text, " key {} algorithm {}", auth.key_id, auth.algorithm_id);
    }
    if message.lisp_sec {
        text.push_str(" with LISP-SEC");
    }
    if let Some(xtr_id) = &message.xtr_id {
        let _ = write!(text, " xtr-id {xtr_id}");
    }
    if let Some(source) = &message.source_eid {
        let _ = write!(text, " source {source}");
    }
    if !message.itr_rlocs.is_empty() {
        let _ = write!(text, " itr-rlocs {}", message.itr_rlocs.join(" "));
    }
    if let Some((from, to)) = message.inner {
        let _ = write!(text, " {from} > {to}");
    }
    text.push('\n');
    for record in &message.records {
        let _ = writeln!(text, "    {}", record_line(record));
        for locator in &record.locators {
            let _ = writeln!(text, "        {}", locator_line(locator));
        }
    }
    if let Some(inner) = &message.encapsulated {
        text.push_str("  ");
        message_lines(text, inner);
    }
}

fn record_line(record: &DecodedRecord) -> String {
    let eid = match (&record.eid_prefix, &record.eid) {
        (Some(prefix), _) if record.instance_id == 0 => prefix.to_string(),
        (Some(prefix), _) => format!("[{}]{prefix}", record.instance_id),
        (None, eid) => or_dash(eid.as_ref()),
    };
    let mut line = eid;
    if let Some(ttl) = record.ttl_minutes {
        let _ = write!(line, ", ttl {ttl} min");
    }
    if let Some(action) = &record.action {
        let _ = write!(line, ", {action}");
    }
    if record.authoritative {
        line.push_str(", authoritative");
    }
    if record.subscribe {
        line.push_str(", subscribe");
    }
    line
}

fn locator_line(l: &DecodedLocator) -> String {
    let flags = [(l.local, " local"), (l.probed, " probed"), (!l.reachable, " unreachable")];
    let flags: String = flags.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
    format!("{} priority {} weight {}{flags}", l.locator, l.priority, l.weight)
}

/// RFC 6835 section 3: prefix, replier, RTT, TTL, locators.
pub(in super::super) fn lig(reports: &[Report]) -> String {
    let mut text = String::new();
    for report in reports {
        let instance =
            if report.instance_id == 0 { String::new() } else { format!("[{}]", report.instance_id) };
        let _ = writeln!(text, "mapping for EID {instance}{}:", report.eid);
        match &report.reply {
            Some(reply) => lig_reply(&mut text, reply, report.asked.len()),
            None => {
                let asked: Vec<_> = report.asked.iter().map(ToString::to_string).collect();
                let _ = writeln!(text, "  no answer; Map-Requests sent to {}", asked.join(", "));
            }
        }
        match (&report.own_prefix, &report.wrong) {
            (Some(own), Some(wrong)) => {
                let _ = writeln!(text, "  WRONG for own EID-prefix {own}: {wrong}");
            }
            (Some(own), None) if report.reply.is_some() => {
                let _ = writeln!(text, "  own EID-prefix {own} is registered as configured");
            }
            _ => {}
        }
    }
    text
}

fn lig_reply(text: &mut String, reply: &LigReply, tries: usize) {
    let tries = if tries == 1 { String::new() } else { format!(", {tries} tries") };
    let (from, rtt, to) = (reply.from.ip(), reply.rtt_ms, reply.map_resolver);
    let _ = writeln!(text, "  from {from}, rtt {rtt:.1} ms, asked {to}{tries}");
    for record in &reply.records {
        let _ = writeln!(text, "  {}", record_line(record));
        for locator in &record.locators {
            let _ = writeln!(text, "      {}", locator_line(locator));
        }
    }
}
