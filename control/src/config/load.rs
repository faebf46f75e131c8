//! From a path, or a text, to a [`Config`] or to everything that is wrong with it.

use super::build::build;
use super::check::check;
use super::error::{ConfigErrors, Problem, Problems};
use super::model::Config;
use super::parse::parse;
use std::collections::BTreeSet;
use std::path::Path;
use zeroize::Zeroizing;

/// Larger files are refused unread: a million database mappings fit.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// What the machine has, as far as the configuration refers to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// CPU cores that the process may use; `None`: not to be checked (another machine's file).
    pub cores: Option<BTreeSet<usize>>,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn here() -> Self {
        let cores = core_affinity::get_core_ids();
        Self { cores: cores.map(|cores| cores.into_iter().map(|core| core.id).collect()) }
    }

    /// No machine in particular.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }
}

/// Reads and checks a configuration file for this machine: what `pxtrd --check-config --config FILE` does, and
/// what `pxtrd` does before anything else.
///
/// # Errors
/// Everything that is wrong with the file, one line each.
pub fn check_config(path: impl AsRef<Path>) -> Result<Config, ConfigErrors> {
    check_config_for(path.as_ref(), &Machine::here())
}

/// Reads and checks a configuration file for `machine`.
///
/// # Errors
/// Everything that is wrong with the file, one line each.
pub fn check_config_for(path: &Path, machine: &Machine) -> Result<Config, ConfigErrors> {
    let fail = |message: String| ConfigErrors {
        path: path.to_owned(),
        problems: vec![Problem { line: None, message }],
    };
    let size = std::fs::metadata(path)
        .map_err(|error| fail(format!("can not be read ({error}); give the path of a configuration file")))?
        .len();
    if size > MAX_FILE_BYTES {
        return Err(fail(format!("has {size} bytes; at most {MAX_FILE_BYTES} are read")));
    }
    let bytes = std::fs::read(path)
        .map_err(|error| fail(format!("can not be read ({error}); give the path of a configuration file")))?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => Zeroizing::new(text),
        Err(error) => {
            let bytes = Zeroizing::new(error.into_bytes());
            let line = bytes.utf8_chunks().next().map_or(0, |good| good.valid().matches('\n').count()) + 1;
            let message = "is not UTF-8 text; save the file as UTF-8".into();
            return Err(ConfigErrors {
                path: path.to_owned(),
                problems: vec![Problem { line: Some(line), message }],
            });
        }
    };
    parse_config(&text, path, machine)
}

/// Checks the text of a configuration file; `path` is for messages.
///
/// # Errors
/// Everything that is wrong with it, one line each.
pub fn parse_config(text: &str, path: &Path, machine: &Machine) -> Result<Config, ConfigErrors> {
    let mut problems = Problems::new(text);
    let Some(file) = parse(text, &mut problems) else {
        return Err(problems.into_errors(path));
    };
    check(&file, machine, &mut problems);
    match build(&file) {
        Some(config) if problems.is_empty() => Ok(config),
        _ => {
            if problems.is_empty() {
                problems.at(0..0, "is incomplete; compare it with configs/reference.toml");
            }
            Err(problems.into_errors(path))
        }
    }
}
