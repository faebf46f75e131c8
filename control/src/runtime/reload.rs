//! A new configuration while packets flow: when it is read, and what of it needs a restart.

use super::error::Error;
use crate::config::{Config, Machine, check_config_for};
use std::path::{Path, PathBuf};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

/// Reads the file again at each SIGHUP, away from the control thread.
pub(super) struct Reload {
    path: PathBuf,
    machine: Machine,
    hangup: Signal,
    reading: Option<JoinHandle<Result<Config, String>>>,
    /// SIGHUP came while the file was being read: what was read may be half of the change.
    again: bool,
}

impl Reload {
    /// From here on SIGHUP no longer ends the process. To be called before the data plane binds this
    /// thread to the cores that the workers leave: the file is checked against the whole machine.
    pub(super) fn new(path: PathBuf) -> Result<Self, Error> {
        let hangup = signal(SignalKind::hangup()).map_err(Error::EventLoop)?;
        Ok(Self { path, machine: Machine::here(), hangup, reading: None, again: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The configuration that was asked for, or what is wrong with it. May be cancelled.
    pub(super) async fn next(&mut self) -> Result<Config, String> {
        loop {
            let Some(task) = &mut self.reading else {
                self.hangup.recv().await;
                self.read();
                continue;
            };
            tokio::select! {
                read = task => {
                    self.reading = None;
                    if !std::mem::take(&mut self.again) {
                        return read.unwrap_or_else(|e| Err(format!("reading it failed: {e}")));
                    }
                    self.read();
                }
                _ = self.hangup.recv() => self.again = true,
            }
        }
    }

    fn read(&mut self) {
        let (path, machine) = (self.path.clone(), self.machine.clone());
        let read = move || check_config_for(&path, &machine).map_err(|errors| errors.to_string());
        self.reading = Some(tokio::task::spawn_blocking(read));
    }
}

/// The parts that differ and that are only read at the start, by their place in the file. Empty: the
/// new configuration can be put in force.
pub(super) fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let ports = |c: &Config| -> Vec<_> {
        let fixed = |p: &crate::config::Port| {
            let device = (p.name.clone(), p.device.clone(), p.device_args.clone());
            let face = (p.host_interface.clone(), c.netns(p).map(str::to_owned));
            (device, p.sub, face, (p.queues, p.spread), p.mtu, p.gateway_mac)
        };
        c.ports.iter().map(fixed).collect()
    };
    let vrfs = |c: &Config| -> Vec<_> {
        c.vrfs.iter().map(|v| (v.name.clone(), v.iid, v.table, v.netns.clone())).collect()
    };
    [
        ("[daemon]", old.daemon != new.daemon),
        ("[dpdk]", old.dpdk != new.dpdk),
        ("[workers]", old.workers != new.workers),
        ("[hold]", old.hold != new.hold),
        ("[[port]] (its device, queues, MTU or addresses)", ports(old) != ports(new)),
        ("[[vrf]] (its name, Instance-ID or table)", vrfs(old) != vrfs(new)),
        ("lisp.roles", old.roles != new.roles),
        ("lisp.nat_traversal", old.nat_traversal != new.nat_traversal),
        ("limits.map_cache_entries", old.limits.map_cache_entries != new.limits.map_cache_entries),
    ]
    .into_iter()
    .filter_map(|(part, differs)| differs.then_some(part))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Machine, parse_config};
    use std::path::Path;

    fn config(change: impl Fn(String) -> String) -> Config {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/interworking/xtr4.toml");
        let text = change(std::fs::read_to_string(&path).unwrap());
        parse_config(&text, &path, &Machine::any()).unwrap()
    }

    #[test]
    fn protocol_settings_are_live_and_the_rest_says_so() {
        let old = config(|text| text);
        type Case = (&'static str, &'static str, &'static [&'static str]);
        let cases: &[Case] = &[
            ("priority = 1, weight = 100", "priority = 2, weight = 50", &[]),
            ("site-four-secret", "another-secret", &[]),
            ("10.4.0.0/24", "10.44.0.0/24", &[]),
            ("proxy_reply = false", "proxy_reply = true", &[]),
            (
                "table = 254",
                "table = 254\nencap_dscp = 46\ndecap_dscp = \"outer\"\nclamp_mss_to_mtu = 1444",
                &[],
            ),
            (
                "[[lisp.map_server]]",
                "[[lisp.path]]\nrlocs = [\"::/0\"]\nudp_checksum = \"computed\"\n[[lisp.map_server]]",
                &[],
            ),
            ("mbufs = 12288", "mbufs = 16384", &["[dpdk]"]),
            ("idle_sleep_us = 100", "idle_sleep_us = 200", &["[workers]"]),
            ("mtu = 1500", "mtu = 1400", &["[[port]] (its device, queues, MTU or addresses)"]),
            ("127.0.0.1:9342", "127.0.0.1:9352", &["[daemon]"]),
            ("table = 254", "table = 100", &["[[vrf]] (its name, Instance-ID or table)"]),
        ];
        for (from, to, expected) in cases {
            let new = config(|text| {
                assert!(text.contains(from), "{from}");
                text.replace(from, to)
            });
            assert_eq!(needs_restart(&old, &new), *expected, "{from} -> {to}");
        }
    }
}
