//! Builds the C shim and the bindings to it against the installed DPDK.
//!
//! pkg-config is run by hand: the crate of that name drops `-include rte_config.h` and `-march`,
//! without which the headers compile to something else than the library was built for.

use std::env;
use std::path::PathBuf;
use std::process::Command;

const SOURCES: [&str; 5] = ["csrc/cpu.c", "csrc/eal.c", "csrc/mbuf.c", "csrc/mtu.c", "csrc/port.c"];

fn main() {
    println!("cargo::rerun-if-env-changed=PKG_CONFIG_PATH");
    println!("cargo::rerun-if-changed=csrc");
    let cflags = pkg_config("--cflags");
    link(&pkg_config("--libs"));

    let mut build = cc::Build::new();
    for flag in &cflags {
        build.flag(flag);
    }
    let fib = env::var_os("CARGO_FEATURE_FIB").is_some();
    build.files(SOURCES).include("csrc").std("gnu11").warnings(true).extra_warnings(true).opt_level(3);
    if fib {
        build.file("csrc/fib.c");
    }
    build.compile("pxtr_shim");

    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("bindings.rs");
    let mut bindings = bindgen::Builder::default().header("csrc/shim.h");
    if fib {
        bindings = bindings
            .header("csrc/fib.h")
            .raw_line("#[repr(C)] pub struct rte_fib([u8; 0]);")
            .raw_line("#[repr(C)] pub struct rte_fib6([u8; 0]);");
    }
    bindings
        .clang_args(&cflags)
        .allowlist_function("pxtr_.*")
        .allowlist_type("pxtr_.*")
        .allowlist_var("PXTR_.*")
        // DPDK's own types stay opaque: an mbuf is reached through the PXTR_MBUF_ offsets alone.
        .allowlist_recursively(false)
        .raw_line("#[repr(C)] pub struct rte_mbuf([u8; 0]);")
        .raw_line("#[repr(C)] pub struct rte_mempool([u8; 0]);")
        .raw_line("#[repr(C)] pub struct rte_ring([u8; 0]);")
        .layout_tests(true)
        .generate_comments(false)
        .generate()
        .expect("bindgen could not read csrc/shim.h: is clang installed? (apt install clang)")
        .write_to_file(out)
        .expect("OUT_DIR is writable");
}

/// What pkg-config says of libdpdk, one argument each.
fn pkg_config(what: &str) -> Vec<String> {
    let output = Command::new(env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".into()))
        .args([what, "libdpdk >= 22.11"])
        .output()
        .expect("pkg-config is needed: apt install pkg-config libdpdk-dev");
    assert!(
        output.status.success(),
        "DPDK 22.11 or newer was not found (apt install libdpdk-dev, or set PKG_CONFIG_PATH):\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect()
}

/// Shared libraries; drivers are plugins that the EAL loads from its own directory, but for
/// net_ring, whose ports are made by a call.
fn link(flags: &[String]) {
    for flag in flags {
        if let Some(path) = flag.strip_prefix("-L") {
            println!("cargo::rustc-link-search=native={path}");
        } else if let Some(lib) = flag.strip_prefix("-l") {
            println!("cargo::rustc-link-lib=dylib={lib}");
        }
    }
    println!("cargo::rustc-link-lib=dylib=rte_net_ring");
}
