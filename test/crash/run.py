#!/usr/bin/env python3
"""kill -9 under load: several SDK clients work while the server is killed and started again, then the histories are judged.

    run.py --millrace BIN [--kills 100] [--workers 3] [--seed N] [--power-loss] [--durability fsync|os]

Every worker process writes what it asked and what it was told to a history of its own; an outcome it never learned may have
gone either way. The judge (judge.py) reads the histories and a last drain. Segments and snapshots are kept tiny, and many
kills wait for a snapshot, a new segment or the cleaner to be under way; some come while the server starts. Run over an
existing build; a run in which no snapshot, recycling or cleaning happened fails.

With --power-loss a preload library (power_loss.c) knows what no sync has covered, and after half of the kills a part of it is
taken back (power_cut.py), as a power cut would.
"""
import argparse
import collections
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
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "clients" / "lib"))
sys.path.insert(0, str(HERE.parent / "support"))
from server import client_environment, free_port  # noqa: E402
import judge  # noqa: E402
import judge_test  # noqa: E402
import power_cut  # noqa: E402
from process import sanitizer_report  # noqa: E402

READY_SECONDS = 30
AIM_SECONDS = 1.5  # how long a kill waits for what it aims at
WATCHED = ("snapshots_total", "log_segments_recycled_total", "log_relocated_bytes_total")


class Broken(Exception):
    """The server did what it must not; the directory is kept."""


class Killable:
    """One data directory, many lives of the server on it."""

    def __init__(self, options, directory, chance, preload=None):
        self.binary, self.durability, self.directory, self.chance, self.preload = options.millrace, options.durability, directory, chance, preload
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = os.path.join(directory, "data")
        self.log = open(os.path.join(directory, "server.log"), "ab")
        self.keep = os.path.join(directory, "keep")
        self.changes = os.path.join(directory, "changes")
        self.process, self.kills, self.seen = None, [], {}
        self.totals, self.lost = collections.Counter(), collections.Counter()
        os.mkdir(self.keep)

    def spawn(self):
        env = dict(os.environ)
        if self.preload:
            env.update(LD_PRELOAD=self.preload, POWER_LOSS_DIR=self.data, POWER_LOSS_LOG=self.changes, POWER_LOSS_KEEP=self.keep,
                       ASAN_OPTIONS="verify_asan_link_order=0")
        self.process = subprocess.Popen(
            [self.binary, "serve", "--data-dir", self.data, "--listen", f"127.0.0.1:{self.port}", "--segment-mib", "4",
             "--snapshot-mib", "2", "--durability", self.durability], stdout=self.log, stderr=self.log, env=env)
        self.seen = {}

    def start(self):
        self.spawn()
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Broken(f"the server did not start again (exit {self.process.returncode}): {self.tail()}")
            try:
                with urllib.request.urlopen(self.url + "/health", timeout=2) as reply:
                    if reply.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.005)
        raise Broken(f"the server was not ready within {READY_SECONDS} s: {self.tail()}")

    def kill(self):
        if self.process.poll() is not None:
            raise Broken(f"the server ended by itself (exit {self.process.returncode}): {self.tail()}")
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.kills.append(time.monotonic())

    def kill_while_stopping(self):
        """The last snapshot, the closing of the journal."""
        self.process.send_signal(signal.SIGTERM)
        time.sleep(self.chance.uniform(0, 0.05))
        if self.process.poll() not in (None, 0):
            raise Broken(f"no clean stop (exit {self.process.returncode}): {self.tail()}")
        self.process.kill()
        self.process.wait()
        self.kills.append(time.monotonic())

    def cut_power(self):
        self.lost += power_cut.Cut(self.data, self.changes, self.keep, self.chance).run()

    def tail(self):
        with open(self.log.name, "rb") as log:
            return log.read()[-2000:].decode("utf-8", "replace")

    def look(self):
        """Adds what the counters rose by since the last look at this life of the server."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=5) as reply:
            lines = [line.split() for line in reply.read().decode().splitlines() if not line.startswith("#")]
        for name in WATCHED:
            now = next(float(line[-1]) for line in lines if line[0].endswith(name))
            self.totals[name] += int(now - self.seen.get(name, 0))
            self.seen[name] = now

    # ---- moments to be killed at

    def names(self):
        return set(os.listdir(self.data))

    def wait_until(self, is_now, pause=0.0005):
        deadline = time.monotonic() + AIM_SECONDS
        while time.monotonic() < deadline:
            if is_now():
                return True
            time.sleep(pause)
        return False

    def wait_for_moment(self, aim):
        if aim == "snapshot":
            return self.wait_until(lambda: os.path.exists(os.path.join(self.data, "snapshot.tmp")))
        if aim == "segment":
            before = self.names()
            return self.wait_until(lambda: any(not n.startswith("snapshot") for n in self.names() ^ before))
        if aim == "cleaning":
            before = self.totals["log_relocated_bytes_total"]

            def is_cleaning():
                self.look()
                return self.totals["log_relocated_bytes_total"] > before
            return self.wait_until(is_cleaning, 0.01)
        time.sleep(self.chance.uniform(0.0, 0.8))
        return True


def python_with_boto3():
    """The interpreter of an environment with boto3; made if it is not there."""
    venv = ROOT / "build" / "clients" / "crash"
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "boto3"], check=True)
    return str(python)


def build_preload(source, name):
    """build/preload/NAME.so, made anew when its source is newer."""
    target = ROOT / "build" / "preload" / f"{name}.so"
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(target), str(source), "-ldl"], check=True)
    return str(target)


class Run:
    def __init__(self, options, directory, chance, seed):
        self.options, self.directory, self.chance, self.seed = options, directory, chance, seed
        preload = build_preload(HERE / "power_loss.c", "power_loss") if options.power_loss else None
        self.server = Killable(options, directory, chance, preload)
        self.python, self.worker = python_with_boto3(), str(HERE / "worker.py")
        self.environment = {**os.environ, **client_environment(self.server.url)}
        self.hits, self.workers = collections.Counter(), []

    def ask_worker(self, *arguments):
        return subprocess.run([self.python, self.worker, *arguments], env=self.environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    def one_kill(self):
        aim = self.chance.choices(["any", "snapshot", "segment", "cleaning", "stop"], weights=[5, 2, 2, 1, 1])[0]
        is_hit = self.server.wait_for_moment(aim)
        self.hits[aim if is_hit else "any"] += 1
        if aim in ("any", "cleaning"):
            self.server.look()
        if aim == "stop":
            self.server.kill_while_stopping()
        else:
            self.server.kill()
        self.maybe_cut()
        while self.chance.random() < 0.15:  # killed again while it starts
            self.server.spawn()
            time.sleep(self.chance.uniform(0.0, 0.06))
            self.server.kill()
            self.hits["start"] += 1
            self.maybe_cut()
        self.server.start()

    def maybe_cut(self):
        if self.options.power_loss and self.chance.random() < 0.6:
            self.server.cut_power()
            self.hits["power cuts"] += 1

    def work(self):
        self.server.start()
        self.ask_worker("prepare")
        stop_file = os.path.join(self.directory, "stop")
        histories = [os.path.join(self.directory, f"history.{i}") for i in range(self.options.workers)]
        self.workers = [subprocess.Popen([self.python, self.worker, "work", str(i), h, stop_file, str(self.seed + i)], env=self.environment)
                        for i, h in enumerate(histories)]
        time.sleep(1.0)
        for number in range(1, self.options.kills + 1):
            self.one_kill()
            if number % 10 == 0:
                print(f"{number} kills", flush=True)
        time.sleep(0.5)
        self.server.look()
        pathlib.Path(stop_file).touch()
        if any(w.wait(60) for w in self.workers):
            raise Broken("a worker failed")
        drained = os.path.join(self.directory, "history.drain")
        self.ask_worker("drain", drained)
        return [json.loads(line) for name in [*histories, drained] for line in open(name)]

    def stop(self):
        self.server.process.send_signal(signal.SIGTERM)
        if self.server.process.wait(30) != 0:
            raise Broken(f"the server did not stop cleanly: {self.server.tail()}")

    def finish(self):
        """A clean stop and a start change nothing; every checksum is right."""
        problems = []
        self.stop()
        self.server.start()
        for queue, counts in json.loads(self.ask_worker("counts")).items():
            if counts != [0, 0, 0]:
                problems.append(f"CRASH-6 {queue}: counts {counts} after a clean stop and a start")
        self.stop()
        verify = subprocess.run([self.options.millrace, "log", "verify", self.server.data], stdout=subprocess.PIPE, text=True)
        if verify.returncode:
            problems.append(f"log verify: {verify.stdout[-500:]}")
        if report := sanitizer_report(pathlib.Path(self.server.log.name).read_text("utf-8", "replace")):
            problems.append(report)
        return problems

    def judge(self, history):
        sys.path.insert(0, str(HERE))
        dead = {"crash-poor": "crash-dead", "crash-poor.fifo": "crash-dead.fifo"}
        j = judge.Judge(history, self.server.kills, dead, 2)
        problems = j.judge()
        print(j.summary())
        return problems

    def idle(self):
        """What must have happened for the run to mean anything; a short one may not get there."""
        if self.options.kills < 50:
            return []
        missing = [f"no rise of {name} in the whole run" for name in WATCHED if not self.server.totals[name]]
        if self.options.power_loss and not (self.server.lost["sectors lost"] and self.server.lost["names lost"]):
            missing.append("no power cut took anything back")
        return missing

    def end(self):
        for process in [self.server.process, *self.workers]:
            if process and process.poll() is None:
                process.kill()
                process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--power-loss", action="store_true")
    parser.add_argument("--durability", default="fsync", help="os must lose nothing to kills; with --power-loss it must fail")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.getrandbits(31)
    print(f"seed {seed}", flush=True)
    if wrong := judge_test.check():
        print("\n".join(["the judge itself is wrong:", *wrong]))
        return 1
    began = time.monotonic()
    directory = tempfile.mkdtemp(prefix="millrace-crash-", dir=os.environ.get("CRASH_DIR"))
    run = Run(options, directory, random.Random(seed), seed)
    problems = ["the run did not end"]
    try:
        history = run.work()
        problems = run.finish() + run.judge(history) + run.idle()
    except Broken as e:
        problems = [str(e)]
    finally:
        run.end()
        for line in problems[:20]:
            print("BROKEN", line)
        print("killed at:", ", ".join(f"{name} {count}" for name, count in sorted(run.hits.items())))
        print("the server:", ", ".join(f"{name} {run.server.totals[name]}" for name in WATCHED))
        if options.power_loss:
            print("power cuts:", ", ".join(f"{name} {count}" for name, count in sorted(run.server.lost.items())))
        print(f"{options.kills} kills, {len(problems)} problems (seed {seed}, {time.monotonic() - began:.0f} s)")
        print(f"{0 if problems else 1} passed, {1 if problems else 0} failed")
        if problems:
            print(f"kept: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
