"""run.py: one command, one table: every figure of the benchmark, as ratios taken inside one run.

    python3 bench/run.py --millrace BIN --out build/bench/results.json [--doc doc/benchmarks.md] [--only ID,ID] [--full]

Builds nothing; `make -C bench` makes the tools. The table goes to stdout, progress to stderr. Exit code 0 when every
figure was measured and none missed its must, 1 when some did miss, 3 when none missed but some could not be measured.
"""
import argparse
import datetime
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time

import figures
import rig as rigs
from rig import NotMeasured

BASE = os.path.join(rigs.HERE, "..", "build", "bench")
BEGIN, END = "<!-- results -->", "<!-- /results -->"


class Interrupted(Exception):
    pass


def parse_options():
    parser = argparse.ArgumentParser(description="Measures millrace against a bare HTTP server, the disk and its peers.")
    parser.add_argument("--millrace", metavar="BIN", help="the server's binary")
    parser.add_argument("--out", metavar="FILE", default=os.path.join(BASE, "results.json"), help="where the results go")
    parser.add_argument("--doc", metavar="FILE", help="a page whose part between the results marks is rewritten")
    parser.add_argument("--only", metavar="ID,ID", help="only these figures (see --list)")
    parser.add_argument("--skip", metavar="ID,ID", default="", help="all but these")
    parser.add_argument("--list", action="store_true", help="print the figures and end")
    parser.add_argument("--rounds", type=int, help="5; with --full 9")
    parser.add_argument("--cell", type=float, default=1.0, metavar="S", help="measured seconds of a cell")
    parser.add_argument("--depth", type=int, help="messages of the deep backlog (1 million; with --full 10 million)")
    parser.add_argument("--full", action="store_true", help="everything at full size; takes about 40 minutes")
    parser.add_argument("--minutes", type=float, help="figures not begun by then are named as not measured (15; --full: none)")
    parser.add_argument("--tools", default=BASE, metavar="DIR", help="where load, ceiling and disk are")
    parser.add_argument("--data", default=os.path.join(BASE, "data"), metavar="DIR", help="where servers keep data, on the disk to measure")
    parser.add_argument("--peers-dir", default=os.path.join(BASE, "peers"), metavar="DIR", help="where peers are installed")
    options = parser.parse_args()
    options.depth = options.depth or (10_000_000 if options.full else 1_000_000)
    options.minutes = options.minutes or (0 if options.full else 15)
    if options.rounds is None:
        options.rounds = 9 if options.full else 5
    if options.rounds < 1 or options.cell < 0.1 or options.depth < 20000:
        parser.error("--rounds >= 1, --cell >= 0.1, --depth >= 20000")
    return parser, options


def chosen(parser, options):
    known = [figure.id for figure in figures.FIGURES]
    only = options.only.split(",") if options.only else known
    skip = options.skip.split(",") if options.skip else []
    for name in only + skip:
        if name not in known:
            parser.error(f"'{name}' is not a figure (see --list)")
    return [figure for figure in figures.FIGURES if figure.id in only and figure.id not in skip]


def progress(text):
    print(f"  {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def outcome(figure, values=None, note="", reason=None):
    """One line of the results."""
    result = {"id": figure.id, "title": figure.title, "unit": figure.unit, "better": figure.better, "must": figure.must,
              "want": figure.want, "note": note, "reason": reason, "values": values, "median": None, "low": None,
              "high": None, "verdict": "not measured" if reason else "reported"}
    if values:
        result.update(median=statistics.median(values), low=min(values), high=max(values))
        if figure.must is not None:
            result["verdict"] = "wanted" if reaches(figure, result["median"], figure.want) else \
                "reached" if reaches(figure, result["median"], figure.must) else "missed"
    return result


def reaches(figure, value, goal):
    if goal is None:
        return False
    return value >= goal if figure.better == "more" else value <= goal


def from_cells(figure, rounds, failed):
    broken = [f"{name}: {failed[name]}" for name in figure.cells if name in failed]
    if broken:
        return outcome(figure, reason="; ".join(broken))
    values = [figure.formula(got) for got in rounds if all(name in got for name in figure.cells)]
    return outcome(figure, values) if values else outcome(figure, reason="no complete round")


def from_function(figure, rig, deadline):
    if deadline and time.monotonic() > deadline:
        return outcome(figure, reason="the time of the run was over (--minutes)")
    progress(figure.id)
    try:
        values, note = figure.function(rig)
        return outcome(figure, values, note)
    except NotMeasured as error:
        return outcome(figure, reason=str(error))
    except (OSError, ValueError, KeyError, ZeroDivisionError, subprocess.SubprocessError) as error:
        return outcome(figure, reason=f"{type(error).__name__}: {error}")


def measure(rig, selected, deadline):
    names = []
    for figure in selected:
        names += [name for name in figure.cells if name not in names]
    rounds, failed = figures.measure_cells(rig, names, progress) if names else ([], {})
    for kind in [kind for kind in rig.servers if kind != "default"]:
        rig.drop_server(kind)
    return [from_cells(figure, rounds, failed) if figure.cells else from_function(figure, rig, deadline) for figure in selected]


def show(number):
    if number is None:
        return "-"
    if number == 0 or abs(number) >= 1000:
        return f"{number:.0f}"
    return f"{number:.3g}" if abs(number) < 1 else f"{number:.4g}" if abs(number) >= 100 else f"{number:.2f}"


def goal(result, name):
    if result[name] is None:
        return "-"
    return ("≥ " if result["better"] == "more" else "≤ ") + show(result[name])


def cells_of(result):
    if result["reason"]:
        return [result["title"], goal(result, "must"), goal(result, "want"), "not measured", result["reason"]]
    unit = " " + result["unit"] if result["unit"] else ""
    spread = f"{show(result['low'])} to {show(result['high'])}" if len(result["values"]) > 1 else "one value"
    return [result["title"], goal(result, "must"), goal(result, "want"), show(result["median"]) + unit, f"{spread}, {result['verdict']}"]


HEADINGS = ["figure", "must", "want", "median", "spread"]


def table(results):
    lines = [HEADINGS] + [cells_of(result) for result in results]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    return "\n".join(" | ".join(text.ljust(width) for text, width in zip(line, widths)) + " | " + line[4] for line in lines)


def page_part(report):
    machine = report["machine"]
    lines = [f"Measured {report['time']} on {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Linux {machine['kernel']}; "
             f"{report['rounds']} rounds, cells of {report['cell_s']:g} s, depth {report['depth']}{', full run' if report['full'] else ''}.", "",
             "| " + " | ".join(HEADINGS + ["note"]) + " |", "|" + " --- |" * 6]
    for result in report["figures"]:
        fields = cells_of(result) + [result["note"] or ""]
        lines.append("| " + " | ".join(field.replace("|", "\\|") for field in fields) + " |")
    return "\n".join(lines)


def read_page(path):
    """The page's text and where its results begin and end."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise SystemExit(f"--doc: {error}") from error
    start, end = text.find(BEGIN), text.find(END)
    if start < 0 or end < start:
        raise SystemExit(f"--doc: {path} has no {BEGIN} ... {END}")
    return text, start, end


def rewrite_page(path, report):
    text, start, end = read_page(path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text[:start + len(BEGIN)] + "\n" + page_part(report) + "\n" + text[end:])


def describe_machine():
    model = "unknown CPU"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"cpu": model, "cores": os.cpu_count(), "memory_gib": round(memory), "kernel": platform.release().split("-")[0], "load_at_start": os.getloadavg()[0]}


def without_paths(results):
    """Reasons quote log lines; the page is public and this machine's folders are nobody's business."""
    here = os.path.abspath(os.path.join(rigs.HERE, ".."))
    for result in results:
        for field in ("reason", "note"):
            if result[field]:
                result[field] = result[field].replace(here + os.sep, "").replace(here, ".")
    return results


def main():
    parser, options = parse_options()
    selected = chosen(parser, options)
    if options.list:
        for figure in selected:
            print(f"{figure.id:22s} {figure.title}")
        return 0
    if options.doc:
        read_page(options.doc)  # before an hour of measuring, not after
    report = {"time": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"), "machine": describe_machine(),
              "rounds": options.rounds, "cell_s": options.cell, "depth": options.depth, "full": options.full}
    begun = time.monotonic()

    def interrupt(number, frame):
        raise Interrupted

    signal.signal(signal.SIGTERM, interrupt)
    rig = rigs.Rig(options)
    try:
        report["figures"] = without_paths(measure(rig, selected, begun + options.minutes * 60 if options.minutes else None))
    except (Interrupted, KeyboardInterrupt):
        print("interrupted: nothing is written", file=sys.stderr)
        return 130
    finally:
        rig.close()
    report["seconds"] = round(time.monotonic() - begun, 1)
    report["cells"] = rig.cells
    os.makedirs(os.path.dirname(os.path.abspath(options.out)), exist_ok=True)
    with open(options.out, "w") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    print(table(report["figures"]))
    print(f"\n{report['seconds']:.0f} s; load of the machine at the start {report['machine']['load_at_start']:.1f}")
    if options.doc:
        rewrite_page(options.doc, report)
    verdicts = {result["verdict"] for result in report["figures"]}
    return 1 if "missed" in verdicts else 3 if "not measured" in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
