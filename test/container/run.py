#!/usr/bin/env python3
"""The image of dist/Containerfile: what is in it, and how it starts, refuses, keeps its data and stops. run.py [--engine "podman ..."]

Containers have no network but their own loopback, which the checks reach through the engine's `exec`: nothing listens on the
host. The last line is "N passed, N failed".
"""
import argparse
import http.client
import io
import json
import pathlib
import re
import shlex
import subprocess
import sys
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "support"))
import wire  # noqa: E402

NAME = "millrace-test-" + uuid.uuid4().hex[:12]  # of the image, the volume and the containers' beginnings
WAIT_S = 120  # nothing is measured with it: it ends a test that hangs
HOST = "127.0.0.1:4566"


class Engine:
    def __init__(self, words):
        self.words = words
        self.containers = []

    def run(self, *arguments, stdin=b"", within_s=WAIT_S):
        return subprocess.run(self.words + list(arguments), input=stdin, capture_output=True, timeout=within_s)

    def must(self, *arguments, **options):
        done = self.run(*arguments, **options)
        assert done.returncode == 0, "%s: exit %d\n%s" % (arguments, done.returncode, (done.stdout + done.stderr).decode()[-4000:])
        return done.stdout.decode().strip()

    def start(self, *arguments):
        """A container of the image, as it comes: its command, its user, its signal."""
        name = "%s-%d" % (NAME, len(self.containers))
        self.containers.append(name)
        self.must("run", "--detach", "--network", "none", "--name", name, *arguments, NAME)
        return name

    def said(self, name):
        done = self.run("logs", name)
        return (done.stdout + done.stderr).decode()

    def remove_all(self):
        for name in self.containers:
            self.run("rm", "--force", name)
        self.run("volume", "rm", "--force", NAME)
        self.run("rmi", "--force", NAME)


class Answer(io.BytesIO):
    def makefile(self, *_):
        return self


def ask(engine, name, request):
    """The bytes of one HTTP request to the server inside, by the shell that the base image has; None: nobody listens yet."""
    done = engine.run("exec", "--interactive", name, "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/4566 && cat >&3 && cat <&3", stdin=request)
    if done.returncode and b"refused" in done.stderr:
        return None
    assert done.returncode == 0, done.stderr.decode()
    reply = http.client.HTTPResponse(Answer(done.stdout))
    reply.begin()
    return wire.Reply(reply)


def health(engine, name):
    return ask(engine, name, ("GET /health HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % HOST).encode())


def call(engine, name, operation, fields):
    body = json.dumps(fields).encode()
    headers = {"Host": HOST, "Content-Type": wire.JSON_TYPE, "X-Amz-Target": "AmazonSQS." + operation,
               "Content-Length": len(body), "Connection": "close"}
    head = "".join("%s: %s\r\n" % pair for pair in wire.sign("POST", "/", headers, body).items())
    reply = ask(engine, name, ("POST / HTTP/1.1\r\n%s\r\n" % head).encode() + body)
    assert reply and reply.status == 200, (operation, reply and reply.body)
    return json.loads(reply.body)


def await_ready(engine, name):
    end = time.monotonic() + WAIT_S
    while not health(engine, name):
        assert time.monotonic() < end, engine.said(name)
        time.sleep(0.2)


def stop(engine, name):
    engine.must("stop", "-t", str(WAIT_S // 2), name)
    assert engine.must("inspect", "--format", "{{.State.ExitCode}}", name) == "0"
    assert "stopped clean=true" in engine.said(name), engine.said(name)


def test_what_is_in_it(engine):
    inside = lambda *words: engine.run("run", "--rm", "--network", "none", "--entrypoint", words[0], NAME, *words[1:])
    assert inside("millrace", "version").stdout.startswith(b"millrace ")
    tools = "for tool in cc gcc clang cpp ld as make cmake ninja; do command -v $tool; done; ls /src 2>/dev/null; ls /var/lib/apt/lists"
    assert inside("sh", "-c", tools).stdout == b"", "tools of the build are in the image"
    size = int(engine.must("image", "inspect", "--format", "{{.Size}}", NAME))
    print("    %.0f MB" % (size / 1e6))
    assert size < 160e6, size  # a Debian without documents, OpenSSL and the program; with a compiler it is 500


def test_it_runs_as_process_1_and_keeps_its_data(engine):
    first = engine.start("--volume", NAME + ":/var/lib/millrace")
    await_ready(engine, first)
    status = engine.must("exec", first, "cat", "/proc/1/status")
    assert re.search(r"^Name:\s+millrace$", status, re.M), status
    assert re.search(r"^Uid:\s+[1-9]", status, re.M) and re.search(r"^Gid:\s+[1-9]", status, re.M), status  # not root
    assert json.loads(health(engine, first).body)["status"] == "ok"
    url = call(engine, first, "CreateQueue", {"QueueName": "q"})["QueueUrl"]
    call(engine, first, "SendMessage", {"QueueUrl": url, "MessageBody": "kept"})
    stop(engine, first)
    second = engine.start("--volume", NAME + ":/var/lib/millrace")
    await_ready(engine, second)
    received = call(engine, second, "ReceiveMessage", {"QueueUrl": url})["Messages"]
    assert [message["Body"] for message in received] == ["kept"], received
    stop(engine, second)


def test_a_volume_nobody_named(engine):
    """`docker run` without -v: what the image's VOLUME makes may be written by its user."""
    name = engine.start()
    await_ready(engine, name)
    call(engine, name, "CreateQueue", {"QueueName": "q"})
    stop(engine, name)


def test_other_arguments(engine):
    """Without --insecure-dev-anywhere nothing listens beyond loopback."""
    done = engine.run("run", "--rm", "--network", "none", NAME, "serve", "--data-dir", "/var/lib/millrace", "--listen", "0.0.0.0:4566")
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 64 and "--insecure-dev-anywhere" in said, (done.returncode, said)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", default="podman", help="podman or docker, with what must stand before every command")
    engine = Engine(shlex.split(parser.parse_args().engine))
    passed = failed = 0
    try:
        engine.must("build", "--file", str(ROOT / "dist" / "Containerfile"), "--tag", NAME, str(ROOT), within_s=3600)
        for test in (test_what_is_in_it, test_it_runs_as_process_1_and_keeps_its_data, test_a_volume_nobody_named, test_other_arguments):
            why = None
            try:
                test(engine)
                passed += 1
            except Exception as e:
                why = e
                failed += 1
            print("%s %s" % ("FAIL" if why else "ok  ", test.__name__.removeprefix("test_")), flush=True)
            if why:
                print("    %r" % why, flush=True)
    finally:
        engine.remove_all()
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
