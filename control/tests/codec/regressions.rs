//! The fuzz targets' checks on their seeds and on every input that once failed
//! (`control/fuzz/{seeds,regressions}/TARGET/`).

use crate::checks;
use std::path::PathBuf;

type Check = fn(&[u8]);

/// All targets; a new one is listed here and in `control/fuzz/Cargo.toml`.
const CHECKS: [(&str, Check); 5] = [
    ("message", checks::message),
    ("ecm", checks::ecm),
    ("lcaf", checks::lcaf),
    ("auth", checks::auth),
    ("lisp_sec", checks::lisp_sec),
];

fn fuzz_directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

#[test]
fn seeds_and_regressions_hold() {
    for (target, check) in CHECKS {
        for kind in ["seeds", "regressions"] {
            let Ok(files) = std::fs::read_dir(fuzz_directory().join(kind).join(target)) else { continue };
            for file in files {
                let path = file.unwrap().path();
                // So that the output of a failure names the file.
                println!("{}", path.display());
                check(&std::fs::read(path).unwrap());
            }
        }
    }
}

#[test]
fn captures_hold_for_every_target() {
    for name in std::fs::read_dir(crate::captures::directory()).unwrap() {
        let path = name.unwrap().path();
        if path.extension().is_none_or(|e| e != "pcap") {
            continue;
        }
        for datagram in crate::captures::datagrams(path.file_stem().unwrap().to_str().unwrap()) {
            for (_, check) in CHECKS {
                check(&datagram.payload);
            }
        }
    }
}

#[test]
fn every_fuzz_target_is_listed() {
    let mut on_disk: Vec<String> = std::fs::read_dir(fuzz_directory().join("fuzz_targets"))
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    // The engine's target is no decoder: its regressions are the simulator's.
    on_disk.retain(|target| target != "engine");
    on_disk.sort();
    let mut listed: Vec<&str> = CHECKS.iter().map(|(target, _)| *target).collect();
    listed.sort_unstable();
    assert_eq!(on_disk, listed);
}
