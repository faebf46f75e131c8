//! What is wrong with a configuration: all of it, one line each.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line of the file, from 1; `None`: the file as a whole.
    pub line: Option<usize>,
    /// What is wrong and what to do, without file and line.
    pub message: String,
}

/// Everything that is wrong with a file. Prints one line per problem: `file:line: what; remedy`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    /// The file as named by the caller.
    pub path: PathBuf,
    /// In the order of lines; never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            match problem.line {
                Some(line) => write!(f, "{path}:{line}: {}", problem.message)?,
                None => write!(f, "{path}: {}", problem.message)?,
            }
        }
        Ok(())
    }
}

/// Collects problems and turns byte offsets into lines.
#[derive(Debug)]
pub(super) struct Problems<'a> {
    text: &'a str,
    found: Vec<(usize, String)>,
    bad: HashSet<String>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, found: Vec::new(), bad: HashSet::new() }
    }

    /// Notes a problem at a place of the text.
    pub(super) fn at(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.found.push((span.start, message.into()));
    }

    /// Notes that a value of this key was taken out as bad: it is absent now, but was given.
    pub(super) fn note_bad(&mut self, path: &str) {
        self.bad.insert(path.to_owned());
    }

    /// Whether a value of this key was bad somewhere: then what is absent must not be called missing.
    pub(super) fn was_bad(&self, path: &str) -> bool {
        self.bad.contains(path)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them in the order of the text, each only once.
    pub(super) fn into_errors(self, path: &Path) -> ConfigErrors {
        let mut found = self.found;
        found.sort();
        found.dedup();
        let text = self.text;
        let problems = found
            .into_iter()
            .map(|(at, message)| Problem { line: Some(line_of(text, at)), message })
            .collect();
        ConfigErrors { path: path.to_owned(), problems }
    }
}

/// Line of a byte offset, from 1.
fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|b| *b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_one() {
        assert_eq!([line_of("a\nb\n", 0), line_of("a\nb\n", 2), line_of("a\nb\n", 99)], [1, 2, 3]);
    }

    #[test]
    fn display_is_one_line_per_problem() {
        let mut p = Problems::new("x\ny\n");
        p.at(2..3, "second");
        p.at(0..1, "first");
        p.at(0..1, "first");
        assert_eq!(p.into_errors(Path::new("f.toml")).to_string(), "f.toml:1: first\nf.toml:2: second");
    }
}
