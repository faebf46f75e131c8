//! Text to [`File`], reporting every syntax error, unknown key, missing key and bad value at once.
//!
//! serde stops at the first bad value. So each bad value is noted, taken out of the parsed table, and
//! serde asked again, until it has nothing to object to. Values of secret keys are never printed.

use super::error::Problems;
use super::file::File;
use super::schema::{Node, json_schema, nearest};
use serde::Deserialize;
use serde_json::Value;
use std::ops::Range;
use std::sync::LazyLock;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// Made once: a few milliseconds.
static SCHEMA: LazyLock<Value> = LazyLock::new(json_schema);
/// Bad values that are looked for: a file with more is another kind of file, and each costs a pass.
const MAX_BAD_VALUES: usize = 200;

/// Reads the text. What could not be read is absent in the result and noted in `problems`;
/// `None`: the text is no TOML.
pub(super) fn parse(text: &str, problems: &mut Problems) -> Option<File> {
    let (mut root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            problems.at(
                span,
                match error.message() {
                    "duplicate key" => "this key is given twice in its table; keep one of them".to_owned(),
                    message => format!("is no TOML: {message}; look for quotes, brackets and '=' here"),
                },
            );
        }
        return None;
    }
    let schema = Node(&SCHEMA);
    let span = root.span();
    check_keys(root.get_mut(), span, schema, "", schema, problems);
    for _ in 0..MAX_BAD_VALUES {
        let error = match File::deserialize(toml::de::Deserializer::from(root.clone())) {
            Ok(file) => return Some(file),
            Err(error) => error,
        };
        let span = error.span().unwrap_or(0..0);
        let Some(removed) = remove_in_table(root.get_mut(), &span, schema, "") else {
            problems.at(span, format!("can not be read: {}", predicate(error.message())));
            return None;
        };
        problems.note_bad(&removed.path);
        problems.at(span, removed.message(text, error.message()));
    }
    problems.at(0..0, format!("has more than {MAX_BAD_VALUES} bad values; correct these first"));
    None
}

/// Notes and takes out unknown keys, notes missing ones, in this table and all below.
fn check_keys(
    table: &mut DeTable<'_>,
    span: Range<usize>,
    schema: Node<'_>,
    path: &str,
    root: Node<'_>,
    problems: &mut Problems,
) {
    let mut unknown = Vec::new();
    for (key, value) in table.iter_mut() {
        let name: &str = key.get_ref();
        let Some(node) = schema.key(name) else {
            let (message, meant) = unknown_key(name, path, schema, root);
            problems.at(key.span(), message);
            if let Some(meant) = meant {
                problems.note_bad(&join(path, meant));
            }
            unknown.push(name.to_owned());
            continue;
        };
        let below = join(path, name);
        check_value(value, node, &below, root, problems);
    }
    for name in unknown {
        table.remove(name.as_str());
    }
    for (name, node) in schema.keys() {
        if node.is_required() && !table.contains_key(name) && !problems.was_bad(&join(path, name)) {
            problems.at(span.clone(), format!("{} is missing{}", join(path, name), node.remedy()));
        }
    }
}

/// [`check_keys`] for the tables in a value.
fn check_value(
    value: &mut Spanned<DeValue<'_>>,
    schema: Node<'_>,
    path: &str,
    root: Node<'_>,
    problems: &mut Problems,
) {
    let span = value.span();
    match (value.get_mut(), schema.items()) {
        (DeValue::Table(table), None) if schema.is_table() => {
            check_keys(table, span, schema, path, root, problems);
        }
        (DeValue::Array(array), Some(items)) => {
            for element in array.iter_mut() {
                check_value(element, items, path, root, problems);
            }
        }
        _ => {}
    }
}

/// What to say of a key that nobody knows here, and the key that was probably meant.
fn unknown_key<'s>(name: &str, path: &str, schema: Node<'s>, root: Node<'_>) -> (String, Option<&'s str>) {
    let message = format!("unknown key {}", join(path, name));
    if let Some(near) = nearest(name, schema.keys().map(|(known, _)| known)) {
        return (format!("{message}; did you mean {near}?"), Some(near));
    }
    let mut elsewhere = Vec::new();
    root.tables_with(name, "", &mut elsewhere);
    if !elsewhere.is_empty() {
        return (format!("{message}; it belongs into {}", elsewhere.join(" or ")), None);
    }
    let known: Vec<_> = schema.keys().map(|(known, _)| known).collect();
    let here = if path.is_empty() { "the file" } else { path };
    (format!("{message}; {here} has {}", known.join(", ")), None)
}

/// A value that was taken out because serde objected to it.
struct Removed<'s> {
    path: String,
    element: bool,
    span: Range<usize>,
    schema: Node<'s>,
    scalar: bool,
    table: bool,
}

impl Removed<'_> {
    /// `port.mtu = 99000 is outside 1280..=9600; give the MTU of the link in bytes`
    fn message(&self, text: &str, error: &str) -> String {
        if self.table && self.schema.items().is_some_and(Node::is_table) {
            return format!("{0} is one table; write [[{0}]]: there may be several", self.path);
        }
        let says = predicate(error);
        let remedy = if says.contains("; ") { String::new() } else { self.schema.remedy() };
        let value = match text.get(self.span.clone()) {
            Some(value) if self.scalar && self.schema.is_public() => format!(" = {value}"),
            _ => String::new(),
        };
        format!("{}{}{value} {says}{remedy}", self.path, if self.element { " element" } else { "" })
    }
}

/// Takes out the innermost value that holds `span`: an element of a list or the value of a key.
/// The span of an array of tables is that of its first header only, so every branch is tried.
fn remove_in_table<'s>(
    table: &mut DeTable<'_>,
    span: &Range<usize>,
    schema: Node<'s>,
    path: &str,
) -> Option<Removed<'s>> {
    let mut holder = None;
    for (name, value) in table.iter_mut() {
        let Some(node) = schema.key(name.get_ref()) else { continue };
        let below = join(path, name.get_ref());
        if let Some(removed) = remove_in_value(value, span, node, &below) {
            return Some(removed);
        }
        if holds(&value.span(), span) {
            holder = Some((name.get_ref().to_string(), node, below));
        }
    }
    let (name, node, below) = holder?;
    let value = table.remove(name.as_str())?;
    Some(removed_value(&value, node, below))
}

/// [`remove_in_table`] below a value.
fn remove_in_value<'s>(
    value: &mut Spanned<DeValue<'_>>,
    span: &Range<usize>,
    schema: Node<'s>,
    path: &str,
) -> Option<Removed<'s>> {
    match value.get_mut() {
        DeValue::Table(table) => remove_in_table(table, span, schema, path),
        DeValue::Array(array) => {
            let items = schema.items()?;
            for element in array.iter_mut() {
                if let Some(removed) = remove_in_value(element, span, items, path) {
                    return Some(removed);
                }
            }
            let at = array.iter().position(|element| holds(&element.span(), span))?;
            // An element has no documentation of its own: that of the list says what to give.
            let mut removed = removed_value(array.get(at)?, schema, path.to_owned());
            removed.element = true;
            let mut rest = DeArray::new();
            for (i, other) in array.iter().enumerate() {
                if i != at {
                    rest.push(other.clone());
                }
            }
            *array = rest;
            Some(removed)
        }
        _ => None,
    }
}

fn removed_value<'s>(value: &Spanned<DeValue<'_>>, schema: Node<'s>, path: String) -> Removed<'s> {
    let scalar = !matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_));
    let table = matches!(value.get_ref(), DeValue::Table(_));
    Removed { path, element: false, span: value.span(), schema, scalar, table }
}

fn holds(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// serde's message as a predicate without the offending value, which may be a secret.
fn predicate(message: &str) -> String {
    let Some((_, expected)) = message.rsplit_once(", expected ") else {
        return message.to_owned();
    };
    let expected = match expected {
        "a sequence" => "a list in brackets",
        table if table.starts_with("struct ") => "a table",
        "a boolean" => "true or false; write it without quotes",
        other => other,
    };
    format!("is not {expected}")
}
