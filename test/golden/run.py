#!/usr/bin/env python3
"""Every data directory format there ever was must still be read, a newer one refused with a sentence, and damage noticed.

    run.py --millrace BIN           start on a copy of each golden directory and look at what it must hold
    run.py --millrace BIN --write   make the golden directory of the present format (once, when the format changes)

A golden directory is test/golden/vN.tar.gz; what it must hold is `check` below. Its messages grow old while the project
does, so server and client live in the minute in which it was made (libfaketime), not in the retention period of today.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "crash"))
sys.path.insert(0, str(HERE.parent / "clients" / "lib"))
from run import python_with_boto3  # noqa: E402  (test/crash/run.py)
from server import client_environment, free_port  # noqa: E402

CURRENT = "v1"
EXIT_DAMAGED, EXIT_NEWER = 65, 76
FAKETIME = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))

# Runs inside the interpreter that has boto3: `write` fills the directory, `check` looks at it.
CLIENT = r'''
import sys, boto3
sqs = boto3.client("sqs")
base = sys.argv[2] + "/000000000000/"
ATTRIBUTES = {"n": {"DataType": "Number", "StringValue": "7"}, "b": {"DataType": "Binary", "BinaryValue": b"\x00\x01"}}

def write():
    sqs.create_queue(QueueName="golden", Attributes={"VisibilityTimeout": "1"}, tags={"owner": "golden"})
    sqs.create_queue(QueueName="golden.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"})
    for i in range(25):
        sqs.send_message(QueueUrl=base + "golden", MessageBody=f"body {i}", MessageAttributes=ATTRIBUTES)
    got = sqs.receive_message(QueueUrl=base + "golden", MaxNumberOfMessages=10)["Messages"]
    for m in got[:5]:
        sqs.delete_message(QueueUrl=base + "golden", ReceiptHandle=m["ReceiptHandle"])
    for i in range(12):
        sqs.send_message(QueueUrl=base + "golden.fifo", MessageBody=f"fifo {i}", MessageGroupId=f"g{i % 3}")

def check():
    attributes = sqs.get_queue_attributes(QueueUrl=base + "golden", AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "1", attributes
    assert sqs.list_queue_tags(QueueUrl=base + "golden")["Tags"] == {"owner": "golden"}
    bodies = drain("golden")
    assert len(bodies) == 20 and len(set(bodies)) == 20 and set(bodies) <= {f"body {i}" for i in range(25)}, bodies
    fifo = drain("golden.fifo")
    for group in range(3):
        mine = [b for b in fifo if int(b.split()[1]) % 3 == group]
        assert mine == [f"fifo {i}" for i in range(group, 12, 3)], fifo
    sqs.create_queue(QueueName="after")
    sqs.send_message(QueueUrl=base + "after", MessageBody="new data on old")
    assert drain("after") == ["new data on old"]

def drain(name):
    bodies = []
    while True:
        answer = sqs.receive_message(QueueUrl=base + name, MaxNumberOfMessages=10, WaitTimeSeconds=2, MessageAttributeNames=["All"])
        if not answer.get("Messages"):
            return bodies
        for m in answer["Messages"]:
            bodies.append(m["Body"])
            if name == "golden":
                assert m["MessageAttributes"] == ATTRIBUTES, m
            sqs.delete_message(QueueUrl=base + name, ReceiptHandle=m["ReceiptHandle"])

{"write": write, "check": check}[sys.argv[1]]()
'''


def in_time_of(name):
    """Everything started from now on reads a wall clock that says a minute after the archive was made."""
    with tarfile.open(HERE / name) as archive:
        age_s = time.time() - max(member.mtime for member in archive.getmembers()) - 60
    TIME.update(LD_PRELOAD=str(FAKETIME), FAKETIME=f"-{age_s:.0f}", FAKETIME_DONT_FAKE_MONOTONIC="1")


TIME = {}


def serve(binary, data):
    port = free_port()
    process = subprocess.Popen([binary, "serve", "--data-dir", data, "--listen", f"127.0.0.1:{port}"],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **TIME})
    line = ""
    for line in process.stdout:
        if "is ready at" in line:
            return process, f"http://127.0.0.1:{port}"
    return process, line.strip()


def client(word, url):
    environment = {**os.environ, **client_environment(url)}
    return subprocess.run([python_with_boto3(), "-c", CLIENT, word, url], env={**environment, **TIME}).returncode == 0


def stop(process):
    process.terminate()
    process.communicate(timeout=30)
    return process.returncode == 0


def write(binary):
    with tempfile.TemporaryDirectory() as home:
        data = os.path.join(home, "data")
        process, url = serve(binary, data)
        fine = client("write", url)
        process.kill()  # as a crash leaves it: a tail to replay and no last snapshot
        process.wait()
        if not fine:
            return 1
        with tarfile.open(HERE / f"{CURRENT}.tar.gz", "w:gz") as archive:
            archive.add(data, arcname="data", filter=lambda m: None if m.name.endswith("lock") or "spare" in m.name else m)
    return 0


def unpack(name, home):
    with tarfile.open(HERE / name) as archive:
        archive.extractall(home, filter="data")
    data = os.path.join(home, "data")
    os.chmod(data, 0o700)
    return data


def check_reads(binary, name):
    with tempfile.TemporaryDirectory() as home:
        data = unpack(name, home)
        process, url = serve(binary, data)
        fine = client("check", url)
        return stop(process) and fine and subprocess.run([binary, "log", "verify", data], stdout=subprocess.DEVNULL).returncode == 0


def refused(binary, data, code, word):
    process, sentence = serve(binary, data)
    process.communicate(timeout=30)
    return process.returncode == code and word in sentence


def check_newer(binary, name):
    with tempfile.TemporaryDirectory() as home:
        data = unpack(name, home)
        path = os.path.join(data, "format")
        text = open(path).read().replace("millrace 1\n", "millrace 999\n")
        open(path, "w").write(text)
        return refused(binary, data, EXIT_NEWER, "newer version")


def check_damage(binary, name):
    """One byte of an early frame: later frames say that it was durable, so the start is refused and verify finds it."""
    with tempfile.TemporaryDirectory() as home:
        data = unpack(name, home)
        segment = sorted(n for n in os.listdir(data) if n.startswith("journal-"))[0]
        path = os.path.join(data, segment)
        bytes_ = bytearray(open(path, "rb").read())
        bytes_[4096 + 200] ^= 1
        open(path, "wb").write(bytes_)
        is_found = subprocess.run([binary, "log", "verify", data], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == EXIT_DAMAGED
        return is_found and refused(binary, data, EXIT_DAMAGED, "damaged")


def check_second(binary, name):
    with tempfile.TemporaryDirectory() as home:
        data = unpack(name, home)
        process, _ = serve(binary, data)
        is_refused = refused(binary, data, 69, "another process")
        return stop(process) and is_refused


def check_backup(binary, name):
    with tempfile.TemporaryDirectory() as home:
        data = unpack(name, home)
        process, _ = serve(binary, data)  # makes the lock file
        stop(process)
        copy = os.path.join(home, "copy")
        made = subprocess.run([binary, "backup", copy, "--data-dir", data], stdout=subprocess.DEVNULL).returncode == 0
        process, url = serve(binary, copy)
        fine = client("check", url)
        return made and stop(process) and fine


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    binary = os.path.abspath(options.millrace)
    if options.write:
        return write(binary)
    names = sorted(p.name for p in HERE.glob("v*.tar.gz"))
    checks = [(f"{name} is read", check_reads, name) for name in names]
    newest = f"{CURRENT}.tar.gz"
    checks += [("a newer format is refused", check_newer, newest), ("damage below the durable mark is refused", check_damage, newest),
               ("a second process is refused", check_second, newest), ("a backup is a start", check_backup, newest)]
    failed = 0
    for title, check, name in checks:
        in_time_of(name)
        fine = check(binary, name)
        failed += not fine
        print(f"{'ok  ' if fine else 'FAIL'} {title}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
