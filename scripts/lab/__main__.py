"""Command line of the labs; scripts/lab.sh is the door."""

import argparse
import json
import os
import signal
import sys
import time

from . import scenarios
from .net import Lab, LabError, reap


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/lab.sh", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the scenarios, a line each")
    run = commands.add_parser("run", help="bring up, check everything, tear down")
    run.add_argument("name", help="a scenario, or `all`")
    run.add_argument("--json", metavar="FILE", help="write the checks there; for `all` a folder")
    for verb in ("up", "down"):
        commands.add_parser(verb).add_argument("name")
    execute = commands.add_parser("exec", help="a command in a node's namespace")
    cli = commands.add_parser("cli", help="the pxtr client against a node's daemon")
    for sub in (execute, cli):
        sub.add_argument("name")
        sub.add_argument("node")
        sub.add_argument("rest", nargs=argparse.REMAINDER)
    logs = commands.add_parser("logs", help="a daemon's log")
    logs.add_argument("name")
    logs.add_argument("node")
    commands.add_parser("reap", help="remove what dead labs left behind")
    return parser.parse_args()


def interrupted(number, _frame):
    raise KeyboardInterrupt(signal.Signals(number).name)


def listen():
    """Signals end the lab in an orderly way."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)


def run(name, json_file):
    """0: all checks passed; 1: some did not; 2: it was interrupted."""
    scenario = scenarios.get(name)
    lab = Lab.fresh(name)
    status = None
    try:
        listen()
        scenario.build(lab)
        scenario.check(lab)
    except LabError as error:
        lab.record("lab runs to its end", False, str(error), "")
        lab.show_logs()
    except KeyboardInterrupt as why:
        lab.record("lab runs to its end", False, f"interrupted ({why})", "")
        status = 2
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        lab.destroy()
    lab.show_story()
    report = lab.report()
    if json_file:
        with open(json_file, "w", encoding="utf-8") as out:
            json.dump(report, out, indent=1)
            out.write("\n")
    failed = [c["name"] for c in report["checks"] if not c["pass"]]
    print(f"\n{name}: {len(report['checks']) - len(failed)} passed, {len(failed)} failed"
          + "".join(f"\n  failed: {f}" for f in failed))
    return status or (0 if report["pass"] else 1)


def run_all(folder):
    """Every scenario, one after the other, and a line about each at the end."""
    if folder:
        os.makedirs(folder, exist_ok=True)
    begin, rows = time.monotonic(), []
    for name in scenarios.ALL:
        print(f"\n== {name}", flush=True)
        start = time.monotonic()
        bad = run(name, os.path.join(folder, f"{name}.json") if folder else None)
        rows.append(f"{'FAIL' if bad else 'ok  '} {name} in {time.monotonic() - start:.0f} s")
        if bad == 2:
            break
    print("\n" + "\n".join(rows) + f"\nall in {time.monotonic() - begin:.0f} s")
    return 1 if any(row.startswith("FAIL") for row in rows) else 0


def up(name):
    scenario = scenarios.get(name)
    lab = Lab.named(name)
    try:
        scenario.build(lab)
    except (LabError, KeyboardInterrupt) as error:
        lab.show_logs()
        lab.destroy()
        raise SystemExit(f"error: {error}") from error
    lab.save()
    return 0


def main():
    args = arguments()
    listen()
    if args.command == "list":
        for name, scenario in scenarios.ALL.items():
            print(f"{name:16} {scenario.__doc__.strip().splitlines()[0]}")
        return 0
    reap()
    if args.command == "reap":
        return 0
    if args.command == "run":
        return run_all(args.json) if args.name == "all" else run(args.name, args.json)
    if args.command == "up":
        return up(args.name)
    lab = Lab.load(args.name)
    if args.command == "down":
        lab.destroy()
        return 0
    if args.command == "logs":
        print(lab.log_text(args.node), end="")
        return 0
    rest = [a for a in args.rest if a != "--"] if args.rest[:1] == ["--"] else args.rest
    command = lab.exec_argv(args.node, rest) if args.command == "exec" else lab.cli_argv(args.node, rest)
    os.execvp(command[0], command)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as problem:
        sys.exit(f"error: {problem}")
