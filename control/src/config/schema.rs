//! What keys there are, what they mean, and which one was probably meant.
//!
//! All of it comes from the JSON Schema that schemars derives from [`mod@super::file`]: one source for
//! unknown keys, missing keys, remedies, the reference file and the schema for editors.

use super::file::File;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// The JSON Schema of the configuration file (draft 2020-12, nothing referenced).
#[must_use]
pub fn json_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<File>().to_value();
    polish(&mut schema);
    schema
}

/// Turns our `x-required` into the standard's `required` and drops `default: null`-like noise that
/// stems from absent keys.
fn polish(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    object.remove("default");
    let mut required = Vec::new();
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        for (key, property) in properties.iter_mut() {
            polish(property);
            if property.get("x-required").is_some() {
                required.push(Value::from(key.as_str()));
            }
        }
    }
    if let Some(items) = object.get_mut("items") {
        polish(items);
    }
    if !required.is_empty() {
        object.insert("required".into(), required.into());
    }
}

/// A node of the schema: what may stand at one place of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'a>(pub(super) &'a Value);

impl<'a> Node<'a> {
    /// What a key of this table holds.
    pub(super) fn key(self, name: &str) -> Option<Node<'a>> {
        self.0.get("properties")?.get(name).map(Node)
    }

    /// What an element of this list is.
    pub(super) fn items(self) -> Option<Node<'a>> {
        self.0.get("items").map(Node)
    }

    /// The keys of this table.
    pub(super) fn keys(self) -> impl Iterator<Item = (&'a str, Node<'a>)> {
        let properties = self.0.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten().map(|(k, v)| (k.as_str(), Node(v)))
    }

    /// Whether this is a table.
    pub(super) fn is_table(self) -> bool {
        self.keys().next().is_some()
    }

    /// Whether the key must be given.
    pub(super) fn is_required(self) -> bool {
        self.0.get("x-required").is_some()
    }

    /// Whether a value here may be printed: nothing secret in it.
    pub(super) fn is_public(self) -> bool {
        self.0.get("writeOnly").is_none()
            && self.items().is_none_or(Node::is_public)
            && self.keys().all(|(_, node)| node.is_public())
    }

    /// `; give the MTU of the link in bytes`: the first sentence of the documentation as a remedy.
    pub(super) fn remedy(self) -> String {
        let description = self.0.get("description").and_then(Value::as_str).unwrap_or_default();
        let first = description.split(['\n']).next().unwrap_or_default().trim_end_matches('.');
        match first.strip_prefix("The ") {
            Some(what) => format!("; give the {what}"),
            None if first.is_empty() => String::new(),
            None => format!("; give {first}"),
        }
    }

    /// Paths of the tables that have a key of this name.
    pub(super) fn tables_with(self, key: &str, path: &str, found: &mut Vec<String>) {
        for (name, node) in self.keys() {
            if name == key && !path.is_empty() {
                found.push(path.to_owned());
            }
            let below = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            node.items().unwrap_or(node).tables_with(key, &below, found);
        }
    }
}

/// The word that is so near that a slip of the finger explains the difference.
pub(super) fn nearest<'w>(word: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    words
        .map(|known| (strsim::osa_distance(word, known), known))
        .filter(|(distance, known)| *distance <= allowed || is_abbreviation(word, known))
        .min()
        .map(|(_, known)| known)
}

/// Whether leaving out letters of `known` gives `word`: `host_if` of `host_interface`.
fn is_abbreviation(word: &str, known: &str) -> bool {
    let mut rest = known.chars();
    word.len() >= 3
        && known.chars().next() == word.chars().next()
        && word.chars().all(|letter| rest.any(|k| k == letter))
}
