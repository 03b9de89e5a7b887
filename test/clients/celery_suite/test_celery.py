"""Celery, a framework that lives on SQS: a worker of its own for each test."""

import contextlib
import importlib.util
import os
import pathlib
import subprocess
import sys
import time

import pytest

from support import connect, counts

HERE = pathlib.Path(__file__).resolve().parent
WAIT_S = 30


class Setting:
    """One queue, one journal file, the tasks module bound to them."""

    def __init__(self, endpoint, name, folder, **extra):
        self.journal = folder / "journal"
        self.journal.touch()
        self.log = folder / "worker.log"
        self.queue = name
        self.env = {
            **os.environ,
            "TASKS_JOURNAL": str(self.journal),
            "TASKS_BROKER": endpoint.replace("http://", "sqs://test:test@") + "//",
            "TASKS_QUEUE": name,
            **extra,
        }
        self.tasks = self.load()

    def load(self):
        saved = dict(os.environ)
        os.environ.update(self.env)
        try:
            spec = importlib.util.spec_from_file_location("tasks", HERE / "tasks.py")
            module = importlib.util.module_from_spec(spec)
            sys.modules["tasks"] = module          # tasks are named by their module
            spec.loader.exec_module(module)
            module.app.set_current()
            return module
        finally:
            os.environ.clear()
            os.environ.update(saved)

    @contextlib.contextmanager
    def worker(self):
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--pool=solo", "--loglevel=INFO",
                 "--without-gossip", "--without-mingle", "--without-heartbeat"],
                cwd=HERE, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def lines(self):
        return self.journal.read_text().splitlines()

    def wait_for(self, probe):
        deadline = time.monotonic() + WAIT_S
        while not probe(self.lines()):
            assert time.monotonic() < deadline, f"{self.lines()}\n{self.log.read_text()[-3000:]}"
            time.sleep(0.1)


@pytest.fixture
def setting(endpoint, name, tmp_path):
    return lambda **extra: Setting(endpoint, name, tmp_path, **extra)


def queue_is_empty(endpoint, name):
    sqs = connect(endpoint)
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    deadline = time.monotonic() + 10
    while counts(sqs, url) != (0, 0, 0):
        assert time.monotonic() < deadline, counts(sqs, url)
        time.sleep(0.1)
    sqs.delete_queue(QueueUrl=url)


def test_c01_every_task_runs_once(endpoint, setting, name):
    one = setting()
    with one.worker():
        words = [f"word-{index}" for index in range(12)] + ["ü€ <&>"]
        for word in words:
            one.tasks.write.delay(word)
        one.wait_for(lambda lines: len(lines) >= len(words))
        queue_is_empty(endpoint, name)
    assert sorted(one.lines()) == sorted(f"write {word}" for word in words)


def test_c02_a_countdown(endpoint, setting, name):
    one = setting()
    with one.worker():
        one.tasks.write_later.apply_async(("late", time.time()), countdown=2)
        one.tasks.write.delay("now")
        one.wait_for(lambda lines: len(lines) >= 2)
        queue_is_empty(endpoint, name)
    assert one.lines()[0] == "write now"
    kind, word, seconds = one.lines()[1].split()
    assert (kind, word) == ("later", "late") and float(seconds) >= 1.9


def test_c03_retry_and_late_acknowledgement(endpoint, setting, name):
    one = setting()
    with one.worker():
        one.tasks.write_on_third_try.delay("again")
        one.wait_for(lambda lines: "done again" in lines)
        queue_is_empty(endpoint, name)
    assert one.lines() == ["try again 0", "try again 1", "try again 2", "done again"]


def test_c04_a_killed_worker_loses_nothing(endpoint, setting, name):
    one = setting(TASKS_VISIBILITY_S="3")
    with one.worker() as first:
        one.tasks.hang_the_first_time.delay("work")
        one.wait_for(lambda lines: lines == ["hang work"])
        first.kill()
        first.wait()
        with one.worker():
            one.wait_for(lambda lines: "done work" in lines)
            queue_is_empty(endpoint, name)
    assert one.lines() == ["hang work", "hang work", "done work"]
