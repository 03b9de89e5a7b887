"""P, A: policies and permissions, accounts, credentials, regions."""

import json
import re

import pytest

import support
from support import (ACCOUNT, INVALID, NO_QUEUE, OTHER, REGION, arn_of, attribute, bodies, connect, counts, receive,
                     receive_all, refused, set_attributes)

THIRD = "444455556666"


def policy_of(sqs, url):
    text = attribute(sqs, url, "Policy")
    return json.loads(text) if text else None


# P01-P03: permissions

def test_p01_a_permission_becomes_a_statement(sqs, queue):
    sqs.add_permission(QueueUrl=queue, Label="one", AWSAccountIds=[OTHER], Actions=["SendMessage"])
    arn = arn_of(sqs, queue)
    assert policy_of(sqs, queue) == {
        "Version": "2008-10-17",
        "Id": f"{arn}/SQSDefaultPolicy",
        "Statement": [{
            "Sid": "one", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
            "Action": "SQS:SendMessage", "Resource": arn,
        }],
    }


def test_p01_many_become_lists(sqs, queue):
    sqs.add_permission(QueueUrl=queue, Label="many", AWSAccountIds=[OTHER, THIRD], Actions=["SendMessage", "ReceiveMessage"])
    statement = policy_of(sqs, queue)["Statement"][0]
    assert sorted(statement["Principal"]["AWS"]) == [f"arn:aws:iam::{OTHER}:root", f"arn:aws:iam::{THIRD}:root"]
    assert sorted(statement["Action"]) == ["SQS:ReceiveMessage", "SQS:SendMessage"]


def test_p01_a_star_is_every_action(sqs, queue):
    sqs.add_permission(QueueUrl=queue, Label="all", AWSAccountIds=[OTHER], Actions=["*"])
    assert policy_of(sqs, queue)["Statement"][0]["Action"] == "SQS:*"


def test_p01_what_somebody_wrote_stays_as_it_is(sqs, queue):
    written = {"Sid": "mine", "Effect": "Deny", "Principal": "*", "Action": "sqs:PurgeQueue", "Resource": "*"}
    set_attributes(sqs, queue, Policy=json.dumps({"Id": "my id", "Version": "2012-10-17", "Statement": written}))
    sqs.add_permission(QueueUrl=queue, Label="one", AWSAccountIds=[OTHER], Actions=["SendMessage"])
    found = policy_of(sqs, queue)
    assert (found["Id"], found["Version"], found["Statement"][0], len(found["Statement"])) == ("my id", "2012-10-17", written, 2)
    sqs.remove_permission(QueueUrl=queue, Label="one")
    assert policy_of(sqs, queue)["Statement"] == [written]


def test_p01_statements_add_up(sqs, queue):
    for label in ("one", "two"):
        sqs.add_permission(QueueUrl=queue, Label=label, AWSAccountIds=[OTHER], Actions=["SendMessage"])
    assert [statement["Sid"] for statement in policy_of(sqs, queue)["Statement"]] == ["one", "two"]


def test_p02_remove_one_then_the_last(sqs, queue):
    for label in ("one", "two"):
        sqs.add_permission(QueueUrl=queue, Label=label, AWSAccountIds=[OTHER], Actions=["SendMessage"])
    sqs.remove_permission(QueueUrl=queue, Label="one")
    assert [statement["Sid"] for statement in policy_of(sqs, queue)["Statement"]] == ["two"]
    sqs.remove_permission(QueueUrl=queue, Label="two")
    assert attribute(sqs, queue, "Policy") is None


def test_p02_remove_what_is_not_there(sqs, queue):
    with refused(sqs, INVALID, "Value nothing for parameter Label is invalid. Reason: can't find label."):
        sqs.remove_permission(QueueUrl=queue, Label="nothing")
    sqs.add_permission(QueueUrl=queue, Label="one", AWSAccountIds=[OTHER], Actions=["SendMessage"])
    with refused(sqs, INVALID, "Value nothing for parameter Label is invalid. Reason: can't find label on existing policy."):
        sqs.remove_permission(QueueUrl=queue, Label="nothing")


def test_p03_a_label_twice(sqs, queue):
    sqs.add_permission(QueueUrl=queue, Label="one", AWSAccountIds=[OTHER], Actions=["SendMessage"])
    with refused(sqs, INVALID, "Value one for parameter Label is invalid. Reason: Already exists."):
        sqs.add_permission(QueueUrl=queue, Label="one", AWSAccountIds=[THIRD], Actions=["ReceiveMessage"])


def test_p03_more_than_seven_actions(sqs, queue):
    actions = ["SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes",
               "GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue"]
    with refused(sqs, "OverLimit", "8 Actions were found, maximum allowed is 7.", status=403):
        sqs.add_permission(QueueUrl=queue, Label="many", AWSAccountIds=[OTHER], Actions=actions)


def test_p03_no_more_statements_than_a_policy_may_hold(sqs, queue):
    for index in range(20):
        sqs.add_permission(QueueUrl=queue, Label=f"l{index}", AWSAccountIds=[OTHER], Actions=["SendMessage"])
    with refused(sqs, "OverLimit", re.compile("^21 statements were found"), status=403):
        sqs.add_permission(QueueUrl=queue, Label="one-more", AWSAccountIds=[OTHER], Actions=["SendMessage"])
    assert len(policy_of(sqs, queue)["Statement"]) == 20


def test_p03_an_unknown_action(sqs, queue):
    with refused(sqs, INVALID, re.compile(
            r"^Value SQS:Fly for parameter ActionName is invalid\. Reason: "
            r"Please refer to the appropriate WSDL for a list of valid actions\. ?$")):
        sqs.add_permission(QueueUrl=queue, Label="one", AWSAccountIds=[OTHER], Actions=["Fly"])


@pytest.mark.parametrize("action", ["CreateQueue", "DeleteQueue", "SetQueueAttributes", "AddPermission", "TagQueue"])
def test_p03_an_action_of_the_owner(sqs, queue, action):
    with refused(sqs, INVALID, re.compile(r"Reason: Only the queue owner is allowed to invoke this action\.$")):
        sqs.add_permission(QueueUrl=queue, Label="one", AWSAccountIds=[OTHER], Actions=[action])


@pytest.mark.parametrize("accounts", [["12345"], ["11112222333a"], ["1111222233334"], [OTHER, ""]])
def test_p03_a_bad_account(sqs, queue, accounts):
    with refused(sqs, INVALID, re.compile(r"for parameter PrincipalId is invalid\. Reason: Unable to verify\.$")):
        sqs.add_permission(QueueUrl=queue, Label="one", AWSAccountIds=accounts, Actions=["SendMessage"])
    assert policy_of(sqs, queue) is None


@pytest.mark.parametrize("arguments,parameter", [
    (dict(AWSAccountIds=[], Actions=["SendMessage"]), "AWSAccountId"), (dict(AWSAccountIds=[OTHER], Actions=[]), "Action")])
def test_p03_nobody_and_nothing(loose, queue, arguments, parameter):
    with refused(loose, "MissingParameter", re.compile(rf"^The request must contain the parameter {parameter}\w*\.")):
        loose.add_permission(QueueUrl=queue, Label="one", **arguments)


@pytest.mark.parametrize("label", ["a b", "x" * 81, "a.b"])
def test_p03_a_bad_label(sqs, queue, label):
    with refused(sqs, INVALID, support.value_message(
            label, "Label", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.")):
        sqs.add_permission(QueueUrl=queue, Label=label, AWSAccountIds=[OTHER], Actions=["SendMessage"])


# A01: two accounts

def test_a01_the_same_name_is_another_queue(sqs, other, queue, name):
    url = other.create_queue(QueueName=name)["QueueUrl"]
    try:
        assert url != queue and url.endswith(f"/{OTHER}/{name}")
        assert arn_of(other, url) == f"arn:aws:sqs:{REGION}:{OTHER}:{name}"
        sqs.send_message(QueueUrl=queue, MessageBody="ours")
        other.send_message(QueueUrl=url, MessageBody="theirs")
        assert bodies(receive_all(other, url, 1)) == ["theirs"]
        assert bodies(receive_all(sqs, queue, 1)) == ["ours"]
        assert other.list_queues(QueueNamePrefix=name)["QueueUrls"] == [url]
        assert sqs.list_queues(QueueNamePrefix=name)["QueueUrls"] == [queue]
    finally:
        other.delete_queue(QueueUrl=url)


def test_a01_a_name_is_looked_up_in_ones_own_account(sqs, other, queue, name):
    with refused(other, NO_QUEUE):
        other.get_queue_url(QueueName=name)


# A02: another account's queue

def allow(sqs, url, *actions, principal=None):
    set_attributes(sqs, url, Policy=json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Sid": "let", "Effect": "Allow",
                       "Principal": principal or {"AWS": f"arn:aws:iam::{OTHER}:root"},
                       "Action": list(actions), "Resource": arn_of(sqs, url)}]}))


CROSS = [
    ("send_message", dict(MessageBody="b")),
    ("send_message_batch", dict(Entries=[dict(Id="a", MessageBody="b")])),
    ("receive_message", {}),
    ("get_queue_attributes", dict(AttributeNames=["All"])),
    ("purge_queue", {}),
    ("list_dead_letter_source_queues", {}),
]
OWNER_ONLY = [
    ("delete_queue", {}),
    ("set_queue_attributes", dict(Attributes={"DelaySeconds": "1"})),
    ("add_permission", dict(Label="a", AWSAccountIds=[OTHER], Actions=["SendMessage"])),
    ("remove_permission", dict(Label="let")),
    ("tag_queue", dict(Tags={"a": "b"})),
    ("untag_queue", dict(TagKeys=["a"])),
    ("list_queue_tags", {}),
]


@pytest.mark.parametrize("call,arguments", CROSS + OWNER_ONLY, ids=[call for call, _ in CROSS + OWNER_ONLY])
def test_a02_denied_without_a_policy(sqs, other, queue, call, arguments):
    with refused(other, "AccessDenied", status=403):
        getattr(other, call)(QueueUrl=queue, **arguments)


@pytest.mark.parametrize("call,arguments", CROSS, ids=[call for call, _ in CROSS])
def test_a02_allowed_by_a_policy(sqs, other, queue, call, arguments):
    allow(sqs, queue, "sqs:*")
    getattr(other, call)(QueueUrl=queue, **arguments)


@pytest.mark.parametrize("call,arguments", OWNER_ONLY, ids=[call for call, _ in OWNER_ONLY])
def test_a05_some_are_for_the_owner_whatever_the_policy(sqs, other, queue, call, arguments):
    allow(sqs, queue, "sqs:*")
    with refused(other, "AccessDenied", status=403):
        getattr(other, call)(QueueUrl=queue, **arguments)


def test_a02_a_policy_allows_only_what_it_says(sqs, other, queue):
    allow(sqs, queue, "sqs:SendMessage")
    other.send_message(QueueUrl=queue, MessageBody="b")
    other.send_message_batch(QueueUrl=queue, Entries=[dict(Id="a", MessageBody="b")])
    with refused(other, "AccessDenied", status=403):
        other.receive_message(QueueUrl=queue)
    assert counts(sqs, queue) == (2, 0, 0)


def test_a02_the_other_account_may_receive_and_delete(sqs, other, queue):
    allow(sqs, queue, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility")
    sqs.send_message(QueueUrl=queue, MessageBody="b")
    handle = receive_all(other, queue, 1)[0]["ReceiptHandle"]
    other.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=60)
    other.delete_message(QueueUrl=queue, ReceiptHandle=handle)
    assert counts(sqs, queue) == (0, 0, 0)


def test_a02_the_sender_is_the_other_account(sqs, other, queue):
    allow(sqs, queue, "sqs:SendMessage")
    asked = support.system_names(sqs, "SenderId")
    other.send_message(QueueUrl=queue, MessageBody="theirs")
    assert receive_all(sqs, queue, 1, **asked)[0]["Attributes"] == {"SenderId": OTHER}
    sqs.send_message(QueueUrl=queue, MessageBody="ours")
    assert receive_all(sqs, queue, 1, **asked)[0]["Attributes"] == {"SenderId": ACCOUNT}


def test_a02_a_third_account_stays_out(sqs, endpoint, queue):
    allow(sqs, queue, "sqs:SendMessage")
    third = connect(endpoint, key=THIRD)
    with refused(third, "AccessDenied", status=403):
        third.send_message(QueueUrl=queue, MessageBody="b")


def test_a02_a_deny_wins(sqs, other, queue):
    arn = arn_of(sqs, queue)
    set_attributes(sqs, queue, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": arn},
        {"Effect": "Deny", "Principal": {"AWS": OTHER}, "Action": "sqs:SendMessage", "Resource": arn}]}))
    other.receive_message(QueueUrl=queue)
    with refused(other, "AccessDenied", status=403):
        other.send_message(QueueUrl=queue, MessageBody="b")


def test_a02_add_permission_lets_the_other_account_in_and_remove_shuts_it_out(sqs, other, queue):
    sqs.add_permission(QueueUrl=queue, Label="let", AWSAccountIds=[OTHER], Actions=["SendMessage"])
    other.send_message(QueueUrl=queue, MessageBody="b")
    other.send_message_batch(QueueUrl=queue, Entries=[dict(Id="a", MessageBody="b")])
    sqs.remove_permission(QueueUrl=queue, Label="let")
    with refused(other, "AccessDenied", status=403):
        other.send_message(QueueUrl=queue, MessageBody="b")


def test_a05_move_tasks_are_for_the_owner(sqs, other, queue):
    allow(sqs, queue, "sqs:*")
    arn = arn_of(sqs, queue)
    handle = support.task_handle("10f57c4d-6b35-4e22-8c9f-31b2f5c2e6a0", arn)
    for call in (lambda: other.start_message_move_task(SourceArn=arn), lambda: other.list_message_move_tasks(SourceArn=arn),
                 lambda: other.cancel_message_move_task(TaskHandle=handle)):
        with refused(other, "AccessDenied", status=403):
            call()


def test_a02_get_queue_url_of_another_account(sqs, other, queue, name):
    with refused(other, "AccessDenied", status=403):
        other.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=ACCOUNT)
    allow(sqs, queue, "sqs:GetQueueUrl")
    assert other.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=ACCOUNT)["QueueUrl"] == queue


# A03: credentials

REFUSED_KEYS = [
    ("test", "not the secret", {"InvalidSignatureException", "SignatureDoesNotMatch"}),
    (OTHER, "not the secret", {"InvalidSignatureException", "SignatureDoesNotMatch"}),
    ("NOSUCHKEY", "test", {"UnrecognizedClientException", "InvalidClientTokenId"}),
]


@pytest.mark.parametrize("key,secret,names", REFUSED_KEYS, ids=["wrong-secret", "wrong-secret-of-account", "unknown-key"])
def test_a03_refused_credentials(endpoint, queue, key, secret, names):
    client = connect(endpoint, key=key, secret=secret)
    for call in (lambda: client.list_queues(), lambda: client.send_message(QueueUrl=queue, MessageBody="b")):
        with pytest.raises(client.exceptions.ClientError) as caught:
            call()
        error = caught.value.response["Error"]
        assert error["Code"] in names, error
        allowed = {403} if support.wire_of(client) == "query" else {400, 403}
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in allowed


def test_a03_nothing_was_done(sqs, endpoint, queue):
    client = connect(endpoint, secret="not the secret")
    with pytest.raises(client.exceptions.ClientError):
        client.send_message(QueueUrl=queue, MessageBody="b")
    assert counts(sqs, queue) == (0, 0, 0)


# A04: who am I

@pytest.mark.parametrize("key,account", [("test", ACCOUNT), (OTHER, OTHER)])
def test_a04_get_caller_identity(endpoint, key, account):
    reply = connect(endpoint, "sts", key=key).get_caller_identity()
    assert reply["Account"] == account
    assert reply["Arn"].startswith("arn:aws:") and f":{account}:" in reply["Arn"]
    assert reply["UserId"]


def test_a04_not_without_a_key_that_is_known(endpoint):
    client = connect(endpoint, "sts", key="NOSUCHKEY")
    with pytest.raises(client.exceptions.ClientError) as caught:
        client.get_caller_identity()
    assert caught.value.response["Error"]["Code"] == "InvalidClientTokenId"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


# A06: regions

def test_a06_a_region_has_its_own_queues(sqs, endpoint, queue, name):
    far = connect(endpoint, region="eu-west-1")
    with refused(far, NO_QUEUE):
        far.get_queue_url(QueueName=name)
    url = far.create_queue(QueueName=name)["QueueUrl"]
    try:
        assert arn_of(far, url) == f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{name}"
        far.send_message(QueueUrl=url, MessageBody="far")
        assert receive(sqs, queue) == []
        assert bodies(receive_all(far, url, 1)) == ["far"]
    finally:
        far.delete_queue(QueueUrl=url)
    assert arn_of(sqs, queue) == f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
