//! The JSON that scripts rely on: `replies.json` is what the fake says to every request. A field may be
//! added; with `PXTR_UPDATE=1` the file is written anew.

use super::Fake;
use crate::api::*;
use serde_json::{Value, json};
use std::path::Path;

fn answer(request: &str) -> Value {
    let result = Request::parse(request.as_bytes()).and_then(|request| Fake::default().answer(&request));
    serde_json::to_value(Answer::from(result)).unwrap()
}

const REQUESTS: [&str; 18] = [
    r#"{"cmd":"show map-cache"}"#,
    r#"{"cmd":"show map-cache","eid":"10.4.0.1","limit":1}"#,
    r#"{"cmd":"show database"}"#,
    r#"{"cmd":"show dynamic-eid"}"#,
    r#"{"cmd":"show away","limit":3}"#,
    r#"{"cmd":"show registrations","version":1}"#,
    r#"{"cmd":"show nat"}"#,
    r#"{"cmd":"show subscriptions"}"#,
    r#"{"cmd":"show rlocs"}"#,
    r#"{"cmd":"show ports"}"#,
    r#"{"cmd":"show vrfs","instance_id":101}"#,
    r#"{"cmd":"show policers"}"#,
    r#"{"cmd":"show workers"}"#,
    r#"{"cmd":"show drops"}"#,
    r#"{"cmd":"show statistics"}"#,
    r#"{"cmd":"show health"}"#,
    r#"{"cmd":"show lisp"}"#,
    r#"{"cmd":"clear map-cache","eid":"10.4.0.0/16","instance_id":0}"#,
];

#[test]
fn replies_have_the_agreed_shape() {
    let all: Vec<Value> = REQUESTS
        .iter()
        .map(|r| json!({"request": serde_json::from_str::<Value>(r).unwrap(), "reply": answer(r)}))
        .collect();
    let mut text = serde_json::to_string_pretty(&all).unwrap();
    text.push('\n');
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/tests/replies.json");
    if std::env::var_os("PXTR_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == text,
        "src/api/tests/replies.json differs: a field changed its name or meaning?\n{text}"
    );
}

#[test]
fn replies_read_back() {
    for request in REQUESTS {
        let value = answer(request);
        let back: Answer = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(back).unwrap(), value, "{request}");
        let parsed = Request::parse(request.as_bytes()).unwrap();
        assert_eq!(Request::parse(parsed.to_line().as_bytes()).unwrap(), parsed);
    }
}

#[test]
fn bad_requests_are_explained() {
    let cases = [
        ("show workers", "bad_request", "expected value"),
        ("[]", "bad_request", "bad request"),
        ("{}", "bad_request", "missing field `cmd`"),
        (
            r#"{"cmd":"show all"}"#,
            "bad_request",
            "unknown variant `show all`, expected one of `show map-cache`",
        ),
        (r#"{"cmd":"show map-cache","ied":"1"}"#, "bad_request", "unknown field `ied`"),
        (r#"{"cmd":"show map-cache","eid":"10.4"}"#, "bad_request", "'10.4' is neither an EID"),
        (r#"{"cmd":"show map-cache","eid":"10.4.0.1/16"}"#, "bad_request", "host bits set; give 10.4.0.0/16"),
        (r#"{"cmd":"show workers","version":2}"#, "bad_version", "speaks version 1"),
        (r#"{"cmd":"show workers","version":"1"}"#, "bad_version", "speaks version 1"),
    ];
    for (request, code, words) in cases {
        let value = answer(request);
        assert_eq!(value["error"]["code"], code, "{request}");
        let message = value["error"]["message"].as_str().unwrap();
        assert!(message.contains(words), "{request}: {message}");
    }
}

#[test]
fn limits_are_bounded() {
    let query = |limit| MapCacheQuery { limit, ..MapCacheQuery::default() };
    assert_eq!(
        [query(None).limit(), query(Some(0)).limit(), query(Some(u32::MAX)).limit()],
        [1000, 1, 100_000]
    );
}
