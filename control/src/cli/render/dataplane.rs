//! RLOCs, ports, workers, drops.

use super::text::{Sheet, cut, duration, or_dash, scaled};
use crate::api::{Drops, Ports, Rlocs, Workers};

pub(in super::super) fn rlocs(rlocs: &Rlocs) -> String {
    if rlocs.rlocs.is_empty() {
        return "no locators are known\n".to_owned();
    }
    let mut sheet = Sheet::new(&[
        "RLOC", "STATE", ">ENTRIES", "PORT", "SOURCE", "NEXT-HOP", ">MTU", ">RTT", ">PROBED", ">LOST",
        "ECHOED", ">PACKETS", ">BYTES", "DETAIL",
    ]);
    for r in &rlocs.rlocs {
        sheet.row(vec![
            r.rloc.to_string(),
            r.state.as_str().to_owned(),
            r.entries.to_string(),
            or_dash(r.port.as_deref()),
            or_dash(r.source),
            or_dash(r.next_hop_mac.as_deref()),
            or_dash(mtu(r)),
            or_dash(r.rtt_ms.map(|ms| format!("{ms:.1}ms"))),
            or_dash(r.last_probe_reply_s_ago.map(|s| duration(s) + " ago")),
            r.probes_lost.to_string(),
            or_dash(r.echo.map(echo)),
            r.packets.to_string(),
            r.bytes.to_string(),
            r.detail.clone(),
        ]);
    }
    sheet.finish() + &cut(rlocs.truncated, rlocs.rlocs.len(), rlocs.rlocs_total)
}

/// When it echoed last, and whether it is being asked.
fn echo(echo: crate::api::Echo) -> String {
    let last = echo.last_echo_s_ago.map_or_else(|| "never".to_owned(), |s| duration(s) + " ago");
    if echo.asking { last + ", asked" } else { last }
}

/// With a mark when it was learnt from the core, and for how long that holds.
fn mtu(rloc: &crate::api::Rloc) -> Option<String> {
    let mtu = rloc.mtu_bytes?;
    Some(match rloc.mtu_learnt_expires_s {
        Some(left) => format!("{mtu} ({} left)", duration(left)),
        None => mtu.to_string(),
    })
}

pub(in super::super) fn ports(ports: &Ports, xstats: bool) -> String {
    if ports.ports.is_empty() {
        return "this daemon has no ports\n".to_owned();
    }
    let mut state =
        Sheet::new(&["PORT", "DEVICE", "MAC", "LINK", ">MTU", "VRF", "ACCEPTS", ">QUEUES", "HOST-INTERFACE"]);
    let mut counters = Sheet::new(&[
        "PORT",
        ">RX-PACKETS",
        ">RX-BYTES",
        ">RX-MISSED",
        ">RX-ERRORS",
        ">RX-NO-MBUF",
        ">TX-PACKETS",
        ">TX-BYTES",
        ">TX-ERRORS",
        ">TO-KERNEL",
        ">REFUSED",
        ">FROM-KERNEL",
        ">FULL",
    ]);
    for port in &ports.ports {
        let link = match (port.link_up, port.speed_mbps) {
            (false, _) => "down".to_owned(),
            (true, None) => "up".to_owned(),
            (true, Some(mbps)) => format!("up {}bit/s", scaled(f64::from(mbps) * 1e6)),
        };
        let accepts = match (port.underlay, port.native) {
            (true, true) => "lisp+native",
            (true, false) => "lisp",
            (false, true) => "native",
            (false, false) => "nothing",
        };
        let device = match (&port.parent, &port.vlan) {
            (Some(parent), Some(vlan)) => format!("{parent} vlan {vlan}"),
            _ => port.device.clone(),
        };
        state.row(vec![
            port.name.clone(),
            device,
            port.mac.clone(),
            link,
            port.mtu_bytes.to_string(),
            port.vrf.clone(),
            accepts.to_owned(),
            if port.software_spread { format!("{} software", port.queues) } else { port.queues.to_string() },
            or_dash(port.host.as_ref().map(|host| &host.interface)),
        ]);
        let c = &port.counters;
        let host = port.host.as_ref();
        let mut row = vec![port.name.clone()];
        let nic = [
            c.rx_packets,
            c.rx_bytes,
            c.rx_missed,
            c.rx_errors,
            c.rx_no_mbuf,
            c.tx_packets,
            c.tx_bytes,
            c.tx_errors,
        ];
        row.extend(nic.map(|n| n.to_string()));
        row.push(or_dash(host.map(|h| h.to_kernel)));
        row.push(or_dash(host.map(|h| h.to_kernel_refused)));
        row.push(or_dash(host.map(|h| h.from_kernel)));
        row.push(or_dash(host.map(|h| h.from_kernel_full)));
        counters.row(row);
    }
    let mut text = state.finish() + "\n" + &counters.finish();
    if xstats {
        let mut sheet = Sheet::new(&["PORT", "XSTAT", ">VALUE"]);
        for port in &ports.ports {
            for (name, value) in &port.xstats {
                sheet.row(vec![port.name.clone(), name.clone(), value.to_string()]);
            }
        }
        text += "\n";
        text += &sheet.finish();
    }
    text
}

pub(in super::super) fn workers(workers: &Workers, counters: bool) -> String {
    if workers.workers.is_empty() {
        return "this daemon has no workers\n".to_owned();
    }
    let mut sheet = Sheet::new(&[
        ">WORKER",
        ">CORE",
        ">RATE",
        ">BUSY",
        ">CYC/PKT",
        ">PACKETS",
        ">PKT/BURST",
        ">CYC/PKT-MEAN",
        ">HELD",
        ">DROPPED",
        ">FEED-LAG",
        ">IGNORED",
    ]);
    for w in &workers.workers {
        let recent = w.recent;
        sheet.row(vec![
            w.worker.to_string(),
            w.core.to_string(),
            or_dash(recent.map(|r| scaled(r.packets_per_second) + "pps")),
            or_dash(recent.map(|r| format!("{:.1}%", r.busy_percent))),
            or_dash(recent.map(|r| format!("{:.1}", r.cycles_per_packet))),
            w.packets.to_string(),
            format!("{:.1}", w.packets_per_burst),
            format!("{:.1}", w.cycles_per_packet),
            w.held.to_string(),
            w.dropped.to_string(),
            w.feed_lag.to_string(),
            w.feed_ignored.to_string(),
        ]);
    }
    let mut text = sheet.finish() + &handover(workers);
    if counters {
        let mut sheet = Sheet::new(&[">WORKER", "COUNTER", ">VALUE"]);
        for w in &workers.workers {
            for (name, value) in &w.counters {
                sheet.row(vec![w.worker.to_string(), name.clone(), value.to_string()]);
            }
        }
        text += "\n";
        text += &sheet.finish();
    }
    text
}

/// What workers give to each other; nothing where they do not.
fn handover(workers: &Workers) -> String {
    let mut sheet =
        Sheet::new(&[">WORKER", ">RECEIVED", ">HANDED-OVER", ">TAKEN-OVER", ">FULL", ">SENT-FOR-OTHERS"]);
    let mut any = false;
    for w in &workers.workers {
        let counter = |name: &str| w.counters.get(name).copied().unwrap_or(0);
        let row =
            [counter("handed_over"), counter("taken_over"), w.handover_full, counter("sent_for_others")];
        any |= row.iter().any(|n| *n > 0);
        let row = [u64::from(w.worker), w.packets].into_iter().chain(row);
        sheet.row(row.map(|n| n.to_string()).collect());
    }
    if any { "\n".to_owned() + &sheet.finish() } else { String::new() }
}

pub(in super::super) fn drops(drops: &Drops) -> String {
    if drops.reasons.is_empty() {
        return "no packet was dropped\n".to_owned();
    }
    let several = drops.reasons.iter().any(|reason| reason.packets_by_worker.len() > 1);
    let mut sheet = Sheet::new(&["REASON", ">PACKETS", "BY-WORKER", "MEANING"]);
    for reason in &drops.reasons {
        let by_worker: Vec<_> = reason.packets_by_worker.iter().map(u64::to_string).collect();
        sheet.row(vec![
            reason.reason.clone(),
            reason.packets.to_string(),
            if several { by_worker.join("+") } else { "-".to_owned() },
            reason.text.clone(),
        ]);
    }
    sheet.finish() + &format!("{} packets in all\n", drops.packets_total)
}
