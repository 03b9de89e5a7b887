"""F: FIFO queues: order, group lock, deduplication."""

import hashlib
import re
import time

import pytest

from support import (INVALID, LONG_POLL_S, MISSING, WOKEN_BEFORE_S, bodies, counts, eventually, later, receive, receive_all,
                     refused, set_attributes, system_names, value_message)

NEEDS_ID = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"


def send(sqs, url, body, group="g", **options):
    return sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group, **options)


def send_many(sqs, url, texts, group="g"):
    return sqs.send_message_batch(QueueUrl=url, Entries=[
        dict(Id=str(index), MessageBody=body, MessageGroupId=group) for index, body in enumerate(texts)])


def delete(sqs, url, messages):
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


# F01: order and sequence numbers

def test_f01_order_within_a_group(sqs, fifo):
    texts = [f"m{index}" for index in range(25)]
    for body in texts:
        send(sqs, fifo, body)
    found = []
    while len(found) < 25:
        messages = receive_all(sqs, fifo, 5, WaitTimeSeconds=0, count=5)
        delete(sqs, fifo, messages)
        found += bodies(messages)
    assert found == texts


def test_f01_sequence_numbers_grow(sqs, fifo):
    numbers = [send(sqs, fifo, str(index))["SequenceNumber"] for index in range(5)]
    assert all(number.isdigit() and len(number) == 20 for number in numbers)
    assert numbers == sorted(set(numbers))
    found = receive_all(sqs, fifo, 5, **system_names(sqs, "SequenceNumber"))
    assert [message["Attributes"]["SequenceNumber"] for message in found] == numbers


def test_f01_system_attributes(sqs, fifo):
    send(sqs, fifo, "b", group="g1", MessageDeduplicationId="d1")
    found = receive_all(sqs, fifo, 1, **system_names(sqs, "All"))[0]["Attributes"]
    assert set(found) == {"SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp",
                          "SequenceNumber", "MessageDeduplicationId", "MessageGroupId"}
    assert (found["MessageGroupId"], found["MessageDeduplicationId"]) == ("g1", "d1")


# F02: the group lock

def test_f02_a_group_in_flight_is_locked(sqs, fifo):
    for body in ("1", "2"):
        send(sqs, fifo, body)
    first = receive(sqs, fifo, 1)
    assert bodies(first) == ["1"]
    assert receive(sqs, fifo) == []
    delete(sqs, fifo, first)
    assert bodies(receive(sqs, fifo)) == ["2"]


def test_f02_other_groups_are_free(sqs, fifo):
    send(sqs, fifo, "a1", "a")
    send(sqs, fifo, "a2", "a")
    send(sqs, fifo, "b1", "b")
    assert bodies(receive(sqs, fifo, 1)) == ["a1"]
    assert bodies(receive(sqs, fifo, 10)) == ["b1"]
    assert receive(sqs, fifo) == []


def test_f02_a_release_returns_the_same_message_first(sqs, fifo):
    for body in ("1", "2"):
        send(sqs, fifo, body)
    handle = receive(sqs, fifo, 1)[0]["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=fifo, ReceiptHandle=handle, VisibilityTimeout=0)
    assert bodies(receive(sqs, fifo, 10)) == ["1", "2"]


def test_f02_a_time_out_opens_the_group(sqs, fifo):
    for body in ("1", "2"):
        send(sqs, fifo, body)
    receive(sqs, fifo, 1, VisibilityTimeout=1)
    assert bodies(receive(sqs, fifo, 1, WaitTimeSeconds=5)) == ["1"]


def test_f02_a_partial_delete_keeps_the_lock(sqs, fifo):
    for body in ("1", "2", "3"):
        send(sqs, fifo, body)
    found = receive(sqs, fifo, 2)
    assert bodies(found) == ["1", "2"]
    delete(sqs, fifo, found[:1])
    assert receive(sqs, fifo) == []
    delete(sqs, fifo, found[1:])
    assert bodies(receive(sqs, fifo)) == ["3"]


def test_f02_a_kept_message_holds_back_what_follows(sqs, fifo):
    send_many(sqs, fifo, ["1", "2", "3", "4"])
    found = receive(sqs, fifo, 4, VisibilityTimeout=1)
    assert bodies(found) == ["1", "2", "3", "4"]
    sqs.change_message_visibility(QueueUrl=fifo, ReceiptHandle=found[2]["ReceiptHandle"], VisibilityTimeout=60)
    assert bodies(receive(sqs, fifo, 10, WaitTimeSeconds=5)) == ["1", "2"]


@pytest.mark.parametrize("seconds", [0, 1])
def test_f02_what_was_released_comes_back_before_the_rest_of_its_batch(sqs, fifo, seconds):
    """The rest stays in flight, and locks what is behind it."""
    send_many(sqs, fifo, ["1", "2", "3"])
    send(sqs, fifo, "other", "other")
    found = receive(sqs, fifo, 2)
    assert bodies(found) == ["1", "2"]
    sqs.change_message_visibility(QueueUrl=fifo, ReceiptHandle=found[0]["ReceiptHandle"], VisibilityTimeout=seconds)
    eventually(lambda: counts(sqs, fifo)[1] == 1)
    assert sorted(bodies(receive(sqs, fifo, 10))) == ["1", "other"]
    assert receive(sqs, fifo, 10) == []


def test_f02_delete_opens_a_waiting_receive(sqs, fifo):
    for body in ("1", "2"):
        send(sqs, fifo, body)
    first = receive(sqs, fifo, 1)
    start = time.monotonic()
    with later(0.4, lambda: delete(sqs, fifo, first)):
        messages = receive(sqs, fifo, 1, WaitTimeSeconds=LONG_POLL_S)
        seconds = time.monotonic() - start
    assert bodies(messages) == ["2"] and seconds < WOKEN_BEFORE_S


# F03: batches

def test_f03_a_batch_keeps_its_order(sqs, fifo):
    texts = [f"m{index}" for index in range(10)]
    reply = send_many(sqs, fifo, texts)
    numbers = [item["SequenceNumber"] for item in reply["Successful"]]
    assert numbers == sorted(set(numbers))
    assert bodies(receive(sqs, fifo, 10)) == texts


def test_f03_one_group_first_then_others_in_order(sqs, fifo):
    for index in range(3):
        send(sqs, fifo, f"a{index}", "a")
        send(sqs, fifo, f"b{index}", "b")
    found = bodies(receive(sqs, fifo, 10))
    assert found == ["a0", "a1", "a2", "b0", "b1", "b2"]


def test_f03_many_groups_each_in_order(sqs, fifo):
    for round_ in range(3):
        for group in "abcdefgh":
            send(sqs, fifo, f"{group}{round_}", group)
    found = []
    while len(found) < 24:
        messages = receive(sqs, fifo, 10, WaitTimeSeconds=1)
        assert messages, f"only {len(found)} of 24"
        delete(sqs, fifo, messages)
        found += bodies(messages)
    for group in "abcdefgh":
        assert [body for body in found if body[0] == group] == [f"{group}{round_}" for round_ in range(3)]


# F04-F06: deduplication

def test_f04_an_explicit_id_is_sent_once(sqs, make_queue):
    url = make_queue(FifoQueue="true")
    first = send(sqs, url, "one", MessageDeduplicationId="d")
    second = send(sqs, url, "another body", MessageDeduplicationId="d")
    assert second["MessageId"] == first["MessageId"]
    assert second["SequenceNumber"] == first["SequenceNumber"]
    assert bodies(receive(sqs, url)) == ["one"]
    assert counts(sqs, url) == (0, 1, 0)


def test_f04_over_all_groups_of_the_queue(sqs, make_queue):
    url = make_queue(FifoQueue="true")
    first = send(sqs, url, "one", "g1", MessageDeduplicationId="d")
    assert send(sqs, url, "two", "g2", MessageDeduplicationId="d")["MessageId"] == first["MessageId"]
    assert counts(sqs, url) == (1, 0, 0)


def test_f04_within_a_batch(sqs, make_queue):
    url = make_queue(FifoQueue="true")
    reply = sqs.send_message_batch(QueueUrl=url, Entries=[
        dict(Id=key, MessageBody=key, MessageGroupId="g", MessageDeduplicationId="d") for key in ("a", "b")])
    assert len(reply["Successful"]) == 2
    assert len({item["MessageId"] for item in reply["Successful"]}) == 1
    assert bodies(receive(sqs, url)) == ["a"]


def test_f05_by_content(sqs, fifo):
    first = send(sqs, fifo, "same")
    assert send(sqs, fifo, "same")["MessageId"] == first["MessageId"]
    assert send(sqs, fifo, "other")["MessageId"] != first["MessageId"]
    found = receive(sqs, fifo, 10, **system_names(sqs, "MessageDeduplicationId"))
    assert bodies(found) == ["same", "other"]
    assert found[0]["Attributes"]["MessageDeduplicationId"] == hashlib.sha256(b"same").hexdigest()


def test_f05_attributes_are_not_content(sqs, fifo):
    first = send(sqs, fifo, "same")
    attributes = {"a": {"DataType": "String", "StringValue": "v"}}
    assert send(sqs, fifo, "same", MessageAttributes=attributes)["MessageId"] == first["MessageId"]


def test_f05_an_explicit_id_wins(sqs, fifo):
    first = send(sqs, fifo, "same", MessageDeduplicationId="1")
    second = send(sqs, fifo, "same", MessageDeduplicationId="2")
    assert first["MessageId"] != second["MessageId"]
    assert counts(sqs, fifo) == (2, 0, 0)


def test_f06_the_id_outlives_the_message(sqs, fifo):
    first = send(sqs, fifo, "same")
    delete(sqs, fifo, receive(sqs, fifo))
    assert counts(sqs, fifo) == (0, 0, 0)
    assert send(sqs, fifo, "same")["MessageId"] == first["MessageId"]
    assert receive(sqs, fifo) == []


# F07, F08: what must be said

def test_f07_no_group(sqs, fifo):
    with refused(sqs, MISSING, "The request must contain the parameter MessageGroupId."):
        sqs.send_message(QueueUrl=fifo, MessageBody="b")


def test_f07_no_group_in_a_batch(sqs, fifo):
    with refused(sqs, INVALID, "The request must contain the parameter MessageGroupId."):
        sqs.send_message_batch(QueueUrl=fifo, Entries=[
            dict(Id="a", MessageBody="a", MessageGroupId="g"), dict(Id="b", MessageBody="b")])
    assert counts(sqs, fifo) == (0, 0, 0)


def test_f07_no_deduplication(sqs, make_queue):
    url = make_queue(FifoQueue="true")
    with refused(sqs, INVALID, NEEDS_ID):
        send(sqs, url, "b")
    with refused(sqs, INVALID, NEEDS_ID):
        sqs.send_message_batch(QueueUrl=url, Entries=[
            dict(Id="a", MessageBody="a", MessageGroupId="g", MessageDeduplicationId="d"),
            dict(Id="b", MessageBody="b", MessageGroupId="g")])
    assert counts(sqs, url) == (0, 0, 0)


@pytest.mark.parametrize("bad", ["", "x" * 129, "a b"])
@pytest.mark.parametrize("parameter", ["MessageGroupId", "MessageDeduplicationId"])
def test_f08_bad_ids(sqs, fifo, parameter, bad):
    fields = {"MessageGroupId": "g", "MessageDeduplicationId": "d", parameter: bad}
    text = value_message(bad, parameter,
                         f"{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length.")
    with refused(sqs, INVALID, text):
        sqs.send_message(QueueUrl=fifo, MessageBody="b", **fields)
    with refused(sqs, INVALID, text):
        sqs.send_message_batch(QueueUrl=fifo, Entries=[
            dict(Id="good", MessageBody="a", MessageGroupId="g"), dict(Id="bad", MessageBody="b", **fields)])
    assert counts(sqs, fifo) == (0, 0, 0)


@pytest.mark.parametrize("good", ["x" * 128, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "aZ09"])
def test_f08_ids_at_the_limit(sqs, fifo, good):
    send(sqs, fifo, "b", good, MessageDeduplicationId=good)
    found = receive_all(sqs, fifo, 1, **system_names(sqs, "All"))[0]["Attributes"]
    assert (found["MessageGroupId"], found["MessageDeduplicationId"]) == (good, good)


# F09: delay

def test_f09_no_delay_of_a_message(sqs, fifo):
    with refused(sqs, INVALID, value_message(
            2, "DelaySeconds", "The request include parameter that is not valid for this queue type.")):
        send(sqs, fifo, "b", DelaySeconds=2)


def test_f09_in_a_batch_only_that_entry_fails(sqs, fifo):
    reply = sqs.send_message_batch(QueueUrl=fifo, Entries=[
        dict(Id="bad", MessageBody="a", MessageGroupId="g", DelaySeconds=2), dict(Id="good", MessageBody="b", MessageGroupId="g", DelaySeconds=0)])
    assert [item["Id"] for item in reply["Successful"]] == ["good"]
    assert reply["Failed"] == [dict(Id="bad", SenderFault=True, Code=INVALID, Message=value_message(
        2, "DelaySeconds", "The request include parameter that is not valid for this queue type."))]
    assert bodies(receive(sqs, fifo)) == ["b"]


def test_f09_a_delay_of_zero_is_allowed(sqs, fifo):
    send(sqs, fifo, "b", DelaySeconds=0)
    assert bodies(receive(sqs, fifo)) == ["b"]


def test_f09_the_delay_of_the_queue_holds_even_with_zero(sqs, make_queue):
    url = make_queue(FifoQueue="true", ContentBasedDeduplication="true", DelaySeconds="1")
    send(sqs, url, "1")
    send(sqs, url, "2", DelaySeconds=0)
    assert counts(sqs, url) == (0, 0, 2)
    assert receive(sqs, url) == []
    found = receive_all(sqs, url, 1, WaitTimeSeconds=5, count=1)
    assert bodies(found) == ["1"]


def test_f09_a_new_delay_is_for_old_messages_too(sqs, make_queue):
    url = make_queue(FifoQueue="true", ContentBasedDeduplication="true", DelaySeconds="60")
    send(sqs, url, "1")
    assert counts(sqs, url) == (0, 0, 1)
    set_attributes(sqs, url, DelaySeconds="0")
    assert bodies(receive(sqs, url, VisibilityTimeout=0)) == ["1"]
    send(sqs, url, "2")
    set_attributes(sqs, url, DelaySeconds="60")                  # longer: what was never received is hidden again
    assert counts(sqs, url) == (1, 0, 1)
    assert bodies(receive(sqs, url)) == ["1"]


def test_f09_a_shorter_delay_ends_a_wait(sqs, make_queue):
    url = make_queue(FifoQueue="true", ContentBasedDeduplication="true", DelaySeconds="900")
    send(sqs, url, "1")
    start = time.monotonic()
    with later(0.4, lambda: set_attributes(sqs, url, DelaySeconds="0")):
        assert bodies(receive(sqs, url, WaitTimeSeconds=LONG_POLL_S)) == ["1"]
        seconds = time.monotonic() - start
    assert seconds < WOKEN_BEFORE_S


def test_f09_the_end_of_a_delay_ends_a_wait(sqs, make_queue):
    url = make_queue(FifoQueue="true", ContentBasedDeduplication="true", DelaySeconds="1")
    send(sqs, url, "1")
    start = time.monotonic()
    assert bodies(receive(sqs, url, WaitTimeSeconds=LONG_POLL_S)) == ["1"]
    assert time.monotonic() - start < WOKEN_BEFORE_S


# F10: ReceiveRequestAttemptId

def test_f10_the_same_attempt_gets_the_same_answer(sqs, fifo):
    send_many(sqs, fifo, ["1", "2", "3"])
    first = receive(sqs, fifo, 2, ReceiveRequestAttemptId="try-1")
    again = receive(sqs, fifo, 2, ReceiveRequestAttemptId="try-1")
    assert [(m["MessageId"], m["ReceiptHandle"]) for m in first] == [(m["MessageId"], m["ReceiptHandle"]) for m in again]
    assert bodies(first) == ["1", "2"]


def test_f10_another_attempt_is_another_receive(sqs, fifo):
    send_many(sqs, fifo, ["1", "2"])
    assert len(receive(sqs, fifo, 1, ReceiveRequestAttemptId="try-1")) == 1
    assert receive(sqs, fifo, 1, ReceiveRequestAttemptId="try-2") == []


def test_f10_an_attempt_is_void_after_a_delete(sqs, fifo):
    send_many(sqs, fifo, ["1", "2"])
    delete(sqs, fifo, receive(sqs, fifo, 1, ReceiveRequestAttemptId="try-1"))
    assert bodies(receive(sqs, fifo, 1, ReceiveRequestAttemptId="try-1")) == ["2"]


def test_f10_a_long_attempt_id(sqs, fifo):
    receive(sqs, fifo, 1, ReceiveRequestAttemptId="x" * 128)
    with refused(sqs, INVALID):
        receive(sqs, fifo, 1, ReceiveRequestAttemptId="x" * 129)


# F11: expired handles

def expired(sqs, url):
    send(sqs, url, "b")
    handle = receive(sqs, url, 1, VisibilityTimeout=1)[0]["ReceiptHandle"]
    eventually(lambda: counts(sqs, url) == (1, 0, 0))
    return handle


def test_f11_delete_needs_a_live_handle(sqs, fifo):
    handle = expired(sqs, fifo)
    with refused(sqs, INVALID, value_message(handle, "ReceiptHandle", "The receipt handle has expired.")):
        sqs.delete_message(QueueUrl=fifo, ReceiptHandle=handle)
    assert counts(sqs, fifo) == (1, 0, 0)


def test_f11_change_needs_a_live_handle(sqs, fifo):
    handle = expired(sqs, fifo)
    with refused(sqs, INVALID):
        sqs.change_message_visibility(QueueUrl=fifo, ReceiptHandle=handle, VisibilityTimeout=30)
    assert counts(sqs, fifo) == (1, 0, 0)


def test_f11_the_handle_of_an_earlier_receive_is_expired(sqs, fifo):
    send(sqs, fifo, "b")
    old = receive(sqs, fifo, 1, VisibilityTimeout=0)[0]["ReceiptHandle"]
    new = receive(sqs, fifo, 1)[0]["ReceiptHandle"]
    text = value_message(old, "ReceiptHandle", "The receipt handle has expired.")
    with refused(sqs, INVALID, text):
        sqs.delete_message(QueueUrl=fifo, ReceiptHandle=old)
    with refused(sqs, INVALID, text):
        sqs.change_message_visibility(QueueUrl=fifo, ReceiptHandle=old, VisibilityTimeout=0)
    assert counts(sqs, fifo) == (0, 1, 0)
    for _ in range(2):                                           # once it is deleted, again is fine
        sqs.delete_message(QueueUrl=fifo, ReceiptHandle=new)
    sqs.delete_message(QueueUrl=fifo, ReceiptHandle=old)
    assert counts(sqs, fifo) == (0, 0, 0)


def test_f11_delete_in_a_batch_needs_a_live_handle(sqs, fifo):
    handle = expired(sqs, fifo)
    reply = sqs.delete_message_batch(QueueUrl=fifo, Entries=[dict(Id="a", ReceiptHandle=handle)])
    assert [(item["Id"], item["Code"], item["SenderFault"]) for item in reply["Failed"]] == [("a", INVALID, True)]
    assert not reply.get("Successful")


def test_f11_an_extension_moves_the_expiry(sqs, fifo):
    send(sqs, fifo, "b")
    handle = receive(sqs, fifo, 1, VisibilityTimeout=1)[0]["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=fifo, ReceiptHandle=handle, VisibilityTimeout=60)
    time.sleep(1.2)
    sqs.delete_message(QueueUrl=fifo, ReceiptHandle=handle)
    assert counts(sqs, fifo) == (0, 0, 0)


# F12: the scope of deduplication

def test_f12_scope_by_group(sqs, make_queue):
    url = make_queue(FifoQueue="true", DeduplicationScope="messageGroup")
    first = send(sqs, url, "one", "g1", MessageDeduplicationId="d")
    assert send(sqs, url, "two", "g2", MessageDeduplicationId="d")["MessageId"] != first["MessageId"]
    assert send(sqs, url, "three", "g1", MessageDeduplicationId="d")["MessageId"] == first["MessageId"]
    assert counts(sqs, url) == (2, 0, 0)


@pytest.mark.parametrize("created,later,expected", [("queue", "messageGroup", 1), ("messageGroup", "queue", 2)])
def test_f12_the_scope_of_creation_stays(sqs, make_queue, created, later, expected):
    url = make_queue(FifoQueue="true", DeduplicationScope=created)
    set_attributes(sqs, url, DeduplicationScope=later)
    for group in ("g1", "g2"):
        send(sqs, url, group, group, MessageDeduplicationId="d")
    assert counts(sqs, url) == (expected, 0, 0)


# F13, F14

def test_f13_purge_forgets_the_ids(sqs, fifo):
    first = send(sqs, fifo, "same")
    sqs.purge_queue(QueueUrl=fifo)
    eventually(lambda: counts(sqs, fifo) == (0, 0, 0))
    assert send(sqs, fifo, "same")["MessageId"] != first["MessageId"]
    assert bodies(receive(sqs, fifo)) == ["same"]


def test_f14_a_time_out_of_zero_leaves_the_group_open(sqs, fifo):
    send_many(sqs, fifo, ["1", "2"])
    assert bodies(receive(sqs, fifo, 1, VisibilityTimeout=0)) == ["1"]
    assert bodies(receive(sqs, fifo, 10)) == ["1", "2"]
