#!/usr/bin/env python3
"""The checking is checked: every row of src/base/mutants.def takes one guarantee away, and each test it names must notice.

mutants.py [--build build/mutants] [--seeds 3000] [--steps 2000] [--jobs n] [--doc doc/testing.md] [name...]

Caught means, by the simulator: a seed fails with an invariant's number, and passes without the mutant. By a unit test: a
check of it fails, or an assertion of the code, and without the mutant all pass. Anything else - a tool that breaks, a time
limit - is not caught, and ends the run as a survivor does.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROW = re.compile(r'^MUTANT_ROW\((\w+), "([^"]+)", "([^"]+)"\)', re.M)
FAILED_SEED = re.compile(r"^seed (\d+) failed at step \d+: (SQS-INV-\d+): (.*)", re.M)
SEED_SECONDS = 60    # of processor time: a history that takes more does not end, which the simulator says itself
TOOL_SECONDS = 900  # only against a broken tool: never counts as caught
MARKS = ("<!-- mutants: written by make mutants -->", "<!-- /mutants -->")


def run(program, words, mutant, build):
    env = dict(os.environ, MILLRACE_MUTANT=mutant, CMOCKA_TEST_ABORT="1")  # the first failure is enough
    try:
        done = subprocess.run([build / program, *words], env=env, cwd=ROOT, timeout=TOOL_SECONDS, errors="replace",
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except subprocess.TimeoutExpired:
        return None, f"{program} did not end"
    return done.returncode, done.stdout


def catch_by_sim(name, o):
    """(who noticed, where) or (None, why not)"""
    steps = ["--steps", str(o.steps), "--seconds", str(SEED_SECONDS), "--stop"]
    code, output = run("sim", ["--seeds", str(o.seeds), *steps], name, o.build)
    found = FAILED_SEED.search(output)
    if code == 0:
        return None, f"{o.seeds} seeds passed"
    if code != 1 or not found:
        return None, f"the simulator broke: exit code {code}"
    seed, invariant, sentence = found.groups()
    code, output = run("sim", ["--seed", seed, *steps], "none", o.build)
    if code != 0:
        return None, f"seed {seed} fails without it, too"
    return f"{invariant}" + (" (hangs)" if "does not end" in sentence else ""), f"seed {seed}"


def catch_by_unit(test, name, o):
    code, output = run(f"unit_{test}", [], name, o.build)
    began = re.findall(r"^\[ RUN      \] (\w+?)(?:ERROR:|$)", output, re.M)
    if code == 0:
        return None, f"{test} passed"
    if code == -signal.SIGABRT and began and re.search(r"^\[   LINE   \] --- |assertion failed:", output, re.M):
        return test, began[-1]
    return None, f"{test} broke: exit code {code}"


def catch(row, o):
    name, by, text = row
    results = [catch_by_sim(name, o) if who == "sim" else catch_by_unit(who, name, o) for who in by.split()]
    return name, text, results


def check_without(rows, o):
    for test in sorted({who for _, by, _ in rows for who in by.split() if who != "sim"}):
        code, output = run(f"unit_{test}", [], "none", o.build)
        if code != 0:
            sys.exit(f"{output}\n{test} fails without any mutant: mend that first")


def write_doc(path, results):
    lines = ["| Mutant | Guarantee taken away | Caught by | Where |", "|---|---|---|---|"]
    for name, text, found in results:
        lines.append(f"| `{name}` | {text} | {', '.join(by for by, _ in found)} | {', '.join(at for _, at in found)} |")
    page = path.read_text()
    head, rest = page.split(MARKS[0])
    tail = rest.split(MARKS[1])[1]
    path.write_text(head + MARKS[0] + "\n" + "\n".join(lines) + "\n" + MARKS[1] + tail)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/mutants")
    parser.add_argument("--seeds", type=int, default=3000)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--doc", type=pathlib.Path)
    parser.add_argument("--programs", action="store_true", help="print what must be built")
    parser.add_argument("names", nargs="*")
    o = parser.parse_args()
    rows = ROW.findall((ROOT / "src/base/mutants.def").read_text())
    if o.programs:
        print(*sorted({who if who == "sim" else f"unit_{who}" for _, by, _ in rows for who in by.split()}))
        return
    unknown = set(o.names) - {name for name, _, _ in rows}
    if unknown:
        sys.exit(f"no such mutant: {', '.join(unknown)}")
    rows = [row for row in rows if not o.names or row[0] in o.names]
    check_without(rows, o)
    results, survivors = [], 0
    print(f"{'mutant':<26} {'caught by':<28} where")
    with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
        for name, text, found in pool.map(lambda row: catch(row, o), rows):
            results.append((name, text, found))
            survivors += any(by is None for by, _ in found)
            for by, at in found:
                print(f"{name:<26} {by or 'NOT CAUGHT':<28} {at}", flush=True)
    print(f"{len(rows)} mutants, {survivors} not caught")
    if survivors:
        sys.exit(1)
    if o.doc and not o.names:
        write_doc(o.doc, results)


main()
