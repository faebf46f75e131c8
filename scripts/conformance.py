"""The tables of requirements in control/README.md and dataplane/README.md, from the tests that cite them.

`tests/conformance.txt` of each room says of each requirement what it is and how far it is done; the tests say
where that is shown: a test cites R-051 by that word in its comments or text, or by a name that begins
with r051_ or ends with _r051. What the control plane has done is also shown as data: by a case in
`control/tests/cases/*.toml`, or `tests/conformance.txt` says why there is none ("no case: ..."). The 26 traps of the wire formats (TRAP 6, trap_06_ or _trap6) must all be cited.
Without arguments: fails when the table is not what it should be. `--write`: writes it.
"""

import os
import re
import sys
import tomllib

ROOT = os.environ.get("ROOT") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Requirements and where their table goes.
TABLES = {"control/tests/conformance.txt": "control/README.md", "dataplane/tests/conformance.txt": "dataplane/README.md"}
BEGIN = "<!-- conformance: begin (scripts/conformance.py --write) -->"
END = "<!-- conformance: end -->"
CASES = "control/tests/cases"
# Rooms whose requirements are shown by cases.
WITH_CASES = ["control/tests/conformance.txt"]
NO_CASE = "no case: "
SHOWN = 3
TRAPS = 26
WHERE = ["control/tests", "control/src", "dataplane/src", "dataplane/tests"]


class Wrong(Exception):
    """Something that a person must put right."""


def requirements(data):
    """(number, state, what it is, what is missing or why not) in the order of the file."""
    rows = []
    with open(os.path.join(ROOT, data), encoding="utf-8") as handle:
        for number, line in enumerate(handle, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            parts = [part.strip() for part in line.split("|")]
            if len(parts) < 3 or parts[1] not in ("done", "partly", "not") or not re.fullmatch(r"R-\d{3}", parts[0]):
                raise Wrong(f"{data}:{number}: R-000 | done, partly or not | what it is | what is missing")
            without_case = len(parts) == 4 and parts[1] == "done" and parts[3].startswith(NO_CASE)
            if not without_case and (len(parts) == 4) != (parts[1] != "done"):
                raise Wrong(f"{data}:{number}: what is partly or not done says why, what is done only '{NO_CASE}...'")
            rows.append((parts[0], parts[1], parts[2], parts[3] if len(parts) == 4 else ""))
    return rows


def tests_of(path):
    """(name, text) of each test function: its comments, attributes and body."""
    with open(path, encoding="utf-8") as handle:
        lines = handle.read().splitlines()
    for at, line in enumerate(lines):
        match = re.match(r"( *)fn (\w+)\(", line)
        if not match:
            continue
        start = at
        while start > 0 and re.match(r" *(#\[|//)", lines[start - 1]):
            start -= 1
        if not any(re.match(r" *#\[test\]", above) for above in lines[start:at]):
            continue
        end = next((n for n in range(at, len(lines)) if lines[n] == match[1] + "}"), len(lines) - 1)
        yield match[2], "\n".join(lines[start : end + 1])


def module(path):
    """How a test is named on the command line: binary or crate, then modules."""
    path = re.sub(r"\.rs$", "", path)
    path = re.sub(r"^control/tests/", "", path)
    path = re.sub(r"^(control|dataplane)/(src|tests)/", r"\1/", path)
    return re.sub(r"/(main|mod)$", "", path).replace("/", "::")


def citations():
    """Requirement -> names of the tests that cite it; the traps that tests cite."""
    cited, traps = {}, set()
    for top in WHERE:
        for folder, _, files in sorted(os.walk(os.path.join(ROOT, top))):
            for file in sorted(files):
                if not file.endswith(".rs"):
                    continue
                path = os.path.join(folder, file)
                name = module(os.path.relpath(path, ROOT))
                for test, text in tests_of(path):
                    numbers = set(re.findall(r"R-(\d{3})\b", text)) | set(re.findall(r"(?:^|_)r(\d{3})(?=_|$)", test))
                    for number in numbers:
                        cited.setdefault(f"R-{number}", []).append(f"{name}::{test}")
                    traps.update(map(int, re.findall(r"TRAP (\d+)", text) + re.findall(r"(?:^|_)trap_?(\d+)", test)))
    return cited, traps


def cases():
    """Requirement -> the files whose cases show it, with how many there are in each."""
    shown = {}
    for file in sorted(os.listdir(os.path.join(ROOT, CASES))):
        if file.endswith(".toml"):
            with open(os.path.join(ROOT, CASES, file), "rb") as handle:
                for case in tomllib.load(handle).get("case", []):
                    for number in set(case["r"]):
                        files = shown.setdefault(number, {})
                        files[file] = files.get(file, 0) + 1
    return shown


def case_of(data, number, state, why, shown):
    """The words about the cases of a requirement, and what is wrong with them."""
    files = shown.get(number, {})
    if state == "done" and not files and not why:
        return "", f"{data}: {number} is done, but no case shows it, and nothing says why not ('{NO_CASE}...')"
    if files and why.startswith(NO_CASE):
        return "", f"{data}: {number} says '{why}', but there is one in {', '.join(files)}"
    if why.startswith(NO_CASE):
        return why, None
    return ", ".join(f"{count} in `{file}`" for file, count in files.items()), None


def table(data, cited, shown):
    """The text between the markers."""
    rows, states, wrong = [], {"done": 0, "partly": 0, "not": 0}, []
    with_cases = data in WITH_CASES
    if with_cases:
        known = {number for number, *_ in requirements(data)}
        wrong += [f"{CASES}: {number} is in no table" for number in shown if number not in known]
    for number, state, what, why in requirements(data):
        tests = cited.get(number, [])
        if state == "done" and not tests:
            wrong.append(f"{data}: {number} is done, but no test cites it")
        names = ", ".join(f"`{test}`" for test in tests[:SHOWN])
        if len(tests) > SHOWN:
            names += f" and {len(tests) - SHOWN} more"
        states[state] += 1
        how = {"done": "done", "partly": f"partly: {why}", "not": f"not done: {why}"}[state]
        column = ""
        if with_cases:
            words, fault = case_of(data, number, state, why, shown)
            wrong += [fault] if fault else []
            column = f" {words} |"
        rows.append(f"| {number} | {what} | {how} |{column} {names} |")
    if wrong:
        raise Wrong("\n".join(wrong))
    head = (
        f"{sum(states.values())} requirements: {states['done']} done, {states['partly']} partly, "
        f"{states['not']} not done.\n\n"
        + ("| | requirement | state | cases | tests |\n|---|---|---|---|---|\n" if with_cases else "| | requirement | state | tests |\n|---|---|---|---|\n")
    )
    return head + "\n".join(rows) + "\n"


def check(data, readme, cited, shown):
    """Compares or writes one table."""
    path = os.path.join(ROOT, readme)
    with open(path, encoding="utf-8") as handle:
        text = handle.read()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise Wrong(f"{readme}: needs one line each: {BEGIN} and {END}")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    wanted = f"{head}{BEGIN}\n{table(data, cited, shown)}{END}{tail}"
    if "--write" in sys.argv[1:]:
        with open(path, "w", encoding="utf-8") as handle:
            handle.write(wanted)
    elif text != wanted:
        raise Wrong(f"{readme}: the table of requirements is stale: python3 scripts/conformance.py --write")


def main():
    cited, traps = citations()
    shown = cases()
    forgotten = sorted(set(range(1, TRAPS + 1)) - traps)
    if forgotten:
        raise Wrong(f"no test cites these traps: {forgotten}")
    for data, readme in TABLES.items():
        check(data, readme, cited, shown)


if __name__ == "__main__":
    try:
        main()
    except Wrong as wrong:
        sys.exit(f"error: {wrong}")
