"""Q09-Q16: queue attributes."""

import json
import re
import time

import pytest

from support import (ACCOUNT, OTHER, REGION, arn_of, attribute, counts, receive, refused, set_attributes)

STANDARD_DEFAULTS = {
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "30",
    "SqsManagedSseEnabled": "true",
    "ApproximateNumberOfMessages": "0",
    "ApproximateNumberOfMessagesNotVisible": "0",
    "ApproximateNumberOfMessagesDelayed": "0",
}
FIFO_DEFAULTS = {
    **STANDARD_DEFAULTS,
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}
STAMPS = {"QueueArn", "CreatedTimestamp", "LastModifiedTimestamp"}


def every(sqs, url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def test_q09_standard_defaults(sqs, queue, name):
    found = every(sqs, queue)
    assert {key: value for key, value in found.items() if key not in STAMPS} == STANDARD_DEFAULTS
    assert found["QueueArn"] == f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def test_q09_fifo_defaults(sqs, make_queue, name):
    found = every(sqs, make_queue(FifoQueue="true"))
    assert {key: value for key, value in found.items() if key not in STAMPS} == FIFO_DEFAULTS
    assert found["QueueArn"] == f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}.fifo"


def test_q09_timestamps_are_seconds(sqs, queue):
    found = every(sqs, queue)
    for key in ("CreatedTimestamp", "LastModifiedTimestamp"):
        assert abs(int(found[key]) - time.time()) < 60


def test_q09_a_change_moves_last_modified_only(sqs, queue):
    before = every(sqs, queue)
    time.sleep(1.1)
    set_attributes(sqs, queue, DelaySeconds="1")
    after = every(sqs, queue)
    assert after["CreatedTimestamp"] == before["CreatedTimestamp"]
    assert int(after["LastModifiedTimestamp"]) > int(before["LastModifiedTimestamp"])


def test_q10_nothing_asked_nothing_answered(sqs, queue):
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue)


def test_q10_only_what_was_asked(sqs, queue):
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["DelaySeconds", "VisibilityTimeout"])["Attributes"]
    assert found == {"DelaySeconds": "0", "VisibilityTimeout": "30"}


def test_q10_an_attribute_without_a_value_is_absent(sqs, queue):
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy", "QueueArn"])["Attributes"]
    assert list(found) == ["QueueArn"]


def test_q10_all_beside_a_name(sqs, queue):
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn", "All"])["Attributes"]
    assert set(STANDARD_DEFAULTS) <= set(found)


def test_q10_every_name_of_the_model_is_known(sqs, queue):
    for key in sqs.meta.service_model.shape_for("QueueAttributeName").enum:
        sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[key])
    for key in sqs.meta.service_model.shape_for("MessageSystemAttributeName").enum:
        sqs.receive_message(QueueUrl=queue, AttributeNames=[key])


def test_q10_an_unknown_name(sqs, queue):
    with refused(sqs, "InvalidAttributeName", "Unknown Attribute Colour."):
        sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Colour"])


@pytest.mark.parametrize("key,values", [
    ("DelaySeconds", ["900", "0"]),
    ("MaximumMessageSize", ["1024", "1048576", "262144"]),
    ("MessageRetentionPeriod", ["60", "1209600"]),
    ("ReceiveMessageWaitTimeSeconds", ["20", "0"]),
    ("VisibilityTimeout", ["0", "43200"]),
    ("KmsDataKeyReusePeriodSeconds", ["60", "86400"]),
])
def test_q11_both_ends_of_the_range(sqs, queue, key, values):
    if key == "KmsDataKeyReusePeriodSeconds":
        set_attributes(sqs, queue, KmsMasterKeyId="testKeyId")
    for value in values:
        set_attributes(sqs, queue, **{key: value})
        assert attribute(sqs, queue, key) == value


@pytest.mark.parametrize("key,value", [
    ("DelaySeconds", "901"), ("DelaySeconds", "-1"), ("DelaySeconds", "x"), ("DelaySeconds", "1.5"),
    ("MaximumMessageSize", "1023"), ("MaximumMessageSize", "1048577"),
    ("MessageRetentionPeriod", "59"), ("MessageRetentionPeriod", "1209601"),
    ("ReceiveMessageWaitTimeSeconds", "21"), ("ReceiveMessageWaitTimeSeconds", "-1"),
    ("VisibilityTimeout", "43201"), ("VisibilityTimeout", "99999999999999999999"),
    ("VisibilityTimeout", ""), ("VisibilityTimeout", " 5"), ("VisibilityTimeout", "+5"), ("VisibilityTimeout", "5s"),
    ("KmsDataKeyReusePeriodSeconds", "59"), ("KmsDataKeyReusePeriodSeconds", "86401"),
    ("SqsManagedSseEnabled", "perhaps"),
    ("Policy", "{not json"), ("Policy", "{}"), ("Policy", "[]"), ("Policy", '{"Statement": 1}'),
])
def test_q11_out_of_range(sqs, queue, key, value):
    before = attribute(sqs, queue, key)
    with refused(sqs, "InvalidAttributeValue", re.compile(rf"^Invalid value for the parameter {key}\.")):
        set_attributes(sqs, queue, **{key: value})
    assert attribute(sqs, queue, key) == before


def test_q11_one_bad_attribute_changes_nothing(sqs, queue):
    with refused(sqs, "InvalidAttributeValue"):
        set_attributes(sqs, queue, DelaySeconds="5", VisibilityTimeout="-5")
    assert attribute(sqs, queue, "DelaySeconds") == "0"


def test_q11_several_at_once(sqs, queue):
    set_attributes(sqs, queue, DelaySeconds="5", VisibilityTimeout="6", MaximumMessageSize="2048")
    found = every(sqs, queue)
    assert (found["DelaySeconds"], found["VisibilityTimeout"], found["MaximumMessageSize"]) == ("5", "6", "2048")


@pytest.mark.parametrize("key", sorted(STAMPS) + [
    "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed", "Colour"])
def test_q12_read_only_and_unknown_attributes_cannot_be_set(sqs, queue, key):
    with refused(sqs, "InvalidAttributeName", f"Unknown Attribute {key}."):
        set_attributes(sqs, queue, **{key: "1"})


def test_q13_fifo_values_in_any_case_are_stored_lower(sqs, make_queue):
    url = make_queue(FifoQueue="True", ContentBasedDeduplication="TRUE")
    assert attribute(sqs, url, "FifoQueue") == "true"
    assert attribute(sqs, url, "ContentBasedDeduplication") == "true"


def test_q13_the_type_cannot_change(sqs, fifo):
    with refused(sqs, "InvalidAttributeValue",
                 "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."):
        set_attributes(sqs, fifo, FifoQueue="false")


@pytest.mark.parametrize("key", ["FifoQueue", "ContentBasedDeduplication"])
@pytest.mark.parametrize("value", ["true", "false"])
def test_q13_a_standard_queue_does_not_know_them(sqs, queue, key, value):
    with refused(sqs, "InvalidAttributeName", f"Unknown Attribute {key}."):
        set_attributes(sqs, queue, **{key: value})
    assert attribute(sqs, queue, key) is None


def test_q13_the_type_may_be_said_again(sqs, fifo):
    set_attributes(sqs, fifo, FifoQueue="true", ContentBasedDeduplication="false")
    assert attribute(sqs, fifo, "ContentBasedDeduplication") == "false"


@pytest.mark.parametrize("key,value", [("DeduplicationScope", "messageGroup"), ("FifoThroughputLimit", "perMessageGroupId")])
def test_q13_fifo_attributes_need_a_fifo_queue(sqs, queue, name, key, value):
    text = f"You can specify the {key} only when FifoQueue is set to true."
    with refused(sqs, "InvalidAttributeName", text):
        set_attributes(sqs, queue, **{key: value})
    with refused(sqs, "InvalidAttributeName", text):
        sqs.create_queue(QueueName=name + "-2", Attributes={key: value})


def test_q13_high_throughput(sqs, fifo):
    set_attributes(sqs, fifo, DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId")
    assert attribute(sqs, fifo, "DeduplicationScope") == "messageGroup"
    assert attribute(sqs, fifo, "FifoThroughputLimit") == "perMessageGroupId"


def test_q13_high_throughput_needs_the_group_scope(sqs, fifo):
    with refused(sqs, "InvalidAttributeValue"):
        set_attributes(sqs, fifo, FifoThroughputLimit="perMessageGroupId")
    assert attribute(sqs, fifo, "FifoThroughputLimit") == "perQueue"


@pytest.mark.parametrize("key", ["DeduplicationScope", "FifoThroughputLimit", "ContentBasedDeduplication"])
def test_q13_bad_fifo_values(sqs, fifo, key):
    with refused(sqs, "InvalidAttributeValue", re.compile(rf"^Invalid value for the parameter {key}\.")):
        set_attributes(sqs, fifo, **{key: "perhaps"})


def test_q14_a_key_turns_managed_encryption_off(sqs, queue):
    set_attributes(sqs, queue, KmsMasterKeyId="testKeyId")
    found = every(sqs, queue)
    assert found["KmsMasterKeyId"] == "testKeyId"
    assert found["KmsDataKeyReusePeriodSeconds"] == "300"
    assert found["SqsManagedSseEnabled"] == "false"


def test_q14_clearing_the_key_leaves_managed_encryption_off(sqs, queue):
    set_attributes(sqs, queue, KmsMasterKeyId="testKeyId", KmsDataKeyReusePeriodSeconds="6000")
    set_attributes(sqs, queue, KmsMasterKeyId="", KmsDataKeyReusePeriodSeconds="300")
    found = every(sqs, queue)
    assert "KmsMasterKeyId" not in found and "KmsDataKeyReusePeriodSeconds" not in found
    assert found["SqsManagedSseEnabled"] == "false"


def test_q14_both_kinds_at_once(sqs, queue):
    with refused(sqs, "InvalidAttributeName",
                 "You can use one type of server-side encryption (SSE) at one time. "
                 "You can either enable KMS SSE or SQS SSE."):
        set_attributes(sqs, queue, KmsMasterKeyId="testKeyId", SqsManagedSseEnabled="true")


def test_q14_managed_encryption_can_be_set(sqs, queue):
    set_attributes(sqs, queue, SqsManagedSseEnabled="false")
    assert attribute(sqs, queue, "SqsManagedSseEnabled") == "false"
    set_attributes(sqs, queue, SqsManagedSseEnabled="true")
    assert attribute(sqs, queue, "SqsManagedSseEnabled") == "true"


def a_policy(arn):
    return json.dumps({
        "Version": "2012-10-17",
        "Id": "as written",
        "Statement": [{"Sid": "one", "Effect": "Allow", "Principal": {"AWS": [f"arn:aws:iam::{OTHER}:root"]},
                       "Action": "sqs:SendMessage", "Resource": arn}],
    }, indent=3)


def test_q15_a_policy_comes_back_verbatim(sqs, queue):
    text = a_policy(arn_of(sqs, queue))
    set_attributes(sqs, queue, Policy=text)
    assert attribute(sqs, queue, "Policy") == text


def test_q15_a_policy_at_creation(sqs, make_queue):
    text = a_policy("*")
    assert attribute(sqs, make_queue(Policy=text), "Policy") == text


def test_q15_an_empty_policy_removes_it(sqs, queue):
    set_attributes(sqs, queue, Policy=a_policy(arn_of(sqs, queue)))
    set_attributes(sqs, queue, Policy="")
    assert "Policy" not in every(sqs, queue)


@pytest.mark.parametrize("count,statement", [
    (21, {"Action": "sqs:SendMessage"}),
    (1, {"Action": [f"sqs:{name}" for name in "SendMessage ReceiveMessage DeleteMessage ChangeMessageVisibility "
                    "GetQueueAttributes GetQueueUrl PurgeQueue ListDeadLetterSourceQueues".split()]}),
    (1, {"Principal": {"AWS": [f"{index:012}" for index in range(51)]}}),
    (11, {"Condition": {"StringEquals": {"aws:PrincipalAccount": OTHER}}}),
], ids=["statements", "actions", "principals", "conditions"])
def test_q15_more_than_a_policy_may_hold(sqs, queue, count, statement):
    statements = [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*", **statement}] * count
    with refused(sqs, "OverLimit", re.compile(r"^\d+ \w+ were found"), status=403):
        set_attributes(sqs, queue, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    assert attribute(sqs, queue, "Policy") is None


def test_q15_a_policy_of_more_than_8192_bytes(sqs, queue):
    statement = {"Sid": "s" * 8192, "Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    with refused(sqs, "InvalidAttributeValue"):
        set_attributes(sqs, queue, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def test_q16_counts(sqs, queue):
    for index in range(3):
        sqs.send_message(QueueUrl=queue, MessageBody=str(index))
    sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=60)
    assert counts(sqs, queue) == (3, 0, 1)
    message = receive(sqs, queue, 1)[0]
    assert counts(sqs, queue) == (2, 1, 1)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert counts(sqs, queue) == (2, 0, 1)
