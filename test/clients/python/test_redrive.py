"""R: dead letters, redrive, move tasks."""

import json
import re

import pytest

import support
from support import (INVALID, arn_of, attribute, bodies, counts, eventually, receive, receive_all, redrive_policy,
                     refused, set_attributes, system_names, task_handle)


@pytest.fixture
def pair(sqs, make_queue):
    """(source, dead): a message received once goes to the dead letters."""
    dead = make_queue("-dead")
    source = make_queue("-source", RedrivePolicy=redrive_policy(arn_of(sqs, dead), 1))
    return source, dead


def bury(sqs, source, dead, texts):
    """Send texts to source and let each fail once; they end in dead."""
    for body in texts:
        sqs.send_message(QueueUrl=source, MessageBody=body)
    for message in receive_all(sqs, source, len(texts)):
        sqs.change_message_visibility(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    assert receive(sqs, source) == []
    eventually(lambda: counts(sqs, dead)[0] == len(texts))


# R01, R02: the move

def test_r01_a_message_that_fails_goes_to_the_dead_letters(sqs, pair):
    source, dead = pair
    sent = sqs.send_message(QueueUrl=source, MessageBody="poison", MessageAttributes={
        "a": {"DataType": "String", "StringValue": "kept"}})["MessageId"]
    assert len(receive(sqs, source, VisibilityTimeout=0)) == 1
    assert receive(sqs, source) == []
    message = receive_all(sqs, dead, 1, MessageAttributeNames=["All"], WaitTimeSeconds=5,
                          **system_names(sqs, "ApproximateReceiveCount", "DeadLetterQueueSourceArn"))[0]
    assert message["MessageId"] == sent and message["Body"] == "poison"
    assert message["MessageAttributes"]["a"]["StringValue"] == "kept"
    assert message["Attributes"] == {"ApproximateReceiveCount": "2", "DeadLetterQueueSourceArn": arn_of(sqs, source)}
    assert counts(sqs, source) == (0, 0, 0)


def test_r01_after_the_third_receive(sqs, make_queue):
    dead = make_queue("-dead")
    source = make_queue("-source", RedrivePolicy=redrive_policy(arn_of(sqs, dead), 3))
    sqs.send_message(QueueUrl=source, MessageBody="poison")
    asked = system_names(sqs, "ApproximateReceiveCount")
    seen = [receive(sqs, source, VisibilityTimeout=0, **asked)[0]["Attributes"]["ApproximateReceiveCount"] for _ in range(3)]
    assert seen == ["1", "2", "3"]
    assert receive(sqs, source) == []
    assert receive_all(sqs, dead, 1, WaitTimeSeconds=5, **asked)[0]["Attributes"]["ApproximateReceiveCount"] == "4"


def test_r01_the_sent_time_is_kept(sqs, pair):
    source, dead = pair
    sqs.send_message(QueueUrl=source, MessageBody="poison")
    asked = system_names(sqs, "SentTimestamp")
    sent = receive(sqs, source, VisibilityTimeout=0, **asked)[0]["Attributes"]["SentTimestamp"]
    assert receive(sqs, source) == []
    assert receive_all(sqs, dead, 1, WaitTimeSeconds=5, **asked)[0]["Attributes"]["SentTimestamp"] == sent


def test_r01_the_rest_of_the_queue_is_still_received(sqs, pair):
    source, dead = pair
    sqs.send_message(QueueUrl=source, MessageBody="poison")
    receive(sqs, source, VisibilityTimeout=0)
    sqs.send_message(QueueUrl=source, MessageBody="good")
    assert bodies(receive_all(sqs, source, 1)) == ["good"]
    assert bodies(receive_all(sqs, dead, 1, WaitTimeSeconds=5)) == ["poison"]


def test_r02_only_a_receive_moves(sqs, pair):
    source, dead = pair
    sqs.send_message(QueueUrl=source, MessageBody="poison")
    receive(sqs, source, VisibilityTimeout=1)
    eventually(lambda: counts(sqs, source) == (1, 0, 0))
    assert counts(sqs, dead) == (0, 0, 0)
    assert receive(sqs, source) == []
    eventually(lambda: counts(sqs, dead) == (1, 0, 0))


def test_r02_a_chain_counts_all_receives(sqs, make_queue):
    """A middle queue that allows no more than the first one did passes on what it gets."""
    last = make_queue("-last")
    middle = make_queue("-middle", RedrivePolicy=redrive_policy(arn_of(sqs, last), 2))
    first = make_queue("-first", RedrivePolicy=redrive_policy(arn_of(sqs, middle), 2))
    sqs.send_message(QueueUrl=first, MessageBody="poison")
    for _ in range(2):
        assert len(receive(sqs, first, VisibilityTimeout=0)) == 1
    assert receive(sqs, first) == []
    eventually(lambda: counts(sqs, middle) == (1, 0, 0))
    assert receive(sqs, middle) == []
    found = receive_all(sqs, last, 1, WaitTimeSeconds=5, **system_names(sqs, "ApproximateReceiveCount", "DeadLetterQueueSourceArn"))
    assert found[0]["Attributes"] == {"ApproximateReceiveCount": "3", "DeadLetterQueueSourceArn": arn_of(sqs, middle)}


def test_r02_chains(sqs, make_queue):
    last = make_queue("-last")
    middle = make_queue("-middle", RedrivePolicy=redrive_policy(arn_of(sqs, last), 2))
    first = make_queue("-first", RedrivePolicy=redrive_policy(arn_of(sqs, middle), 1))
    sent = sqs.send_message(QueueUrl=first, MessageBody="poison")["MessageId"]
    receive(sqs, first, VisibilityTimeout=0)
    assert receive(sqs, first) == []
    assert [m["MessageId"] for m in receive_all(sqs, middle, 1, WaitTimeSeconds=5, VisibilityTimeout=0)] == [sent]
    assert receive(sqs, middle) == []
    assert [m["MessageId"] for m in receive_all(sqs, last, 1, WaitTimeSeconds=5)] == [sent]


# R03, R04: the policies

def test_r03_the_policy_comes_back(sqs, make_queue):
    dead = make_queue("-dead")
    text = '{ "maxReceiveCount":"5",\n "deadLetterTargetArn":"%s"}' % arn_of(sqs, dead)
    found = json.loads(attribute(sqs, make_queue("-source", RedrivePolicy=text), "RedrivePolicy"))
    assert found["deadLetterTargetArn"] == arn_of(sqs, dead) and int(found["maxReceiveCount"]) == 5


@pytest.mark.parametrize("count", [0, 1001, -1])
def test_r03_counts_out_of_range(sqs, queue, make_queue, count):
    target = arn_of(sqs, make_queue("-dead"))
    with refused(sqs, INVALID, re.compile(
            rf"for parameter RedrivePolicy is invalid\. Reason: Invalid value for maxReceiveCount: {count}, "
            r"valid values are from 1 to 1000 both inclusive\.$")):
        set_attributes(sqs, queue, RedrivePolicy=redrive_policy(target, count))


@pytest.mark.parametrize("count", [1, 1000, "7"])
def test_r03_counts_in_range(sqs, queue, make_queue, count):
    target = arn_of(sqs, make_queue("-dead"))
    set_attributes(sqs, queue, RedrivePolicy=redrive_policy(target, count))
    assert int(json.loads(attribute(sqs, queue, "RedrivePolicy"))["maxReceiveCount"]) == int(count)


def test_r03_a_target_that_is_no_arn(sqs, queue):
    policy = '{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}'
    with refused(sqs, INVALID, support.value_message(policy, "RedrivePolicy", "Invalid value for deadLetterTargetArn.")):
        set_attributes(sqs, queue, RedrivePolicy=policy)


def test_r03_a_target_must_be_there_and_be_another_one(sqs, queue):
    arn = arn_of(sqs, queue)
    for target, reason in ((arn + "-not", "Dead letter target does not exist."),
                           (arn, "Dead letter target must not be the source itself."),
                           (arn.replace(":us-east-1:", ":eu-west-1:"), "Dead letter target must be in the same region as the source."),
                           (arn.replace(support.ACCOUNT, support.OTHER), "Dead letter target owner should be same as the source.")):
        policy = redrive_policy(target, 1)
        with refused(sqs, INVALID, support.value_message(policy, "RedrivePolicy", reason)):
            set_attributes(sqs, queue, RedrivePolicy=policy)
    assert attribute(sqs, queue, "RedrivePolicy") is None


@pytest.mark.parametrize("policy", ["{not json", "{}", '{"maxReceiveCount": 1}', '{"deadLetterTargetArn": "x", "maxReceiveCount": 1}', "[]", "1"])
def test_r03_incomplete_policies(sqs, queue, policy):
    with pytest.raises(sqs.exceptions.ClientError) as caught:
        set_attributes(sqs, queue, RedrivePolicy=policy)
    assert caught.value.response["Error"]["Code"] in (INVALID, "InvalidAttributeValue")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_r03_both_queues_are_of_one_type(sqs, queue, make_queue):
    fifo_dead = make_queue("-dead", FifoQueue="true")
    with pytest.raises(sqs.exceptions.ClientError) as caught:
        set_attributes(sqs, queue, RedrivePolicy=redrive_policy(arn_of(sqs, fifo_dead), 1))
    assert caught.value.response["Error"]["Code"] in (INVALID, "InvalidAttributeValue")


def test_r03_an_empty_policy_removes_it(sqs, pair):
    source, dead = pair
    set_attributes(sqs, source, RedrivePolicy="")
    assert attribute(sqs, source, "RedrivePolicy") is None
    sqs.send_message(QueueUrl=source, MessageBody="b")
    for _ in range(3):
        assert len(receive(sqs, source, VisibilityTimeout=0)) == 1
    assert counts(sqs, dead) == (0, 0, 0)


def allow(permission, *sources):
    policy = {"redrivePermission": permission}
    if sources:
        policy["sourceQueueArns"] = list(sources)
    return json.dumps(policy)


def test_r04_deny_all(sqs, queue, make_queue):
    dead = make_queue("-dead", RedriveAllowPolicy=allow("denyAll"))
    assert json.loads(attribute(sqs, dead, "RedriveAllowPolicy")) == {"redrivePermission": "denyAll"}
    with pytest.raises(sqs.exceptions.ClientError) as caught:
        set_attributes(sqs, queue, RedrivePolicy=redrive_policy(arn_of(sqs, dead), 1))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)
    assert attribute(sqs, queue, "RedrivePolicy") is None


def test_r04_by_queue(sqs, make_queue):
    listed, unlisted = make_queue("-listed"), make_queue("-unlisted")
    dead = make_queue("-dead", RedriveAllowPolicy=allow("byQueue", arn_of(sqs, listed)))
    policy = redrive_policy(arn_of(sqs, dead), 1)
    set_attributes(sqs, listed, RedrivePolicy=policy)
    with pytest.raises(sqs.exceptions.ClientError):
        set_attributes(sqs, unlisted, RedrivePolicy=policy)
    assert attribute(sqs, unlisted, "RedrivePolicy") is None


@pytest.mark.parametrize("policy", [
    '{"redrivePermission": "perhaps"}', '{"redrivePermission": "byQueue"}', "{",
    json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [f"arn:aws:sqs:us-east-1:000000000000:q{i}" for i in range(11)]}),
], ids=lambda text: text[:36])
def test_r04_bad_allow_policies(sqs, queue, policy):
    with pytest.raises(sqs.exceptions.ClientError) as caught:
        set_attributes(sqs, queue, RedriveAllowPolicy=policy)
    assert caught.value.response["Error"]["Code"] in (INVALID, "InvalidAttributeValue")


# R05: sources

def test_r05_sources_of_a_dead_letter_queue(sqs, make_queue):
    dead = make_queue("-dead")
    policy = redrive_policy(arn_of(sqs, dead), 1)
    sources = {make_queue(f"-{index}", RedrivePolicy=policy) for index in range(3)}
    assert set(sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"]) == sources


def test_r05_none_is_an_empty_list(sqs, queue):
    reply = sqs.list_dead_letter_source_queues(QueueUrl=queue)
    assert reply.get("queueUrls", None if support.wire_of(sqs) == "json" else []) == []
    assert "NextToken" not in reply


def test_r05_in_pages(sqs, make_queue):
    dead = make_queue("-dead")
    policy = redrive_policy(arn_of(sqs, dead), 1)
    sources = {make_queue(f"-{index}", RedrivePolicy=policy) for index in range(3)}
    first = sqs.list_dead_letter_source_queues(QueueUrl=dead, MaxResults=2)
    assert len(first["queueUrls"]) == 2
    second = sqs.list_dead_letter_source_queues(QueueUrl=dead, MaxResults=2, NextToken=first["NextToken"])
    assert "NextToken" not in second
    assert sorted(first["queueUrls"] + second["queueUrls"]) == sorted(sources)


# R06: FIFO

def test_r06_fifo_dead_letters(sqs, make_queue):
    dead = make_queue("-dead", FifoQueue="true")
    source = make_queue("-source", FifoQueue="true", RedrivePolicy=redrive_policy(arn_of(sqs, dead), 1))
    sent = [sqs.send_message(QueueUrl=source, MessageBody=body, MessageGroupId="g", MessageDeduplicationId=body)["MessageId"]
            for body in ("1", "2")]
    assert bodies(receive(sqs, source, 1, VisibilityTimeout=0)) == ["1"]
    assert bodies(receive_all(sqs, source, 1)) == ["2"]          # the group goes on behind the dead one
    message = receive_all(sqs, dead, 1, WaitTimeSeconds=5, **system_names(sqs, "All"))[0]
    assert (message["MessageId"], message["Body"]) == (sent[0], "1")
    found = message["Attributes"]
    assert found["MessageGroupId"] == "g"
    assert found["MessageDeduplicationId"] == sent[0]
    assert found["DeadLetterQueueSourceArn"] == arn_of(sqs, source)
    assert found["ApproximateReceiveCount"] == "2"


# R07-R11: move tasks

def tasks(sqs, dead, **options):
    return sqs.list_message_move_tasks(SourceArn=arn_of(sqs, dead), **options).get("Results", [])


def finished(sqs, dead, status="COMPLETED"):
    return eventually(lambda: [task for task in tasks(sqs, dead) if task["Status"] == status])[0]


def test_r07_back_to_the_source(sqs, pair):
    source, dead = pair
    bury(sqs, source, dead, ["a", "b", "c"])
    handle = sqs.start_message_move_task(SourceArn=arn_of(sqs, dead))["TaskHandle"]
    assert handle
    task = finished(sqs, dead)
    assert task["ApproximateNumberOfMessagesMoved"] == 3
    assert task["ApproximateNumberOfMessagesToMove"] == 3
    assert task["SourceArn"] == arn_of(sqs, dead)
    assert "DestinationArn" not in task and "TaskHandle" not in task and "FailureReason" not in task
    assert task["StartedTimestamp"] > 1_600_000_000_000
    assert counts(sqs, dead) == (0, 0, 0)
    found = receive_all(sqs, source, 3, **system_names(sqs, "ApproximateReceiveCount"))
    assert sorted(bodies(found)) == ["a", "b", "c"]
    assert {message["Attributes"]["ApproximateReceiveCount"] for message in found} == {"1"}


def test_r07_each_to_its_own_source(sqs, make_queue):
    dead = make_queue("-dead")
    policy = redrive_policy(arn_of(sqs, dead), 1)
    one, two = make_queue("-one", RedrivePolicy=policy), make_queue("-two", RedrivePolicy=policy)
    for source, body in ((one, "1"), (two, "2")):
        sqs.send_message(QueueUrl=source, MessageBody=body)
        receive(sqs, source, VisibilityTimeout=0)
        assert receive(sqs, source) == []
    eventually(lambda: counts(sqs, dead)[0] == 2)
    sqs.start_message_move_task(SourceArn=arn_of(sqs, dead))
    finished(sqs, dead)
    assert bodies(receive_all(sqs, one, 1)) == ["1"]
    assert bodies(receive_all(sqs, two, 1)) == ["2"]


def test_r07_a_moved_message_is_a_new_one(sqs, pair):
    source, dead = pair
    bury(sqs, source, dead, ["a"])
    old = receive_all(sqs, dead, 1, VisibilityTimeout=0)[0]["MessageId"]
    sqs.start_message_move_task(SourceArn=arn_of(sqs, dead))
    finished(sqs, dead)
    assert receive_all(sqs, source, 1)[0]["MessageId"] != old


def test_r08_to_another_queue(sqs, pair, make_queue):
    source, dead = pair
    target = make_queue("-target")
    bury(sqs, source, dead, ["a", "b"])
    sqs.start_message_move_task(SourceArn=arn_of(sqs, dead), DestinationArn=arn_of(sqs, target))
    assert finished(sqs, dead)["DestinationArn"] == arn_of(sqs, target)
    assert sorted(bodies(receive_all(sqs, target, 2))) == ["a", "b"]
    assert counts(sqs, source) == (0, 0, 0)


def test_r08_newest_first_and_one_by_default(sqs, pair, make_queue):
    source, dead = pair
    targets = [make_queue("-t1"), make_queue("-t2")]
    for target in targets:
        sqs.start_message_move_task(SourceArn=arn_of(sqs, dead), DestinationArn=arn_of(sqs, target))
        eventually(lambda: tasks(sqs, dead)[0]["Status"] == "COMPLETED")
    assert [task["DestinationArn"] for task in tasks(sqs, dead)] == [arn_of(sqs, targets[1])]
    assert [task["DestinationArn"] for task in tasks(sqs, dead, MaxResults=10)] == [
        arn_of(sqs, targets[1]), arn_of(sqs, targets[0])]


def test_r08_no_tasks_no_results(sqs, pair):
    assert tasks(sqs, pair[1]) == []


@pytest.mark.parametrize("bad", [0, 11])
def test_r08_max_results_out_of_range(sqs, pair, bad):
    with refused(sqs, INVALID):
        tasks(sqs, pair[1], MaxResults=bad)


def test_r09_the_source_must_be_a_dead_letter_queue(sqs, queue):
    with refused(sqs, INVALID, "Source queue must be configured as a Dead Letter Queue."):
        sqs.start_message_move_task(SourceArn=arn_of(sqs, queue))


def test_r09_a_missing_source(sqs, queue):
    with refused(sqs, "ResourceNotFoundException",
                 "The resource that you specified for the SourceArn parameter doesn't exist.", status=404):
        sqs.start_message_move_task(SourceArn=arn_of(sqs, queue) + "-not")
    with refused(sqs, "ResourceNotFoundException",
                 "The resource that you specified for the SourceArn parameter doesn't exist.", status=404):
        sqs.list_message_move_tasks(SourceArn=arn_of(sqs, queue) + "-not")


def test_r09_a_missing_destination(sqs, pair):
    source, dead = pair
    with refused(sqs, "ResourceNotFoundException",
                 "The resource that you specified for the DestinationArn parameter doesn't exist.", status=404):
        sqs.start_message_move_task(SourceArn=arn_of(sqs, dead), DestinationArn=arn_of(sqs, source) + "-not")


@pytest.mark.parametrize("bad", [0, 501, -1])
def test_r09_a_rate_out_of_range(sqs, pair, bad):
    with refused(sqs, INVALID):
        sqs.start_message_move_task(SourceArn=arn_of(sqs, pair[1]), MaxNumberOfMessagesPerSecond=bad)


def test_r09_cancel_an_unknown_task(sqs, pair):
    handle = task_handle("10f57c4d-6b35-4e22-8c9f-31b2f5c2e6a0", arn_of(sqs, pair[1]))
    with refused(sqs, "ResourceNotFoundException", "Task does not exist.", status=404):
        sqs.cancel_message_move_task(TaskHandle=handle)


def test_r09_cancel_with_the_handle_of_a_missing_queue(sqs, queue):
    handle = task_handle("10f57c4d-6b35-4e22-8c9f-31b2f5c2e6a0", arn_of(sqs, queue) + "-not")
    with refused(sqs, "ResourceNotFoundException",
                 "The resource that you specified for the SourceArn parameter doesn't exist.", status=404):
        sqs.cancel_message_move_task(TaskHandle=handle)


def test_r09_cancel_with_garbage(sqs):
    with refused(sqs, INVALID, "Value for parameter TaskHandle is invalid."):
        sqs.cancel_message_move_task(TaskHandle="garbage")


def test_r10_cancel_and_only_one_at_a_time(sqs, pair):
    source, dead = pair
    bury(sqs, source, dead, [str(index) for index in range(6)])
    handle = sqs.start_message_move_task(SourceArn=arn_of(sqs, dead), MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
    running = tasks(sqs, dead)[0]
    assert running["Status"] == "RUNNING" and running["TaskHandle"] == handle
    assert running["MaxNumberOfMessagesPerSecond"] == 1
    with refused(sqs, INVALID, "There is already a task running. "
                 "Only one active task is allowed for a source queue arn at a given time."):
        sqs.start_message_move_task(SourceArn=arn_of(sqs, dead))
    moved = sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]
    assert 0 <= moved < 6
    task = finished(sqs, dead, "CANCELLED")
    assert "TaskHandle" not in task
    assert counts(sqs, dead)[0] == 6 - task["ApproximateNumberOfMessagesMoved"]
    assert counts(sqs, source)[0] == task["ApproximateNumberOfMessagesMoved"]


def test_r10_a_finished_task_cannot_be_cancelled(sqs, pair):
    source, dead = pair
    bury(sqs, source, dead, ["a"])
    handle = sqs.start_message_move_task(SourceArn=arn_of(sqs, dead))["TaskHandle"]
    finished(sqs, dead)
    with refused(sqs, support.prefixed("UnsupportedOperation"), "The task is COMPLETED: only a running task can be cancelled."):
        sqs.cancel_message_move_task(TaskHandle=handle)


def test_r11_a_destination_that_vanishes_fails_the_task(sqs, pair, make_queue):
    source, dead = pair
    target = make_queue("-target")
    bury(sqs, source, dead, ["1", "2", "3", "4"])
    sqs.start_message_move_task(SourceArn=arn_of(sqs, dead), DestinationArn=arn_of(sqs, target),
                                MaxNumberOfMessagesPerSecond=1)
    sqs.delete_queue(QueueUrl=target)
    task = finished(sqs, dead, "FAILED")
    assert task["FailureReason"] == "AWS.SimpleQueueService.NonExistentQueue"
    assert counts(sqs, dead)[0] >= 2
