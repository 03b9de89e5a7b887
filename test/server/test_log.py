"""What is written to the log for requests: ids, never contents."""

import re

from toolbox import until

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warn|error) ([a-z_]+)((?: [a-z_]+=(?:\"[^\"]*\"|[^ ]*))*)$")


def events(s, name):
    found = []
    for line in s.text().splitlines():
        match = LINE.match(line)
        if match and match.group(2) == name:
            found.append(dict(pair.split("=", 1) for pair in match.group(3).split()))
    return found


def test_a_line_for_each_failure(t):
    s = t.server().ready()
    c = s.client()
    c.call("CreateQueue", {"QueueName": "q"})
    c.call("SendMessage", {"QueueUrl": "q", "MessageBody": "a body nobody may read"})
    c.call("ReceiveMessage", {"QueueUrl": "q"})
    assert events(s, "request") == [] and events(s, "request_failed") == []
    refused = [c.json("SendMessage", {"QueueUrl": "nowhere", "MessageBody": "a body nobody may read"}),
               c.query({"Action": "Dance", "Version": "2012-11-05"}),
               c.json("ListQueues", {}, secret="a wrong secret"),
               c.json("ListQueues", {}, signed=False),
               c.json("SendMessage", b'{"QueueUrl": "q", "MessageBody": "a body nobody may read'),
               c.json("DeleteMessage", {"QueueUrl": "q", "ReceiptHandle": "a handle nobody may read"})]
    lines = events(s, "request_failed")
    assert [line["request_id"] for line in lines] == [r.headers["x-amzn-requestid"] for r in refused]
    assert [int(line["status"]) for line in lines] == [r.status for r in refused]
    assert lines[0]["operation"] == "SendMessage" and lines[0]["code"] == "AWS.SimpleQueueService.NonExistentQueue"
    assert lines[0]["resource"] == '"nowhere"' and lines[0]["account"] == "000000000000" and lines[0]["peer"] == "127.0.0.1"
    assert lines[1]["operation"] == "-" and lines[2]["code"] == "SignatureDoesNotMatch"
    text = s.stop()
    for secret in ("nobody may read", "a wrong secret", "Signature=", "Credential="):
        assert secret not in text, secret


def test_a_line_for_everything_at_debug(t):
    s = t.server("--log-level", "debug").ready()
    c = s.client()
    c.call("CreateQueue", {"QueueName": "q"})
    reply = c.json("SendMessage", {"QueueUrl": "q", "MessageBody": "a body nobody may read"})
    lines = events(s, "request")
    assert [line["operation"] for line in lines] == ["CreateQueue", "SendMessage"]
    assert lines[1]["request_id"] == reply.headers["x-amzn-requestid"] and lines[1]["code"] == "-"
    assert "nobody may read" not in s.stop()


def test_nothing_below_the_level(t):
    s = t.server("--log-level", "error")
    c = s.client()
    until(lambda: "is ready at" in s.text(), "it is ready")
    assert c.json("ListQueues", {}, signed=False).status == 400
    s.stop()
    assert events(s, "request_failed") == [] and events(s, "stopped") == []


def test_a_flood_does_not_fill_the_log(t):
    s = t.server("--threads", "1").ready()
    c = s.client()
    count = 3000
    for _ in range(count):
        assert c.json("ListQueues", {}, signed=False).status == 400
    lines = len(events(s, "request_failed"))
    assert 20 <= lines < count / 2, lines
    until(lambda: (c.json("ListQueues", {}, signed=False), events(s, "requests_not_logged"))[1], "what was left out is counted")
    left_out = sum(int(line["count"]) for line in events(s, "requests_not_logged"))
    assert left_out > 0
    s.stop()


def test_names_cannot_forge_lines(t):
    s = t.server().ready()
    c = s.client()
    for name in ("a\nb", 'a" level=error', "a\x00b", "\u202e\xff", "x" * 5000):
        c.json("SendMessage", {"QueueUrl": "http://localhost/000000000000/" + name, "MessageBody": "x"})
        c.json("GetQueueUrl", {"QueueName": name})
        c.query({"Action": name, "Version": "2012-11-05"})
    text = s.stop()
    after = text[text.index("info started"):].splitlines()
    assert all(LINE.match(line) for line in after[1:]), [line for line in after[1:] if not LINE.match(line)]
