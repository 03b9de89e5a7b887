"""support.py: what the Python suites share: clients, refusals, checksums, drains."""

import base64
import contextlib
import hashlib
import json
import re
import struct
import threading
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "us-east-1"
ACCOUNT = "000000000000"          # the account of key test, secret test
OTHER = "111122223333"            # any key of 12 digits with secret test is that account
MIB = 1048576
LONG_POLL_S = 10                  # longer than any wake-up needs
WOKEN_BEFORE_S = 8                # a wait that lasts longer was not woken but ran out

_PREFIX = "AWS.SimpleQueueService."
_SHAPES = {
    _PREFIX + "NonExistentQueue": "QueueDoesNotExist",
    "QueueAlreadyExists": "QueueNameExists",
    "InvalidParameterValue": "InvalidParameterValueException",
    "MissingParameter": "MissingRequiredParameterException",
    "AccessDenied": "AccessDeniedException",
}

NO_QUEUE = _PREFIX + "NonExistentQueue"
INVALID = "InvalidParameterValue"
MISSING = "MissingParameter"


def prefixed(code):
    return _PREFIX + code


def shape_of(code):
    """The JSON shape that belongs to a legacy error code."""
    return _SHAPES.get(code, code[len(_PREFIX):] if code.startswith(_PREFIX) else code)


def connect(endpoint, service="sqs", key="test", secret="test", region=REGION, **config):
    config.setdefault("retries", {"max_attempts": 0})
    config.setdefault("read_timeout", 40)
    session = boto3.session.Session(aws_access_key_id=key, aws_secret_access_key=secret, region_name=region)
    return session.client(service, endpoint_url=endpoint, config=Config(**config))


def wire_of(client):
    """'json' or 'query': which protocol this botocore speaks."""
    return client.meta.service_model.metadata["protocol"]


@contextlib.contextmanager
def refused(client, code, message=None, status=400):
    """The block must be refused with this legacy code, text and status, and by the typed exception.

    message: the whole text, or a compiled pattern searched in it.
    """
    caught = []
    try:
        yield caught
    except ClientError as error:
        caught.append(error)
    assert caught, f"not refused; expected {code}"
    error = caught[0]
    found = error.response["Error"]
    shape = shape_of(code)
    assert found["Code"] == code, found
    if wire_of(client) == "json":
        assert found.get("QueryErrorCode") == shape, found
    typed = getattr_or_none(client.exceptions, shape)
    if typed is not None:
        assert type(error) is typed, f"{type(error)} is not {shape}"
    if isinstance(message, str):
        assert found["Message"] == message
    elif message is not None:
        assert message.search(found["Message"]), found["Message"]
    metadata = error.response["ResponseMetadata"]
    assert metadata["HTTPStatusCode"] == status, error.response
    assert metadata.get("RequestId"), "an error carries a request id"


def getattr_or_none(exceptions, shape):
    try:
        return getattr(exceptions, shape)
    except AttributeError:
        return None


def no_queue_message(client):
    if wire_of(client) == "json":
        return "The specified queue does not exist."
    return "The specified queue does not exist for this wsdl version."


def value_message(value, parameter, reason):
    return f"Value {value} for parameter {parameter} is invalid. Reason: {reason}"


def matching(text):
    return re.compile(text)


def md5_hex(text):
    return hashlib.md5(text.encode("utf-8") if isinstance(text, str) else text).hexdigest()


def md5_of_attributes(attributes):
    """The checksum every SDK computes over message attributes."""
    digest = hashlib.md5()
    for key in sorted(attributes):
        value = attributes[key]
        kind = value["DataType"]
        for text in (key, kind):
            digest.update(struct.pack(">I", len(text.encode())) + text.encode())
        if kind.split(".")[0] == "Binary":
            raw, transport = value["BinaryValue"], b"\x02"
        else:
            raw, transport = value["StringValue"].encode(), b"\x01"
        digest.update(transport + struct.pack(">I", len(raw)) + raw)
    return digest.hexdigest()


def system_names(client, *names):
    """The parameter that asks for system attributes, by its newest name."""
    members = client.meta.service_model.operation_model("ReceiveMessage").input_shape.members
    key = "MessageSystemAttributeNames" if "MessageSystemAttributeNames" in members else "AttributeNames"
    return {key: list(names)}


def receive(client, url, count=10, **options):
    """One receive; everything it returned."""
    return client.receive_message(QueueUrl=url, MaxNumberOfMessages=count, **options).get("Messages", [])


def receive_all(client, url, expected, **options):
    """Receive until `expected` messages are there; a few seconds at most."""
    options.setdefault("WaitTimeSeconds", 1)
    found = []
    deadline = time.monotonic() + 8
    while len(found) < expected and time.monotonic() < deadline:
        found += receive(client, url, **options)
    assert len(found) == expected, f"{len(found)} of {expected} messages"
    return found


def bodies(messages):
    return [message["Body"] for message in messages]


def arn_of(client, url):
    return attribute(client, url, "QueueArn")


def attribute(client, url, key):
    reply = client.get_queue_attributes(QueueUrl=url, AttributeNames=[key])
    return reply.get("Attributes", {}).get(key)


def counts(client, url):
    """(visible, in flight, delayed); exact in millrace."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return tuple(int(found[key]) for key in names)


def set_attributes(client, url, **attributes):
    client.set_queue_attributes(QueueUrl=url, Attributes=attributes)


def redrive_policy(target_arn, count):
    return json.dumps({"deadLetterTargetArn": target_arn, "maxReceiveCount": count})


def eventually(probe, seconds=8):
    """The first true value of probe(); fails when none comes."""
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        assert time.monotonic() < deadline, f"still {value!r} after {seconds} s"
        time.sleep(0.05)


@contextlib.contextmanager
def later(seconds, action):
    """Run action on another thread while the block waits; its failure is the block's failure."""
    failures = []

    def run():
        try:
            action()
        except Exception as error:  # noqa: BLE001 (carried to the test's thread)
            failures.append(error)

    timer = threading.Timer(seconds, run)
    timer.start()
    try:
        yield
    finally:
        timer.join()
    if failures:
        raise failures[0]


def task_handle(task_id, source_arn):
    """A well-formed move task handle made by hand."""
    return base64.b64encode(json.dumps({"taskId": task_id, "sourceArn": source_arn}).encode()).decode()
