"""Q: queues: create, find, list, tag, purge, delete."""

import re

import pytest

from support import (ACCOUNT, INVALID, MISSING, NO_QUEUE, OTHER, attribute, bodies, connect, counts,
                     eventually, no_queue_message, receive, receive_all, refused, set_attributes)


# Q01-Q05: create

def test_q01_create_answers_a_url_of_the_host_the_client_used(sqs, endpoint, make_queue, name):
    url = make_queue()
    assert url.startswith(endpoint + "/")
    assert url.endswith(f"/{ACCOUNT}/{name}")


def test_q01_a_created_queue_is_usable_at_once(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="first")
    assert bodies(receive(sqs, queue)) == ["first"]


@pytest.mark.parametrize("attributes", [
    {},
    {"VisibilityTimeout": "17"},
    {"VisibilityTimeout": "17", "DelaySeconds": "3"},
])
def test_q02_create_again_with_equal_attributes_is_the_same_queue(sqs, make_queue, name, attributes):
    url = make_queue(VisibilityTimeout="17", DelaySeconds="3")
    assert sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"] == url


def test_q02_create_again_compares_defaults(sqs, make_queue, name):
    url = make_queue()
    assert sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "30"})["QueueUrl"] == url


def test_q02_create_again_compares_with_what_was_set_later(sqs, make_queue, name):
    url = make_queue()
    set_attributes(sqs, url, VisibilityTimeout="44")
    assert sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "44"})["QueueUrl"] == url
    with refused(sqs, "QueueAlreadyExists"):
        sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "30"})


@pytest.mark.parametrize("key,first,second", [
    ("VisibilityTimeout", "30", "31"),
    ("DelaySeconds", "0", "1"),
    ("MaximumMessageSize", "1048576", "1024"),
    ("MessageRetentionPeriod", "345600", "60"),
    ("ReceiveMessageWaitTimeSeconds", "0", "20"),
])
def test_q03_create_with_another_value_names_the_attribute(sqs, make_queue, name, key, first, second):
    make_queue(**{key: first})
    with refused(sqs, "QueueAlreadyExists",
                 f"A queue already exists with the same name and a different value for attribute {key}"):
        sqs.create_queue(QueueName=name, Attributes={key: second})


@pytest.mark.parametrize("key,value", [
    ("Policy", '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:SendMessage","Resource":"*"}]}'),
    ("RedriveAllowPolicy", '{"redrivePermission":"denyAll"}'), ("KmsMasterKeyId", "key"), ("KmsDataKeyReusePeriodSeconds", "60"),
    ("SqsManagedSseEnabled", "false"),
])
def test_q03_every_attribute_counts_and_the_same_value_never_conflicts(sqs, make_queue, name, key, value):
    url = make_queue()
    with refused(sqs, "QueueAlreadyExists",
                 f"A queue already exists with the same name and a different value for attribute {key}"):
        sqs.create_queue(QueueName=name, Attributes={key: value})
    set_attributes(sqs, url, **{key: value})
    assert sqs.create_queue(QueueName=name, Attributes={key: value})["QueueUrl"] == url


def test_q03_tags_are_not_compared(sqs, make_queue, name):
    url = make_queue()
    assert sqs.create_queue(QueueName=name, tags={"a": "b"})["QueueUrl"] == url
    assert "Tags" not in sqs.list_queue_tags(QueueUrl=url)


def test_q03_create_fifo_with_another_deduplication_conflicts(sqs, make_queue, name):
    make_queue(FifoQueue="true")
    with refused(sqs, "QueueAlreadyExists",
                 "A queue already exists with the same name and a different value for attribute ContentBasedDeduplication"):
        sqs.create_queue(QueueName=name + ".fifo",
                         Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"})


@pytest.mark.parametrize("bad", ["a b", "a.b", "a/b", "ä", "a!", "a" * 81, "a:b", "x.fifo"])
def test_q04_illegal_names_are_refused(sqs, bad):
    with refused(sqs, INVALID, "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"):
        sqs.create_queue(QueueName=bad)


@pytest.mark.parametrize("bad", ["noend", ".fifo" + "x", "a b.fifo", "a" * 76 + ".fifo"])
def test_q04_illegal_fifo_names_are_refused(sqs, bad):
    with refused(sqs, INVALID, "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "
                 "must end with .fifo suffix and be 1 to 80 in length"):
        sqs.create_queue(QueueName=bad, Attributes={"FifoQueue": "true"})


def test_q04_a_name_may_have_80_characters(sqs, make_queue, name):
    url = make_queue("-_" + "Z" * (80 - len(name) - 2))
    assert len(url.rsplit("/", 1)[1]) == 80
    fifo = make_queue("-" + "f" * (80 - len(name) - 6), FifoQueue="true")
    assert len(fifo.rsplit("/", 1)[1]) == 80


def test_q04_create_without_a_name(loose):
    with refused(loose, MISSING, "The request must contain the parameter QueueName."):
        loose.create_queue()


def test_q05_create_with_an_unknown_attribute(sqs, name):
    with refused(sqs, "InvalidAttributeName", "Unknown Attribute Colour."):
        sqs.create_queue(QueueName=name, Attributes={"Colour": "red"})


@pytest.mark.parametrize("key,value", [
    ("VisibilityTimeout", "43201"), ("VisibilityTimeout", "-1"), ("VisibilityTimeout", "soon"),
    ("DelaySeconds", "901"), ("MaximumMessageSize", "1023"), ("MaximumMessageSize", "1048577"),
    ("MessageRetentionPeriod", "59"), ("MessageRetentionPeriod", "1209601"), ("ReceiveMessageWaitTimeSeconds", "21"),
])
def test_q05_create_with_a_value_out_of_range(sqs, name, key, value):
    with refused(sqs, "InvalidAttributeValue", re.compile(rf"^Invalid value for the parameter {key}\.")):
        sqs.create_queue(QueueName=name, Attributes={key: value})
    with refused(sqs, NO_QUEUE):
        sqs.get_queue_url(QueueName=name)


# Q06: find

def test_q06_get_queue_url(sqs, queue, name):
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == queue


def test_q06_get_queue_url_of_ones_own_account_by_number(sqs, queue, name):
    assert sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=ACCOUNT)["QueueUrl"] == queue


def test_q06_get_queue_url_of_a_missing_queue(sqs, name):
    with refused(sqs, NO_QUEUE, no_queue_message(sqs)):
        sqs.get_queue_url(QueueName=name)


# Q07, Q08: list

def test_q07_list_by_prefix(sqs, make_queue, name):
    urls = {make_queue(suffix) for suffix in ("-a", "-b", "-b2")}
    assert set(sqs.list_queues(QueueNamePrefix=name)["QueueUrls"]) == urls
    assert len(sqs.list_queues(QueueNamePrefix=name + "-b")["QueueUrls"]) == 2


def test_q07_list_without_prefix_has_the_queue(sqs, queue):
    assert queue in sqs.list_queues()["QueueUrls"]


def test_q07_list_of_nothing_has_no_key(sqs, name):
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix=name)


def test_q08_list_in_pages(sqs, make_queue, name):
    urls = {make_queue(f"-{index}") for index in range(5)}
    found, sizes, token = [], [], {}
    while True:
        page = sqs.list_queues(QueueNamePrefix=name, MaxResults=2, **token)
        found += page["QueueUrls"]
        sizes.append(len(page["QueueUrls"]))
        assert len(sizes) <= 3, "pages do not end"
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert sizes == [2, 2, 1]
    assert sorted(found) == sorted(urls)


def test_q08_paginator(sqs, make_queue, name):
    urls = {make_queue(f"-{index}") for index in range(3)}
    pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix=name, PaginationConfig={"PageSize": 1})
    assert sorted(url for page in pages for url in page.get("QueueUrls", [])) == sorted(urls)


def test_q08_no_token_without_max_results(sqs, make_queue, name):
    make_queue("-1")
    make_queue("-2")
    page = sqs.list_queues(QueueNamePrefix=name)
    assert len(page["QueueUrls"]) == 2 and "NextToken" not in page


@pytest.mark.parametrize("bad", [0, -1, 1001])
def test_q08_max_results_out_of_range(sqs, bad):
    with refused(sqs, INVALID):
        sqs.list_queues(MaxResults=bad)


def test_q08_a_forged_token_is_refused(sqs):
    with refused(sqs, INVALID):
        sqs.list_queues(MaxResults=1, NextToken="bm90IGEgdG9rZW4=")


def test_q08_a_token_is_sealed_and_belongs_to_its_question(sqs, endpoint, make_queue, name):
    for index in range(3):
        make_queue(f"-{index}")
    token = sqs.list_queues(QueueNamePrefix=name, MaxResults=1)["NextToken"]
    assert name not in token
    changed = token[:-4] + ("A" if token[-4] != "A" else "B") + token[-3:]
    for client, prefix, bad in ((sqs, name, changed), (sqs, name[:-1], token),
                                (connect(endpoint, region="eu-west-1"), name, token), (connect(endpoint, key=OTHER), name, token)):
        with refused(client, INVALID, re.compile("NextToken")):
            client.list_queues(QueueNamePrefix=prefix, MaxResults=1, NextToken=bad)
    make_queue("-1b")                                            # a page goes on behind the last name, whatever came meanwhile
    page = sqs.list_queues(QueueNamePrefix=name, MaxResults=10, NextToken=token)
    assert [url.rsplit("/", 1)[1] for url in page["QueueUrls"]] == [name + "-1", name + "-1b", name + "-2"]


# Q17: delete

def test_q17_a_deleted_queue_is_gone(sqs, make_queue, name):
    url = make_queue()
    sqs.delete_queue(QueueUrl=url)
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix=name)
    with refused(sqs, NO_QUEUE, no_queue_message(sqs)):
        sqs.get_queue_url(QueueName=name)


def test_q17_a_queue_of_the_same_name_is_new(sqs, make_queue, name):
    url = make_queue(VisibilityTimeout="5")
    sqs.tag_queue(QueueUrl=url, Tags={"a": "b"})
    sqs.send_message(QueueUrl=url, MessageBody="old")
    sqs.delete_queue(QueueUrl=url)
    assert make_queue() == url
    assert receive(sqs, url) == []
    assert attribute(sqs, url, "VisibilityTimeout") == "30"
    assert "Tags" not in sqs.list_queue_tags(QueueUrl=url)


def test_q17_a_handle_of_the_old_queue_is_not_one_of_the_new(sqs, make_queue):
    url = make_queue()
    sqs.send_message(QueueUrl=url, MessageBody="old")
    handle = receive(sqs, url)[0]["ReceiptHandle"]
    sqs.delete_queue(QueueUrl=url)
    make_queue()
    with refused(sqs, "ReceiptHandleIsInvalid"):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)


# Q18: purge

def test_q18_purge_takes_visible_in_flight_and_delayed(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="in flight")
    assert len(receive(sqs, queue)) == 1
    sqs.send_message(QueueUrl=queue, MessageBody="visible")
    sqs.send_message(QueueUrl=queue, MessageBody="delayed", DelaySeconds=60)
    assert counts(sqs, queue) == (1, 1, 1)
    sqs.purge_queue(QueueUrl=queue)
    eventually(lambda: counts(sqs, queue) == (0, 0, 0))
    assert receive(sqs, queue) == []


def test_q18_a_purged_queue_still_works(sqs, queue):
    sqs.purge_queue(QueueUrl=queue)
    sqs.send_message(QueueUrl=queue, MessageBody="after")
    assert bodies(receive_all(sqs, queue, 1)) == ["after"]


# Q19: tags

def test_q19_tags(sqs, queue):
    assert "Tags" not in sqs.list_queue_tags(QueueUrl=queue)
    sqs.tag_queue(QueueUrl=queue, Tags={"team": "red", "empty": "", "ü": "ö & <ä>"})
    sqs.tag_queue(QueueUrl=queue, Tags={"team": "blue"})
    assert sqs.list_queue_tags(QueueUrl=queue)["Tags"] == {"team": "blue", "empty": "", "ü": "ö & <ä>"}
    sqs.untag_queue(QueueUrl=queue, TagKeys=["empty", "ü", "never there"])
    assert sqs.list_queue_tags(QueueUrl=queue)["Tags"] == {"team": "blue"}
    sqs.untag_queue(QueueUrl=queue, TagKeys=["team"])
    assert "Tags" not in sqs.list_queue_tags(QueueUrl=queue)


def test_q19_tags_at_creation(sqs, make_queue, name):
    url = sqs.create_queue(QueueName=name, tags={"a": "1", "b": "2"})["QueueUrl"]
    assert make_queue() == url
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"a": "1", "b": "2"}


def test_q19_tag_limits(sqs, queue):
    sqs.tag_queue(QueueUrl=queue, Tags={"k" * 128: "v" * 256})
    for tags in ({"k" * 129: "v"}, {"k": "v" * 257}, {"": "v"}):
        with refused(sqs, INVALID):
            sqs.tag_queue(QueueUrl=queue, Tags=tags)
    assert sqs.list_queue_tags(QueueUrl=queue)["Tags"] == {"k" * 128: "v" * 256}


def test_q19_at_most_fifty_tags(sqs, queue):
    sqs.tag_queue(QueueUrl=queue, Tags={f"k{index}": "v" for index in range(50)})
    with refused(sqs, INVALID, re.compile(r"^Too many tags added for queue ")):
        sqs.tag_queue(QueueUrl=queue, Tags={"one more": "v"})
    sqs.tag_queue(QueueUrl=queue, Tags={"k7": "overwritten"})
    assert len(sqs.list_queue_tags(QueueUrl=queue)["Tags"]) == 50


def test_q19_tag_without_tags(loose, queue):
    with refused(loose, MISSING, "The request must contain the parameter Tags."):
        loose.tag_queue(QueueUrl=queue)


# Q20: queue URLs

@pytest.mark.parametrize("form", [
    "{name}",
    "https://sqs.us-east-1.amazonaws.com/{account}/{name}",
    "https://sqs.us-east-1.api.aws/{account}/{name}",
    "https://queue.amazonaws.com/{account}/{name}",
    "https://us-east-1.queue.amazonaws.com/{account}/{name}",
    "http://elsewhere:1234/{account}/{name}",
    "http://elsewhere:1234/queue/us-east-1/{account}/{name}",
    "http://sqs.us-east-1.localhost:4566/{account}/{name}",
    "http://elsewhere/queue/{name}",
    "http://elsewhere/queue/{account}/{name}",
    "https://sqs-fips.us-east-1.amazonaws.com/{account}/{name}",
    "https://sqs-fips.us-east-1.api.aws/{account}/{name}",
    "https://vpce-0123-abcd.sqs.us-east-1.vpce.amazonaws.com/{account}/{name}",
    "https://queue.localhost.localstack.cloud:4566/{account}/{name}",
    "HTTP://ELSEWHERE/{account}/{name}",
    "http://[::1]:4566/{account}/{name}",
    "/{account}/{name}",
    "{account}/{name}",
])
def test_q20_every_form_of_url_reaches_the_queue(sqs, queue, name, form):
    url = form.format(name=name, account=ACCOUNT)
    sent = sqs.send_message(QueueUrl=url, MessageBody="by " + form)
    assert [message["MessageId"] for message in receive(sqs, queue)] == [sent["MessageId"]]


def test_q20_a_region_in_the_url_wins(sqs, endpoint, queue, name):
    far = connect(endpoint, region="eu-west-1")
    for form in ("https://sqs.us-east-1.amazonaws.com/{}/{}", "http://elsewhere/queue/us-east-1/{}/{}", "https://queue.amazonaws.com/{}/{}"):
        sent = far.send_message(QueueUrl=form.format(ACCOUNT, name), MessageBody=form)
        assert [message["MessageId"] for message in receive(sqs, queue)] == [sent["MessageId"]]
    with refused(far, NO_QUEUE):
        far.send_message(QueueUrl=f"http://elsewhere/{ACCOUNT}/{name}", MessageBody="in eu-west-1 there is none")


# Q21: a missing queue

MISSING_QUEUE_CALLS = [
    ("add_permission", dict(Label="a", AWSAccountIds=["111122223333"], Actions=["SendMessage"])),
    ("change_message_visibility", dict(ReceiptHandle="h", VisibilityTimeout=1)),
    ("change_message_visibility_batch", dict(Entries=[dict(Id="a", ReceiptHandle="h", VisibilityTimeout=1)])),
    ("delete_message", dict(ReceiptHandle="h")),
    ("delete_message_batch", dict(Entries=[dict(Id="a", ReceiptHandle="h")])),
    ("delete_queue", {}),
    ("get_queue_attributes", dict(AttributeNames=["All"])),
    ("list_dead_letter_source_queues", {}),
    ("list_queue_tags", {}),
    ("purge_queue", {}),
    ("receive_message", {}),
    ("remove_permission", dict(Label="a")),
    ("send_message", dict(MessageBody="b")),
    ("send_message_batch", dict(Entries=[dict(Id="a", MessageBody="b")])),
    ("set_queue_attributes", dict(Attributes={"DelaySeconds": "1"})),
    ("tag_queue", dict(Tags={"a": "b"})),
    ("untag_queue", dict(TagKeys=["a"])),
]


@pytest.mark.parametrize("call,arguments", MISSING_QUEUE_CALLS, ids=[call for call, _ in MISSING_QUEUE_CALLS])
def test_q21_a_missing_queue(sqs, endpoint, name, call, arguments):
    with refused(sqs, NO_QUEUE, no_queue_message(sqs)):
        getattr(sqs, call)(QueueUrl=f"{endpoint}/{ACCOUNT}/{name}", **arguments)


@pytest.mark.parametrize("call,arguments", MISSING_QUEUE_CALLS, ids=[call for call, _ in MISSING_QUEUE_CALLS])
def test_q21_a_request_without_a_queue_url(loose, call, arguments):
    with refused(loose, MISSING, "The request must contain the parameter QueueUrl."):
        getattr(loose, call)(**arguments)


# Q23: required parameters

@pytest.mark.parametrize("call,arguments,parameter", [
    ("send_message", {}, "MessageBody"),
    ("delete_message", {}, "ReceiptHandle"),
    ("change_message_visibility", dict(VisibilityTimeout=1), "ReceiptHandle"),
    ("change_message_visibility", dict(ReceiptHandle="h"), "VisibilityTimeout"),
    ("add_permission", dict(AWSAccountIds=["111122223333"], Actions=["SendMessage"]), "Label"),
    ("remove_permission", {}, "Label"),
])
def test_q23_a_missing_parameter_is_named(loose, queue, call, arguments, parameter):
    with refused(loose, MISSING, f"The request must contain the parameter {parameter}."):
        getattr(loose, call)(QueueUrl=queue, **arguments)


@pytest.mark.parametrize("call,parameter", [
    ("get_queue_url", "QueueName"),
    ("start_message_move_task", "SourceArn"),
    ("list_message_move_tasks", "SourceArn"),
    ("cancel_message_move_task", "TaskHandle"),
])
def test_q23_a_missing_parameter_without_a_queue(loose, call, parameter):
    with refused(loose, MISSING, f"The request must contain the parameter {parameter}."):
        getattr(loose, call)()
