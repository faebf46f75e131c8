//! Secrets: given once, here or in a file that others can not read. No message carries one.

use super::super::error::Problems;
use super::super::leaf::{At, Key, Word};
use super::super::words::{AbsolutePath, SecretText};
use super::all::Cx;
use crate::engine::config::Secret;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use zeroize::Zeroizing;

/// Longest secret, bytes.
const MAX_BYTES: u64 = 255;

/// The secret of a table that has `secret` or `secret_file`; `None`: neither is given.
///
/// # Errors
/// Where and what is wrong.
pub(in super::super) fn secret(
    text: &Key<Word<SecretText>>,
    file: &Key<Word<AbsolutePath>>,
) -> Result<Option<Secret>, (Range<usize>, String)> {
    match (text.at(), file.at()) {
        (Some(_), Some(file)) => {
            Err((file.span(), "secret and secret_file are both given; keep one of them".into()))
        }
        (Some(text), None) => Ok(Some(Secret::new(text.0.0.as_bytes().to_vec()))),
        (None, Some(file)) => match from_file(&file.0.0) {
            Ok(secret) => Ok(Some(secret)),
            Err(what) => Err((file.span(), format!("secret_file {} {what}", file.0.0.display()))),
        },
        (None, None) => Ok(None),
    }
}

fn from_file(path: &Path) -> Result<Secret, String> {
    let unreadable = |error: std::io::Error| {
        format!("can not be read ({error}); write the secret there, mode 0600, owner root")
    };
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if !meta.is_file() {
        return Err("is no file; give the path of a file with the secret".into());
    }
    if meta.mode() & 0o007 != 0 {
        return Err(format!("is open to everybody; run chmod 0600 {}", path.display()));
    }
    if meta.len() > MAX_BYTES + 2 {
        return Err(format!("has {} bytes; a secret has at most {MAX_BYTES}", meta.len()));
    }
    let bytes = Zeroizing::new(std::fs::read(path).map_err(unreadable)?);
    let end = bytes.strip_suffix(b"\n").map_or(&bytes[..], |line| line.strip_suffix(b"\r").unwrap_or(line));
    if end.is_empty() {
        return Err("is empty; write the secret there".into());
    }
    if end.len() as u64 > MAX_BYTES {
        return Err(format!("has {} bytes; a secret has at most {MAX_BYTES}", end.len()));
    }
    Ok(Secret::new(end.to_vec()))
}

pub(super) fn check(cx: &Cx<'_>, problems: &mut Problems) {
    let mut one = |path: &str, place, text: &_, file: &_| match secret(text, file) {
        Ok(Some(_)) => {}
        Ok(None) => {
            let given =
                ["secret", "secret_file"].iter().any(|key| problems.was_bad(&format!("{path}.{key}")));
            if !given {
                problems.at(
                    place,
                    format!("{path} has no secret; give secret = \"...\" or secret_file = \"/path\""),
                );
            }
        }
        Err((span, what)) => problems.at(span, format!("{path}: {what}")),
    };
    for server in cx.file.lisp.get().map_or(&[][..], |lisp| lisp.map_server.items()) {
        one("lisp.map_server", server.span(), &server.secret, &server.secret_file);
    }
    for router in cx.file.lisp.get().map_or(&[][..], |lisp| lisp.first_hop_router.items()) {
        one("lisp.first_hop_router", router.span(), &router.secret, &router.secret_file);
    }
    let lisp_sec = cx.file.lisp_sec.get();
    for key in lisp_sec.map_or(&[][..], |table| table.accept_keys.items()) {
        one("lisp_sec.accept_keys", key.span(), &key.secret, &key.secret_file);
    }
    if let Some(key) = lisp_sec.and_then(|table| table.forward_key.at()) {
        one("lisp_sec.forward_key", key.span(), &key.secret, &key.secret_file);
    }
    for key in cx
        .file
        .lisp
        .get()
        .map_or(&[][..], |l| l.map_server.items())
        .iter()
        .filter_map(|s| s.lisp_sec_key.at())
    {
        one("lisp.map_server.lisp_sec_key", key.span(), &key.secret, &key.secret_file);
    }
    for key in cx
        .file
        .map_server
        .get()
        .map_or(&[][..], |ms| ms.site.items())
        .iter()
        .filter_map(|s| s.lisp_sec_key.at())
    {
        one("map_server.site.lisp_sec_key", key.span(), &key.secret, &key.secret_file);
    }
    if let Some(table) = lisp_sec {
        let wanted = table.required.at().filter(|required| ***required).map(At::span);
        let given = table.secret.is_given() || table.secret_file.is_given();
        if let Some(place) = wanted.or(cx.file.lisp_sec.span().filter(|_| given)) {
            one("lisp_sec", place, &table.secret, &table.secret_file);
        }
    }
    if let Some(pubsub) = cx.file.lisp.get().and_then(|lisp| lisp.pubsub.at()) {
        one("lisp.pubsub", pubsub.span(), &pubsub.secret, &pubsub.secret_file);
    }
    for subscriber in cx.file.map_server.get().map_or(&[][..], |ms| ms.subscriber.items()) {
        one("map_server.subscriber", subscriber.span(), &subscriber.secret, &subscriber.secret_file);
    }
    for site in cx.file.map_server.get().map_or(&[][..], |ms| ms.site.items()) {
        for key in site.keys.items() {
            one("map_server.site.keys", key.span(), &key.secret, &key.secret_file);
        }
    }
}
