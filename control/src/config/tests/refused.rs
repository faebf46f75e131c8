//! Every kind of mistake and the lines it gets: the table is `refused.txt`.

use super::{FULL, parse};

/// One mistake: a text of `full.toml` replaced by another.
#[derive(Default)]
struct Case {
    what: String,
    from: Vec<String>,
    to: Vec<String>,
    expected: Vec<String>,
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in include_str!("refused.txt").lines().filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let (mark, text) = line.split_at(2);
        let text = text.to_owned();
        if mark == "= " {
            cases.push(Case { what: text, ..Case::default() });
            continue;
        }
        let case = cases.last_mut().unwrap();
        match mark {
            "- " => case.from.push(text),
            "+ " => case.to.push(text),
            "> " => case.expected.push(format!("pxtr.toml:{text}")),
            _ => panic!("{line}"),
        }
    }
    cases
}

#[test]
fn every_mistake_has_its_line() {
    let cases = cases();
    assert!(cases.len() > 90, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let (what, from) = (&case.what, case.from.join("\n"));
        assert!(FULL.contains(&from), "{what}: {from:?} is not in full.toml");
        let errors = match parse(&FULL.replacen(&from, &case.to.join("\n"), 1)) {
            Ok(_) => String::new(),
            Err(errors) => errors.to_string(),
        };
        assert!(!errors.contains("hunter2") && !errors.contains("7700"), "{what}: {errors}");
        assert!(!case.expected.is_empty(), "{what} expects nothing");
        let errors: Vec<_> = errors.lines().map(str::to_owned).collect();
        if errors != case.expected {
            wrong.push(format!("= {what}\n{}", errors.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All at once, each once, in the order of lines, and nothing that only follows from another mistake.
#[test]
fn everything_at_once() {
    let text = FULL
        .replacen("mtu = 9000", "mtu = 9300", 1)
        .replacen("idle = \"sleep\"", "idel = \"sleep\"", 1)
        .replacen("\"10.0.0.0/8\"", "\"10.0.0.1/8\"", 1)
        .replacen("\"2001:db8:e000::/36\"", "\"2001:db8::g/36\"", 1)
        .replacen("address = \"198.51.100.14\"\n", "", 1)
        .replacen("secret = \"hunter2-hunter2\"", "secret = 5", 1)
        .replacen("max_prefixes = 5", "max_prefixes = 0", 1)
        .replacen("cores = [1, 2]", "cores = [1, 77]", 1);
    let errors = parse(&text).unwrap_err().to_string();
    let expected = [
        "8: workers.cores = 77 is no core that this process may use; there are 0, 1, 2, 3",
        "9: unknown key workers.idel; did you mean idle?",
        "25: port.mtu = 9300 is outside 1280..=9216; give the MTU of the link in bytes",
        "32: vrf.eid_space element = \"10.0.0.1/8\" has host bits set; write 10.0.0.0/8",
        "32: vrf.eid_space element = \"2001:db8::g/36\" is no prefix; write it like 10.0.0.0/8 or 2001:db8::/32",
        "43: lisp.map_server.address is missing; give the address of the Map-Server",
        "44: lisp.map_server.secret is not a secret in quotes; give the secret shared with the Map-Server, here or \
         in a file by secret_file",
        "73: map_server.site.max_prefixes = 0 is outside 1..=10000000; give the number of EID prefixes that the site \
         may have registered at a time",
    ];
    let expected: Vec<_> = expected.iter().map(|line| format!("pxtr.toml:{line}")).collect();
    assert_eq!(errors.lines().collect::<Vec<_>>(), expected);
}

/// Whatever the file holds, the answer is lines and no panic.
#[test]
fn damaged_files_are_refused_or_accepted_but_never_panic() {
    for cut in 0..FULL.len() {
        let _ = parse(&FULL[..cut]);
    }
    for (at, line) in FULL.lines().enumerate() {
        let without: Vec<_> = FULL.lines().enumerate().filter(|(i, _)| *i != at).map(|(_, l)| l).collect();
        let _ = parse(&without.join("\n"));
        if let Some((key, _)) = line.split_once('=') {
            for value in ["1", "\"x\"", "[]", "{}", "[[1]]", "1979-05-27", "inf", "{ a = { b = 1 } }"] {
                let _ = parse(&FULL.replacen(line, &format!("{key}= {value}"), 1));
            }
        }
    }
}

/// Work is bounded for a file full of mistakes.
#[test]
fn a_flood_of_mistakes_ends() {
    let text = FULL.replacen("[limits]", &"[[port]]\nmtu = 1\n".repeat(1000), 1);
    let errors = parse(&text).unwrap_err();
    assert!(errors.to_string().contains("pxtr.toml:1: has more than 200 bad values; correct these first"));
}
