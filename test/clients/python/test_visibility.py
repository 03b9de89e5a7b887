"""L, V, D: long polls, visibility time-outs, receipt handles."""

import re
import time

import pytest

from support import (INVALID, LONG_POLL_S, NO_QUEUE, WOKEN_BEFORE_S, bodies, counts, eventually, later, no_queue_message,
                     receive, receive_all, refused, set_attributes, system_names, value_message)


def waited(action):
    start = time.monotonic()
    result = action()
    return result, time.monotonic() - start


def send_one(sqs, url, body="b", **options):
    return sqs.send_message(QueueUrl=url, MessageBody=body, **options)["MessageId"]


def take(sqs, url, **options):
    return receive_all(sqs, url, 1, **options)[0]


# L: long poll

def test_l01_nothing_has_no_key(sqs, queue):
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)


def test_l01_an_empty_wait_lasts_its_time(sqs, queue):
    messages, seconds = waited(lambda: receive(sqs, queue, WaitTimeSeconds=1))
    assert messages == [] and seconds > 0.9


def test_l01_the_wait_of_the_queue(sqs, make_queue):
    url = make_queue(ReceiveMessageWaitTimeSeconds="1")
    messages, seconds = waited(lambda: receive(sqs, url))
    assert messages == [] and seconds > 0.9


def test_l01_the_call_overrides_the_queue(sqs, make_queue):
    url = make_queue(ReceiveMessageWaitTimeSeconds="20")
    messages, seconds = waited(lambda: receive(sqs, url, WaitTimeSeconds=0))
    assert messages == [] and seconds < WOKEN_BEFORE_S


def test_l01_a_wait_ends_at_once_when_a_message_is_there(sqs, queue):
    send_one(sqs, queue)
    messages, seconds = waited(lambda: receive(sqs, queue, 10, WaitTimeSeconds=LONG_POLL_S))
    assert len(messages) == 1 and seconds < WOKEN_BEFORE_S


def test_l02_a_send_wakes_a_wait(sqs, queue):
    with later(0.4, lambda: send_one(sqs, queue, "wake")):
        messages, seconds = waited(lambda: receive(sqs, queue, WaitTimeSeconds=LONG_POLL_S))
    assert bodies(messages) == ["wake"] and seconds < WOKEN_BEFORE_S


def test_l02_a_batch_wakes_a_wait(sqs, queue):
    entries = [{"Id": str(index), "MessageBody": str(index)} for index in range(3)]
    with later(0.4, lambda: sqs.send_message_batch(QueueUrl=queue, Entries=entries)):
        messages, seconds = waited(lambda: receive(sqs, queue, WaitTimeSeconds=LONG_POLL_S))
    assert 1 <= len(messages) <= 3 and seconds < WOKEN_BEFORE_S


def test_l03_the_end_of_a_delay_ends_a_wait(sqs, queue):
    send_one(sqs, queue, "late", DelaySeconds=1)
    messages, seconds = waited(lambda: receive(sqs, queue, WaitTimeSeconds=LONG_POLL_S))
    assert bodies(messages) == ["late"] and seconds < WOKEN_BEFORE_S


def test_l04_the_end_of_a_time_out_ends_a_wait(sqs, queue):
    send_one(sqs, queue, "again")
    take(sqs, queue, VisibilityTimeout=1)
    messages, seconds = waited(lambda: receive(sqs, queue, WaitTimeSeconds=LONG_POLL_S))
    assert bodies(messages) == ["again"] and seconds < WOKEN_BEFORE_S


def test_l04_a_release_ends_a_wait(sqs, queue):
    send_one(sqs, queue, "released")
    handle = take(sqs, queue)["ReceiptHandle"]
    release = lambda: sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
    with later(0.4, release):
        messages, seconds = waited(lambda: receive(sqs, queue, WaitTimeSeconds=LONG_POLL_S))
    assert bodies(messages) == ["released"] and seconds < WOKEN_BEFORE_S


def test_l05_deleting_the_queue_ends_a_wait(sqs, queue):
    start = time.monotonic()
    with later(0.4, lambda: sqs.delete_queue(QueueUrl=queue)):
        with refused(sqs, NO_QUEUE, no_queue_message(sqs)):
            receive(sqs, queue, WaitTimeSeconds=LONG_POLL_S)
        seconds = time.monotonic() - start
    assert seconds < WOKEN_BEFORE_S


def test_l06_a_message_wakes_one_of_two_waits(sqs, queue):
    found = []
    with later(0, lambda: found.extend(receive(sqs, queue, WaitTimeSeconds=2))):
        with later(0.5, lambda: send_one(sqs, queue)):
            found.extend(receive(sqs, queue, WaitTimeSeconds=2))
    assert len(found) == 1


# V: visibility

def test_v01_a_message_comes_back_after_its_time_out(sqs, make_queue):
    url = make_queue(VisibilityTimeout="1")
    sent = send_one(sqs, url)
    first = take(sqs, url)
    assert receive(sqs, url) == []
    second = take(sqs, url, WaitTimeSeconds=5, **system_names(sqs, "ApproximateReceiveCount"))
    assert first["MessageId"] == second["MessageId"] == sent
    assert first["ReceiptHandle"] != second["ReceiptHandle"]
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"


def test_v02_the_call_overrides_the_queue(sqs, queue):
    send_one(sqs, queue)
    take(sqs, queue, VisibilityTimeout=1)
    take(sqs, queue, WaitTimeSeconds=5)


def test_v02_a_time_out_of_zero_hides_nothing(sqs, queue):
    send_one(sqs, queue)
    take(sqs, queue, VisibilityTimeout=0)
    assert counts(sqs, queue) == (1, 0, 0)
    take(sqs, queue)


def test_v02_a_queue_time_out_of_zero(sqs, make_queue):
    url = make_queue(VisibilityTimeout="0")
    send_one(sqs, url)
    take(sqs, url)
    take(sqs, url)


def test_v03_a_longer_time_out_keeps_it_hidden(sqs, queue):
    send_one(sqs, queue)
    handle = take(sqs, queue, VisibilityTimeout=1)["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=60)
    assert receive(sqs, queue, WaitTimeSeconds=2) == []
    assert counts(sqs, queue) == (0, 1, 0)


def test_v03_a_shorter_time_out_counts_from_now(sqs, queue):
    send_one(sqs, queue)
    handle = take(sqs, queue, VisibilityTimeout=600)["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=1)
    take(sqs, queue, WaitTimeSeconds=5)


def test_v03_zero_releases_at_once(sqs, queue):
    send_one(sqs, queue)
    handle = take(sqs, queue)["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
    assert counts(sqs, queue) == (1, 0, 0)
    assert len(receive(sqs, queue)) == 1


def test_v03_a_change_is_for_this_receive_only(sqs, make_queue):
    url = make_queue(VisibilityTimeout="1")
    send_one(sqs, url)
    handle = take(sqs, url)["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    take(sqs, url)
    take(sqs, url, WaitTimeSeconds=5)


@pytest.mark.parametrize("bad", [43201, -1])
def test_v04_out_of_range(sqs, queue, bad):
    send_one(sqs, queue)
    handle = take(sqs, queue)["ReceiptHandle"]
    with refused(sqs, INVALID, re.compile(rf"^Value {bad} for parameter VisibilityTimeout is invalid\.")):
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=bad)


def test_v04_no_more_than_twelve_hours_in_all(sqs, queue):
    send_one(sqs, queue)
    handle = take(sqs, queue)["ReceiptHandle"]
    time.sleep(1.1)
    with refused(sqs, INVALID, value_message(
            43200, "VisibilityTimeout", "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]")):
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=43200)
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=43190)


GARBAGE = 'The input receipt handle "garbage" is not a valid receipt handle.'


def test_v05_garbage_is_no_handle(sqs, queue):
    with refused(sqs, "ReceiptHandleIsInvalid", GARBAGE):
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle="garbage", VisibilityTimeout=1)
    with refused(sqs, "ReceiptHandleIsInvalid", GARBAGE):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle="garbage")


def test_v05_a_handle_of_another_queue(sqs, make_queue):
    one, two = make_queue("-1"), make_queue("-2")
    send_one(sqs, one)
    handle = take(sqs, one)["ReceiptHandle"]
    text = f'The input receipt handle "{handle}" is not a valid receipt handle.'
    with refused(sqs, "ReceiptHandleIsInvalid", text):
        sqs.delete_message(QueueUrl=two, ReceiptHandle=handle)
    with refused(sqs, "ReceiptHandleIsInvalid", text):
        sqs.change_message_visibility(QueueUrl=two, ReceiptHandle=handle, VisibilityTimeout=1)
    assert counts(sqs, one) == (0, 1, 0)


def test_v05_a_changed_byte_is_noticed(sqs, queue):
    send_one(sqs, queue)
    handle = take(sqs, queue)["ReceiptHandle"]
    for index in (0, len(handle) // 2):
        forged = handle[:index] + ("A" if handle[index] != "A" else "B") + handle[index + 1:]
        with refused(sqs, "ReceiptHandleIsInvalid"):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=forged)
    assert counts(sqs, queue) == (0, 1, 0)


def test_v06_an_expired_handle_still_deletes(sqs, queue):
    send_one(sqs, queue)
    handle = take(sqs, queue, VisibilityTimeout=0)["ReceiptHandle"]
    assert counts(sqs, queue) == (1, 0, 0)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=handle)
    assert counts(sqs, queue) == (0, 0, 0)


def test_v06_a_change_by_an_expired_handle_hides_nothing(sqs, queue):
    send_one(sqs, queue)
    handle = take(sqs, queue, VisibilityTimeout=1)["ReceiptHandle"]
    eventually(lambda: counts(sqs, queue) == (1, 0, 0))
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=60)
    assert len(receive(sqs, queue)) == 1


def test_v06_an_older_handle_changes_a_newer_receive(sqs, queue):
    send_one(sqs, queue)
    old = take(sqs, queue, VisibilityTimeout=0)["ReceiptHandle"]
    take(sqs, queue, VisibilityTimeout=60)
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=old, VisibilityTimeout=0)
    assert len(receive(sqs, queue)) == 1


def test_v06_an_older_handle_deletes_a_newer_receive(sqs, queue):
    send_one(sqs, queue)
    old = take(sqs, queue, VisibilityTimeout=0)["ReceiptHandle"]
    take(sqs, queue, VisibilityTimeout=1)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=old)
    assert counts(sqs, queue) == (0, 0, 0)


def test_v07_change_after_delete(sqs, queue):
    send_one(sqs, queue)
    handle = take(sqs, queue)["ReceiptHandle"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=handle)
    with refused(sqs, INVALID, value_message(
            handle, "ReceiptHandle", "Message does not exist or is not available for visibility timeout change.")):
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=10)


def test_v06_a_handle_of_a_receive_before_deletes_what_is_visible(sqs, queue):
    """Out of three handles of one message, the first: it is none the worse for its age."""
    send_one(sqs, queue)
    handles = [take(sqs, queue, VisibilityTimeout=0)["ReceiptHandle"] for _ in range(3)]
    assert len(set(handles)) == 3
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=handles[0])
    assert counts(sqs, queue) == (0, 0, 0)
    for handle in handles:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=handle)


# D: delete

def test_d01_delete_may_be_repeated(sqs, queue):
    send_one(sqs, queue)
    handle = take(sqs, queue)["ReceiptHandle"]
    for _ in range(3):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=handle)
    assert counts(sqs, queue) == (0, 0, 0)


def test_d01_a_deleted_message_does_not_come_back(sqs, make_queue):
    url = make_queue(VisibilityTimeout="1")
    send_one(sqs, url)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=take(sqs, url)["ReceiptHandle"])
    assert receive(sqs, url, WaitTimeSeconds=2) == []


def test_d01_only_that_message_goes(sqs, queue):
    for body in ("stay", "go"):
        send_one(sqs, queue, body)
    found = {message["Body"]: message for message in receive_all(sqs, queue, 2, VisibilityTimeout=5)}
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=found["go"]["ReceiptHandle"])
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=found["stay"]["ReceiptHandle"], VisibilityTimeout=0)
    assert bodies(receive(sqs, queue)) == ["stay"]
