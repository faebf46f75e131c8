"""The rules of the house that no compiler checks. Prints every breach; exit 1 if there is one."""

import json
import os
import re
import subprocess
import sys

ROOT = os.environ.get("ROOT") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOP = {
    "Cargo.toml", "Cargo.lock", "dataplane", "control", "ffi", "configs", "perf", "scripts",
    "README.md", "LICENSE", "CHANGELOG.md", "rustfmt.toml",
}
ROOMS = ["ffi", "dataplane", "control", "configs", "perf", "scripts"]
# package -> our packages it may depend on
MAY_USE = {
    "dpdk-sys": set(),
    "pxtr-dataplane": {"dpdk-sys"},
    "pxtr-control": {"pxtr-dataplane"},
    "pxtr-perf": {"dpdk-sys", "pxtr-dataplane", "pxtr-control"},
}
MAX_LINES = 600
SIZE_EXEMPT = re.compile(r"/tests?(/|\.rs$|_)|_tests?\.rs$|tables?\.rs$|benches/|/fuzz/")
PANICKY = re.compile(r"\b(todo!|unimplemented!)\(|#\[ignore\]|#!?\[allow\(dead_code\)\]")
LIB_ITEM = re.compile(r"^(pub(\([a-z]+\))? )?(async )?(fn|struct|enum|impl|trait|static)\b")


def tracked():
    out = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=True,
    )
    return [f for f in out.stdout.splitlines() if os.path.isfile(os.path.join(ROOT, f))]


def code_only(text):
    """Rust without comments and string literals, so that words in them do not count."""
    text = re.sub(r'"(?:\\.|[^"\\])*"', '""', text)
    return re.sub(r"//[^\n]*", "", text)


def layout(files):
    top = {f.split("/")[0] for f in files if not f.startswith(".")}
    for extra in sorted(top - TOP):
        yield f"{extra}: not part of the top level"
    for room in ROOMS:
        if f"{room}/README.md" not in files:
            yield f"{room}/README.md: missing (what the room is for, what it may touch, where to start)"


def rust_files(files):
    for f in files:
        if not f.endswith(".rs"):
            continue
        with open(os.path.join(ROOT, f), encoding="utf-8") as handle:
            text = handle.read()
        lines = text.count("\n")
        if lines > MAX_LINES and not SIZE_EXEMPT.search("/" + f):
            yield f"{f}: {lines} lines, the house stops at {MAX_LINES}"
        code = code_only(text)
        # A counting allocator can not be written without `unsafe`: test code that holds one is named.
        if not f.startswith("ffi/") and re.search(r"\bunsafe\b", code) and "/tests/alloc" not in f:
            yield f"{f}: unsafe outside ffi/"
        for hit in PANICKY.finditer(code):
            yield f"{f}:{code[:hit.start()].count(chr(10)) + 1}: {hit.group(0)}"
        if os.path.basename(f) in ("lib.rs", "mod.rs") and "/tests/" not in f:
            for number, line in enumerate(code.splitlines(), 1):
                if LIB_ITEM.match(line):
                    yield f"{f}:{number}: lib.rs and mod.rs hold docs, mod and pub use only"
                    break


def dependencies():
    out = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )
    for package in json.loads(out.stdout)["packages"]:
        name = package["name"]
        if name not in MAY_USE:
            yield f"package {name}: not in the plan of rooms (scripts/rules.py)"
            continue
        ours = {d["name"] for d in package["dependencies"] if d["name"] in MAY_USE}
        for bad in sorted(ours - MAY_USE[name]):
            yield f"package {name} depends on {bad}: against the direction ffi <- dataplane <- control"


def main():
    files = tracked()
    breaches = [*layout(files), *rust_files(files), *dependencies()]
    for breach in breaches:
        print(breach)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
