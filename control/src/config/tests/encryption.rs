//! `[[lisp.encryption]]`.

use super::{FULL, parse};
use pxtr_dataplane::crypt::Suite;

const TABLE: &str = "[[lisp.encryption]]\nrlocs = [\"198.51.100.4/30\", \"2001:db8:c0::/48\"]\n";

fn refused(text: &str) -> String {
    parse(&format!("{FULL}\n{text}")).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn encryption_is_off_by_default_and_required_where_it_is_asked_for_r216() {
    assert!(parse(FULL).unwrap().encryption.is_empty());
    let config = parse(&format!("{FULL}\n{TABLE}")).unwrap();
    let rule = &config.encryption[0];
    assert_eq!(rule.suites, [Suite::Aes128Gcm, Suite::ChaCha20Poly1305]);
    assert_eq!((rule.required, rule.rekey_ms, rule.rlocs.len()), (true, 3_600_000, 2));
    let more = "mode = \"preferred\"\nsuites = [\"x25519-chacha20-poly1305\"]\nrekey_interval_s = 2\n";
    let config = parse(&format!("{FULL}\n{TABLE}{more}")).unwrap();
    let rule = &config.encryption[0];
    assert_eq!((rule.required, rule.rekey_ms), (false, 2_000));
    assert_eq!(rule.suites, [Suite::ChaCha20Poly1305]);
    let engine = config.engine(1);
    assert!(engine.encryption("198.51.100.6".parse().unwrap()).is_some());
    assert!(engine.encryption("198.51.100.8".parse().unwrap()).is_none());
}

#[test]
fn mistakes_get_one_line_each_r216() {
    let twice = format!("{TABLE}[[lisp.encryption]]\nrlocs = [\"198.51.100.6/32\"]\n");
    assert!(refused(&twice).contains("198.51.100.6/32 overlaps 198.51.100.4/30"), "{}", refused(&twice));
    for (text, wanted) in [
        ("[[lisp.encryption]]\nrlocs = []\n", "lisp.encryption.rlocs is empty"),
        ("[[lisp.encryption]]\n", "lisp.encryption.rlocs is missing"),
        ("[[lisp.encryption]]\nrlocs = [\"::/0\"]\nsuites = []\n", "lisp.encryption.suites is empty"),
        ("[[lisp.encryption]]\nrlocs = [\"::/0\"]\nsuites = [\"aes128-cbc\"]\n", "aes128-cbc"),
        ("[[lisp.encryption]]\nrlocs = [\"::/0\"]\nrekey_interval_s = 0\n", "rekey_interval_s"),
    ] {
        assert!(refused(text).contains(wanted), "{}", refused(text));
    }
}
