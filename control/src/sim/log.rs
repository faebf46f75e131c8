//! A scenario as text: one line of JSON for what it starts from, and one for each thing that happens.

use super::scenario::{Net, Scenario, Shape, Timed};
use serde::{Deserialize, Serialize};

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    /// Tells what the file is, and the version of its format.
    pxtr_scenario: u32,
    seed: u64,
    shape: Shape,
    net: Net,
    chaos_ms: u64,
}

const VERSION: u32 = 1;

/// Not the log of a scenario.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The text is empty.
    #[error("the log is empty")]
    Empty,
    /// A line does not read.
    #[error("line {line}: {source}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// Made by another version of this program.
    #[error("version {0} of the format; this program reads {VERSION}")]
    Version(u32),
    /// A topology that has too little of something.
    #[error("the shape needs proxies, resolvers, servers, prefixes, and two sites at least")]
    Shape,
}

impl Scenario {
    /// As lines of JSON.
    #[must_use]
    pub fn to_log(&self) -> String {
        let Self { seed, shape, net, chaos_ms, ops } = self;
        let head =
            Head { pxtr_scenario: VERSION, seed: *seed, shape: *shape, net: *net, chaos_ms: *chaos_ms };
        // Plain values of a derived form: this can not fail.
        let mut lines = vec![serde_json::to_string(&head).unwrap_or_default()];
        lines.extend(ops.iter().map(|timed| serde_json::to_string(timed).unwrap_or_default()));
        lines.join("\n") + "\n"
    }

    /// From lines of JSON; empty ones and those that begin with `#` do not count.
    ///
    /// # Errors
    /// What does not read, and where.
    pub fn from_log(text: &str) -> Result<Self, LogError> {
        let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim()));
        let mut lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let (line, head) = lines.next().ok_or(LogError::Empty)?;
        let head: Head = serde_json::from_str(head).map_err(|source| LogError::Line { line, source })?;
        let Head { pxtr_scenario, seed, shape, net, chaos_ms } = head;
        if pxtr_scenario != VERSION {
            return Err(LogError::Version(pxtr_scenario));
        }
        if shape.proxies * shape.resolvers * shape.servers * shape.prefixes == 0 || shape.sites < 2 {
            return Err(LogError::Shape);
        }
        let mut ops: Vec<Timed> = Vec::new();
        for (line, text) in lines {
            ops.push(serde_json::from_str(text).map_err(|source| LogError::Line { line, source })?);
        }
        Ok(Self { seed, shape, net, chaos_ms, ops })
    }
}
