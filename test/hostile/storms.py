#!/usr/bin/env python3
"""Storms of hostile clients beside a well-behaved one: storms.py HOST:PORT --pid N [--only NAME] [--seconds N]

The well-behaved client keeps one connection, sends, receives and deletes. It is never refused, and the server's memory stays
below the bound that each storm states: what a connection may cost, times the connections, and a fixed part (the memory that
strangers share, replies nobody reads). Its time per round is printed beside that of a quiet server, and judged by nobody:
storm, client and server share this machine's cores. Only the standard library is needed.
"""
import argparse
import contextlib
import multiprocessing
import pathlib
import random
import resource
import socket
import struct
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from wire import Client, sign  # noqa: E402

KIB, MIB = 1024, 1024 * 1024
CONNECTION_BYTES_MAX = 13 * KIB  # half a KiB itself, 6 for what it began to send, 4 for replies, and what malloc adds
IDLE_BYTES_MAX = 1 * KIB
FIXED_BYTES_MAX = 96 * MIB  # 32 that strangers share, 8 a thread of unread replies, slack
SPARE_DESCRIPTORS = 540  # the server keeps 500 of its limit, the well-behaved client needs some


class Broken(Exception):
    pass


class Target:
    def __init__(self, host, port, pid, is_bounded):
        self.host, self.port, self.pid, self.is_bounded = host, port, pid, is_bounded
        self.rounds_min = 50 if is_bounded else 5  # beside large bodies one takes seconds under memcheck

    def connect(self, receive_buffer=None):
        s = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        s.settimeout(20)
        if receive_buffer:  # so that what is not read stays with the server, not with the kernel
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        s.connect((self.host, self.port))
        s.setblocking(False)
        return s

    def memory(self):
        with open("/proc/%d/status" % self.pid) as f:
            return [int(line.split()[1]) * KIB for line in f if line.startswith("VmRSS")][0]


# == What a storm's process does until it is told to stop ==

def hold(t, stop, count, begin, each=None):
    """Keeps `count` connections open: each sends `begin`, then `each` again and again; none reads. What the server closes
    is opened again."""
    sockets = {}
    while not stop.is_set():
        for _ in range(min(200, count - len(sockets))):
            with contextlib.suppress(OSError):
                s = t.connect(receive_buffer=4096)
                sockets[s] = [begin, 0]
        if len(sockets) >= count and not each:
            stop.wait(0.05)
        for s, pending in list(sockets.items()):
            data, at = pending
            try:
                if at < len(data):
                    pending[1] += s.send(data[at:])
                elif each:
                    pending[:] = [each, 0]
            except BlockingIOError:
                pass
            except OSError:
                s.close()
                del sockets[s]
        if each and len(sockets) >= count:
            stop.wait(0.01)
    for s in sockets:
        s.close()


def flood(t, stop, count, block):
    """Sends without end on `count` connections and reads whatever comes."""
    sockets = [[t.connect(), 0] for _ in range(count)]
    while not stop.is_set():
        for entry in sockets:
            s, at = entry
            try:
                with contextlib.suppress(BlockingIOError):
                    entry[1] = (at + s.send(block[at:])) % len(block)
                with contextlib.suppress(BlockingIOError):
                    if not s.recv(MIB):
                        raise ConnectionError
            except OSError:
                s.close()
                entry[:] = [t.connect(), 0]


def churn(t, stop, count, data):
    """Connects, sends, resets, as fast as one process can."""
    while not stop.is_set():
        for _ in range(count):
            with contextlib.suppress(OSError):
                s = t.connect()
                s.send(data)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.close()


def dropped_polls(t, stop, count, data):
    """Long polls, opened and dropped without end."""
    polls = []
    while not stop.is_set():
        with contextlib.suppress(OSError):
            s = t.connect()
            s.send(signed(t, "ReceiveMessage", b'{"QueueUrl":"polled","WaitTimeSeconds":20}'))
            polls.append(s)
        if len(polls) > count:
            polls.pop(random.randrange(count)).close()


# == The storms ==

def signed(t, operation, body, secret="test"):
    host = "%s:%d" % (t.host, t.port)
    headers = sign("POST", "/", {"Host": host, "X-Amz-Target": "AmazonSQS." + operation}, body, secret=secret)
    lines = "".join("%s: %s\r\n" % pair for pair in headers.items())
    return ("POST / HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n" % (lines, len(body))).encode() + body


def garbage():
    rng = random.Random(1)
    return bytes(rng.randrange(256) for _ in range(2000))


GET = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
BODY = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4194304\r\n\r\n"
CHUNKS = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def storms(t, limit):
    """name, connections, what each may cost the server, the process"""
    many = limit - SPARE_DESCRIPTORS
    large = b'{"Entries":[' + b"{}," * ((4 * MIB - 200) // 3) + b"{}]}"
    yield "connections", many, IDLE_BYTES_MAX, (hold, b"")
    yield "half heads", min(5000, many), CONNECTION_BYTES_MAX, (hold, GET[:-4] + b"\r\nX: y")
    yield "half large heads", min(5000, many), CONNECTION_BYTES_MAX, (hold, GET[:-2] + b"X: " + b"y" * 6000)
    yield "heads in drips", 1000, CONNECTION_BYTES_MAX, (hold, GET[:-2], b"X: y\r\n")
    yield "announced bodies", 1000, CONNECTION_BYTES_MAX, (hold, BODY, b"xxxx")
    yield "chunks in drips", 1000, CONNECTION_BYTES_MAX, (hold, CHUNKS + b"1000\r\n" + b"x" * 3000, b"x")
    yield "unread replies", 1000, CONNECTION_BYTES_MAX, (hold, GET * 100, GET * 100)
    yield "unread metrics", 300, CONNECTION_BYTES_MAX, (hold, GET.replace(b"health", b"metrics"), GET.replace(b"health", b"metrics"))
    yield "pipelining", 4, MIB, (flood, GET * 200)
    yield "garbage", 4, MIB, (flood, garbage())
    yield "wrong signatures", 4, MIB, (flood, signed(t, "SendMessage", b'{"QueueUrl":"q","MessageBody":"%s"}' % (b"x" * 2000), "no"))
    yield "connect and reset", 4, MIB, (churn, GET)
    yield "dropped long polls", 500, CONNECTION_BYTES_MAX, (dropped_polls, b"")
    yield "huge bodies", 4, 64 * MIB, (flood, signed(t, "SendMessageBatch", large))


# == The well-behaved client ==

def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def rounds(t, c, queue, seconds):
    """Times of its rounds in ms, and the most memory that the server had meanwhile."""
    times, memory, end = [], 0, time.monotonic() + seconds
    while time.monotonic() < end or len(times) < t.rounds_min:
        body = "%d " % len(times) + "x" * 8000  # more than fits behind a head
        begin = time.monotonic()
        c.call("SendMessage", {"QueueUrl": queue, "MessageBody": body})
        got = c.call("ReceiveMessage", {"QueueUrl": queue, "WaitTimeSeconds": 5})["Messages"]
        c.call("DeleteMessage", {"QueueUrl": queue, "ReceiptHandle": got[0]["ReceiptHandle"]})
        times.append((time.monotonic() - begin) * 1000)
        if got[0]["Body"] != body:
            raise Broken("another message came")
        memory = max(memory, t.memory())
    return times, memory


def say(name, times, quiet, note):
    p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
    factors = "" if quiet is None else " (%.1f and %.1f times quiet)" % (p50 / percentile(quiet, 0.5), p99 / percentile(quiet, 0.99))
    print("ok    %-20s %5d rounds, p50 %.1f ms, p99 %.1f ms%s%s" % (name, len(times), p50, p99, factors, note), flush=True)


def new_queue(c, name):
    c.call("CreateQueue", {"QueueName": name})
    return name


def weather(t, c, name, count, bytes_each, work, seconds, quiet):
    run, *arguments = work
    queue = new_queue(c, "beside-" + name.replace(" ", "-"))  # its own: what a failure leaves there harms no other storm
    before, stop = t.memory(), multiprocessing.Event()
    process = multiprocessing.Process(target=run, args=(t, stop, count, *arguments), daemon=True)
    process.start()
    try:
        time.sleep(min(seconds, 1 + count / 5000))  # it has begun
        times, memory = rounds(t, c, queue, seconds)
    finally:
        stop.set()
        process.join(30)
        if process.is_alive():
            process.kill()
            process.join()
    bound = count * bytes_each + FIXED_BYTES_MAX
    if t.is_bounded and memory - before > bound:
        raise Broken("%d KiB more memory, the bound is %d" % ((memory - before) // KIB, bound // KIB))
    say(name, times, quiet, "; %d MiB more memory, the bound is %d" % (max(0, memory - before) // MIB, bound // MIB))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="host:port of the server")
    parser.add_argument("--pid", type=int, required=True, help="process id of the server")
    parser.add_argument("--only", help="this storm only")
    parser.add_argument("--unbounded", action="store_true", help="memory is not judged, rounds are fewer: for a build with a sanitizer")
    parser.add_argument("--seconds", type=float, default=2, help="of each storm")
    options = parser.parse_args()
    host, _, port = options.address.rpartition(":")
    t = Target(host.strip("[]"), int(port), options.pid, not options.unbounded)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    failures = 0
    with contextlib.closing(Client(t.host, t.port, timeout=60)) as c:
        new_queue(c, "polled")
        queue = new_queue(c, "quiet")
        rounds(t, c, queue, 0.2)
        quiet, _ = rounds(t, c, queue, max(2, options.seconds))
        say("quiet", quiet, None, "")
        for name, count, bytes_each, work in storms(t, hard):
            if options.only and options.only != name:
                continue
            try:
                weather(t, c, name, count, bytes_each, work, options.seconds, quiet)
            except (Broken, OSError, KeyError, ValueError) as e:
                failures += 1
                print("FAIL  %-20s %s: %s" % (name, type(e).__name__, e), flush=True)
                c.close()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
