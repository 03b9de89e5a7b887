#!/usr/bin/env python3
"""kill -9 under load: several SDK clients work while the server is killed and started again, then the histories are judged.

    run.py --millrace BIN [--kills 100] [--workers 3] [--seed N] [--power-loss PRELOAD.so]

Every worker process writes what it asked and what it was told to a history of its own; an outcome it never learned may have
gone either way. The judge (judge.py) reads the histories and a last drain. Segments and snapshots are kept tiny, so that
turnover, cleaning and snapshots are under way at most kills.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "clients" / "lib"))
from server import client_environment, free_port  # noqa: E402
import judge  # noqa: E402

READY_SECONDS = 30


class Killable:
    """One data directory, many lives of the server on it."""

    def __init__(self, binary, directory, preload=None):
        self.binary, self.directory, self.port, self.preload = binary, directory, free_port(), preload
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = open(os.path.join(directory, "server.log"), "ab")
        self.process = None

    def start(self):
        env = dict(os.environ)
        if self.preload:
            env["LD_PRELOAD"] = self.preload
            env["POWER_LOSS_SEED"] = str(random.getrandbits(32))
        self.process = subprocess.Popen(
            [self.binary, "serve", "--data-dir", os.path.join(self.directory, "data"), "--listen", f"127.0.0.1:{self.port}",
             "--segment-mib", "1", "--snapshot-mib", "2"], stdout=self.log, stderr=self.log, env=env)
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"the server did not start again (exit {self.process.returncode}): {self.tail()}")
            try:
                with urllib.request.urlopen(self.url + "/health", timeout=2) as reply:
                    if reply.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.01)
        raise SystemExit(f"the server was not ready within {READY_SECONDS} s: {self.tail()}")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def tail(self):
        with open(self.log.name, "rb") as log:
            return log.read()[-2000:].decode("utf-8", "replace")


def python_with_boto3():
    """The interpreter of the client suite's environment; made if it is not there."""
    venv = HERE.parent.parent / "build" / "clients" / "crash"
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "boto3"], check=True)
    return str(python)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--power-loss", default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.getrandbits(31)
    chance = random.Random(seed)
    print(f"seed {seed}", flush=True)
    directory = tempfile.mkdtemp(prefix="millrace-crash-", dir=os.environ.get("CRASH_DIR"))
    server = Killable(options.millrace, directory, options.power_loss)
    server.start()
    environment = {**os.environ, **client_environment(server.url)}
    python = python_with_boto3()
    worker = str(HERE / "worker.py")
    subprocess.run([python, worker, "prepare"], env=environment, check=True)
    stop_file = os.path.join(directory, "stop")
    histories = [os.path.join(directory, f"history.{i}") for i in range(options.workers)]
    workers = [subprocess.Popen([python, worker, "work", str(i), histories[i], stop_file, str(seed + i)], env=environment)
               for i in range(options.workers)]
    failed = True
    try:
        time.sleep(1.0)
        for number in range(options.kills):
            time.sleep(chance.uniform(0.05, 0.8))
            server.kill()
            server.start()
            if number % 10 == 9:
                print(f"{number + 1} kills", flush=True)
        time.sleep(0.5)
        pathlib.Path(stop_file).touch()
        if any(w.wait(60) for w in workers):
            raise SystemExit("a worker failed")
        drained = os.path.join(directory, "drained")
        subprocess.run([python, worker, "drain", drained], env=environment, check=True)
        server.process.send_signal(signal.SIGTERM)
        if server.process.wait(30) != 0:
            raise SystemExit(f"the server did not stop cleanly: {server.tail()}")
        verify = subprocess.run([options.millrace, "log", "verify", os.path.join(directory, "data")], stdout=subprocess.PIPE, text=True)
        problems = judge.judge([json.loads(line) for name in histories for line in open(name)],
                               [json.loads(line) for line in open(drained)])
        if verify.returncode:
            problems.append(f"log verify: {verify.stdout[-500:]}")
        for line in problems[:20]:
            print("BROKEN", line)
        print(judge.summary())
        failed = bool(problems)
        print(f"{options.kills} kills, {len(problems)} problems (seed {seed})")
        print(f"{0 if failed else 1} passed, {1 if failed else 0} failed")
    finally:
        for process in [server.process, *workers]:
            if process.poll() is None:
                process.kill()
                process.wait()
        if failed:
            print(f"kept: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
