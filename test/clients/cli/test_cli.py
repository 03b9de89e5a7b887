"""The AWS CLI as people type it.

Version 1 of the CLI ignores AWS_ENDPOINT_URL for sqs, so the option is given.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

from server import client_environment
from support import ACCOUNT, OTHER, md5_hex

AWS = os.environ.get("AWS_CLI") or str(pathlib.Path(sys.executable).parent / "aws")


class Cli:
    def __init__(self, endpoint, **extra):
        self.endpoint = endpoint
        self.env = {**os.environ, **client_environment(endpoint), "AWS_DEFAULT_OUTPUT": "json", **extra}

    def run(self, *words):
        return subprocess.run([AWS, "--endpoint-url", self.endpoint, *words], env=self.env, timeout=60,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def __call__(self, *words):
        """The parsed answer of `aws sqs ...`; {} when the command prints nothing."""
        done = self.run("sqs", *words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def fails(self, code, *words):
        done = self.run("sqs", *words)
        assert done.returncode != 0 and f"({code})" in done.stderr, (done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def aws(endpoint):
    return Cli(endpoint)


@pytest.fixture
def queue(aws, name):
    url = aws("create-queue", "--queue-name", name)["QueueUrl"]
    yield url
    aws.run("sqs", "delete-queue", "--queue-url", url)


def test_m01_send_receive_delete(aws, queue):
    sent = aws("send-message", "--queue-url", queue, "--message-body", "hello", "--message-attributes",
               '{"a":{"DataType":"Number","StringValue":"7"}}')
    assert sent["MD5OfMessageBody"] == md5_hex("hello") and sent["MD5OfMessageAttributes"]
    message = aws("receive-message", "--queue-url", queue, "--message-attribute-names", "All",
                  "--attribute-names", "ApproximateReceiveCount", "--wait-time-seconds", "1")["Messages"][0]
    assert (message["MessageId"], message["Body"]) == (sent["MessageId"], "hello")
    assert message["MessageAttributes"]["a"] == {"StringValue": "7", "DataType": "Number"}
    assert message["Attributes"] == {"ApproximateReceiveCount": "1"}
    aws("change-message-visibility", "--queue-url", queue, "--receipt-handle", message["ReceiptHandle"], "--visibility-timeout", "60")
    assert aws("delete-message", "--queue-url", queue, "--receipt-handle", message["ReceiptHandle"]) == {}
    assert aws("receive-message", "--queue-url", queue) == {}


def test_q06_find_and_list(aws, queue, name):
    assert aws("get-queue-url", "--queue-name", name)["QueueUrl"] == queue
    assert aws("list-queues", "--queue-name-prefix", name)["QueueUrls"] == [queue]


def test_b01_batches(aws, queue):
    sent = aws("send-message-batch", "--queue-url", queue, "--entries", "Id=one,MessageBody=1", "Id=two,MessageBody=2")
    assert [item["Id"] for item in sent["Successful"]] == ["one", "two"]
    messages = aws("receive-message", "--queue-url", queue, "--max-number-of-messages", "10", "--wait-time-seconds", "1")["Messages"]
    assert len(messages) == 2
    entries = [{"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]} for index, message in enumerate(messages)]
    entries.append({"Id": "bad", "ReceiptHandle": "garbage"})
    gone = aws("delete-message-batch", "--queue-url", queue, "--entries", json.dumps(entries))
    assert [item["Id"] for item in gone["Successful"]] == ["0", "1"]
    assert [(item["Id"], item["Code"]) for item in gone["Failed"]] == [("bad", "ReceiptHandleIsInvalid")]


def test_b02_one_bad_entry(aws, queue):
    sent = aws("send-message-batch", "--queue-url", queue, "--entries", json.dumps([
        {"Id": "good", "MessageBody": "fine"}, {"Id": "bad", "MessageBody": "late", "DelaySeconds": 901}]))
    assert [item["Id"] for item in sent["Successful"]] == ["good"]
    assert [(item["Id"], item["Code"], item["SenderFault"]) for item in sent["Failed"]] == [("bad", "InvalidParameterValue", True)]


def test_m03_attributes_of_all_types(aws, queue):
    attributes = {"t": {"DataType": "String.colour", "StringValue": "red"}, "n": {"DataType": "Number", "StringValue": "-1.5"},
                  "b": {"DataType": "Binary.png", "BinaryValue": "AAH/"}}
    sent = aws("send-message", "--queue-url", queue, "--message-body", "b", "--message-attributes", json.dumps(attributes))
    message = aws("receive-message", "--queue-url", queue, "--message-attribute-names", "All")["Messages"][0]
    shown = message["MessageAttributes"]
    assert shown["b"].pop("BinaryValue") == "QUFILw=="           # version 1 takes the text for the bytes, and shows bytes in base64
    attributes["b"].pop("BinaryValue")
    assert shown == attributes
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]


def test_l03_a_delay_ends_a_wait(aws, queue):
    aws("send-message", "--queue-url", queue, "--message-body", "late", "--delay-seconds", "2")
    start = time.monotonic()
    message = aws("receive-message", "--queue-url", queue, "--wait-time-seconds", "20")["Messages"][0]
    assert message["Body"] == "late" and time.monotonic() - start < 15


def test_v03_and_d01_release_and_delete_twice(aws, queue):
    aws("send-message", "--queue-url", queue, "--message-body", "b")
    handle = aws("receive-message", "--queue-url", queue)["Messages"][0]["ReceiptHandle"]
    aws("change-message-visibility", "--queue-url", queue, "--receipt-handle", handle, "--visibility-timeout", "0")
    handle = aws("receive-message", "--queue-url", queue)["Messages"][0]["ReceiptHandle"]
    for _ in range(2):
        assert aws("delete-message", "--queue-url", queue, "--receipt-handle", handle) == {}


def test_q08_pages(aws, name):
    urls = [aws("create-queue", "--queue-name", f"{name}-{index}")["QueueUrl"] for index in range(3)]
    assert aws("list-queues", "--queue-name-prefix", name, "--page-size", "1")["QueueUrls"] == urls
    first = aws("list-queues", "--queue-name-prefix", name, "--max-items", "2")
    assert first["QueueUrls"] == urls[:2]
    rest = aws("list-queues", "--queue-name-prefix", name, "--max-items", "2", "--starting-token", first["NextToken"])
    assert rest["QueueUrls"] == urls[2:]
    for url in urls:
        aws("delete-queue", "--queue-url", url)


def test_q15_a_policy_comes_back(aws, queue):
    policy = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "sqs:SendMessage", "Resource": "*"}]}, indent=1)
    aws("set-queue-attributes", "--queue-url", queue, "--attributes", json.dumps({"Policy": policy}))
    assert aws("get-queue-attributes", "--queue-url", queue, "--attribute-names", "Policy")["Attributes"] == {"Policy": policy}


def test_r01_dead_letters_r05_sources_and_r07_back_again(aws, queue, name):
    dead = aws("create-queue", "--queue-name", name + "-dead")["QueueUrl"]
    arn = aws("get-queue-attributes", "--queue-url", dead, "--attribute-names", "QueueArn")["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    aws("set-queue-attributes", "--queue-url", queue, "--attributes", json.dumps({"RedrivePolicy": redrive}))
    assert aws("list-dead-letter-source-queues", "--queue-url", dead)["queueUrls"] == [queue]
    sent = aws("send-message", "--queue-url", queue, "--message-body", "poison")["MessageId"]
    assert aws("receive-message", "--queue-url", queue, "--visibility-timeout", "0")["Messages"][0]["MessageId"] == sent
    assert aws("receive-message", "--queue-url", queue) == {}
    message = aws("receive-message", "--queue-url", dead, "--wait-time-seconds", "5", "--visibility-timeout", "0",
                  "--attribute-names", "ApproximateReceiveCount")["Messages"][0]
    assert (message["MessageId"], message["Attributes"]) == (sent, {"ApproximateReceiveCount": "2"})
    assert aws("start-message-move-task", "--source-arn", arn)["TaskHandle"]
    assert aws("receive-message", "--queue-url", queue, "--wait-time-seconds", "5")["Messages"][0]["Body"] == "poison"
    task = aws("list-message-move-tasks", "--source-arn", arn)["Results"][0]
    assert (task["SourceArn"], task["ApproximateNumberOfMessagesToMove"]) == (arn, 1)
    aws.fails("ResourceNotFoundException", "start-message-move-task", "--source-arn", arn + "-not")
    aws("delete-queue", "--queue-url", dead)


def test_q11_attributes_and_q19_tags(aws, queue, name):
    aws("set-queue-attributes", "--queue-url", queue, "--attributes", "DelaySeconds=3,VisibilityTimeout=9")
    found = aws("get-queue-attributes", "--queue-url", queue, "--attribute-names", "All")["Attributes"]
    assert (found["DelaySeconds"], found["VisibilityTimeout"]) == ("3", "9")
    assert found["QueueArn"].endswith(f":{ACCOUNT}:{name}")
    aws("tag-queue", "--queue-url", queue, "--tags", "team=red,empty=")
    assert aws("list-queue-tags", "--queue-url", queue)["Tags"] == {"team": "red", "empty": ""}
    aws("untag-queue", "--queue-url", queue, "--tag-keys", "team", "empty")
    assert aws("list-queue-tags", "--queue-url", queue) == {}


def test_f01_order_f02_lock_and_f06_duplicates(aws, name):
    url = aws("create-queue", "--queue-name", name + ".fifo", "--attributes", "FifoQueue=true,ContentBasedDeduplication=true")["QueueUrl"]
    numbers = [aws("send-message", "--queue-url", url, "--message-body", body, "--message-group-id", "g")["SequenceNumber"]
               for body in ("1", "2")]
    assert numbers == sorted(numbers)
    messages = aws("receive-message", "--queue-url", url, "--max-number-of-messages", "10")["Messages"]
    assert [message["Body"] for message in messages] == ["1", "2"]
    aws("delete-message", "--queue-url", url, "--receipt-handle", messages[0]["ReceiptHandle"])
    again = aws("send-message", "--queue-url", url, "--message-body", "1", "--message-group-id", "g")
    assert (again["MessageId"], again["SequenceNumber"]) == (messages[0]["MessageId"], numbers[0])
    assert aws("receive-message", "--queue-url", url) == {}
    aws("purge-queue", "--queue-url", url)
    aws("delete-queue", "--queue-url", url)
    aws.fails("AWS.SimpleQueueService.NonExistentQueue", "get-queue-url", "--queue-name", name + ".fifo")


def test_q21_errors_are_named(aws, queue, name):
    aws.fails("AWS.SimpleQueueService.NonExistentQueue", "send-message", "--queue-url", queue + "-not", "--message-body", "b")
    aws.fails("QueueAlreadyExists", "create-queue", "--queue-name", name, "--attributes", "DelaySeconds=3")
    aws.fails("ReceiptHandleIsInvalid", "delete-message", "--queue-url", queue, "--receipt-handle", "garbage")


def test_a04_who_am_i(aws, endpoint):
    for cli, account in ((aws, ACCOUNT), (Cli(endpoint, AWS_ACCESS_KEY_ID=OTHER), OTHER)):
        done = cli.run("sts", "get-caller-identity")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["Account"] == account


def test_a02_another_account_is_denied(aws, endpoint, queue):
    other = Cli(endpoint, AWS_ACCESS_KEY_ID=OTHER)
    other.fails("AccessDenied", "send-message", "--queue-url", queue, "--message-body", "b")
    aws("add-permission", "--queue-url", queue, "--label", "let", "--aws-account-ids", OTHER, "--actions", "SendMessage")
    assert other("send-message", "--queue-url", queue, "--message-body", "b")["MessageId"]
    aws("remove-permission", "--queue-url", queue, "--label", "let")
    other.fails("AccessDenied", "send-message", "--queue-url", queue, "--message-body", "b")


def test_a03_a_wrong_secret(endpoint):
    done = Cli(endpoint, AWS_SECRET_ACCESS_KEY="not the secret").run("sqs", "list-queues")
    assert done.returncode != 0
    assert "(InvalidSignatureException)" in done.stderr or "(SignatureDoesNotMatch)" in done.stderr, done.stderr
