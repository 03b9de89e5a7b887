"""M: messages: send, receive, delete; attributes; sizes; delays."""

import re
import threading
import time

import pytest

from support import (INVALID, MIB, MISSING, attribute, bodies, counts, md5_hex, md5_of_attributes, receive,
                     receive_all, refused, set_attributes, system_names, value_message, wire_of)

UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")

ATTRIBUTES = {
    "text": {"DataType": "String", "StringValue": "value & <more> ü"},
    "number": {"DataType": "Number", "StringValue": "-12.50"},
    "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\x01\xff<>&"},
    "labelled.text": {"DataType": "String.colour", "StringValue": "red"},
    "labelled-number": {"DataType": "Number.int", "StringValue": "42"},
    "labelled_bytes": {"DataType": "Binary.png", "BinaryValue": b"\x89PNG"},
}


def one(sqs, url, **options):
    return receive_all(sqs, url, 1, **options)[0]


# M01: the round trip

def test_m01_send_receive_delete(sqs, queue):
    sent = sqs.send_message(QueueUrl=queue, MessageBody="hello")
    assert UUID.match(sent["MessageId"])
    assert sent["MD5OfMessageBody"] == md5_hex("hello")
    assert "SequenceNumber" not in sent and "MD5OfMessageAttributes" not in sent
    assert "MD5OfMessageSystemAttributes" not in sent
    message = one(sqs, queue)
    assert message["MessageId"] == sent["MessageId"]
    assert message["Body"] == "hello"
    assert message["MD5OfBody"] == md5_hex("hello")
    assert 0 < len(message["ReceiptHandle"]) <= 1024
    assert set(message) == {"MessageId", "Body", "MD5OfBody", "ReceiptHandle"}
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert counts(sqs, queue) == (0, 0, 0)


def test_m01_ids_differ(sqs, queue):
    ids = {sqs.send_message(QueueUrl=queue, MessageBody="same")["MessageId"] for _ in range(10)}
    assert len(ids) == 10


# M02: system attributes

def test_m02_system_attributes(sqs, queue):
    before_ms = int(time.time() * 1000)
    sqs.send_message(QueueUrl=queue, MessageBody="b")
    found = one(sqs, queue, **system_names(sqs, "All"))["Attributes"]
    assert set(found) == {"SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"}
    assert found["ApproximateReceiveCount"] == "1"
    assert before_ms - 60000 < int(found["SentTimestamp"]) < before_ms + 60000
    assert int(found["ApproximateFirstReceiveTimestamp"]) >= int(found["SentTimestamp"])
    assert found["SenderId"]


def test_m02_only_those_asked(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="b")
    message = one(sqs, queue, **system_names(sqs, "ApproximateReceiveCount", "SequenceNumber"))
    assert message["Attributes"] == {"ApproximateReceiveCount": "1"}


def test_m02_the_old_parameter_name_still_works(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="b")
    assert one(sqs, queue, AttributeNames=["ApproximateReceiveCount"])["Attributes"] == {"ApproximateReceiveCount": "1"}


@pytest.mark.json_only
def test_m02_the_new_name_wins(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="b")
    message = one(sqs, queue, AttributeNames=["SentTimestamp"], MessageSystemAttributeNames=["ApproximateReceiveCount"])
    assert list(message["Attributes"]) == ["ApproximateReceiveCount"]


def test_m02_the_first_receive_stays(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="b")
    asked = system_names(sqs, "ApproximateFirstReceiveTimestamp", "SentTimestamp", "ApproximateReceiveCount")
    first = one(sqs, queue, VisibilityTimeout=0, **asked)["Attributes"]
    time.sleep(0.02)
    second = one(sqs, queue, **asked)["Attributes"]
    assert second.pop("ApproximateReceiveCount") == "2"
    assert first.pop("ApproximateReceiveCount") == "1"
    assert first == second


# M03, M04: message attributes

def test_m03_all_types_with_their_checksum(sqs, queue):
    sent = sqs.send_message(QueueUrl=queue, MessageBody="b", MessageAttributes=ATTRIBUTES)
    assert sent["MD5OfMessageAttributes"] == md5_of_attributes(ATTRIBUTES)
    message = one(sqs, queue, MessageAttributeNames=["All"])
    assert message["MessageAttributes"] == ATTRIBUTES
    assert message["MD5OfMessageAttributes"] == md5_of_attributes(ATTRIBUTES)


def test_m03_a_known_checksum(sqs, queue):
    sent = sqs.send_message(QueueUrl=queue, MessageBody="b", MessageAttributes={
        "timestamp": {"DataType": "Number", "StringValue": "1493147359900"}})
    assert sent["MD5OfMessageAttributes"] == "235c5c510d26fb653d073faed50ae77c"


def test_m03_a_known_checksum_of_bytes(sqs, queue):
    sent = sqs.send_message(QueueUrl=queue, MessageBody="test", MessageAttributes={"attr1": {
        "DataType": "Binary", "BinaryValue": b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01"}})
    assert sent["MD5OfMessageAttributes"] == "8cbe4db156db8a94db8b801b7addb984"


def test_m03_no_attributes_unless_asked(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="b", MessageAttributes=ATTRIBUTES)
    message = one(sqs, queue)
    assert "MessageAttributes" not in message and "MD5OfMessageAttributes" not in message


def test_m03_asked_but_none_there(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="b")
    message = one(sqs, queue, MessageAttributeNames=["All"])
    assert "MessageAttributes" not in message and "MD5OfMessageAttributes" not in message


@pytest.mark.parametrize("names,expected", [
    (["text"], {"text"}),
    (["text", "number", "absent"], {"text", "number"}),
    (["labelled.*"], {"labelled.text", "labelled-number", "labelled_bytes"}),
    (["labelled..*"], {"labelled.text"}),
    (["num.*", "text"], {"number", "text"}),
    (["number.*"], {"number"}),
    (["All"], set(ATTRIBUTES)),
    ([".*"], set(ATTRIBUTES)),
    (["*"], set(ATTRIBUTES)),
    (["absent"], set()),
    (["not a legal name!", "number"], {"number"}),
    (["AWS."], set()),
    (["..foo"], set()),
])
def test_m04_a_filter_returns_a_subset_and_its_checksum(sqs, queue, names, expected):
    sqs.send_message(QueueUrl=queue, MessageBody="b", MessageAttributes=ATTRIBUTES)
    message = one(sqs, queue, MessageAttributeNames=names)
    subset = {key: ATTRIBUTES[key] for key in expected}
    assert message.get("MessageAttributes", {}) == subset
    if subset:
        assert message["MD5OfMessageAttributes"] == md5_of_attributes(subset)
    else:
        assert "MD5OfMessageAttributes" not in message and "MessageAttributes" not in message


@pytest.mark.parametrize("names,expected,checksum", [
    (["All"], {"General", "Hello", "Help.Me"}, "4c360f3fdafd970e05fae2f149d997f5"),
    (["Hello", "General"], {"General", "Hello"}, "fca026605781cb4126a1e9044df24232"),
    (["Foo", "Hello"], {"Hello"}, "a311262e065454b75da111d535b8dacd"),
    (["Hel.*"], {"Hello", "Help.Me"}, "83fee93c1bcd8b9a5a923ffacdc636c7"),
])
def test_m04_checksums_of_subsets_as_the_real_service_gives_them(sqs, queue, names, expected, checksum):
    sqs.send_message(QueueUrl=queue, MessageBody="msg", MessageAttributes={
        "Help.Me": text("Me"), "Hello": text("There"), "General": text("Kenobi")})
    message = one(sqs, queue, MessageAttributeNames=names)
    assert set(message["MessageAttributes"]) == expected
    assert message["MD5OfMessageAttributes"] == checksum


def text(value="v", kind="String"):
    return {"DataType": kind, "StringValue": value}


BAD_ATTRIBUTES = pytest.mark.parametrize("attributes", [
    {"a b": text()}, {".a": text()}, {"a.": text()}, {"a..b": text()}, {"a" * 257: text()},
    {"a§": text()}, {"a(b": text()}, {"AWS.a": text()}, {"aws.a": text()}, {"Amazon.a": text()}, {"AMAZON.a": text()},
    {"a": text(kind="Text")}, {"a": text(kind="string")}, {"a": text(kind="")},
    {"a": text(kind="String." + "l" * 256)},
    {"a": text("not a number", "Number")}, {"a": text("1" * 39, "Number")}, {"a": text("1e127", "Number")},
    {"a": {"DataType": "Binary", "StringValue": "text"}},
    {"a": {"DataType": "String", "BinaryValue": b"bytes"}},
    {"a": {"DataType": "String"}},
    {f"a{index}": text() for index in range(11)},
], ids=lambda attributes: next(iter(attributes.items())).__repr__()[:40])


@BAD_ATTRIBUTES
def test_m05_attribute_rules(sqs, queue, attributes):
    with refused(sqs, INVALID):
        sqs.send_message(QueueUrl=queue, MessageBody="b", MessageAttributes=attributes)
    assert counts(sqs, queue) == (0, 0, 0)


@BAD_ATTRIBUTES
def test_b02_one_entry_with_bad_attributes(sqs, queue, attributes):
    reply = sqs.send_message_batch(QueueUrl=queue, Entries=[
        dict(Id="bad", MessageBody="b", MessageAttributes=attributes),
        dict(Id="good", MessageBody="fine", MessageAttributes={"a": text()})])
    assert [item["Id"] for item in reply["Successful"]] == ["good"]
    assert [(item["Id"], item["Code"], item["SenderFault"]) for item in reply["Failed"]] == [("bad", INVALID, True)]
    assert bodies(receive(sqs, queue)) == ["fine"]


@pytest.mark.parametrize("kind,field,value", [("String", "StringValue", ""), ("Binary", "BinaryValue", b"")])
def test_m05_an_empty_value(sqs, queue, kind, field, value):
    with refused(sqs, INVALID):
        sqs.send_message(QueueUrl=queue, MessageBody="b", MessageAttributes={"a": {"DataType": kind, field: value}})


def test_m05_an_empty_string_value_is_named(sqs, queue):
    with refused(sqs, INVALID, "Message (user) attribute 'a' must contain a non-empty value of type 'String'."):
        sqs.send_message(QueueUrl=queue, MessageBody="b", MessageAttributes={"a": text("")})


@pytest.mark.parametrize("attributes", [
    {"a" * 256: text()}, {"a.b-c_D9": text()}, {"awsome": text()}, {"attr.1øßä": text()}, {"a": text(kind="String.l l")},
    {"a": text("1" * 38, "Number")}, {"a": text("-1.5e10", "Number")}, {"a": text("0", "Number")},
    {f"a{index}": text() for index in range(10)},
], ids=lambda attributes: next(iter(attributes.items())).__repr__()[:40])
def test_m05_attributes_at_the_limit(sqs, queue, attributes):
    sent = sqs.send_message(QueueUrl=queue, MessageBody="b", MessageAttributes=attributes)
    assert sent["MD5OfMessageAttributes"] == md5_of_attributes(attributes)
    assert one(sqs, queue, MessageAttributeNames=["All"])["MessageAttributes"] == attributes


# M06: the trace header

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


def test_m06_trace_header(sqs, queue):
    header = {"AWSTraceHeader": {"DataType": "String", "StringValue": TRACE}}
    sent = sqs.send_message(QueueUrl=queue, MessageBody="b", MessageSystemAttributes=header)
    assert sent["MD5OfMessageSystemAttributes"] == md5_of_attributes(header) == "5ae4d5d7636402d80f4eb6d213245a88"
    assert "MD5OfMessageAttributes" not in sent
    assert one(sqs, queue, **system_names(sqs, "AWSTraceHeader"))["Attributes"] == {"AWSTraceHeader": TRACE}


def test_m06_both_kinds_keep_their_own_checksum(sqs, queue):
    header = {"AWSTraceHeader": {"DataType": "String", "StringValue": TRACE}}
    sent = sqs.send_message(QueueUrl=queue, MessageBody="b", MessageAttributes={"a": text()},
                            MessageSystemAttributes=header)
    assert sent["MD5OfMessageSystemAttributes"] == md5_of_attributes(header)
    assert sent["MD5OfMessageAttributes"] == md5_of_attributes({"a": text()})


def test_m06_other_system_attributes_are_refused(sqs, queue):
    with refused(sqs, INVALID):
        sqs.send_message(QueueUrl=queue, MessageBody="b", MessageSystemAttributes={"SenderId": text()})


def test_m06_a_trace_header_is_text(sqs, queue):
    with refused(sqs, INVALID):
        sqs.send_message(QueueUrl=queue, MessageBody="b", MessageSystemAttributes={"AWSTraceHeader": text("1", "Number")})


# M07: bodies

@pytest.mark.parametrize("body", [
    "a", " ", "ü€𝄞漢字", "<a href=\"b\">&amp;'</a>", "{\"json\": [1, \"\\u0041\"]}", "tab\tcr\rlf\ncrlf\r\n", "\ud7ff\ue000\ufffd",
    "a=b&c=d+e%20f", "]]>", " leading and trailing ", "\\", "\x7f\x85\u2028",
], ids=repr)
def test_m07_bodies_come_back_as_they_went(sqs, queue, body):
    sent = sqs.send_message(QueueUrl=queue, MessageBody=body)
    assert sent["MD5OfMessageBody"] == md5_hex(body)
    message = one(sqs, queue)
    assert message["Body"] == body
    assert message["MD5OfBody"] == md5_hex(body)


@pytest.mark.parametrize("body", ["\x00", "a\x01b", "\x08", "\x0b", "\x0c", "\x1f", "\ufffe", "\uffff"], ids=repr)
def test_m07_characters_outside_xml_are_refused(sqs, queue, body):
    with refused(sqs, "InvalidMessageContents"):
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    assert counts(sqs, queue) == (0, 0, 0)


def test_m07_an_empty_body(sqs, queue):
    with refused(sqs, MISSING, "The request must contain the parameter MessageBody."):
        sqs.send_message(QueueUrl=queue, MessageBody="")


# M08: sizes

def test_m08_a_message_of_one_mebibyte(sqs, queue):
    body = "0123456789abcdef" * (MIB // 16)
    sent = sqs.send_message(QueueUrl=queue, MessageBody=body)
    assert sent["MD5OfMessageBody"] == md5_hex(body)
    message = one(sqs, queue)
    assert message["Body"] == body
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def test_m08_a_mebibyte_that_triples_when_encoded(sqs, queue):
    body = "ü" * (MIB // 2)
    sqs.send_message(QueueUrl=queue, MessageBody=body)
    assert one(sqs, queue)["Body"] == body


def test_m08_one_byte_more(sqs, queue):
    with refused(sqs, INVALID,
                 f"One or more parameters are invalid. Reason: Message must be shorter than {MIB} bytes."):
        sqs.send_message(QueueUrl=queue, MessageBody="a" * (MIB + 1))


def test_m08_the_limit_of_the_queue(sqs, make_queue):
    url = make_queue(MaximumMessageSize="1024")
    sqs.send_message(QueueUrl=url, MessageBody="a" * 1024)
    with refused(sqs, INVALID, "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."):
        sqs.send_message(QueueUrl=url, MessageBody="a" * 1025)
    with refused(sqs, INVALID):
        sqs.send_message(QueueUrl=url, MessageBody="ü" * 513)


def test_m08_attributes_count(sqs, make_queue):
    url = make_queue(MaximumMessageSize="1024")
    attributes = {"name": text("12345678")}                      # 4 + 6 + 8 bytes
    sqs.send_message(QueueUrl=url, MessageBody="a" * (1024 - 18), MessageAttributes=attributes)
    with refused(sqs, INVALID):
        sqs.send_message(QueueUrl=url, MessageBody="a" * (1024 - 17), MessageAttributes=attributes)


def test_m08_system_attributes_do_not_count(sqs, make_queue):
    url = make_queue(MaximumMessageSize="1024")
    sqs.send_message(QueueUrl=url, MessageBody="a" * 1024, MessageSystemAttributes={"AWSTraceHeader": text(TRACE)})


# M09: delay

def test_m09_a_delayed_message_comes_after_its_delay(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="late", DelaySeconds=1)
    assert counts(sqs, queue) == (0, 0, 1)
    assert receive(sqs, queue) == []
    assert bodies(receive_all(sqs, queue, 1, WaitTimeSeconds=5)) == ["late"]


def test_m09_the_delay_of_the_queue(sqs, make_queue):
    url = make_queue(DelaySeconds="1")
    sqs.send_message(QueueUrl=url, MessageBody="late")
    assert counts(sqs, url) == (0, 0, 1)
    assert receive(sqs, url) == []
    assert bodies(receive_all(sqs, url, 1, WaitTimeSeconds=5)) == ["late"]


def test_m09_the_message_overrides_the_queue(sqs, make_queue):
    url = make_queue(DelaySeconds="60")
    sqs.send_message(QueueUrl=url, MessageBody="now", DelaySeconds=0)
    assert bodies(receive(sqs, url)) == ["now"]


def test_m09_a_new_delay_is_for_new_messages(sqs, make_queue):
    url = make_queue(DelaySeconds="60")
    sqs.send_message(QueueUrl=url, MessageBody="old")
    set_attributes(sqs, url, DelaySeconds="0")
    sqs.send_message(QueueUrl=url, MessageBody="new")
    assert bodies(receive(sqs, url)) == ["new"]
    assert counts(sqs, url) == (0, 1, 1)


@pytest.mark.parametrize("bad", [901, -1])
def test_m09_delay_out_of_range(sqs, queue, bad):
    with refused(sqs, INVALID, re.compile(rf"^Value {bad} for parameter DelaySeconds is invalid\.")):
        sqs.send_message(QueueUrl=queue, MessageBody="b", DelaySeconds=bad)


# M10: group ids on standard queues

def test_m10_a_group_id_is_kept(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="b", MessageGroupId="tenant-1")
    assert one(sqs, queue, **system_names(sqs, "MessageGroupId"))["Attributes"] == {"MessageGroupId": "tenant-1"}


def test_m10_a_group_does_not_lock(sqs, queue):
    for index in range(2):
        sqs.send_message(QueueUrl=queue, MessageBody=str(index), MessageGroupId="tenant-1")
    assert len(receive(sqs, queue, 1)) == 1
    assert len(receive(sqs, queue, 1)) == 1


@pytest.mark.parametrize("bad", ["", "a" * 129, "a b"])
def test_m10_a_bad_group_id(sqs, queue, bad):
    text = value_message(bad, "MessageGroupId", "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
    with refused(sqs, INVALID, text):
        sqs.send_message(QueueUrl=queue, MessageBody="b", MessageGroupId=bad)
    with refused(sqs, INVALID, text):
        sqs.send_message_batch(QueueUrl=queue, Entries=[
            dict(Id="good", MessageBody="b", MessageGroupId="g"), dict(Id="bad", MessageBody="b", MessageGroupId=bad)])
    assert counts(sqs, queue) == (0, 0, 0)


def test_m10_a_deduplication_id_is_refused(sqs, queue):
    text = value_message("d", "MessageDeduplicationId", "The request includes a parameter that is not valid for this queue type.")
    with refused(sqs, INVALID, text):
        sqs.send_message(QueueUrl=queue, MessageBody="b", MessageDeduplicationId="d")
    with refused(sqs, INVALID, text):
        sqs.send_message_batch(QueueUrl=queue, Entries=[
            dict(Id="good", MessageBody="b"), dict(Id="bad", MessageBody="b", MessageDeduplicationId="d")])
    assert counts(sqs, queue) == (0, 0, 0)


# M11, M12: receive

@pytest.mark.parametrize("bad", [0, 11, -1])
def test_m11_number_of_messages(sqs, queue, bad):
    with refused(sqs, INVALID, value_message(bad, "MaxNumberOfMessages", "Must be between 1 and 10, if provided.")):
        sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=bad)


@pytest.mark.parametrize("bad", [21, -1])
def test_m11_wait_time(sqs, queue, bad):
    with refused(sqs, INVALID, value_message(bad, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided.")):
        sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=bad)


@pytest.mark.parametrize("bad", [43201, -1])
def test_m11_visibility(sqs, queue, bad):
    with refused(sqs, INVALID, re.compile(rf"^Value {bad} for parameter VisibilityTimeout is invalid\.")):
        sqs.receive_message(QueueUrl=queue, VisibilityTimeout=bad)


def test_m11_an_unknown_system_attribute_name(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="b")
    with refused(sqs, "InvalidAttributeName", "Unknown Attribute Colour."):
        sqs.receive_message(QueueUrl=queue, **system_names(sqs, "Colour"))
    with refused(sqs, "InvalidAttributeName", "Unknown Attribute Colour."):
        sqs.receive_message(QueueUrl=queue, AttributeNames=["SentTimestamp", "Colour"])
    assert counts(sqs, queue) == (1, 0, 0)


def test_m11_names_of_queue_attributes_are_ignored(sqs, queue):
    """One list once served both operations; old programs still send it."""
    sqs.send_message(QueueUrl=queue, MessageBody="b")
    assert "Attributes" not in one(sqs, queue, AttributeNames=["VisibilityTimeout", "Policy"])


def test_m12_one_by_default(sqs, queue):
    for index in range(3):
        sqs.send_message(QueueUrl=queue, MessageBody=str(index))
    assert len(sqs.receive_message(QueueUrl=queue)["Messages"]) == 1


def test_m12_at_most_what_was_asked_and_nothing_twice(sqs, queue):
    for index in range(12):
        sqs.send_message(QueueUrl=queue, MessageBody=str(index))
    first = receive(sqs, queue, 10)
    assert 1 <= len(first) <= 10
    rest = receive_all(sqs, queue, 12 - len(first))
    assert sorted(bodies(first + rest), key=int) == [str(index) for index in range(12)]
    assert receive(sqs, queue) == []
    assert counts(sqs, queue) == (0, 12, 0)


def test_m12_many_receivers_share_without_doubles(sqs, queue):
    total = 60
    for start in range(0, total, 10):
        sqs.send_message_batch(QueueUrl=queue, Entries=[
            {"Id": str(index), "MessageBody": str(index)} for index in range(start, start + 10)])
    found, guard = [], threading.Lock()

    def work():
        while True:
            messages = receive(sqs, queue, 7)
            if not messages:
                return
            with guard:
                found.extend(bodies(messages))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found, key=int) == [str(index) for index in range(total)]


# M13: fair queues

def test_m13_a_quiet_group_goes_before_a_noisy_one(sqs, queue):
    for start in range(0, 60, 10):
        sqs.send_message_batch(QueueUrl=queue, Entries=[
            {"Id": str(index), "MessageBody": "noisy", "MessageGroupId": "noisy"} for index in range(start, start + 10)])
    for _ in range(4):                                           # 40 in flight: more than 30, all of them noisy
        assert len(receive(sqs, queue, 10)) == 10
    sqs.send_message(QueueUrl=queue, MessageBody="quiet", MessageGroupId="quiet")
    assert bodies(receive(sqs, queue, 1)) == ["quiet"]
    assert bodies(receive(sqs, queue, 1)) == ["noisy"]


def test_m13_one_noisy_tenant_and_a_hundred_quiet_ones(sqs, make_queue):
    """By order alone: everything of the quiet ones, sent last, comes before what the noisy one has left."""
    url = make_queue(VisibilityTimeout="600")

    def send(bodies_and_groups):
        for start in range(0, len(bodies_and_groups), 10):
            sqs.send_message_batch(QueueUrl=url, Entries=[
                {"Id": str(index), "MessageBody": body, "MessageGroupId": group}
                for index, (body, group) in enumerate(bodies_and_groups[start:start + 10])])

    send([("noisy", "noisy")] * 200)
    for _ in range(5):                                           # alone it is served as fast as there are consumers
        assert bodies(receive(sqs, url, 10)) == ["noisy"] * 10
    send([(f"quiet-{index}", f"tenant-{index}") for index in range(100)])
    found = [body for _ in range(11) for body in bodies(receive(sqs, url, 10))]
    assert found[:100] == [f"quiet-{index}" for index in range(100)]
    assert found[100:] == ["noisy"] * 10                         # nobody quiet waits: it is served again
    assert counts(sqs, url) == (140, 160, 0)
