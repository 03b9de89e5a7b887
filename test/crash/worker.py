"""One SDK client of the crash test: works on the queues until told to stop, and writes down what it asked and was told.

A history line: {"op", "queue", "at" (when asked), "done" (when answered; null: never learned), ...}. Times are of the one
machine's monotonic clock, so they compare between workers.
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
GROUPS = 8
VISIBILITY_S = 2
DRAIN_QUIET_S = 6


def client():
    return boto3.client("sqs", config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5))


def url(queue):
    return f"{os.environ['AWS_ENDPOINT_URL']}/000000000000/{queue}"


def body_of(key):
    filler = "x" * random.Random(key).randrange(10, 3000)
    return f"{key}|{zlib.crc32(key.encode())}|{filler}"


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
            return [[m["MessageId"], key_of(m["Body"]), m.get("Attributes", {}).get("SequenceNumber")] for m in answer["Messages"]]
        if "Successful" in answer or "Failed" in answer:
            return {"ok": [[e["Id"], e.get("MessageId")] for e in answer.get("Successful", [])],
                    "bad": [e["Id"] for e in answer.get("Failed", [])]}
        return answer.get("MessageId")

    def send_standard(self):
        keys = []
        for _ in range(self.chance.choice([1, 1, 10])):
            self.count += 1
            keys.append(f"s{self.number}-{self.count}")
        if len(keys) == 1:
            self.ask({"op": "send", "queue": STANDARD, "keys": keys},
                     lambda: self.sqs.send_message(QueueUrl=url(STANDARD), MessageBody=body_of(keys[0])))
        else:
            entries = [{"Id": str(i), "MessageBody": body_of(k)} for i, k in enumerate(keys)]
            self.ask({"op": "send", "queue": STANDARD, "keys": keys},
                     lambda: self.sqs.send_message_batch(QueueUrl=url(STANDARD), Entries=entries))

    def send_fifo(self):
        """One producer a group: the next index only after the one before was acknowledged; a retry has the same id."""
        group = f"g{self.number}-{self.chance.randrange(GROUPS)}"
        index = self.fifo_next.get(group, 0)
        key = f"f{group}-{index:06d}"
        answer = self.ask({"op": "send", "queue": FIFO, "keys": [key], "group": group},
                          lambda: self.sqs.send_message(QueueUrl=url(FIFO), MessageBody=body_of(key), MessageGroupId=group,
                                                        MessageDeduplicationId=key))
        if answer is not None:
            self.fifo_next[group] = index + 1

    def consume(self, queue):
        answer = self.ask({"op": "receive", "queue": queue},
                          lambda: self.sqs.receive_message(QueueUrl=url(queue), MaxNumberOfMessages=10, VisibilityTimeout=VISIBILITY_S,
                                                           MessageSystemAttributeNames=["SequenceNumber"]))
        messages = (answer or {}).get("Messages", [])
        keep = self.chance.random() < 0.15  # some are forgotten: they come back after their time-out
        if not messages or keep:
            return
        chosen = messages if queue == FIFO else [m for m in messages if self.chance.random() < 0.9]
        if not chosen:
            return
        keys = [key_of(m["Body"]) for m in chosen]
        entries = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(chosen)]
        self.ask({"op": "delete", "queue": queue, "keys": keys},
                 lambda: self.sqs.delete_message_batch(QueueUrl=url(queue), Entries=entries))

    def work(self, stop_file):
        actions = [self.send_standard, self.send_fifo, lambda: self.consume(STANDARD), lambda: self.consume(FIFO)]
        while not os.path.exists(stop_file):
            self.chance.choices(actions, weights=[4, 3, 2, 2])[0]()


def prepare():
    sqs = client()
    sqs.create_queue(QueueName=STANDARD)
    sqs.create_queue(QueueName=FIFO, Attributes={"FifoQueue": "true"})


def drain(path):
    """Receives until nothing came for longer than any lease; deletes what it gets; writes it down in order."""
    sqs = client()
    with open(path, "w") as out:
        for queue in (STANDARD, FIFO):
            quiet_since = time.monotonic()
            while time.monotonic() - quiet_since < DRAIN_QUIET_S:
                answer = sqs.receive_message(QueueUrl=url(queue), MaxNumberOfMessages=10, WaitTimeSeconds=1,
                                             MessageSystemAttributeNames=["SequenceNumber"])
                messages = answer.get("Messages", [])
                if not messages:
                    continue
                quiet_since = time.monotonic()
                for m in messages:
                    line = {"queue": queue, "id": m["MessageId"], "key": key_of(m["Body"]), "at": quiet_since,
                            "sequence": m.get("Attributes", {}).get("SequenceNumber")}
                    out.write(json.dumps(line) + "\n")
                sqs.delete_message_batch(QueueUrl=url(queue), Entries=[
                    {"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)])
            counts = sqs.get_queue_attributes(QueueUrl=url(queue), AttributeNames=["All"])["Attributes"]
            out.write(json.dumps({"queue": queue, "counts": [int(counts["ApproximateNumberOfMessages" + suffix])
                                                             for suffix in ("", "NotVisible", "Delayed")]}) + "\n")


def main():
    if sys.argv[1] == "prepare":
        prepare()
    elif sys.argv[1] == "drain":
        drain(sys.argv[2])
    else:
        number, history, stop_file, seed = sys.argv[2:6]
        Worker(int(number), history, int(seed)).work(stop_file)


if __name__ == "__main__":
    main()
