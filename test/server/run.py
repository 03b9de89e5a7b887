#!/usr/bin/env python3
"""The real binary from outside: how it starts, refuses, reloads, logs and ends. run.py --millrace BIN [--only WORD]

Every test_*.py here holds functions test_*(t); each gets a fresh Toolbox (toolbox.py) and may start servers with it. Only
the standard library and the openssl command are needed. The last line is "N passed, N failed".
"""
import argparse
import importlib.util
import pathlib
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
from toolbox import Skip, Toolbox  # noqa: E402


def tests_of(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [f for name, f in vars(module).items() if name.startswith("test_") and callable(f)]


def run_one(test, millrace):
    """None when it passed, else why not."""
    toolbox = Toolbox(millrace)
    try:
        test(toolbox)
        return toolbox.reports() or None
    except Skip as why:
        return "skipped: %s" % why
    except Exception:
        return traceback.format_exc(limit=-3) + (toolbox.reports() or toolbox.tails())
    finally:
        toolbox.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--only", default="", help="tests whose file:name holds this")
    options = parser.parse_args()
    passed = failed = skipped = 0
    for path in sorted(HERE.glob("test_*.py")):
        for test in tests_of(path):
            name = path.stem.removeprefix("test_") + ":" + test.__name__.removeprefix("test_")
            if options.only not in name:
                continue
            start = time.monotonic()
            why = run_one(test, str(pathlib.Path(options.millrace).resolve()))
            is_skipped = why is not None and why.startswith("skipped")
            print("%s %-44s %.1f s" % ("skip" if is_skipped else "FAIL" if why else "ok  ", name, time.monotonic() - start), flush=True)
            if why:
                print("    " + why.rstrip().replace("\n", "\n    "), flush=True)
            passed, failed, skipped = passed + (why is None), failed + (why is not None and not is_skipped), skipped + is_skipped
    print("%d passed, %d failed%s" % (passed, failed, ", %d skipped" % skipped if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
