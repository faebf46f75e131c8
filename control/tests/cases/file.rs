//! A file of cases as it is written.

use serde::Deserialize;
use std::collections::BTreeMap;

/// The cases of a section.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Secrets that messages may be signed with.
    pub keys: Vec<String>,
    /// Daemons by name: what their configuration files say of the protocol.
    pub nodes: BTreeMap<String, toml::Table>,
    /// The cases.
    #[serde(default)]
    pub case: Vec<Case>,
}

/// A case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The requirements that it shows.
    pub r: Vec<String>,
    /// What it shows, in a sentence.
    pub says: String,
    /// Which of the daemons.
    pub node: String,
    /// What is configured otherwise than there.
    #[serde(default)]
    pub config: toml::Table,
    /// Events, and what follows from each.
    pub steps: String,
}

impl File {
    /// Reads a file; unknown keys are mistakes.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for case in &file.case {
            let numbered =
                |r: &String| r.strip_prefix("R-").is_some_and(|n| n.len() == 3 && n.parse::<u16>().is_ok());
            if case.r.is_empty()
                || !case.r.iter().all(numbered)
                || !case.says.ends_with('.') && case.says != "x"
            {
                return Err(format!("{}: needs R-numbers and a sentence", case.says));
            }
        }
        Ok(file)
    }
}
