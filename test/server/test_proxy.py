"""--trusted-proxies: a proxy that writes another Host, in front of clients that signed theirs."""

import http.client
import http.server
import json
import threading
import urllib.parse

from wire import Client, presign

HOST = "sqs.example:8443"
DROPPED = ("host", "connection", "content-length", "x-forwarded-for")


class Proxy(http.server.ThreadingHTTPServer):
    """To a server at 127.0.0.1; what it says about its client is `told` (None: what came)."""

    daemon_threads = True

    def __init__(self, upstream):
        self.upstream, self.told, self.extra = upstream, {}, []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def client(self, **options):
        return Client("127.0.0.1", self.server_address[1], **options)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        proxy = self.server
        connection = http.client.HTTPConnection("127.0.0.1", proxy.upstream, timeout=30)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", "inner:%d" % proxy.upstream)
        for name, value in self.headers.items():
            if name.lower() not in DROPPED:
                connection.putheader(name, value)
        told = {"X-Forwarded-Host": self.headers["Host"], "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
        for name, value in [*dict(told, **proxy.told).items(), *proxy.extra]:
            if value is not None:
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        reply = connection.getresponse()
        data = reply.read()
        self.send_response_only(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in ("connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        connection.close()

    do_GET = do_POST = do_HEAD = forward


def begin(t, *options):
    s = t.server(*options).ready()
    proxy = Proxy(s.port)
    t.at_close(proxy.server_close)
    t.at_close(proxy.shutdown)
    return s, proxy


def create(client, name="q", **options):
    return client.json("CreateQueue", {"QueueName": name}, headers={"Host": HOST}, **options)


def test_signatures_and_queue_urls(t):
    s, proxy = begin(t, "--trusted-proxies", "127.0.0.0/8")
    reply = create(proxy.client())
    assert reply.status == 200 and reply.json()["QueueUrl"] == "https://%s/000000000000/q" % HOST, reply.body
    url = reply.json()["QueueUrl"]
    client = proxy.client()
    sent = client.query({"Action": "SendMessage", "MessageBody": "x"}, urllib.parse.urlparse(url).path, headers={"Host": HOST})
    assert sent.status == 200, sent.body
    assert client.json("ReceiveMessage", {"QueueUrl": url}, headers={"Host": HOST}).json()["Messages"][0]["Body"] == "x"
    reply = create(client, secret="tesT")
    assert reply.status == 400 and b"InvalidSignatureException" in reply.body
    proxy.told = {"X-Forwarded-Host": "other.example"}  # not what was signed
    assert b"InvalidSignatureException" in create(client).body
    proxy.told = {"X-Forwarded-Host": None}  # only the Host that it wrote is left
    assert b"InvalidSignatureException" in create(client).body
    proxy.told = {"X-Forwarded-Proto": "http"}
    assert create(client).json()["QueueUrl"] == "http://%s/000000000000/q" % HOST
    assert s.client().call("GetQueueUrl", {"QueueName": "q"})["QueueUrl"] == "http://127.0.0.1:%d/000000000000/q" % s.port
    s.stop()


def test_presigned(t):
    s, proxy = begin(t, "--trusted-proxies", "127.0.0.1", "--cors-origins", "https://sqs.example")
    client = proxy.client()
    assert create(client).status == 200
    target = presign(HOST, "/?Action=ListQueues&Version=2012-11-05")
    reply = client.send("GET", target, headers={"Host": HOST}, signed=False)
    assert reply.status == 200 and ("<QueueUrl>https://%s/" % HOST).encode() in reply.body, reply.body
    assert client.send("GET", "/metrics", headers={"Host": HOST}, signed=False).status == 200
    for host in ("evil.example", "localhost"):  # what the proxy told is judged, and a page that tells is judged by its own name
        target = presign(host, "/?Action=ListQueues&Version=2012-11-05")
        reply = client.send("GET", target, headers={"Host": host}, signed=False)
        assert reply.status == (200 if host == "localhost" else 403), reply.body
        told = {"Host": "evil.example", "X-Forwarded-Host": host}
        assert s.client().send("GET", target, headers=told, signed=False).status == 403
        assert s.client().send("GET", "/metrics", headers=told, signed=False).status == 403
    s.stop()


def test_others_are_not_believed(t):
    s, proxy = begin(t, "--trusted-proxies", "10.0.0.0/8,::1")
    assert b"InvalidSignatureException" in create(proxy.client()).body
    proxy.told = {"X-Forwarded-For": "rubbish"}
    reply = s.client().json("CreateQueue", {"QueueName": "q"}, headers={"X-Forwarded-Host": "a, b", "X-Forwarded-Proto": "https"})
    assert reply.status == 200 and reply.json()["QueueUrl"].startswith("http://127.0.0.1:"), reply.body
    s.stop()


def test_where_a_client_is(t):
    s, proxy = begin(t, "--trusted-proxies", "127.0.0.1,10.0.0.0/8")
    s.client().call("CreateQueue", {"QueueName": "q", "Attributes": {"Policy": json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*",
                                                "Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}]})}})
    client = proxy.client(key="111122223333")
    message = {"QueueUrl": "http://x/000000000000/q", "MessageBody": "x"}
    for addresses, is_allowed in (("203.0.113.7", True), ("198.51.100.1", False), ("198.51.100.1, 203.0.113.7", True),
                                  ("203.0.113.7, 198.51.100.1", False), ("203.0.113.7, 10.1.2.3", True), (None, False)):
        proxy.told = {"X-Forwarded-For": addresses}
        reply = client.json("SendMessage", message, headers={"Host": HOST})
        assert reply.status == (200 if is_allowed else 403), (addresses, reply.status, reply.body)
    assert "peer=198.51.100.1 " in s.stop()  # the log tells the client, too


def test_broken_headers(t):
    s, proxy = begin(t, "--trusted-proxies", "127.0.0.1")
    client = proxy.client()
    for told, extra in (({"X-Forwarded-Host": "a, b"}, []), ({}, [("X-Forwarded-Host", "b")]), ({"X-Forwarded-Host": "a/b"}, []),
                        ({"X-Forwarded-Proto": "gopher"}, []), ({"X-Forwarded-For": "nobody"}, [])):
        proxy.told, proxy.extra = told, extra
        reply = create(client)
        assert reply.status == 400 and reply.json()["__type"].endswith("#MalformedHttpRequestException"), reply.body
        assert "X-Forwarded-" in reply.json()["message"], reply.body
        assert client.send("GET", "/metrics", headers={"Host": HOST}, signed=False).status == 400
        assert client.send("GET", "/health", headers={"Host": HOST}, signed=False).status == 200
    s.stop()
    t.refused(64, "--trusted-proxies", "10.0.0.0/8,proxy.example", words=["trusted-proxies", "proxy.example"])
