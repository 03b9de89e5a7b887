#!/usr/bin/env python3
"""Starts the real binary and lets every hostile suite loose on it: run.py --millrace BIN. The server must survive, answer
/health at once afterwards, and stop cleanly. A second one logs everything and has its log read for lines of others."""
import argparse
import pathlib
import subprocess
import sys
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "clients" / "lib"))
from server import running  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--unbounded", action="store_true", help="storms do not judge memory: for builds with a sanitizer")
    options = parser.parse_args()
    with running(options.millrace) as server:
        address = f"127.0.0.1:{server.port}"
        code = subprocess.run([sys.executable, str(HERE / "http_raw.py"), address]).returncode
        pid = str(server.process.pid)
        for suite in (["api.py"], ["storms.py"] + ["--unbounded"] * options.unbounded):
            code = subprocess.run([sys.executable, str(HERE / suite[0]), address, "--pid", pid, *suite[1:]]).returncode or code
        with urllib.request.urlopen(server.url + "/health", timeout=5) as reply:
            code = code or reply.status != 200
    with running(options.millrace, extra_env={"MILLRACE_LOG_LEVEL": "debug"}) as server:
        arguments = [f"127.0.0.1:{server.port}", "--only", "injected_texts", "--log", server.log_path]
        code = subprocess.run([sys.executable, str(HERE / "api.py"), *arguments]).returncode or code
    return code


if __name__ == "__main__":
    sys.exit(main())
