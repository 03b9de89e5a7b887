#!/usr/bin/env python3
"""Disks that are full, broken, read-only, gone, somebody else's or damaged: clear errors, nothing acknowledged lost.

    run.py --millrace BIN [--only WORD] [--step N] [--no-mount]

Each case has a data directory of its own. A full or read-only disk is a tmpfs where mounting is permitted, else the preload
library's budget (faults.c), which also makes writes, syncs and reads fail. --step thins the flipped bytes (default 7).
Ends with "N passed, N failed".
"""
import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "clients" / "lib"))
sys.path.insert(0, str(HERE.parent / "support"))
from faults import EIO, ENOSPC, Control, build_preload  # noqa: E402
from process import sanitizer_report  # noqa: E402
from server import client_environment, free_port  # noqa: E402

USAGE, DAMAGED, IN_USE, DISK, NEWER = 64, 65, 69, 74, 76
READY_SECONDS = 20
MIB = 1024 * 1024
FLIPS_PER_FILE = 40  # of those that a start is tried on


class Failed(Exception):
    """A promise that was not kept."""


def check(condition, text):
    if not condition:
        raise Failed(text)


class Server:
    """Lives of the server on one data directory."""

    def __init__(self, binary, data, control=None):
        self.binary, self.data, self.control = binary, str(data), control
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = tempfile.TemporaryFile()
        self.process = None

    def spawn(self, user=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MILLRACE_"))}
        if self.control:
            env.update(self.control.environment(self.data))
        self.output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [self.binary, "serve", "--data-dir", self.data, "--listen", f"127.0.0.1:{self.port}", "--segment-mib", "4", "--snapshot-mib", "2"],
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output, env=env, user=user)
        return self

    def start(self):
        self.spawn()
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            check(self.process.poll() is None, f"the server did not start (exit {self.process.poll()}): {self.said()}")
            try:
                with urllib.request.urlopen(self.url + "/health", timeout=2) as reply:
                    if reply.status == 200:
                        return self
            except (urllib.error.URLError, OSError):
                time.sleep(0.005)
        raise Failed("the server was not ready in time")

    def said(self):
        self.output.seek(0)
        return self.output.read().decode("utf-8", "replace").strip()

    def must_refuse(self, code, *words, user=None):
        """The start ends with this exit code and a sentence that has these words."""
        self.spawn(user)
        self.must_end(code, *words)

    def must_end(self, code, *words):
        try:
            ended = self.process.wait(READY_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failed(f"the server goes on, expected exit {code}") from None
        last = (self.said().splitlines() or [""])[-1]
        check(ended == code, f"exit {ended}, expected {code}: {last}")
        check(last.startswith("millrace: ") and len(last) < 600, f"no sentence: {last!r}")
        for word in words:
            check(word in last, f"the sentence does not say {word!r}: {last}")

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()
        check(not sanitizer_report(self.said()), sanitizer_report(self.said()))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        check(self.process.wait(READY_SECONDS) == 0, f"no clean stop: {self.said()}")

    def end(self):
        if self.is_running():
            self.kill()


# ---- the client: knows what was acknowledged


class Client:
    """Sends numbered messages to one queue and can tell what is missing."""

    def __init__(self, server, queue="disk"):
        from botocore.config import Config
        import boto3
        self.server, self.queue = server, queue
        os.environ.update(client_environment(server.url))
        self.sqs = boto3.client("sqs", endpoint_url=server.url,
                                config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=20))
        self.url = f"{server.url}/000000000000/{queue}"
        self.kept, self.unknown, self.count = {}, set(), 0

    def make_queue(self):
        self.sqs.create_queue(QueueName=self.queue)
        return self

    def body(self, name, size):
        return f"{name}|{'y' * size}"

    def send(self, size=200, name=None):
        """None when it went well, else (HTTP status, error code); a server that ended is (0, "")."""
        from botocore.exceptions import BotoCoreError, ClientError
        self.count += 1
        name = name or f"m{threading.get_ident() % 997}-{self.count}"
        body = self.body(name, size)
        try:
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body)
        except ClientError as e:
            return e.response["ResponseMetadata"]["HTTPStatusCode"], e.response["Error"]["Code"]
        except BotoCoreError:
            self.unknown.add(name)
            return 0, ""
        self.kept[name] = body
        return None

    def must_send(self, count=1, size=200):
        for _ in range(count):
            error = self.send(size)
            check(error is None, f"a send was refused: {error}")

    def send_until_refused(self, size, limit):
        for _ in range(limit):
            error = self.send(size)
            if error:
                return error
        raise Failed(f"{limit} sends of {size} bytes and none was refused")

    def refused_in_xml(self):
        """The status and text of one SendMessage of the query protocol."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        import botocore.session
        form = f"Action=SendMessage&Version=2012-11-05&QueueUrl={self.url}&MessageBody=hello"
        request = AWSRequest("POST", self.url, data=form, headers={"Content-Type": "application/x-www-form-urlencoded"})
        SigV4Auth(botocore.session.Session().get_credentials(), "sqs", "us-east-1").add_auth(request)
        prepared = request.prepare()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url, data=form.encode(), headers=dict(prepared.headers))) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def receive(self, visibility=600):
        return self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=visibility).get("Messages", [])

    def delete(self, messages):
        entries = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)]
        answer = self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)
        check(not answer.get("Failed"), f"a delete failed: {answer.get('Failed')}")
        for m in messages:
            self.kept.pop(m["Body"].split("|", 1)[0], None)

    def receive_and_delete(self, count):
        """Receives and deletes `count` messages; each must be one that was sent."""
        done = 0
        while done < count:
            messages = self.receive()
            check(messages, f"only {done} of {count} messages are received")
            for m in messages:
                self.check_body(m)
            self.delete(messages)
            done += len(messages)

    def check_body(self, m):
        name = m["Body"].split("|", 1)[0]
        check(self.kept.get(name) == m["Body"] or name in self.unknown, f"{m['Body'][:40]} was never sent")

    def must_have_everything(self):
        """Everything acknowledged and not deleted is received; it is deleted."""
        deadline = time.monotonic() + 30
        while self.kept and time.monotonic() < deadline:
            messages = self.receive()
            for m in messages:
                self.check_body(m)
            if messages:
                self.delete(messages)
            else:
                time.sleep(0.2)
        check(not self.kept, f"{len(self.kept)} acknowledged messages are lost, e.g. {sorted(self.kept)[:3]}")


# ---- places


def may_mount():
    with tempfile.TemporaryDirectory() as d:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", d], stderr=subprocess.DEVNULL).returncode:
            return False
        return subprocess.run(["umount", d]).returncode == 0


class Disk:
    """A place of `mib` MiB: a tmpfs, or the preload's budget."""

    def __init__(self, work, mib):
        self.path = work / "disk"
        self.path.mkdir()
        self.data, self.mib = self.path / "data", mib
        self.is_mounted, self.control = MOUNTS, None
        if self.is_mounted:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0755", "tmpfs", str(self.path)], check=True)
        else:
            self.control = Control(work / "control", budget=mib * MIB)

    def fill(self):
        """Somebody else takes every byte that is free."""
        if self.control:
            self.control.set_budget(0)
            return
        with open(self.path / "filler", "ab", buffering=0) as f:
            for size in (MIB, 4096):
                with contextlib.suppress(OSError):
                    while f.write(b"z" * size):
                        pass

    def empty(self):
        if self.control:
            self.control.set_budget(self.mib * MIB)
        else:
            (self.path / "filler").unlink()

    def remount(self, how):
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.path)], check=True)

    def close(self):
        if self.is_mounted:
            subprocess.run(["umount", "-l", str(self.path)], check=False)


MOUNTS = False
CASES = []


def case(f):
    CASES.append(f)
    return f


class Place:
    """What a case gets: an empty folder, the binary, things to close."""

    def __init__(self, binary, step):
        self.binary, self.step = binary, step
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="millrace-disk-"))
        self.closing = contextlib.ExitStack()
        self.servers = []

    def server(self, data=None, control=None):
        s = Server(self.binary, data or self.work / "data", control)
        self.closing.callback(s.end)
        self.servers.append(s)
        return s

    def disk(self, mib):
        d = Disk(self.work, mib)
        self.closing.callback(d.close)
        return d

    def control(self):
        return Control(self.work / "control")

    def verify(self, data):
        return subprocess.run([self.binary, "log", "verify", str(data)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def close(self):
        self.closing.close()
        shutil.rmtree(self.work, ignore_errors=True)


def wait_until(is_so, seconds, text, pause=0.1):
    deadline = time.monotonic() + seconds
    while not is_so():
        check(time.monotonic() < deadline, text)
        time.sleep(pause)


# ---- a full disk


@case
def a_disk_that_fills_up_refuses_sends_and_nothing_else(place):
    disk = place.disk(64)
    server = place.server(disk.data, disk.control).start()
    client = Client(server).make_queue()
    error = client.send_until_refused(200_000, 1000)
    check(error == (503, "ServiceUnavailable"), f"JSON: {error}, expected 503 ServiceUnavailable")
    status, text = client.refused_in_xml()
    check(status == 503 and "<Code>ServiceUnavailable</Code>" in text and "disk" in text, f"XML: {status} {text}")
    check(len(client.kept) > 50, f"only {len(client.kept)} messages fit into 64 MiB")
    client.receive_and_delete(20)
    check(server.is_running(), f"the server ended: {server.said()}")
    server.kill()
    server.start()
    client.must_have_everything()
    for _ in range(50):  # more than one segment: room is made while they come
        wait_until(lambda: client.send(100_000) is None, READY_SECONDS, "everything is deleted, and sends are still refused")
    server.stop()
    check(place.verify(disk.data).returncode == 0, "log verify finds damage")


@case
def a_disk_filled_by_somebody_else_and_freed_again(place):
    disk = place.disk(64)
    server = place.server(disk.data, disk.control).start()
    client = Client(server).make_queue()
    client.must_send(40, 50_000)
    disk.fill()
    error = client.send_until_refused(50_000, 400)
    check(error == (503, "ServiceUnavailable"), f"{error}, expected 503 ServiceUnavailable")
    client.receive_and_delete(20)
    check(server.is_running(), f"the server ended: {server.said()}")
    disk.empty()
    for _ in range(20):
        wait_until(lambda: client.send(50_000) is None, READY_SECONDS, "space was freed, and sends are still refused")
    disk.fill()
    client.receive_and_delete(10)
    server.kill()
    disk.empty()
    server.start()
    client.must_have_everything()


@case
def a_start_on_a_full_disk_says_so(place):
    disk = place.disk(32)
    server = place.server(disk.data, disk.control).start()
    client = Client(server).make_queue()
    client.must_send(20, 50_000)
    for _ in range(10):  # a start may find room in what it no longer needs
        server.kill()
        disk.fill()
        with contextlib.suppress(Failed):
            server.start()
        if not server.is_running():
            break
    server.must_end(DISK, str(disk.data), "full")
    disk.empty()
    server.start()
    client.must_have_everything()


@case
def large_messages_into_a_disk_that_is_suddenly_full(place):
    disk = place.disk(160)
    server = place.server(disk.data, disk.control).start()
    clients = [Client(server).make_queue() for _ in range(3)]
    errors = set()
    sent = lambda: sum(len(c.kept) for c in clients)  # noqa: E731

    def work(client):
        for _ in range(200):
            error = client.send(1_000_000)
            if error:
                errors.add(error)
                return

    threads = [threading.Thread(target=work, args=(c,)) for c in clients]
    for t in threads:
        t.start()
    wait_until(lambda: sent() > 20 or errors, 60, "nothing is sent", pause=0.002)
    disk.fill()
    for t in threads:
        t.join()
    check(server.is_running(), f"the server ended: {server.said()[-400:]}")
    check(sent() < 110, f"{sent()} messages of a megabyte: they filled the disk themselves, freeing the rest helps nobody")
    check(errors == {(503, "ServiceUnavailable")}, f"{errors}, expected 503 ServiceUnavailable")
    disk.empty()
    wait_until(lambda: clients[0].send() is None, READY_SECONDS, "space was freed, and sends are still refused")
    server.kill()
    server.start()
    for c in clients[1:]:
        clients[0].kept.update(c.kept)
    clients[0].must_have_everything()


# ---- places where nothing can be kept


@case
def a_read_only_directory(place):
    data = place.work / "disk" / "data"
    if MOUNTS:
        disk = place.disk(16)
        place.server(disk.data).start().stop()
        disk.remount("ro")
        place.server(disk.data).must_refuse(DISK, str(disk.data), "written")
        disk.remount("rw")
        place.server(disk.data).start().stop()
        return
    data.parent.mkdir()
    place.server(data).start().stop()
    data.chmod(0o500)
    place.closing.callback(data.chmod, 0o700)
    if os.geteuid():
        place.server(data).must_refuse(DISK, str(data), "written")


@case
def a_directory_without_permission(place):
    data = place.work / "data"
    place.server(data).start().stop()
    os.chmod(place.work, 0o755)
    if os.geteuid() == 0:
        place.server(data).must_refuse(DISK, str(data), user=65534)
        place.server(place.work / "new").must_refuse(DISK, str(place.work / "new"), "made", user=65534)
    else:
        data.chmod(0)
        place.server(data).must_refuse(DISK, str(data))
        data.chmod(0o700)
    place.server(data).start().stop()


@case
def a_file_in_place_of_the_directory(place):
    data = place.work / "data"
    data.write_text("not a directory\n")
    place.server(data).must_refuse(DISK, str(data))
    check(data.read_text() == "not a directory\n", "the file was changed")


@case
def a_parent_that_is_not_there(place):
    data = place.work / "no" / "such" / "place"
    place.server(data).must_refuse(DISK, str(data), "made")


@case
def a_directory_of_something_else(place):
    data = place.work / "data"
    data.mkdir()
    (data / "letters.txt").write_text("mine\n")
    place.server(data).must_refuse(DAMAGED, str(data), "not a data directory")
    check(sorted(os.listdir(data)) == ["letters.txt"], f"something was left behind: {sorted(os.listdir(data))}")


@case
def a_directory_whose_format_file_is_gone(place):
    data = place.work / "data"
    server = place.server(data).start()
    Client(server).make_queue().must_send(5)
    server.kill()
    (data / "format").rename(place.work / "format")
    server.must_refuse(DAMAGED, str(data))
    (place.work / "format").rename(data / "format")
    server.start()


@case
def an_empty_mount_is_a_fresh_start(place):
    data = place.work / "data"
    (data / "lost+found").mkdir(parents=True)
    server = place.server(data).start()
    Client(server).make_queue().must_send(5)
    server.stop()


@case
def two_processes_on_one_directory(place):
    first = place.server().start()
    client = Client(first).make_queue()
    client.must_send(10)
    second = place.server(first.data)
    second.must_refuse(IN_USE, first.data, "another process")
    client.must_send(10)
    first.kill()
    second.start()
    client = Client(second)
    check(len(client.receive()) == 10, "the second server has not what the first one had")


@case
def the_directory_is_removed_while_the_server_works(place):
    for how in ("directory", "contents"):
        data = place.work / how
        server = place.server(data).start()
        client = Client(server).make_queue()
        client.must_send(10)
        if how == "directory":
            shutil.rmtree(data)
        else:
            for name in os.listdir(data):
                os.unlink(data / name)
        deadline = time.monotonic() + 5
        while server.is_running() and time.monotonic() < deadline:
            client.send()
            time.sleep(0.02)
        server.must_end(DISK, str(data), "removed")


# ---- a broken disk


def after_the_fault(place, set_fault, *words):
    """A server that works gets the fault; it must end with a sentence; the next start has everything acknowledged."""
    control = place.control()
    server = place.server(control=control).start()
    client = Client(server).make_queue()
    client.must_send(30, 2000)
    client.receive_and_delete(10)
    set_fault(control)
    deadline = time.monotonic() + 10
    while server.is_running() and time.monotonic() < deadline:
        client.send(5000)
    server.must_end(DISK, server.data, *words)
    check(control.done("write") + control.done("sync") > 0, "the fault was never met")
    control.clear()
    server.start()
    client.must_have_everything()
    server.stop()
    check(place.verify(server.data).returncode == 0, "log verify finds damage")


@case
def a_write_to_the_journal_fails(place):
    after_the_fault(place, lambda c: c.set("write", EIO, "journal-", skip=5), "write", "nothing more can be promised")


@case
def a_sync_of_the_journal_fails(place):
    after_the_fault(place, lambda c: c.set("sync", EIO, "journal-", skip=5), "sync", "nothing more can be promised")


@case
def a_write_says_that_the_disk_is_full(place):
    after_the_fault(place, lambda c: c.set("write", ENOSPC, "journal-", skip=5), "nothing more can be promised")


@case
def files_beside_the_journal_fail(place):
    """Snapshots and segments made ahead: the server goes on, and when the disk is well again nothing is missing."""
    control = place.control()
    server = place.server(control=control).start()
    client = Client(server).make_queue()
    for kind in ("write", "sync"):
        for name in ("snapshot", "spare-"):
            control.set(kind, EIO, name, times=3)
            client.must_send(30, 200_000)
            client.receive_and_delete(25)
            control.clear()
    check(server.is_running(), f"the server ended: {server.said()}")
    server.kill()
    server.start()
    client.must_have_everything()


@case
def the_first_start_fails_on_the_way(place):
    """Any write or sync of a birth may fail: exit 74 and a sentence, and the next start succeeds."""
    for kind in ("write", "sync"):
        for skip in range(8):
            data = place.work / f"{kind}{skip}"
            control = Control(place.work / f"control-{kind}{skip}")
            control.set(kind, EIO, "", skip=skip)
            server = place.server(data, control).spawn()
            try:
                server.process.wait(1.5 if skip < 3 else 0.7)
            except subprocess.TimeoutExpired:  # fewer calls than that before it listens
                server.kill()
            else:
                server.must_end(DISK, str(data))
            control.clear()
            server = place.server(data).start()
            Client(server).make_queue().must_send(1)
            server.stop()


@case
def a_cold_body_cannot_be_read(place):
    """An error for the one receive; the message is there when the disk is well again."""
    control = place.control()
    server = place.server(control=control).start()
    client = Client(server).make_queue()
    client.must_send(20, 3000)
    server.kill()
    server.start()
    control.set("read", EIO, "journal-", times=-1)
    from botocore.exceptions import ClientError
    try:
        messages = client.receive(visibility=1)
        check(False, f"the receive answered with {len(messages)} messages")
    except ClientError as e:
        status, code = e.response["ResponseMetadata"]["HTTPStatusCode"], e.response["Error"]["Code"]
        check(status == 500 and code in ("InternalFailure", "InternalError"), f"{status} {code}")
    check(control.done("read") > 0, "nothing was read from the disk")
    check(server.is_running(), f"the server ended: {server.said()}")
    client.must_send(3)
    control.clear()
    client.must_have_everything()


@case
def nothing_can_be_read_at_a_start(place):
    """A disk that does not answer is not a damaged directory: exit 74, and nothing was changed."""
    control = place.control()
    server = place.server(control=control).start()
    client = Client(server).make_queue()
    client.must_send(20, 3000)
    server.stop()
    server.start()
    client.must_send(5, 3000)
    server.kill()
    for name in ("journal-", "snapshot-", "format", "secret"):
        for skip in (0, 1):
            control.set("read", EIO, name, skip=skip, times=-1)
            server.spawn()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.process.wait(2)
            if control.done("read"):
                server.must_end(DISK, server.data)
            server.end()
            control.clear()
    server.start()
    client.must_have_everything()


@case
def the_cleaner_cannot_read(place):
    """It gives up on the segment; what lives in it stays, and comes when the disk is well again."""
    control = place.control()
    server = place.server(control=control).start()
    client, kept = Client(server).make_queue(), Client(server, "kept").make_queue()
    control.set("read", EIO, "journal-", times=-1)
    for _ in range(12):
        kept.must_send(2, 3000)
        client.must_send(10, 200_000)
        client.receive_and_delete(10)
    wait_until(lambda: control.done("read") > 0, READY_SECONDS, "the cleaner never read")
    wait_until(lambda: "cleaning_failed" in server.said(), READY_SECONDS, "nothing was said")
    check(server.is_running(), f"the server ended: {server.said()}")
    control.clear()
    kept.must_have_everything()


# ---- damage


class Small:
    """A small directory, made once and copied for each trial: four lives, so that there are segments wholly below the snapshot
    with live messages, the one it lies in, and frames after it; the last life was killed."""

    def __init__(self, place):
        self.place, self.path = place, place.work / "small"
        server = place.server(self.path)
        client = self.client = Client(server)
        for life in range(3):
            server.start()
            client.make_queue().must_send(4, 100)
            server.stop()  # with a snapshot
        server.start()
        client.must_send(8, 100)
        before_last = set(client.kept)
        client.must_send(1, 100)
        self.last = next(iter(set(client.kept) - before_last))
        server.kill()
        self.files = {p.name: p.read_bytes() for p in sorted(self.path.iterdir())
                      if p.is_file() and p.name != "lock" and not p.name.startswith("spare-")}
        self.newest = max(n for n in self.files if n.startswith("journal-"))

    def used(self, name):
        """Bytes of a file that say something: without the zeros at its end."""
        return len(self.files[name].rstrip(b"\0"))

    def copy(self):
        target = self.place.work / "trial"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for name, data in self.files.items():
            (target / name).write_bytes(data)
        os.chmod(target / "secret", 0o600)
        return target

    def must_refuse_or_have(self, trial, what):
        """A start on a damaged copy: refused with a sentence, or all acknowledged messages but the last are there, or a receive
        says that it cannot. Returns how it went."""
        server = self.place.server(trial).spawn()
        try:
            deadline = time.monotonic() + READY_SECONDS
            while True:
                check(time.monotonic() < deadline, f"{what}: neither started nor refused")
                if server.process.poll() is not None:
                    last = (server.said().splitlines() or [""])[-1]
                    check(server.process.returncode in (DAMAGED, NEWER) and last.startswith("millrace: "),
                          f"{what}: exit {server.process.returncode}: {last}")
                    return "refused"
                with contextlib.suppress(urllib.error.URLError, OSError):
                    urllib.request.urlopen(server.url + "/health", timeout=2).close()
                    break
                time.sleep(0.005)
            return self.judge(server, what)
        finally:
            server.end()

    def judge(self, server, what):
        from botocore.exceptions import ClientError
        client = Client(server)
        found, errors = set(), 0
        try:
            while messages := client.receive():
                for m in messages:
                    name = m["Body"].split("|", 1)[0]
                    check(self.client.kept.get(name) == m["Body"], f"{what}: received {m['Body'][:60]!r}, which was never sent")
                    found.add(name)
        except ClientError:
            errors += 1
        check(server.is_running(), f"{what}: the server ended: {server.said()[-300:]}")
        missing = set(self.client.kept) - found
        if not missing:
            return "all there"
        if missing == {self.last} and not errors:
            return "last group lost"
        damaged = server.said().count("message_damaged")
        check(errors or damaged >= len(missing), f"{what}: {len(missing)} messages are silently lost")
        return "told by the receive"


def sample(small, name, step):
    """Every byte of headers, every `step`th of payloads."""
    data, at = small.files[name], 0
    used = small.used(name)
    headers = {*range(0, 96), *range(2048, 2144)} if name.startswith("journal-") else set()
    start = 0
    while (start := data.find(b"FRLM", start)) >= 0:
        headers.update(range(start, start + 64))
        start += 4
    while at < used:
        yield at
        at += 1
        while at < used and at not in headers and at % step:
            at += 1


@case
def verify_finds_every_flipped_byte(place):
    small = Small(place)
    trial = small.copy()
    check(place.verify(trial).returncode == 0, f"damage in a sound directory: {place.verify(trial).stdout}")
    silent = []
    for name in small.files:
        for at in sample(small, name, place.step):
            flip(trial / name, at)
            result = place.verify(trial)
            if result.returncode not in (DAMAGED, NEWER):
                silent.append((name, at, result.returncode))
            flip(trial / name, at)
    check(not silent, f"{len(silent)} flips not found: {summary(silent)}")


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ (1 << at % 8)]))


def summary(rows):
    by_name = {}
    for name, at, *_ in rows:
        by_name.setdefault(name, []).append(at)
    return "; ".join(f"{name}: {len(at)} bytes from {at[0]} to {at[-1]}" for name, at in by_name.items())


@case
def no_flip_loses_silently(place):
    small = Small(place)
    outcomes = {}
    for name in small.files:
        places = list(sample(small, name, 7))
        for at in places[::max(1, len(places) // FLIPS_PER_FILE)]:
            trial = small.copy()
            flip(trial / name, at)
            how = small.must_refuse_or_have(trial, f"{name} flipped at {at}")
            check(how != "last group lost" or name == small.newest, f"{name} flipped at {at}: {how}")
            outcomes.setdefault(how, []).append((name, at))
    for how, rows in sorted(outcomes.items()):
        print(f"    {how}: {len(rows)} flips; {summary(rows)}")
    check(outcomes.get("refused"), "no flip at all was refused")


@case
def no_cut_file_loses_silently(place):
    small = Small(place)
    outcomes = {}
    for name in small.files:
        size, used = len(small.files[name]), small.used(name)
        for at in sorted({0, 1, used // 3, used // 2, used - 1, used, (used + size) // 2, 4095, 4096, 4097, 4096 + 64} & set(range(size))):
            trial = small.copy()
            os.truncate(trial / name, at)
            how = small.must_refuse_or_have(trial, f"{name} cut at {at}")
            outcomes.setdefault(how, []).append((name, at))
    for how, rows in sorted(outcomes.items()):
        print(f"    {how}: {len(rows)} cuts; {summary(rows)}")


@case
def no_missing_file_loses_silently(place):
    small = Small(place)
    for name in small.files:
        if name == small.newest:  # nothing that is left speaks of it (doc/formats/journal.md)
            continue
        trial = small.copy()
        (trial / name).unlink()
        print(f"    without {name}: {small.must_refuse_or_have(trial, name + ' removed')}")


# ---- all of it


def main():
    global MOUNTS
    parser = argparse.ArgumentParser()
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--step", type=int, default=7)
    parser.add_argument("--no-mount", action="store_true", help="use the preload library's disk even where mounting is permitted")
    options = parser.parse_args()
    options.millrace = os.path.abspath(options.millrace)
    sys.path.insert(0, str(HERE.parent / "crash"))
    from run import python_with_boto3
    try:
        import boto3  # noqa: F401
    except ImportError:
        python = python_with_boto3()
        os.execv(python, [python, *sys.argv])
    build_preload()
    MOUNTS = not options.no_mount and may_mount()
    print(f"full and read-only disks are {'tmpfs mounts' if MOUNTS else 'made by the preload library'}")
    passed = failed = 0
    for f in CASES:
        if options.only not in f.__name__:
            continue
        began = time.monotonic()
        place = Place(options.millrace, options.step)
        try:
            f(place)
            passed += 1
            print(f"ok      {f.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception as e:  # a client's exception is a failure, too
            failed += 1
            print(f"FAILED  {f.__name__}: {e}", flush=True)
            if not isinstance(e, Failed):
                traceback.print_exc(limit=-3)
            for s in place.servers[-2:]:
                print("        " + "\n        ".join(line for line in s.said().splitlines()[-12:] if "aws --" not in line))
        finally:
            place.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
