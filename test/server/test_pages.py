"""/health, /metrics, preflight: what is served without a signature, and to which web pages."""

import json
import re
import threading

from wire import presign


def page(client, path, method="GET", **headers):
    return client.send(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}, signed=False)


def test_health(t):
    s = t.server().ready()
    c = s.client()
    for path in ("/health", "/_localstack/health"):
        reply = page(c, path)
        assert reply.status == 200 and reply.headers["content-type"] == "application/json"
        body = json.loads(reply.body)
        assert body["status"] == "ok" and body["services"]["sqs"] == "running" and body["services"]["sts"] == "running", body
        head = page(c, path, "HEAD")
        assert head.status == 200 and head.body == b"" and head.headers["content-length"] == reply.headers["content-length"]
    assert page(c, "/health?x=1").status == 200
    assert page(c, "/health/").status == 404
    assert page(c, "/HEALTH").status == 404
    assert c.send("POST", "/health", b"x", signed=False).status == 404
    s.stop()


def samples(text):
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            assert re.match(r'^[a-z_0-9]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})?$', name), line
            assert name not in found, line
            found[name] = float(value)
    return found


def test_metrics(t):
    s = t.server("--threads", "2").ready()
    c = s.client()
    for i in range(300):
        c.call("CreateQueue", {"QueueName": "queue-%d" % i})
    c.call("SendMessage", {"QueueUrl": "queue-7", "MessageBody": "x"})
    c.call("SendMessage", {"QueueUrl": "queue-7", "MessageBody": "y"})
    c.call("ReceiveMessage", {"QueueUrl": "queue-7"})
    assert c.json("SendMessage", {"QueueUrl": "nowhere", "MessageBody": "x"}).status == 400
    assert [c.json("GetQueueUrl", {"QueueName": "nowhere"}).status for _ in range(2)] == [400, 400]
    assert c.json("Dance", {}).status == 400
    reply = page(c, "/metrics")
    assert reply.status == 200 and reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = samples(reply.body.decode())
    label = '{queue="queue-7",account="000000000000",region="us-east-1"}'
    assert found["millrace_sqs_messages_visible" + label] == 1 and found["millrace_sqs_messages_in_flight" + label] == 1, found
    assert found["millrace_sqs_queues"] == 300
    assert found['millrace_request_seconds_count{service="sqs",operation="CreateQueue"}'] == 300
    assert found['millrace_request_seconds_bucket{service="sqs",operation="CreateQueue",le="+Inf"}'] == 300
    error = 'millrace_errors_total{service="%s",operation="%s",code="%s",row="%s"}'
    no_queue = ("AWS.SimpleQueueService.NonExistentQueue", "SQS_QUEUE_DOES_NOT_EXIST")
    assert found[error % (("sqs", "SendMessage") + no_queue)] == 1
    assert found[error % (("sqs", "GetQueueUrl") + no_queue)] == 2  # the same code of another operation
    assert found[error % ("-", "-", "InvalidAction", "API_UNKNOWN_OPERATION")] == 1
    assert found["millrace_log_appends_total"] > 300 and found["millrace_connections"] >= 1
    assert found["millrace_log_fsync_seconds_count"] >= 1
    listed = {name for name in found if name.startswith("millrace_sqs_messages_visible{")}
    assert len(listed) == 200 and "millrace_sqs_messages_visible" + label in listed  # the busiest
    found = samples(page(c, "/metrics?queue=queue-1*").body.decode())
    listed = {name for name in found if name.startswith("millrace_sqs_messages_visible{")}
    assert len(listed) == 111, len(listed)
    found = samples(page(c, "/metrics?queue=queue-299").body.decode())
    assert len([name for name in found if name.startswith("millrace_sqs_messages_visible{")]) == 1
    assert page(c, "/metrics", "HEAD").body == b""
    s.stop()


def test_many_who_ask_for_metrics(t):
    s = t.server("--threads", "2").ready()
    statuses = []

    def ask():
        c = s.client()
        for _ in range(50):
            statuses.append(page(c, "/metrics").status)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 503} and statuses.count(200) > 0, set(statuses)
    assert page(s.client(), "/metrics").status == 200
    s.stop()


def test_web_pages(t):
    s = t.server("--cors-origins", "https://app.example").ready()
    c = s.client()
    for origin, is_fine in (("http://localhost:3000", True), ("https://app.example", True), ("https://evil.example", False), ("null", False)):
        for path in ("/health", "/metrics"):
            reply = page(c, path, Origin=origin)
            assert reply.status == (200 if is_fine else 403), (path, origin, reply.status)
        reply = page(c, "/", "OPTIONS", Origin=origin, Access_Control_Request_Method="POST", Access_Control_Request_Headers="x-amz-target,authorization")
        assert reply.status == (204 if is_fine else 403)
        assert (reply.headers.get("access-control-allow-origin") == origin) == is_fine
        if is_fine:
            assert reply.headers["access-control-allow-headers"] == "x-amz-target,authorization"
            assert "POST" in reply.headers["access-control-allow-methods"]
        reply = c.json("ListQueues", {}, headers={"Origin": origin})
        assert reply.status == (200 if is_fine else 403), (origin, reply.status)
        assert (reply.headers.get("access-control-allow-origin") == origin) == is_fine
        assert ("x-amzn-requestid" in reply.headers.get("access-control-expose-headers", "").lower()) == is_fine
    reply = c.query({"Action": "ListQueues", "Version": "2012-11-05"}, method="GET", headers={"Sec-Fetch-Site": "cross-site"})
    assert reply.status == 403  # an image on a page of somebody else's
    assert page(c, "/", "OPTIONS").status == 204
    s.stop()
    s = t.server("--cors-origins", "*").ready()
    assert page(s.client(), "/health", Origin="https://evil.example").status == 200
    s.stop()


def test_names_that_are_not_this_machine(t):
    """DNS rebinding: a page's own name leads here, so its GETs are of its own origin, and the development key is known."""
    s = t.server().ready()
    c = s.client()
    lists = {"Action": "ListQueues", "Version": "2012-11-05"}
    for host, is_fine in (("localhost:%d" % s.port, True), ("millrace:4566", True), ("127.0.0.1", True), ("[::1]", True),
                          ("sqs.us-east-1.localhost.localstack.cloud:4566", True), ("a.localhost", True),
                          ("evil.example", False), ("evil.example:%d" % s.port, False), ("localhost.evil.example", False)):
        status = 200 if is_fine else 403
        assert page(c, "/health", Host=host).status == 200
        reply = page(c, "/metrics", Host=host)
        assert reply.status == status and (is_fine or host in reply.body.decode()), (host, reply.status, reply.body)
        assert page(c, "/metrics", "HEAD", Host=host).status == status
        reply = c.query(lists, method="GET", headers={"Host": host})
        assert reply.status == status, (host, reply.status)
        if not is_fine:
            text = reply.body.decode()
            assert "<Code>AccessDenied</Code>" in text and host in text and "--cors-origins" in text, text
        target = presign(host, "/?Action=ListQueues&Version=2012-11-05")
        assert c.send("GET", target, headers={"Host": host}, signed=False).status == status
        assert c.json("ListQueues", {}, headers={"Host": host}).status == 200  # a page's POST says its origin
        assert c.json("ListQueues", {}, headers={"Host": host, "Origin": "http://" + host}).status == (
            200 if host.startswith(("localhost:", "127.0.0.1", "[::1]")) else 403)
    s.stop()
    s = t.server("--cors-origins", "http://queues.example", "--public-url", "http://sqs.example:1").ready()
    for host in ("queues.example", "sqs.example:%d" % s.port):
        assert page(s.client(), "/metrics", Host=host).status == 200
        assert s.client().query(lists, method="GET", headers={"Host": host}).status == 200
    assert page(s.client(), "/metrics", Host="evil.example").status == 403
    s.stop()
    accounts = t.write("accounts", "key secret 000000000000\n")
    s = t.server("--accounts", accounts).ready()
    assert page(s.client(), "/metrics", Host="queues.example").status == 200
    assert s.client(key="key", secret="secret").query(lists, method="GET", headers={"Host": "queues.example"}).status == 200
    s.stop()
