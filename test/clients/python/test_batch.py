"""B: the three batch operations."""

import re

import pytest

from support import (INVALID, MIB, bodies, counts, md5_hex, md5_of_attributes, prefixed, receive, receive_all, refused)

BATCHES = {
    "send": ("send_message_batch", "SendMessageBatchRequestEntry", dict(MessageBody="b")),
    "delete": ("delete_message_batch", "DeleteMessageBatchRequestEntry", dict(ReceiptHandle="h")),
    "visibility": ("change_message_visibility_batch", "ChangeMessageVisibilityBatchRequestEntry",
                   dict(ReceiptHandle="h", VisibilityTimeout=1)),
}
every_batch = pytest.mark.parametrize("call,entry,fields", list(BATCHES.values()), ids=list(BATCHES))


def entries(ids, fields):
    return [dict(Id=item, **fields) for item in ids]


# B01, B02: send

def test_b01_send_a_batch(sqs, queue):
    attributes = {"a": {"DataType": "String", "StringValue": "v"}}
    reply = sqs.send_message_batch(QueueUrl=queue, Entries=[
        dict(Id="one", MessageBody="first"),
        dict(Id="two", MessageBody="second", MessageAttributes=attributes),
        dict(Id="three", MessageBody="third", DelaySeconds=60),
    ])
    assert not reply.get("Failed")
    done = {item["Id"]: item for item in reply["Successful"]}
    assert set(done) == {"one", "two", "three"}
    assert done["one"]["MD5OfMessageBody"] == md5_hex("first")
    assert "MD5OfMessageAttributes" not in done["one"]
    assert done["two"]["MD5OfMessageAttributes"] == md5_of_attributes(attributes)
    assert counts(sqs, queue) == (2, 0, 1)
    found = receive_all(sqs, queue, 2, MessageAttributeNames=["All"])
    assert {message["MessageId"]: message["Body"] for message in found} == {
        done["one"]["MessageId"]: "first", done["two"]["MessageId"]: "second"}


def test_b01_ten_entries_and_long_ids(sqs, queue):
    ids = ["-_aZ9", "x" * 80] + [str(index) for index in range(8)]
    reply = sqs.send_message_batch(QueueUrl=queue, Entries=entries(ids, dict(MessageBody="b")))
    assert [item["Id"] for item in reply["Successful"]] == ids
    assert counts(sqs, queue) == (10, 0, 0)


def test_b01_trace_header_in_a_batch(sqs, queue):
    header = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}
    reply = sqs.send_message_batch(QueueUrl=queue, Entries=[dict(Id="a", MessageBody="b", MessageSystemAttributes=header)])
    assert reply["Successful"][0]["MD5OfMessageSystemAttributes"] == md5_of_attributes(header)


def test_b02_one_entry_too_long_for_the_queue(sqs, make_queue):
    url = make_queue(MaximumMessageSize="1024")
    reply = sqs.send_message_batch(QueueUrl=url, Entries=[
        dict(Id="good", MessageBody="a" * 1024), dict(Id="bad", MessageBody="a" * 1025)])
    assert [item["Id"] for item in reply["Successful"]] == ["good"]
    assert reply["Failed"] == [dict(
        Id="bad", SenderFault=True, Code=INVALID,
        Message="One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.")]
    assert counts(sqs, url) == (1, 0, 0)


def test_b02_one_entry_with_a_forbidden_character(sqs, queue):
    reply = sqs.send_message_batch(QueueUrl=queue, Entries=[
        dict(Id="bad", MessageBody="a\x00"), dict(Id="good", MessageBody="fine")])
    assert [item["Id"] for item in reply["Successful"]] == ["good"]
    failed = reply["Failed"]
    assert [(item["Id"], item["Code"], item["SenderFault"]) for item in failed] == [("bad", "InvalidMessageContents", True)]
    assert bodies(receive(sqs, queue)) == ["fine"]


def test_b02_one_entry_with_a_bad_attribute(sqs, queue):
    bad = {"a": {"DataType": "Number", "StringValue": "x"}}
    reply = sqs.send_message_batch(QueueUrl=queue, Entries=[
        dict(Id="good", MessageBody="fine"), dict(Id="bad", MessageBody="b", MessageAttributes=bad)])
    assert [item["Id"] for item in reply["Successful"]] == ["good"]
    assert [(item["Id"], item["Code"], item["SenderFault"]) for item in reply["Failed"]] == [("bad", INVALID, True)]


def test_b02_one_entry_with_a_bad_delay(sqs, queue):
    reply = sqs.send_message_batch(QueueUrl=queue, Entries=[
        dict(Id="good", MessageBody="fine"), dict(Id="bad", MessageBody="b", DelaySeconds=901)])
    assert [item["Id"] for item in reply["Successful"]] == ["good"]
    assert [(item["Id"], item["Code"]) for item in reply["Failed"]] == [("bad", INVALID)]


# B03: the shape of a batch

@every_batch
def test_b03_no_entries(loose, queue, call, entry, fields):
    with refused(loose, prefixed("EmptyBatchRequest"), f"There should be at least one {entry} in the request."):
        getattr(loose, call)(QueueUrl=queue, Entries=[])


@every_batch
def test_b03_twenty_entries(sqs, queue, call, entry, fields):
    with refused(sqs, prefixed("TooManyEntriesInBatchRequest"),
                 "Maximum number of entries per request are 10. You have sent 20."):
        getattr(sqs, call)(QueueUrl=queue, Entries=entries(map(str, range(20)), fields))


@every_batch
def test_b03_eleven_entries(sqs, queue, call, entry, fields):
    with refused(sqs, prefixed("TooManyEntriesInBatchRequest"),
                 "Maximum number of entries per request are 10. You have sent 11."):
        getattr(sqs, call)(QueueUrl=queue, Entries=entries(map(str, range(11)), fields))


@every_batch
def test_b03_an_id_twice(sqs, queue, call, entry, fields):
    with refused(sqs, prefixed("BatchEntryIdsNotDistinct"), "Id same repeated."):
        getattr(sqs, call)(QueueUrl=queue, Entries=entries(["other", "same", "same"], fields))


@every_batch
@pytest.mark.parametrize("bad", ["", "x" * 81, "a:b", "a b", "ä"])
def test_b03_a_bad_id(sqs, queue, call, entry, fields, bad):
    with refused(sqs, prefixed("InvalidBatchEntryId"),
                 "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
                 "It can be at most 80 letters long."):
        getattr(sqs, call)(QueueUrl=queue, Entries=entries(["good", bad], fields))
    assert counts(sqs, queue) == (0, 0, 0)


# B04: the size of a batch

def test_b04_a_batch_of_one_mebibyte(sqs, queue):
    half = "a" * (MIB // 2)
    reply = sqs.send_message_batch(QueueUrl=queue, Entries=[dict(Id="1", MessageBody=half), dict(Id="2", MessageBody=half)])
    assert len(reply["Successful"]) == 2
    found = receive_all(sqs, queue, 2)
    assert bodies(found) == [half, half]


def test_b04_one_byte_more(sqs, queue):
    half = "a" * (MIB // 2)
    with refused(sqs, prefixed("BatchRequestTooLong"),
                 f"Batch requests cannot be longer than {MIB} bytes. You have sent {MIB + 1} bytes."):
        sqs.send_message_batch(QueueUrl=queue, Entries=[
            dict(Id="1", MessageBody=half), dict(Id="2", MessageBody=half + "a")])
    assert counts(sqs, queue) == (0, 0, 0)


# B05, B06: delete and change in a batch

def three(sqs, url):
    sqs.send_message_batch(QueueUrl=url, Entries=entries(["a", "b", "c"], dict(MessageBody="b")))
    return [message["ReceiptHandle"] for message in receive_all(sqs, url, 3)]


def test_b05_delete_with_one_bad_handle(sqs, queue):
    handles = three(sqs, queue)
    reply = sqs.delete_message_batch(QueueUrl=queue, Entries=[
        dict(Id="a", ReceiptHandle=handles[0]), dict(Id="x", ReceiptHandle="garbage"), dict(Id="b", ReceiptHandle=handles[1])])
    assert [item["Id"] for item in reply["Successful"]] == ["a", "b"]
    assert [(item["Id"], item["Code"], item["SenderFault"]) for item in reply["Failed"]] == [("x", "ReceiptHandleIsInvalid", True)]
    assert counts(sqs, queue) == (0, 1, 0)


def test_b05_delete_again(sqs, queue):
    handles = three(sqs, queue)
    batch = [dict(Id=str(index), ReceiptHandle=handle) for index, handle in enumerate(handles)]
    for _ in range(2):
        reply = sqs.delete_message_batch(QueueUrl=queue, Entries=batch)
        assert len(reply["Successful"]) == 3 and not reply.get("Failed")
    assert counts(sqs, queue) == (0, 0, 0)


def test_b06_change_with_one_bad_handle_and_one_bad_value(sqs, queue):
    handles = three(sqs, queue)
    reply = sqs.change_message_visibility_batch(QueueUrl=queue, Entries=[
        dict(Id="a", ReceiptHandle=handles[0], VisibilityTimeout=0),
        dict(Id="x", ReceiptHandle="garbage", VisibilityTimeout=0),
        dict(Id="y", ReceiptHandle=handles[1], VisibilityTimeout=43201)])
    assert [item["Id"] for item in reply["Successful"]] == ["a"]
    assert {item["Id"]: item["Code"] for item in reply["Failed"]} == {"x": "ReceiptHandleIsInvalid", "y": INVALID}
    assert all(item["SenderFault"] for item in reply["Failed"])
    assert counts(sqs, queue) == (1, 2, 0)
