"""One SDK client of the crash test: works on the queues until told to stop, and writes down what it asked and was told.

A history line: {"op", "queue", "at" (when asked), "done" (when answered; null: never learned), ...}. Times are of the one
machine's monotonic clock, so they compare between workers. The drain at the end writes the same lines.

    worker.py prepare | work NUMBER HISTORY STOP-FILE SEED | drain HISTORY | counts
"""
import json
import os
import random
import sys
import time
import zlib

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

STANDARD, FIFO = "crash-standard", "crash-fifo.fifo"
KEPT = "crash-kept"  # nobody receives from it until the drain: old live records that the cleaner must carry forward
POOR, POOR_FIFO = "crash-poor", "crash-poor.fifo"
DEAD = {POOR: "crash-dead", POOR_FIFO: "crash-dead.fifo"}
MAX_RECEIVES = 2
QUEUES = [STANDARD, FIFO, KEPT, POOR, POOR_FIFO, *DEAD.values()]
LETTERS = {STANDARD: "s", FIFO: "f", KEPT: "k", POOR: "p", POOR_FIFO: "q"}
GROUPS = 8
VISIBILITY_S = 2
POOR_VISIBILITY_S = 1
DRAIN_SECONDS_MAX = 60


def client():
    return boto3.client("sqs", config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5))


def url(queue):
    return f"{os.environ['AWS_ENDPOINT_URL']}/000000000000/{queue}"


def is_fifo(queue):
    return queue.endswith(".fifo")


def body_of(key):
    """Mostly small, some past a page of the disk, a few past a large write."""
    chance = random.Random(key)
    size = chance.choices([chance.randrange(10, 3000), chance.randrange(3000, 40000), chance.randrange(100000, 250000)],
                          weights=[80, 18, 2])[0]
    return f"{key}|{zlib.crc32(key.encode())}|{'x' * size}"


def key_of(body):
    """The key a body was made from; None if a byte of it is not what was sent."""
    key = body.split("|", 1)[0]
    return key if body_of(key) == body else None


class Worker:
    def __init__(self, number, history, seed):
        self.number, self.sqs = number, client()
        self.history = open(history, "w", buffering=1)
        self.chance = random.Random(seed)
        self.count = 0
        self.fifo_next = {}

    def ask(self, line, call):
        """Asks, records; the answer or None when it was not learned."""
        line["at"] = time.monotonic()
        answer = None
        try:
            answer = call()
            line["done"] = time.monotonic()
        except ClientError as e:
            line["done"], line["error"] = time.monotonic(), e.response["Error"]["Code"]
        except BotoCoreError:
            line["done"] = None
            time.sleep(0.02)
        if answer is not None:
            line["said"] = self.brief(answer)
        self.history.write(json.dumps(line) + "\n")
        return answer

    @staticmethod
    def brief(answer):
        if "Messages" in answer:
            return [[m["MessageId"], key_of(m["Body"]), m["Attributes"].get("SequenceNumber"),
                     int(m["Attributes"]["ApproximateReceiveCount"])] for m in answer["Messages"]]
        if "Successful" in answer or "Failed" in answer:
            return {"ok": [[int(e["Id"]), e.get("MessageId")] for e in answer.get("Successful", [])]}
        return answer.get("MessageId")

    # ---- send

    def send_standard(self, queue):
        keys = []
        for _ in range(self.chance.choice([1, 1, 10])):
            self.count += 1
            keys.append(f"{LETTERS[queue]}{self.number}-{self.count}")
        delay = self.chance.choice([1, 2]) if self.chance.random() < 0.1 else 0
        line = {"op": "send", "queue": queue, "keys": keys, "delay": delay}
        if len(keys) == 1:
            self.ask(line, lambda: self.sqs.send_message(QueueUrl=url(queue), MessageBody=body_of(keys[0]), DelaySeconds=delay))
        else:
            entries = [{"Id": str(i), "MessageBody": body_of(k), "DelaySeconds": delay} for i, k in enumerate(keys)]
            self.ask(line, lambda: self.sqs.send_message_batch(QueueUrl=url(queue), Entries=entries))

    def send_fifo(self, queue):
        """One producer a group: the next index only after the one before was acknowledged; a retry has the same id."""
        group = f"{LETTERS[queue]}g{self.number}-{self.chance.randrange(GROUPS)}"
        first, size = self.fifo_next.get(group, 0), self.chance.choice([1, 1, 1, 4])
        keys = [f"{group}-{first + i:06d}" for i in range(size)]
        line = {"op": "send", "queue": queue, "keys": keys}
        entries = [{"Id": str(i), "MessageBody": body_of(k), "MessageGroupId": group, "MessageDeduplicationId": k}
                   for i, k in enumerate(keys)]
        if size == 1:
            entries[0].pop("Id")
            answer = self.ask(line, lambda: self.sqs.send_message(QueueUrl=url(queue), **entries[0]))
        else:
            answer = self.ask(line, lambda: self.sqs.send_message_batch(QueueUrl=url(queue), Entries=entries))
        if answer is not None and not answer.get("Failed"):
            self.fifo_next[group] = first + size

    # ---- receive, delete, change

    def receive(self, queue, visibility, wait=0):
        answer = self.ask({"op": "receive", "queue": queue, "visibility": visibility},
                          lambda: self.sqs.receive_message(QueueUrl=url(queue), MaxNumberOfMessages=10, VisibilityTimeout=visibility,
                                                           WaitTimeSeconds=wait, MessageSystemAttributeNames=["All"]))
        return (answer or {}).get("Messages", [])

    def delete(self, queue, messages):
        keys = [key_of(m["Body"]) for m in messages]
        line = {"op": "delete", "queue": queue, "keys": keys}
        if len(messages) == 1:
            self.ask(line, lambda: self.sqs.delete_message(QueueUrl=url(queue), ReceiptHandle=messages[0]["ReceiptHandle"]))
            return
        entries = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)]
        self.ask(line, lambda: self.sqs.delete_message_batch(QueueUrl=url(queue), Entries=entries))

    def change(self, queue, message):
        visibility = self.chance.choice([0, 1, 4])
        self.ask({"op": "change", "queue": queue, "keys": [key_of(message["Body"])], "visibility": visibility},
                 lambda: self.sqs.change_message_visibility(QueueUrl=url(queue), ReceiptHandle=message["ReceiptHandle"],
                                                            VisibilityTimeout=visibility))

    def consume(self, queue):
        messages = self.receive(queue, VISIBILITY_S)
        if messages and self.chance.random() < 0.2:
            self.change(queue, self.chance.choice(messages))
        if not messages or self.chance.random() < 0.15:  # some are forgotten: they come back after their time-out
            return
        chosen = messages if is_fifo(queue) else [m for m in messages if self.chance.random() < 0.9]
        if chosen:
            self.delete(queue, chosen)

    def consume_poor(self, queue):
        """Few are deleted: the rest goes to the dead-letter queue."""
        messages = self.receive(queue, POOR_VISIBILITY_S)
        if messages and self.chance.random() < 0.3:
            self.delete(queue, messages)

    def consume_dead(self, queue):
        messages = self.receive(queue, VISIBILITY_S)
        if messages and self.chance.random() < 0.5:
            self.delete(queue, messages)

    def work(self, stop_file):
        actions = [(4, lambda: self.send_standard(STANDARD)), (3, lambda: self.send_fifo(FIFO)),
                   (2.5, lambda: self.consume(STANDARD)), (2, lambda: self.consume(FIFO)),
                   (0.3, lambda: self.send_standard(KEPT)),
                   (0.7, lambda: self.send_standard(POOR)), (0.7, lambda: self.send_fifo(POOR_FIFO)),
                   (0.7, lambda: self.consume_poor(POOR)), (0.7, lambda: self.consume_poor(POOR_FIFO)),
                   (0.3, lambda: self.consume_dead(DEAD[POOR])), (0.3, lambda: self.consume_dead(DEAD[POOR_FIFO]))]
        weights, calls = zip(*actions)
        while not os.path.exists(stop_file):
            self.chance.choices(calls, weights=weights)[0]()

    # ---- the end

    def counts(self, queue):
        answer = self.sqs.get_queue_attributes(QueueUrl=url(queue), AttributeNames=["All"])["Attributes"]
        return [int(answer["ApproximateNumberOfMessages" + suffix]) for suffix in ("", "NotVisible", "Delayed")]

    def drain(self):
        """Receives and deletes, sources before their dead-letter queues, until every count is zero."""
        deadline = time.monotonic() + DRAIN_SECONDS_MAX
        is_empty = False
        while not is_empty and time.monotonic() < deadline:
            for queue in QUEUES:
                while messages := self.receive(queue, 30):
                    self.delete(queue, messages)
            is_empty = all(self.counts(queue) == [0, 0, 0] for queue in QUEUES)
            time.sleep(0 if is_empty else 0.2)
        for queue in QUEUES:
            self.receive(queue, 30)
            self.history.write(json.dumps({"op": "counts", "queue": queue, "at": time.monotonic(), "counts": self.counts(queue)}) + "\n")


def prepare():
    sqs = client()
    for queue in [*DEAD.values(), STANDARD, FIFO, KEPT, POOR, POOR_FIFO]:
        attributes = {"FifoQueue": "true"} if is_fifo(queue) else {}
        if queue in DEAD:
            attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:000000000000:{DEAD[queue]}",
                                                      "maxReceiveCount": MAX_RECEIVES})
        sqs.create_queue(QueueName=queue, Attributes=attributes)


def main():
    if sys.argv[1] == "prepare":
        prepare()
    elif sys.argv[1] == "work":
        number, history, stop_file, seed = sys.argv[2:6]
        Worker(int(number), history, int(seed)).work(stop_file)
    elif sys.argv[1] == "drain":
        Worker(0, sys.argv[2], 0).drain()
    elif sys.argv[1] == "counts":
        worker = Worker(0, os.devnull, 0)
        print(json.dumps({queue: worker.counts(queue) for queue in QUEUES}))


if __name__ == "__main__":
    main()
