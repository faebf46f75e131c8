//! Every key is documented in the agreed form, and what the documentation says is so.

use super::FULL;
use crate::config::{Machine, json_schema, parse_config};
use crate::engine::config::Limits;
use serde_json::Value;
use std::path::Path;

/// Calls `f(path, schema)` for each key that is no table.
fn each_leaf(schema: &Value, path: &str, f: &mut impl FnMut(&str, &Value)) {
    for (key, node) in schema["properties"].as_object().into_iter().flatten() {
        let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let inner = if node["items"].is_object() { &node["items"] } else { node };
        if inner["properties"].is_object() {
            each_leaf(inner, &below, f);
        } else {
            f(&below, node);
        }
    }
}

#[test]
fn every_key_says_what_it_is_its_default_and_when_a_change_counts() {
    let mut count = 0;
    each_leaf(&json_schema(), "", &mut |path, node| {
        count += 1;
        let text = node["description"].as_str().unwrap_or_default();
        assert!(text.starts_with("The "), "{path}: {text:?} can not follow 'give'");
        let required = text.contains("Required.");
        assert_eq!(required, node.get("x-required").is_some(), "{path}: Required. and x-required differ");
        assert!(
            required || text.contains("Default: ") || text.contains("Required unless"),
            "{path}: {text:?}"
        );
        let change = ["Change: live.", "Change: process restart."];
        assert!(change.iter().any(|c| text.ends_with(c)), "{path}: {text:?}");
    });
    assert!(count > 70, "{count}");
}

#[test]
fn every_limit_of_the_engine_can_be_set() {
    let schema = json_schema();
    let known = schema["properties"]["limits"]["properties"].as_object().unwrap();
    let limits = serde_json::to_value(Limits::default()).unwrap();
    let limits = limits.as_object().unwrap();
    assert_eq!(known.keys().collect::<Vec<_>>(), limits.keys().collect::<Vec<_>>());
    for (key, default) in limits {
        let text = known[key]["description"].as_str().unwrap();
        assert!(
            text.contains(&format!("Default: `{default}`.")),
            "limits.{key} is {default} by default: {text}"
        );
    }
}

/// A documented default, given explicitly, changes nothing.
#[test]
fn documented_defaults_are_the_defaults() {
    let mut tried = 0;
    each_leaf(&json_schema(), "", &mut |path, node| {
        let text = node["description"].as_str().unwrap();
        let Some((_, rest)) = text.split_once("Default: `") else { return };
        let Some((default, _)) = rest.split_once('`') else { return };
        let Some((table, key)) = path.rsplit_once('.') else { return };
        // Inline tables and keys that FULL sets to something else are left to the others.
        let header =
            [format!("[{table}]\n"), format!("[[{table}]]\n")].into_iter().find(|h| FULL.contains(h));
        let (Some(header), false) = (header, default.starts_with('/')) else { return };
        let set = FULL.lines().any(|line| line.starts_with(&format!("{key} = ")));
        if set {
            return;
        }
        tried += 1;
        let with = FULL.replacen(&header, &format!("{header}{key} = {default}\n"), 1);
        let path_of = Path::new("pxtr.toml");
        let before = parse_config(FULL, path_of, &Machine::any()).unwrap();
        match parse_config(&with, path_of, &Machine::any()) {
            Ok(after) => assert_eq!(before, after, "{path} = {default}"),
            Err(errors) => panic!("{path} = {default}: {errors}"),
        }
    });
    assert!(tried >= 24, "{tried}");
}
