//! What is accepted, what is refused and with which words, and that the documentation is true.

mod accepted;
mod documented;
mod dynamic;
mod encryption;
mod paths;
mod reference;
mod refused;

use super::{Config, ConfigErrors, Machine, parse_config};
use std::path::Path;

/// Parses for a machine with cores 0 to 3.
fn parse(text: &str) -> Result<Config, ConfigErrors> {
    parse_config(text, Path::new("pxtr.toml"), &Machine { cores: Some((0..4).collect()) })
}

/// A site router, proxy and Map-Server in one, with every table.
const FULL: &str = include_str!("full.toml");
