"""S: what a client still has when the server was stopped, or killed, and started again."""

import json
import os

import pytest

import server
import support
from support import INVALID, OTHER, arn_of, attribute, bodies, counts, receive, receive_all, redrive_policy, refused, value_message

ENDS = pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
FIFO = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}


@pytest.fixture(scope="module")
def own():
    """A server of this module's own, and a client of it."""
    binary = os.environ.get("MILLRACE")
    if not binary:
        pytest.skip("needs MILLRACE, the program, to start a second server")
    with server.running(binary) as running:
        yield running, support.connect(running.url)


def create(sqs, name, **attributes):
    return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


@ENDS
def test_s01_queues_with_all_they_are(own, name, kill):
    running, sqs = own
    policy = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "sqs:SendMessage", "Resource": "*"}]}, indent=2)
    dead = create(sqs, name + "-dead", RedriveAllowPolicy='{"redrivePermission":"allowAll"}')
    url = create(sqs, name, VisibilityTimeout="77", Policy=policy, RedrivePolicy=redrive_policy(arn_of(sqs, dead), 3))
    sqs.tag_queue(QueueUrl=url, Tags={"team": "ü"})
    gone = create(sqs, name + "-gone")
    sqs.delete_queue(QueueUrl=gone)
    token = sqs.list_queues(QueueNamePrefix=name, MaxResults=1)["NextToken"]
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    running.restart(kill)
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"] == before
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "ü"}
    assert sqs.list_queues(QueueNamePrefix=name)["QueueUrls"] == [url, dead]
    assert sqs.list_queues(QueueNamePrefix=name, MaxResults=1, NextToken=token)["QueueUrls"] == [dead]
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
    support.connect(running.url, key=OTHER).send_message(QueueUrl=url, MessageBody="still let in")
    assert bodies(receive_all(sqs, url, 1)) == ["still let in"]


@ENDS
def test_s02_messages(own, name, kill):
    running, sqs = own
    url = create(sqs, name)
    attributes = {"a": {"DataType": "Binary.x", "BinaryValue": b"\x00\xff"}}
    for body in ("deleted", "in flight"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    deleted, held = receive_all(sqs, url, 2, VisibilityTimeout=600)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=deleted["ReceiptHandle"])
    sent = sqs.send_message(QueueUrl=url, MessageBody="waiting\r\n", MessageAttributes=attributes)
    sqs.send_message(QueueUrl=url, MessageBody="delayed", DelaySeconds=900)
    running.restart(kill)
    assert counts(sqs, url)[2] == 1
    sqs.delete_message(QueueUrl=url, ReceiptHandle=held["ReceiptHandle"])     # its handle lives on, whatever became of the lease
    assert counts(sqs, url) == (1, 0, 1)
    message = receive(sqs, url, MessageAttributeNames=["All"])[0]
    assert (message["MessageId"], message["Body"], message["MessageAttributes"]) == (sent["MessageId"], "waiting\r\n", attributes)


@ENDS
def test_s03_fifo_order_locks_and_duplicates(own, name, kill):
    running, sqs = own
    url = create(sqs, name + ".fifo", **FIFO)

    def send(body):
        return sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g")

    first, second = send("1"), send("2")
    message = receive(sqs, url, 1, ReceiveRequestAttemptId="try")[0]
    running.restart(kill)
    assert counts(sqs, url) == (1, 1, 0)
    assert receive(sqs, url) == []                               # the group is locked
    for body, sent in (("1", first), ("2", second)):
        again = send(body)
        assert (again["MessageId"], again["SequenceNumber"]) == (sent["MessageId"], sent["SequenceNumber"])
    assert int(send("3")["SequenceNumber"]) > int(second["SequenceNumber"])
    again = receive(sqs, url, 1, ReceiveRequestAttemptId="try")
    assert [(item["MessageId"], item["ReceiptHandle"]) for item in again] == [(message["MessageId"], message["ReceiptHandle"])]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    running.restart(kill)
    assert send("1")["MessageId"] == first["MessageId"]          # a duplicate of what is deleted, still
    assert bodies(receive(sqs, url, VisibilityTimeout=0)) == ["2", "3"]
    handle = receive(sqs, url, 1)[0]["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    running.restart(kill)
    with refused(sqs, INVALID, value_message(handle, "ReceiptHandle", "The receipt handle has expired.")):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
    assert attribute(sqs, url, "ApproximateNumberOfMessages") == "2"


@ENDS
def test_s04_dead_letters_and_a_task_on_its_way(own, name, kill):
    running, sqs = own
    dead = create(sqs, name + "-dead")
    source = create(sqs, name, RedrivePolicy=redrive_policy(arn_of(sqs, dead), 1))
    for index in range(5):
        sqs.send_message(QueueUrl=source, MessageBody=str(index))
    assert len(receive(sqs, source, VisibilityTimeout=0)) == 5
    assert receive(sqs, source) == []
    running.restart(kill)

    def arrived():
        receive(sqs, source, VisibilityTimeout=0)   # a kill may forget the leases of the last moment, and what followed from them
        return counts(sqs, dead) == (5, 0, 0)

    support.eventually(arrived)
    sqs.start_message_move_task(SourceArn=arn_of(sqs, dead), MaxNumberOfMessagesPerSecond=2)
    running.restart(kill)

    def task():
        return sqs.list_message_move_tasks(SourceArn=arn_of(sqs, dead))["Results"][0]

    assert support.eventually(lambda: task()["Status"] == "COMPLETED" and task())["ApproximateNumberOfMessagesMoved"] == 5
    assert sorted(bodies(receive_all(sqs, source, 5))) == ["0", "1", "2", "3", "4"]
    assert counts(sqs, dead) == (0, 0, 0)
