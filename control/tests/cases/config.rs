//! What an engine is told: a daemon's configuration, read as the daemon reads it.

use super::file::{Case, File};
use pxtr_control::config::{Machine, parse_config};
use pxtr_control::engine::config::EngineConfig;
use std::path::Path;
use toml::{Table, Value};

/// What every configuration needs and no case is about.
const DAEMON: &str = "[daemon]\nname = \"case\"\n";
/// The same for those that forward packets.
const FORWARDS: &str = "
[workers]
cores = [0]
[[port]]
name = \"native\"
device = \"net_af_packet\"
device_args = \"iface=native0\"
host_interface = \"native\"
native = true
[[port]]
name = \"core\"
device = \"net_af_packet\"
device_args = \"iface=core0\"
host_interface = \"core\"
underlay = true
native = false
";
/// Seconds since 1970 at start.
const EPOCH: u32 = 0x6000_0000;

/// The configuration of a case: the node's, with what the case says in its place.
pub fn of_case(file: &File, case: &Case, node: &str) -> Result<EngineConfig, String> {
    let mut table = file.nodes.get(node).cloned().ok_or_else(|| format!("there is no node {node}"))?;
    merge(&mut table, &case.config);
    let roles = table.get("lisp").and_then(|lisp| lisp.get("roles")).and_then(Value::as_array);
    let forwards = |role: &Value| role.as_str().is_some_and(|r| matches!(r, "pitr" | "petr" | "xtr" | "fhr"));
    let ports = roles.is_some_and(|roles| roles.iter().any(forwards));
    let skeleton = format!("{DAEMON}{}", if ports { FORWARDS } else { "" });
    let mut whole: Table = toml::from_str(&skeleton).map_err(|error| error.to_string())?;
    merge(&mut whole, &table);
    let text = toml::to_string(&whole).map_err(|error| error.to_string())?;
    let config = parse_config(&text, Path::new("case.toml"), &Machine::any());
    Ok(config.map_err(|error| format!("{error}\n{text}"))?.engine(EPOCH))
}

/// Tables are merged key by key, all else is replaced.
fn merge(into: &mut Table, from: &Table) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}
