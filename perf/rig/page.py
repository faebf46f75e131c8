"""The page of results: a Markdown file with tables, and plots as SVG beside it, from the reports of a folder.

    perf/report [FOLDER]        default: perf/results
"""

import glob
import json
import os
import sys

from .distance import NEAR_NS
from .plots import bars, lines
from .targets import AIMS, verdict

SIZES = {"1k": 1e3, "10k": 1e4, "100k": 1e5, "200k": 2e5, "1m": 1e6, "2m": 2e6}
PATHS = ("encap_v4in4", "encap_v6in4", "encap_v4in6", "encap_v6in6", "decap_v4in4", "decap_v6in4")
STAGES = ("parse", "lookup", "rewrite", "send", "poll")
ORDER = ("path", "lpm", "access", "wire", "ndr", "latency", "churn", "flood", "failover", "scale", "memory", "soak", "loop")


def load(folder):
    """Reports by bench."""
    reports = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
        reports[report["bench"]] = report
    return reports


def _values(report):
    return {r["metric"]: r for r in report["results"]}


def _sized(values, pattern):
    """Points of the metrics that are called `pattern` with a size in it."""
    named = ((size, pattern.format(name)) for name, size in SIZES.items())
    return [(size, values[name]["value"]) for size, name in named if name in values]


def _aims(pattern):
    named = ((size, pattern.format(name)) for name, size in SIZES.items())
    return [(size, AIMS[name][1]) for size, name in named if name in AIMS]


def _path_plot(values):
    series = {case: _sized(values, case + "_{}_cycles") for case in PATHS}
    for case in ("encap_v4in4", "decap_v4in4"):
        series[f"{case}, aim"] = _aims(case + "_{}_cycles")
    return lines("A worker without a device", "TSC cycles a packet", "mappings", {k: v for k, v in series.items() if v})


def _by_stage(values):
    """Where the cycles of a packet go."""
    head = " | ".join(STAGES)
    rows = []
    for case in (*PATHS, "forward_v4"):
        for size in SIZES:
            name = f"{case}_{size}_cycles"
            if all(f"{name}_{stage}" in values for stage in STAGES):
                cells = " | ".join(f"{values[f'{name}_{stage}']['value']:.1f}" for stage in STAGES)
                rows.append(f"| {case} {size} | {cells} |")
    return [f"| cycles a packet, median | {head} |", "|---" * (len(STAGES) + 1) + "|", *rows, ""] if rows else []


def _lpm_plot(values):
    names = {"v4": "lpm_v4_{}_ns", "rte_fib": "rte_fib_v4_{}_ns", "v6": "lpm_v6_{}_ns", "rte_fib6": "rte_fib6_v6_{}_ns"}
    series = {name: _sized(values, pattern) for name, pattern in names.items()}
    return lines("Longest-prefix match", "ns a lookup", "prefixes", {k: v for k, v in series.items() if v})


def _wire_plot(values):
    rates = {name[:-len("_mpps")]: r for name, r in values.items() if name.endswith("_mpps")}
    near = {name: values[f"{name}_core_to_core_ns"]["value"] <= NEAR_NS for name in rates}
    return bars("Through net_memif, two CPUs", "Mpps; mark: best sample; grey: CPUs far apart",
                {name[len("wire_"):].replace("_", " "): (r["value"], r["best"], near[name]) for name, r in rates.items()})


def _latency_plot(values):
    shown = ("min", "p50", "p90", "p99")
    series = {p: [(share, values[f"latency_{share}_{p}_us"]["value"]) for share in (10, 50, 90)
                  if f"latency_{share}_{p}_us" in values] for p in shown}
    return lines("Latency", "us", "% of the rate without loss", {k: v for k, v in series.items() if v})


def _scale_plot(values):
    series = {f"{size} mappings": [(cores, values[name]["value"]) for cores in (4, 8, 16, 32, 64)
                                   if (name := f"scale_model_{size}_{cores}_cores_mpps") in values]
              for size in ("100k", "1m")}
    return lines("A model, not a measurement", "Mpps", "cores", {k: v for k, v in series.items() if v})


def _memory_plot(values):
    names = {"replica": "memory_{}_bytes_per_mapping_replica", "control": "memory_{}_bytes_per_mapping_control"}
    series = {name: _sized(values, pattern) for name, pattern in names.items()}
    return lines("Memory", "bytes a mapping", "mappings", {k: v for k, v in series.items() if v})


PLOTS = {"path": _path_plot, "lpm": _lpm_plot, "wire": _wire_plot, "latency": _latency_plot, "scale": _scale_plot,
         "memory": _memory_plot}


def _section(report, plot):
    machine = report["machine"]
    yield f"## {report['bench']}"
    yield (f"Commit `{report['commit']}`, {machine.get('date', 'no date')}, load {machine.get('load', 'unknown')} at the "
           f"start, TSC {report['tsc_hz'] / 1e9:.2f} GHz.")
    yield ""
    if plot:
        yield f"![{report['bench']}]({plot})\n"
    yield from _by_stage(_values(report))
    yield "| metric | median | spread | best | unit | aim | |\n|---|---|---|---|---|---|---|"
    for r in report["results"]:
        aim, met = verdict(r["metric"], r["value"])
        yield (f"| `{r['metric']}` | {r['value']:g} | {r['spread']:g} | {r['best']:g} | {r['unit']} | {aim} | {met} |")
    yield ""


def page(reports, plots):
    """The text of the page."""
    machines = {tuple((k, str(v)) for k, v in sorted(r["machine"].items()) if k not in ("load", "date"))
                for r in reports.values()}
    yield "# Results of the last accepted runs\n"
    yield ("Made by `perf/report` from the JSON files here, each by `perf/run.sh NAME --json perf/results/NAME.json`. Medians; "
           "the spread is from the 10th to the 90th percentile. What stands beside an aim is this run's, met or not.\n")
    for machine in sorted(machines):
        yield "Machine: " + ", ".join(f"{key} {value}" for key, value in machine) + ".\n"
    yield "| aim | metric | value | |\n|---|---|---|---|"
    for report in reports.values():
        for r in report["results"]:
            aim, met = verdict(r["metric"], r["value"])
            if aim:
                yield f"| {aim} {r['unit']} | `{r['metric']}` | {r['value']:g} | {met} |"
    yield ""
    for bench, report in reports.items():
        yield from _section(report, plots.get(bench))


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.environ["ROOT"], "perf", "results")
    found = load(folder)
    if not found:
        sys.exit(f"no reports in {folder}: perf/run.sh NAME --json {folder}/NAME.json")
    known = [name for name in ORDER if name in found]
    reports = {name: found[name] for name in [*known, *sorted(set(found) - set(known))]}
    plots = {}
    for bench, report in reports.items():
        if bench in PLOTS:
            plots[bench] = f"{bench}.svg"
            with open(os.path.join(folder, plots[bench]), "w", encoding="utf-8") as out:
                out.write(PLOTS[bench](_values(report)))
    with open(os.path.join(folder, "README.md"), "w", encoding="utf-8") as out:
        out.write("\n".join(page(reports, plots)))
    print(f"{folder}/README.md: {', '.join(reports)}")


if __name__ == "__main__":
    main()
