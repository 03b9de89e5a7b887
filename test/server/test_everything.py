"""Everything at once: clients of every kind on several threads of the server while it snapshots, frees, cleans, reloads, shows
its figures, moves messages between logs, copies itself and is killed. Sanitizer builds look for races and leaks in it; in every
build nothing may be lost and nothing may fail."""

import collections
import glob
import itertools
import os
import random
import signal
import threading
import time
import uuid

from toolbox import Client, free_port, trusting
from wire import Refused

ACCOUNT = "111122223333"
KEY, SECRET = "AKIAROOT", "root-secret"
OPTIONS = ("--threads", "4", "--segment-mib", "4", "--snapshot-mib", "1")
PAIRS = 6  # queues with a dead-letter queue each: most pairs lie in two logs
SECONDS_MAX = 180.0  # what is waited for takes seconds; under a sanitizer on a busy machine much longer


def arn(queue):
    return "arn:aws:sqs:us-east-1:%s:%s" % (ACCOUNT, queue)


class Storm:
    """Works repeated on a thread and a connection each until the end; what went wrong is kept."""

    def __init__(self, server, tls):
        self.directory, self.ports = server.directory, {"plain": server.port, "tls": tls}
        self.ended, self.failures, self.threads = threading.Event(), [], []
        self.lock, self.counts = threading.Lock(), collections.Counter()

    def client(self, kind="plain"):
        return Client("127.0.0.1", self.ports[kind], key=KEY, secret=SECRET, tls=trusting() if kind == "tls" else None)

    def count(self, name, by=1):
        with self.lock:
            self.counts[name] += by

    def start(self, work, kind="plain"):
        def repeat():
            chance, c = random.Random("%s %d" % (work.__name__, len(self.threads))), self.client(kind)
            try:
                while not self.ended.is_set():
                    work(self, c, chance)
                c.close()
            except Exception as e:
                self.failures.append("%s: %r" % (work.__name__, e))
                self.ended.set()

        self.threads.append(threading.Thread(target=repeat))
        self.threads[-1].start()

    def end(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()
        assert not self.failures, self.failures


def refused(call, *codes):
    """What two clients may do to each other."""
    try:
        return call()
    except Refused as e:
        if e.code.rpartition(".")[2] not in codes:
            raise
    return {}


def send(storm, c, queue, count, size, **more):
    entries = [dict({"Id": str(i), "MessageBody": "x" * size}, **more) for i in range(count)]
    if "MessageGroupId" in more:
        entries = [dict(e, MessageDeduplicationId=str(uuid.uuid4())) for e in entries]
    said = c.call("SendMessageBatch", {"QueueUrl": queue, "Entries": entries})
    assert not said.get("Failed"), said
    storm.count("sent", count)


def receive(c, queue, **more):
    return c.call("ReceiveMessage", dict({"QueueUrl": queue, "MaxNumberOfMessages": 10}, **more)).get("Messages", [])


def delete(storm, c, queue, messages):
    if messages:
        entries = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)]
        c.call("DeleteMessageBatch", {"QueueUrl": queue, "Entries": entries})
        storm.count("deleted", len(messages))


def shared_queue(storm, c, chance):
    send(storm, c, "shared", chance.randrange(1, 11), chance.choice((10, 1000, 20000)))
    got = receive(c, "shared", MessageSystemAttributeNames=["All"])
    if got and chance.random() < 0.3:
        back = got.pop()
        c.call("ChangeMessageVisibility", {"QueueUrl": "shared", "ReceiptHandle": back["ReceiptHandle"], "VisibilityTimeout": 0})
    delete(storm, c, "shared", got)


def shared_fifo(storm, c, chance):
    send(storm, c, "shared.fifo", chance.randrange(1, 11), 200, MessageGroupId="g%d" % chance.randrange(8))
    delete(storm, c, "shared.fifo", receive(c, "shared.fifo"))


def kept_queue(storm, c, chance):
    """Most of it is deleted, so that what is kept lies alone in its segments and must be carried forward."""
    send(storm, c, "churn", 9, 20000)
    c.call("SendMessage", {"QueueUrl": "kept", "MessageBody": "k" * 1000})
    storm.count("kept")
    delete(storm, c, "churn", receive(c, "churn"))


def old_messages(storm, c, chance):
    """Read from files long after they left the ring, and from disk where their pages can be taken from the kernel."""
    for path in glob.glob(os.path.join(storm.directory, "journal-*")):
        try:
            fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
    storm.count("old", len(receive(c, "old", VisibilityTimeout=0)))


def dead_letters(storm, c, chance):
    queue = "poor-%d" % chance.randrange(PAIRS)
    send(storm, c, queue, 5, 300)
    for _ in range(2):
        receive(c, queue, VisibilityTimeout=0)
    storm.count("dead", len(receive(c, queue.replace("poor", "dead"), VisibilityTimeout=0)))


def move_tasks(storm, c, chance):
    source = arn("dead-%d" % chance.randrange(PAIRS))
    task = refused(lambda: c.call("StartMessageMoveTask", {"SourceArn": source}), "InvalidParameterValueException")  # one is running
    if task and chance.random() < 0.2:
        refused(lambda: c.call("CancelMessageMoveTask", {"TaskHandle": task["TaskHandle"]}), "ResourceNotFoundException", "UnsupportedOperation")
    for result in c.call("ListMessageMoveTasks", {"SourceArn": source, "MaxResults": 10})["Results"]:
        storm.count("moved", result.get("ApproximateNumberOfMessagesMoved", 0))


def names_and_attributes(storm, c, chance):
    queue = "passing-%d" % chance.randrange(20)
    gone = ("NonExistentQueue", "QueueDoesNotExist", "QueueDeletedRecently", "QueueNameExists")
    refused(lambda: c.call("CreateQueue", {"QueueName": queue}), *gone)
    refused(lambda: c.call("SetQueueAttributes", {"QueueUrl": queue, "Attributes": {
        "DelaySeconds": "1", "RedrivePolicy": '{"deadLetterTargetArn":"%s","maxReceiveCount":"3"}' % arn("dead-0")}}), *gone)
    refused(lambda: c.call("TagQueue", {"QueueUrl": queue, "Tags": {"a": "b"}}), *gone)
    refused(lambda: c.call("GetQueueAttributes", {"QueueUrl": queue, "AttributeNames": ["All"]}), *gone)
    c.call("ListDeadLetterSourceQueues", {"QueueUrl": "dead-0"})
    c.call("ListQueues", {"QueueNamePrefix": "passing", "MaxResults": 5})
    refused(lambda: c.call("PurgeQueue", {"QueueUrl": queue}), "PurgeQueueInProgress", *gone)
    if chance.random() < 0.5:
        refused(lambda: c.call("DeleteQueue", {"QueueUrl": queue}), *gone)


def long_polls(storm, c, chance):
    receive(c, "quiet", WaitTimeSeconds=1, VisibilityTimeout=0)
    c.call("SendMessage", {"QueueUrl": "quiet", "MessageBody": "wake up"})


def clients_who_leave(storm, c, chance):
    """A long poll is asked, and the connection dropped without its answer."""
    leaving = storm.client()
    leaving.timeout = 0.02
    try:
        receive(leaving, "quiet", WaitTimeSeconds=20, VisibilityTimeout=1)
    except OSError:
        storm.count("left")
    leaving.close()


def figures(storm, c, chance):
    for path in ("/metrics", "/health", "/metrics?queue=poor*"):
        reply = c.send("GET", path, signed=False)
        assert reply.status in (200, 503), reply.status
        if path == "/metrics" and reply.status == 200:
            found = dict(line.rsplit(" ", 1) for line in reply.body.decode().splitlines() if not line.startswith("#"))
            with storm.lock:
                for name in ("snapshots_total", "log_segments_recycled_total", "log_relocated_bytes_total", "log_cold_reads_total"):
                    storm.counts[name] = int(float(found["millrace_" + name]))


def make_queues(c):
    c.call("CreateQueue", {"QueueName": "shared.fifo", "Attributes": {"FifoQueue": "true"}})
    for name in ("shared", "kept", "old", "churn", "quiet", *("dead-%d" % i for i in range(PAIRS))):
        c.call("CreateQueue", {"QueueName": name})
    for i in range(PAIRS):
        policy = '{"deadLetterTargetArn":"%s","maxReceiveCount":"1"}' % arn("dead-%d" % i)
        c.call("CreateQueue", {"QueueName": "poor-%d" % i, "Attributes": {"RedrivePolicy": policy}})
    for i in range(20):
        c.call("SendMessage", {"QueueUrl": "old", "MessageBody": "old %d" % i})


def kept(c):
    return int(c.call("GetQueueAttributes", {"QueueUrl": "kept", "AttributeNames": ["All"]})["Attributes"]["ApproximateNumberOfMessages"])


def start(t, tls):
    cert, key = t.certificate()
    write_accounts(t, 0)
    return t.server("--listen", "https://127.0.0.1:%d" % tls, "--tls-cert", cert, "--tls-key", key, "--accounts", t.path("accounts"),
                    *OPTIONS).ready()


def write_accounts(t, number):
    t.write("accounts", "%s %s %s\nAKIA%d other-secret 444455556666\n" % (KEY, SECRET, ACCOUNT, number))


def rage(t, s, storm, wanted, backup=None):
    """Until everything wanted has happened so often; reloads all the while."""
    for work in (shared_queue, shared_fifo, kept_queue, dead_letters, long_polls):
        storm.start(work)
        storm.start(work, "tls")
    for work in (old_messages, move_tasks, names_and_attributes, clients_who_leave, figures):
        storm.start(work)
    try:
        deadline = time.monotonic() + SECONDS_MAX
        for number in itertools.count():
            write_accounts(t, number)
            s.reload("credentials_reloaded")
            if storm.ended.is_set() or all(storm.counts[name] >= least for name, least in wanted.items()):
                return
            assert time.monotonic() < deadline, storm.counts
            if number == 2 and backup:
                t.run("backup", backup, "--data-dir", s.directory)
    finally:
        storm.end()


def test_everything_at_once(t):
    tls = free_port()
    s = start(t, tls)
    first = Storm(s, tls)
    make_queues(first.client())
    rage(t, s, first, {"snapshots_total": 3, "log_segments_recycled_total": 2, "log_relocated_bytes_total": 1, "dead": 20, "moved": 20,
                       "left": 5, "deleted": 100}, backup=t.path("copy"))
    assert kept(first.client()) == first.counts["kept"], first.counts
    s.send(signal.SIGKILL)  # so that the next start has work of all kinds to do
    s.wait()
    s = start(t, tls)
    second = Storm(s, tls)
    rage(t, s, second, {"snapshots_total": 1, "dead": 5, "moved": 5, "left": 1, "deleted": 100})
    assert kept(second.client()) == first.counts["kept"] + second.counts["kept"], (first.counts, second.counts)
    s.stop()
    for directory in (s.directory, t.path("copy")):
        t.run("log", "verify", directory)
