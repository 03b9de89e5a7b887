"""W: the bytes on the wire: shapes of answers and errors in both protocols, presigned and unsigned requests.

Requests are signed by botocore's signer and sent with http.client, so that
every header and byte is visible.
"""

import http.client
import json
import re
import shutil
import subprocess
import urllib.parse
import xml.etree.ElementTree as ElementTree

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support import ACCOUNT, MIB, OTHER, REGION, connect, counts, md5_hex, receive_all

VERSION = "2012-11-05"
NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/"
JSON_TYPE = "application/x-amz-json-1.0"
FORM_TYPE = "application/x-www-form-urlencoded"
UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


class Reply:
    def __init__(self, raw):
        self.status = raw.status
        self.headers = {key.lower(): value for key, value in raw.getheaders()}
        self.body = raw.read()

    def json(self):
        return json.loads(self.body)

    def xml(self):
        """The root, with the namespace checked and taken off."""
        root = ElementTree.fromstring(self.body)
        for element in root.iter():
            element.tag = element.tag.removeprefix("{" + NAMESPACE + "}")
        return root

    def text(self, path):
        return self.xml().findtext(path)


class Wire:
    def __init__(self, endpoint, key="test", secret="test"):
        self.endpoint = endpoint
        self.host = endpoint.removeprefix("http://")
        self.credentials = Credentials(key, secret)

    def send(self, method, target, body=b"", headers=None, sign=True):
        request = AWSRequest(method=method, url=self.endpoint + target, data=body, headers=headers or {})
        if sign:
            SigV4Auth(self.credentials, "sqs", REGION).add_auth(request)
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.request(method, target, body=body or None, headers=dict(request.headers.items()))
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def json(self, operation, arguments, target="/", **headers):
        fixed = {"Content-Type": JSON_TYPE, "X-Amz-Target": "AmazonSQS." + operation}
        body = arguments if isinstance(arguments, bytes) else json.dumps(arguments).encode()
        return self.send("POST", target, body, {**fixed, **{k.replace("_", "-"): v for k, v in headers.items()}})

    def form(self, fields, target="/", method="POST", sign=True, **headers):
        extra = {key.replace("_", "-"): value for key, value in headers.items()}
        text = urllib.parse.urlencode(fields, quote_via=urllib.parse.quote)
        if method == "GET":
            return self.send("GET", target + "?" + text, headers=extra, sign=sign)
        return self.send("POST", target, text.encode(), {"Content-Type": FORM_TYPE, **extra}, sign=sign)

    def query(self, action, target="/", **fields):
        return self.form({"Action": action, "Version": VERSION, **fields}, target)

    def presigned(self, url, expires=60):
        request = AWSRequest(method="GET", url=url)
        SigV4QueryAuth(self.credentials, "sqs", REGION, expires=expires).add_auth(request)
        return request.url.removeprefix(self.endpoint)


@pytest.fixture(scope="session")
def wire(endpoint):
    return Wire(endpoint)


@pytest.fixture(scope="session")
def sqs(endpoint):
    return connect(endpoint)


@pytest.fixture
def queue(sqs, name):
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    yield url
    try:
        sqs.delete_queue(QueueUrl=url)
    except sqs.exceptions.QueueDoesNotExist:
        pass


@pytest.fixture
def path(queue, name):
    return f"/{ACCOUNT}/{name}"


# W01-W03: JSON

def test_w01_json_answer(wire, queue):
    reply = wire.json("SendMessage", {"QueueUrl": queue, "MessageBody": "b"})
    assert reply.status == 200
    assert reply.headers["content-type"] == JSON_TYPE
    assert reply.headers["x-amzn-requestid"]
    assert reply.headers["content-length"] == str(len(reply.body))
    assert set(reply.json()) == {"MessageId", "MD5OfMessageBody"}


def test_w01_an_operation_without_output(wire, queue):
    reply = wire.json("PurgeQueue", {"QueueUrl": queue})
    assert reply.status == 200 and reply.body in (b"", b"{}")
    assert reply.headers["x-amzn-requestid"]


@pytest.mark.parametrize("operation,key", [
    ("ReceiveMessage", "Messages"), ("ListQueueTags", "Tags"), ("GetQueueAttributes", "Attributes")])
def test_w01_empty_collections_are_absent(wire, queue, operation, key):
    reply = wire.json(operation, {"QueueUrl": queue})
    assert reply.status == 200 and key not in (json.loads(reply.body) if reply.body else {})


def test_w01_no_queues_is_an_absent_key(wire, name):
    reply = wire.json("ListQueues", {"QueueNamePrefix": name})
    assert "QueueUrls" not in reply.json()


def test_w01_dead_letter_sources_are_always_a_list(wire, queue):
    assert wire.json("ListDeadLetterSourceQueues", {"QueueUrl": queue}).json() == {"queueUrls": []}


def test_w01_a_message_without_attributes_has_no_empty_map(wire, queue):
    wire.json("SendMessage", {"QueueUrl": queue, "MessageBody": "b", "MessageAttributes": {}})
    message = wire.json("ReceiveMessage", {"QueueUrl": queue, "MessageAttributeNames": ["All"]}).json()["Messages"][0]
    assert set(message) == {"MessageId", "ReceiptHandle", "Body", "MD5OfBody"}


def test_w01_json_on_the_path_of_the_queue(wire, queue, path):
    reply = wire.json("SendMessage", {"QueueUrl": queue, "MessageBody": "b"}, path)
    assert reply.status == 200 and reply.json()["MD5OfMessageBody"] == md5_hex("b")


def test_w01_the_path_stands_in_for_an_absent_queue_url(wire, sqs, queue, path):
    reply = wire.json("SendMessage", {"MessageBody": "by path"}, path)
    assert reply.status == 200 and receive_all(sqs, queue, 1)[0]["Body"] == "by path"


def test_w01_unknown_members_are_ignored(wire, queue):
    reply = wire.json("SendMessage", {"QueueUrl": queue, "MessageBody": "b", "Later": {"a": [1, None]}})
    assert reply.status == 200


def test_w01_escapes_in_json(wire, sqs, queue):
    body = b'{"QueueUrl":"%s","MessageBody":"\\u00fc\\ud834\\udd1e \\/ \\"\\\\ \\n"}' % queue.encode()
    assert wire.json("SendMessage", body).status == 200
    assert receive_all(sqs, queue, 1)[0]["Body"] == "ü𝄞 / \"\\ \n"


def test_w02_a_json_error(wire, name):
    reply = wire.json("GetQueueUrl", {"QueueName": name}, x_amzn_query_mode="true")
    assert reply.status == 400
    assert reply.headers["content-type"] == JSON_TYPE
    assert reply.headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    assert reply.headers["x-amzn-requestid"]
    found = reply.json()
    assert found["__type"] == "com.amazonaws.sqs#QueueDoesNotExist"
    assert found.get("message", found.get("Message")) == "The specified queue does not exist."


def test_w02_the_query_error_is_there_without_query_mode(wire, name):
    reply = wire.json("GetQueueUrl", {"QueueName": name})
    assert reply.headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"


@pytest.mark.parametrize("operation,arguments,kind,code", [
    ("ReceiveMessage", {"MaxNumberOfMessages": 11},
     "com.amazon.coral.service#InvalidParameterValueException", "InvalidParameterValue;Sender"),
    ("SendMessage", {}, "com.amazon.coral.service#MissingRequiredParameterException", "MissingParameter;Sender"),
    ("DeleteMessage", {"ReceiptHandle": "garbage"}, "com.amazonaws.sqs#ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid;Sender"),
    ("SendMessageBatch", {"Entries": []},
     "com.amazonaws.sqs#EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest;Sender"),
])
def test_w02_namespaces_of_errors(wire, queue, operation, arguments, kind, code):
    reply = wire.json(operation, {"QueueUrl": queue, **arguments})
    assert reply.status == 400
    assert reply.json()["__type"] == kind
    assert reply.headers["x-amzn-query-error"] == code


@pytest.mark.parametrize("mode,status", [("true", 404), (None, 400)])
def test_w02_status_by_query_mode(wire, queue, mode, status):
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:no-such-queue"
    headers = {"x_amzn_query_mode": mode} if mode else {}
    reply = wire.json("ListMessageMoveTasks", {"SourceArn": arn}, **headers)
    assert reply.status == status
    assert reply.json()["__type"].endswith("#ResourceNotFoundException")


@pytest.mark.parametrize("mode,status", [("true", 403), (None, 400)])
def test_w02_status_of_a_limit_by_query_mode(wire, queue, mode, status):
    headers = {"x_amzn_query_mode": mode} if mode else {}
    reply = wire.json("AddPermission", {"QueueUrl": queue, "Label": "l", "AWSAccountIds": [OTHER], "Actions": ["SendMessage"] * 8}, **headers)
    assert (reply.status, reply.json()["__type"]) == (status, "com.amazonaws.sqs#OverLimit")
    assert reply.headers["x-amzn-query-error"] == "OverLimit;Sender"


@pytest.mark.parametrize("mode", ["true", None])
def test_w02_a_refused_caller_is_403_in_any_mode(endpoint, queue, mode):
    headers = {"x_amzn_query_mode": mode} if mode else {}
    reply = Wire(endpoint, key=OTHER).json("ReceiveMessage", {"QueueUrl": queue}, **headers)
    assert reply.status == 403
    assert reply.json()["__type"].endswith("#AccessDeniedException")
    assert reply.headers["x-amzn-query-error"] == "AccessDenied;Sender"


@pytest.mark.parametrize("body", [b"{", b"[]", b"\"text\"", b"{\"QueueUrl\": 5}", b"{\"a\":1}trailing", b"\xff\xfe"])
def test_w03_what_is_not_the_json_of_the_operation(wire, body):
    reply = wire.json("PurgeQueue", body)
    assert 400 <= reply.status < 500
    assert reply.json()["__type"]


def test_w03_an_unknown_operation(wire):
    reply = wire.json("Fly", {})
    assert 400 <= reply.status < 500 and reply.json()["__type"]


# W04-W08: Query

def test_w04_query_answer(wire, path):
    reply = wire.query("SendMessage", path, MessageBody="b")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/xml")
    assert reply.headers["x-amzn-requestid"]
    root = reply.xml()
    assert root.tag == "SendMessageResponse"
    assert f'xmlns="{NAMESPACE}"'.encode() in reply.body
    assert UUID.match(root.findtext("SendMessageResult/MessageId"))
    assert root.findtext("SendMessageResult/MD5OfMessageBody") == md5_hex("b")
    assert root.findtext("ResponseMetadata/RequestId") == reply.headers["x-amzn-requestid"]


def test_w04_an_operation_without_output(wire, path):
    root = wire.query("PurgeQueue", path).xml()
    assert root.tag == "PurgeQueueResponse" and root.findtext("ResponseMetadata/RequestId")


@pytest.mark.parametrize("action", ["ReceiveMessage", "ListQueueTags", "GetQueueAttributes", "ListDeadLetterSourceQueues"])
def test_w04_an_empty_result(wire, path, action):
    reply = wire.query(action, path)
    assert reply.status == 200 and f"<{action}Result/>".encode() in reply.body


def test_w04_one_value_without_a_number(wire, path):
    """As programs without an SDK write it."""
    found = wire.query("GetQueueAttributes", path, AttributeName="QueueArn").xml().findall("GetQueueAttributesResult/Attribute")
    assert [item.findtext("Name") for item in found] == ["QueueArn"]


def test_w04_get_and_post_to_root_and_queue(wire, sqs, queue, path):
    for method in ("GET", "POST"):
        fields = {"Action": "SendMessage", "Version": VERSION, "MessageBody": "b & c=d/é"}
        assert wire.form(fields, path, method).status == 200
        assert wire.form({**fields, "QueueUrl": queue}, "/", method).status == 200
    assert {message["Body"] for message in receive_all(sqs, queue, 4)} == {"b & c=d/é"}


def test_w04_the_parameter_overrides_the_path(wire, sqs, queue, name):
    reply = wire.query("SendMessage", f"/{ACCOUNT}/not-{name}", QueueUrl=queue, MessageBody="b")
    assert reply.status == 200 and counts(sqs, queue) == (1, 0, 0)


def test_w04_attributes_of_a_queue(wire, path, name):
    reply = wire.query("GetQueueAttributes", path, **{"AttributeName.1": "QueueArn", "AttributeName.2": "DelaySeconds"})
    found = {item.findtext("Name"): item.findtext("Value") for item in reply.xml().findall("GetQueueAttributesResult/Attribute")}
    assert found == {"QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", "DelaySeconds": "0"}


def test_w04_create_with_attributes_and_tags(wire, sqs, name):
    reply = wire.query("CreateQueue", **{
        "QueueName": name, "Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "7",
        "Attribute.2.Name": "VisibilityTimeout", "Attribute.2.Value": "9", "Tag.1.Key": "k", "Tag.1.Value": "v"})
    url = reply.text("CreateQueueResult/QueueUrl")
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds", "VisibilityTimeout"])["Attributes"]
    assert found == {"DelaySeconds": "7", "VisibilityTimeout": "9"}
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"k": "v"}
    listed = wire.query("ListQueues", QueueNamePrefix=name).xml()
    assert [item.text for item in listed.findall("ListQueuesResult/QueueUrl")] == [url]
    tags = wire.query("ListQueueTags", f"/{ACCOUNT}/{name}").xml().findall("ListQueueTagsResult/Tag")
    assert [(item.findtext("Key"), item.findtext("Value")) for item in tags] == [("k", "v")]
    assert wire.query("UntagQueue", f"/{ACCOUNT}/{name}", **{"TagKey.1": "k"}).status == 200
    assert wire.query("DeleteQueue", f"/{ACCOUNT}/{name}").status == 200


def test_w04_message_attributes(wire, path):
    sent = wire.query("SendMessage", path, MessageBody="b", **{
        "MessageAttribute.1.Name": "a", "MessageAttribute.1.Value.DataType": "String", "MessageAttribute.1.Value.StringValue": "v",
        "MessageAttribute.2.Name": "b", "MessageAttribute.2.Value.DataType": "Binary", "MessageAttribute.2.Value.BinaryValue": "AAH/",
        "MessageSystemAttribute.1.Name": "AWSTraceHeader", "MessageSystemAttribute.1.Value.DataType": "String",
        "MessageSystemAttribute.1.Value.StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"})
    assert sent.text("SendMessageResult/MD5OfMessageAttributes") and sent.text("SendMessageResult/MD5OfMessageSystemAttributes")
    reply = wire.query("ReceiveMessage", path, **{"MessageAttributeName.1": "All", "AttributeName.1": "All"})
    message = reply.xml().find("ReceiveMessageResult/Message")
    found = {item.findtext("Name"): item.find("Value") for item in message.findall("MessageAttribute")}
    assert (found["a"].findtext("DataType"), found["a"].findtext("StringValue")) == ("String", "v")
    assert (found["b"].findtext("DataType"), found["b"].findtext("BinaryValue")) == ("Binary", "AAH/")
    assert message.findtext("MD5OfMessageAttributes") == sent.text("SendMessageResult/MD5OfMessageAttributes")
    system = {item.findtext("Name"): item.findtext("Value") for item in message.findall("Attribute")}
    assert system["ApproximateReceiveCount"] == "1" and system["AWSTraceHeader"].startswith("Root=")


def test_w04_batches(wire, path):
    entry = "SendMessageBatchRequestEntry"
    sent = wire.query("SendMessageBatch", path, **{
        f"{entry}.1.Id": "one", f"{entry}.1.MessageBody": "1", f"{entry}.2.Id": "two", f"{entry}.2.MessageBody": "a\x01"}).xml()
    assert [item.findtext("Id") for item in sent.findall("SendMessageBatchResult/SendMessageBatchResultEntry")] == ["one"]
    failed = sent.findall("SendMessageBatchResult/BatchResultErrorEntry")
    assert [(item.findtext("Id"), item.findtext("Code"), item.findtext("SenderFault")) for item in failed] == [
        ("two", "InvalidMessageContents", "true")]
    handle = wire.query("ReceiveMessage", path).text("ReceiveMessageResult/Message/ReceiptHandle")
    entry = "ChangeMessageVisibilityBatchRequestEntry"
    changed = wire.query("ChangeMessageVisibilityBatch", path, **{
        f"{entry}.1.Id": "x", f"{entry}.1.ReceiptHandle": handle, f"{entry}.1.VisibilityTimeout": "60"}).xml()
    assert changed.findtext("ChangeMessageVisibilityBatchResult/ChangeMessageVisibilityBatchResultEntry/Id") == "x"
    entry = "DeleteMessageBatchRequestEntry"
    deleted = wire.query("DeleteMessageBatch", path, **{f"{entry}.1.Id": "y", f"{entry}.1.ReceiptHandle": handle}).xml()
    assert deleted.findtext("DeleteMessageBatchResult/DeleteMessageBatchResultEntry/Id") == "y"


def test_w04_permissions(wire, sqs, queue, path):
    reply = wire.query("AddPermission", path, **{"Label": "l", "AWSAccountId.1": OTHER, "ActionName.1": "SendMessage"})
    assert reply.status == 200
    assert "Policy" in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"]
    assert wire.query("RemovePermission", path, Label="l").status == 200


def test_w05_escapes_in_xml(wire, sqs, queue, path):
    body = "\"quoted\" <tag> & 'single' \r\n end"
    sqs.send_message(QueueUrl=queue, MessageBody=body)
    reply = wire.query("ReceiveMessage", path)
    assert b"&quot;quoted&quot; &lt;tag&gt; &amp; " in reply.body
    assert b"&#xD;" in reply.body
    assert reply.text("ReceiveMessageResult/Message/Body") == body


def test_w05_a_body_that_triples_when_encoded(wire, sqs, queue, path):
    body = "ü" * (MIB // 2)
    assert wire.query("SendMessage", path, MessageBody=body).status == 200
    assert receive_all(sqs, queue, 1)[0]["Body"] == body


def error_of(reply):
    root = reply.xml()
    assert root.tag == "ErrorResponse" and root.findtext("RequestId") == reply.headers["x-amzn-requestid"]
    assert root.find("Error/Detail") is not None
    return reply.status, root.findtext("Error/Type"), root.findtext("Error/Code"), root.findtext("Error/Message")


def test_w06_a_missing_queue(wire, name):
    assert error_of(wire.query("GetQueueUrl", QueueName=name)) == (
        400, "Sender", "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist for this wsdl version.")


def test_w06_a_missing_parameter(wire, path):
    assert error_of(wire.query("SendMessage", path)) == (
        400, "Sender", "MissingParameter", "The request must contain the parameter MessageBody.")


@pytest.mark.parametrize("bad", ["\x01", "a\x1fb", "\uffff"])
def test_w05_quoted_characters_that_xml_does_not_have(wire, path, bad):
    assert error_of(wire.query("DeleteMessage", path, ReceiptHandle=bad))[2] == "ReceiptHandleIsInvalid"
    entry = "DeleteMessageBatchRequestEntry.1"
    reply = wire.query("DeleteMessageBatch", path, **{f"{entry}.Id": "a", f"{entry}.ReceiptHandle": bad})
    assert reply.text("DeleteMessageBatchResult/BatchResultErrorEntry/Code") == "ReceiptHandleIsInvalid"
    policy = ('{"Id":"%s","Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}}' % bad)
    refused = wire.query("SetQueueAttributes", path, **{"Attribute.1.Name": "Policy", "Attribute.1.Value": policy})
    assert error_of(refused)[2] == "InvalidAttributeValue"


@pytest.mark.parametrize("action,fields,expected", [
    ("GetQueueAttributes", {"AttributeName.1": "Colour"}, (400, "InvalidAttributeName", "Unknown Attribute Colour.")),
    ("ReceiveMessage", {"MaxNumberOfMessages": "11"},
     (400, "InvalidParameterValue", "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.")),
    ("ReceiveMessage", {"WaitTimeSeconds": "-1"},
     (400, "InvalidParameterValue", "Value -1 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.")),
    ("DeleteMessage", {"ReceiptHandle": "garbage"},
     (400, "ReceiptHandleIsInvalid", 'The input receipt handle "garbage" is not a valid receipt handle.')),
    ("SendMessageBatch", {}, (400, "AWS.SimpleQueueService.EmptyBatchRequest",
                              "There should be at least one SendMessageBatchRequestEntry in the request.")),
    ("RemovePermission", {"Label": "none"},
     (400, "InvalidParameterValue", "Value none for parameter Label is invalid. Reason: can't find label.")),
    ("ListMessageMoveTasks", {"SourceArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:no-such-queue"},
     (404, "ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist.")),
])
def test_w06_codes_words_and_status(wire, path, action, fields, expected):
    found = error_of(wire.query(action, path, **fields))
    assert (found[0], *found[2:]) == expected and found[1] == "Sender"


@pytest.mark.parametrize("action", ["ListQueues", "CreateQueue", "Fly"])
def test_w06_actions_a_queue_does_not_know(wire, path, name, action):
    assert error_of(wire.query(action, path, QueueName=name + "-2")) == (
        400, "Sender", "InvalidAction", f"The action {action} is not valid for this endpoint.")


def test_w06_an_unknown_action(wire):
    assert error_of(wire.query("Fly")) == (
        400, "Sender", "InvalidAction", "The action Fly is not valid for this endpoint.")


@pytest.mark.parametrize("accept", [None, "application/json"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("at_queue", [False, True])
def test_w07_no_action(wire, path, accept, method, at_queue):
    headers = {"Accept": accept} if accept else {}
    reply = wire.form({"Version": VERSION}, path if at_queue else "/", method, **headers)
    assert reply.status == 404
    assert b"<UnknownOperationException" in reply.body


def test_w07_json_rendering_of_a_query(wire, queue, name):
    fields = {"Action": "ListQueues", "Version": VERSION, "QueueNamePrefix": name}
    reply = wire.form(fields, "/", "GET", Accept="application/json")
    assert reply.status == 200 and reply.headers["content-type"].startswith("application/json")
    found = reply.json()["ListQueuesResponse"]
    assert found["ResponseMetadata"]["RequestId"]
    urls = found["ListQueuesResult"]
    assert queue in json.dumps(urls)
    assert wire.form(fields, "/", "GET").body.lstrip().startswith(b"<")


def test_w07_json_rendering_of_attributes(wire, sqs, queue, path, name):
    """Names and values are entries, as in XML."""
    def ask(action, **fields):
        reply = wire.form({"Action": action, "Version": VERSION, **fields}, path, "GET", Accept="application/json")
        assert reply.status == 200
        return reply.json()[f"{action}Response"][f"{action}Result"]

    found = ask("GetQueueAttributes", **{"AttributeName.1": "QueueArn"})
    assert found == {"Attributes": [{"Name": "QueueArn", "Value": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"}]}
    sqs.tag_queue(QueueUrl=queue, Tags={"k": "v"})
    assert ask("ListQueueTags") == {"Tags": [{"Key": "k", "Value": "v"}]}
    value = {"DataType": "String", "StringValue": "v"}
    sqs.send_message(QueueUrl=queue, MessageBody="b", MessageAttributes={"a": value})
    message = ask("ReceiveMessage", **{"MessageAttributeName.1": "All", "AttributeName.1": "ApproximateReceiveCount"})["Messages"][0]
    assert message["MessageAttributes"] == [{"Name": "a", "Value": value}]
    assert message["Attributes"] == [{"Name": "ApproximateReceiveCount", "Value": "1"}]


def test_w07_errors_in_json(wire, path, name):
    reply = wire.form({"Action": "ListQueues", "Version": VERSION}, path, "GET", Accept="application/json")
    assert reply.status == 400
    error = reply.json()["Error"]
    assert (error["Code"], error["Message"]) == ("InvalidAction", "The action ListQueues is not valid for this endpoint.")


# W08-W10: who signs

def test_w08_a_presigned_request(wire, sqs, queue, endpoint):
    fields = urllib.parse.urlencode({"Action": "SendMessage", "Version": VERSION, "MessageBody": "by link & more"},
                                    quote_via=urllib.parse.quote)
    target = wire.presigned(f"{endpoint}/{ACCOUNT}/{queue.rsplit('/', 1)[1]}?{fields}")
    assert "X-Amz-Signature=" in target
    reply = wire.send("GET", target, sign=False)
    assert reply.status == 200, reply.body
    assert receive_all(sqs, queue, 1)[0]["Body"] == "by link & more"


def test_w08_a_presigned_link_with_curl(wire, sqs, queue, endpoint):
    curl = shutil.which("curl")
    if not curl:
        pytest.skip("curl is not installed")
    fields = urllib.parse.urlencode({"Action": "SendMessage", "Version": VERSION, "MessageBody": "by curl"}, quote_via=urllib.parse.quote)
    link = endpoint + wire.presigned(f"{endpoint}/{ACCOUNT}/{queue.rsplit('/', 1)[1]}?{fields}")
    done = subprocess.run([curl, "--silent", "--show-error", "--fail", link], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "<SendMessageResponse" in done.stdout, (done.stdout, done.stderr)
    assert receive_all(sqs, queue, 1)[0]["Body"] == "by curl"


def test_w08_a_changed_presigned_request(wire, sqs, queue, path, endpoint):
    fields = urllib.parse.urlencode({"Action": "SendMessage", "Version": VERSION, "MessageBody": "pay 1"},
                                    quote_via=urllib.parse.quote)
    target = wire.presigned(f"{endpoint}{path}?{fields}")
    for forged in (target.replace("pay%201", "pay%209"), target[:-1] + ("0" if target[-1] != "0" else "1")):
        assert error_of(wire.send("GET", forged, sign=False))[:3] == (403, "Sender", "SignatureDoesNotMatch")
    assert counts(sqs, queue) == (0, 0, 0)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_w09_an_unsigned_query_is_refused(wire, sqs, queue, path, method):
    reply = wire.form({"Action": "SendMessage", "Version": VERSION, "MessageBody": "b"}, path, method, sign=False)
    assert error_of(reply)[0] == 403
    assert error_of(reply)[2] in ("MissingAuthenticationToken", "AccessDenied")
    assert counts(sqs, queue) == (0, 0, 0)


def test_w09_an_unsigned_list_is_refused(wire):
    reply = wire.form({"Action": "ListQueues", "Version": VERSION}, "/", "GET", sign=False)
    assert error_of(reply)[0] == 403 and error_of(reply)[2] in ("MissingAuthenticationToken", "AccessDenied")


def test_w09_an_unsigned_json_request_is_refused(wire, sqs, queue):
    reply = wire.send("POST", "/", json.dumps({"QueueUrl": queue, "MessageBody": "b"}).encode(),
                      {"Content-Type": JSON_TYPE, "X-Amz-Target": "AmazonSQS.SendMessage"}, sign=False)
    assert reply.status in (400, 403)
    assert reply.json()["__type"].split("#")[-1] in ("MissingAuthenticationTokenException", "AccessDeniedException")
    assert counts(sqs, queue) == (0, 0, 0)


def test_w09_an_unsigned_request_to_a_public_queue(wire, sqs, queue, path, name):
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage",
                                                "Resource": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"}]})})
    reply = wire.form({"Action": "SendMessage", "Version": VERSION, "MessageBody": "public"}, path, "POST", sign=False)
    assert reply.status == 200, reply.body
    assert receive_all(sqs, queue, 1)[0]["Body"] == "public"


def test_w10_refused_signatures_in_query(endpoint):
    bad = Wire(endpoint, secret="not the secret")
    assert error_of(bad.query("ListQueues"))[:3] == (403, "Sender", "SignatureDoesNotMatch")
    unknown = Wire(endpoint, key="NOSUCHKEY")
    assert error_of(unknown.query("ListQueues"))[:3] == (403, "Sender", "InvalidClientTokenId")


def test_w10_a_body_changed_after_signing(wire, sqs, queue):
    arguments = json.dumps({"QueueUrl": queue, "MessageBody": "one"}).encode()
    request = AWSRequest(method="POST", url=wire.endpoint + "/", data=arguments,
                         headers={"Content-Type": JSON_TYPE, "X-Amz-Target": "AmazonSQS.SendMessage"})
    SigV4Auth(wire.credentials, "sqs", REGION).add_auth(request)
    reply = wire.send("POST", "/", arguments.replace(b"one", b"two"), dict(request.headers.items()), sign=False)
    assert reply.status in (400, 403)
    assert reply.json()["__type"].split("#")[-1] == "InvalidSignatureException"
    assert counts(sqs, queue) == (0, 0, 0)


def test_w10_a_malformed_authorization(wire):
    reply = wire.form({"Action": "ListQueues", "Version": VERSION}, "/", "POST", sign=False,
                      Authorization="AWS4-HMAC-SHA256 Credential=test")
    assert error_of(reply)[:3] == (400, "Sender", "IncompleteSignature")


# W11: the trace header of HTTP

def test_w11_the_trace_header_of_http_becomes_an_attribute(wire, sqs, queue):
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
    wire.json("SendMessage", {"QueueUrl": queue, "MessageBody": "b"}, X_Amzn_Trace_Id=trace)
    message = receive_all(sqs, queue, 1, AttributeNames=["AWSTraceHeader"])[0]
    assert message["Attributes"] == {"AWSTraceHeader": trace}


def test_w11_in_a_batch_and_beside_one_that_was_given(wire, sqs, queue):
    given = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-given"}}
    reply = wire.json("SendMessageBatch", {"QueueUrl": queue, "Entries": [
        {"Id": "a", "MessageBody": "a"}, {"Id": "b", "MessageBody": "b", "MessageSystemAttributes": given}]},
        X_Amzn_Trace_Id="Root=1-http")
    assert "MD5OfMessageSystemAttributes" not in reply.json()["Successful"][0]
    found = {message["Body"]: message["Attributes"]["AWSTraceHeader"]
             for message in receive_all(sqs, queue, 2, AttributeNames=["AWSTraceHeader"])}
    assert found == {"a": "Root=1-http", "b": "Root=1-given"}


@pytest.mark.parametrize("value", [b"Root=\xff\xfe", b"\xed\xa0\x80", b"\xef\xbf\xbe", b"x" * 5000, b""], ids=lambda value: repr(value[:10]))
def test_w11_what_is_no_text_is_left_out(wire, sqs, queue, value):
    body = json.dumps({"QueueUrl": queue, "MessageBody": "b"}).encode()
    request = AWSRequest(method="POST", url=wire.endpoint + "/", data=body,
                         headers={"Content-Type": JSON_TYPE, "X-Amz-Target": "AmazonSQS.SendMessage"})
    SigV4Auth(wire.credentials, "sqs", REGION).add_auth(request)
    reply = wire.send("POST", "/", body, {**dict(request.headers.items()), "X-Amzn-Trace-Id": value.decode("latin-1")}, sign=False)
    assert reply.status == 200
    assert "Attributes" not in receive_all(sqs, queue, 1, AttributeNames=["AWSTraceHeader"])[0]


# W12: health

@pytest.mark.parametrize("target", ["/health", "/_localstack/health"])
def test_w12_health_needs_no_signature(wire, target):
    assert wire.send("GET", target, sign=False).status == 200


def test_w12_metrics_are_text(wire):
    reply = wire.send("GET", "/metrics", sign=False)
    assert reply.status == 200 and b"# TYPE" in reply.body


# W13: the host of the client

def by_host(wire, host, operation, arguments, region=REGION):
    """A signed request to our port that names another host."""
    request = AWSRequest(method="POST", url=f"http://{host}/", data=json.dumps(arguments).encode(),
                         headers={"Content-Type": JSON_TYPE, "X-Amz-Target": "AmazonSQS." + operation})
    SigV4Auth(wire.credentials, "sqs", region).add_auth(request)
    return wire.send("POST", "/", request.body, {**dict(request.headers.items()), "Host": host}, sign=False)


@pytest.mark.parametrize("host", [
    "localhost:{port}", "queues.example.com", "sqs.us-east-1.localhost.localstack.cloud:{port}", "sqs.us-east-1.amazonaws.com",
    "us-east-1.queue.amazonaws.com", "millrace", "[::1]:{port}"])
def test_w13_queue_urls_carry_the_host_the_client_used(wire, queue, name, host):
    host = host.format(port=wire.host.rsplit(":", 1)[1])
    for operation in ("GetQueueUrl", "CreateQueue"):
        reply = by_host(wire, host, operation, {"QueueName": name})
        assert reply.status == 200, reply.body
        assert reply.json()["QueueUrl"] == f"http://{host}/{ACCOUNT}/{name}"
    assert by_host(wire, host, "ListQueues", {"QueueNamePrefix": name}).json()["QueueUrls"] == [f"http://{host}/{ACCOUNT}/{name}"]


def test_w13_a_region_in_the_host_is_that_of_the_queue(wire, endpoint, name):
    far = connect(endpoint, region="eu-west-1")
    url = far.create_queue(QueueName=name)["QueueUrl"]
    try:
        reply = by_host(wire, "sqs.us-east-1.example.com", "GetQueueUrl", {"QueueName": name}, region="eu-west-1")
        found = reply.json()["QueueUrl"]
        assert found == f"http://sqs.eu-west-1.example.com/{ACCOUNT}/{name}"
        sent = wire.json("SendMessage", {"QueueUrl": found, "MessageBody": "far"})       # signed for us-east-1: the URL says where
        assert sent.status == 200
        assert [message["Body"] for message in receive_all(far, url, 1)] == ["far"]
    finally:
        far.delete_queue(QueueUrl=url)
