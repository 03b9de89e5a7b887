"""wire.py: signed requests to millrace with nothing but the standard library, for test/server and test/hostile.

    c = Client("127.0.0.1", 4566)
    c.call("CreateQueue", {"QueueName": "q"})["QueueUrl"]      JSON; raises Refused when the server says no
    c.json("SendMessage", b"[]").status                        any body
    c.query({"Action": "ListQueues"}).status                   form or query string
"""

import datetime
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import urllib.parse

JSON_TYPE = "application/x-amz-json-1.0"
FORM_TYPE = "application/x-www-form-urlencoded"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signing_key(secret, day, region, service):
    return _hmac(_hmac(_hmac(_hmac(b"AWS4" + secret.encode(), day), region), service), "aws4_request")


def _canonical_query(query):
    pairs = [pair.partition("=")[::2] for pair in query.split("&")] if query else []
    quote = lambda text: urllib.parse.quote(urllib.parse.unquote(text), safe="-_.~")
    return "&".join("%s=%s" % (quote(k), quote(v)) for k, v in sorted(pairs))


def _string_to_sign(method, target, headers, names, body_hash, stamp, scope):
    path, _, query = target.partition("?")
    canonical = "\n".join(
        [method, urllib.parse.quote(path, safe="/-_.~"), _canonical_query(query)]
        + ["%s:%s" % (name, " ".join(headers[name].split())) for name in names]
        + ["", ";".join(names), body_hash])
    return "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])


def sign(method, target, headers, body, key="test", secret="test", region="us-east-1", service="sqs", now=None):
    """The headers with X-Amz-Date and Authorization added; all x-amz-* headers and host are signed."""
    now = now or datetime.datetime.now(datetime.timezone.utc)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    headers = dict(headers, **{"X-Amz-Date": stamp})
    lower = {name.lower(): str(value) for name, value in headers.items()}
    names = sorted(name for name in lower if name == "host" or name.startswith("x-amz-"))
    scope = "%s/%s/%s/aws4_request" % (stamp[:8], region, service)
    text = _string_to_sign(method, target, lower, names, hashlib.sha256(body).hexdigest(), stamp, scope)
    signature = hmac.new(signing_key(secret, stamp[:8], region, service), text.encode(), hashlib.sha256).hexdigest()
    headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (
        key, scope, ";".join(names), signature)
    return headers


def presign(host, target, key="test", secret="test", region="us-east-1", service="sqs", expires=60, now=None):
    """The target with a signature in its query string, for GET."""
    now = now or datetime.datetime.now(datetime.timezone.utc)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = "%s/%s/%s/aws4_request" % (stamp[:8], region, service)
    path, _, query = target.partition("?")
    added = urllib.parse.urlencode(
        {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": key + "/" + scope, "X-Amz-Date": stamp,
         "X-Amz-Expires": expires, "X-Amz-SignedHeaders": "host"}, quote_via=urllib.parse.quote, safe="")
    target = path + "?" + (query + "&" if query else "") + added
    text = _string_to_sign("GET", target, {"host": host}, ["host"], EMPTY_SHA256, stamp, scope)
    signature = hmac.new(signing_key(secret, stamp[:8], region, service), text.encode(), hashlib.sha256).hexdigest()
    return target + "&X-Amz-Signature=" + signature


class Reply:
    def __init__(self, raw):
        self.status = raw.status
        self.headers = {name.lower(): value for name, value in raw.getheaders()}
        self.body = raw.read()

    def json(self):
        return json.loads(self.body)


class Refused(Exception):
    def __init__(self, reply):
        super().__init__("%d %r" % (reply.status, reply.body[:300]))
        self.reply = reply
        self.code = reply.json()["__type"].rpartition("#")[2]


class Client:
    """One connection, made when needed and kept; `tls`: an ssl.SSLContext."""

    def __init__(self, host, port, key="test", secret="test", region="us-east-1", tls=None, timeout=30):
        self.host, self.port, self.key, self.secret, self.region = host, port, key, secret, region
        self.tls, self.timeout, self.connection = tls, timeout, None

    @property
    def host_header(self):
        return ("[%s]:%d" if ":" in self.host else "%s:%d") % (self.host, self.port)

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def send(self, method, target, body=b"", headers=None, signed=True, **signing):
        headers = dict({"Host": self.host_header}, **(headers or {}))
        if signed:
            options = dict({"key": self.key, "secret": self.secret, "region": self.region}, **signing)
            headers = sign(method, target, headers, body, **options)
        if not self.connection:
            kind = http.client.HTTPSConnection if self.tls else http.client.HTTPConnection
            extra = {"context": self.tls} if self.tls else {}
            self.connection = kind(self.host, self.port, timeout=self.timeout, **extra)
        try:
            self.connection.request(method, target, body=body or None, headers=headers)
            reply = Reply(self.connection.getresponse())
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if reply.headers.get("connection") == "close":
            self.close()
        return reply

    def json(self, operation, body, target="/", prefix="AmazonSQS.", headers=None, **signing):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        fixed = {"Content-Type": JSON_TYPE, "X-Amz-Target": prefix + operation}
        return self.send("POST", target, body, dict(fixed, **(headers or {})), **signing)

    def call(self, operation, arguments):
        reply = self.json(operation, arguments)
        if reply.status != 200:
            raise Refused(reply)
        return reply.json() if reply.body else {}

    def query(self, fields, target="/", method="POST", headers=None, **signing):
        """fields: a dictionary, a list of pairs, or bytes as they are."""
        text = fields if isinstance(fields, bytes) else urllib.parse.urlencode(fields, quote_via=urllib.parse.quote).encode()
        if method != "POST":
            return self.send(method, target + "?" + text.decode(), b"", headers, **signing)
        return self.send("POST", target, text, dict({"Content-Type": FORM_TYPE}, **(headers or {})), **signing)


def free_port(host="127.0.0.1"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def trusting():
    """A TLS context that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
