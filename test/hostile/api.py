#!/usr/bin/env python3
"""Signed requests that no honest program sends: api.py HOST:PORT [--pid N] [--only NAME] [--seed N]

What strangers send before they are known, and what those with a key may try: values of every wrong kind for every field of
every operation, texts that are not text, forms and JSON as large as a body may be, signatures changed byte by byte, long
polls opened and dropped. The server answers each with a clear refusal (never 5xx), stays small and goes on serving. With
--pid the server's memory and time are looked at, with --log its log. Only the standard library is needed.
"""
import argparse
import contextlib
import datetime
import json
import pathlib
import random
import re
import resource
import socket
import sys
import threading
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from process import is_sanitized, resident_bytes  # noqa: E402
from wire import Client, presign, sign  # noqa: E402

ROWS = HERE.parent.parent / "src" / "service" / "sqs" / "shapes.def"
BODY_MAX = 4 * 1024 * 1024
POLL_BYTES_MAX = 4 * 1024  # what an idle long poll may cost the server
STORM_BYTES_MAX = 96 * 1024 * 1024  # what any of the groups below may leave behind for good
CLEAR = {200, 400, 403, 404, 413}


class Broken(Exception):
    pass


class Target:
    def __init__(self, host, port, pid, log=None):
        self.host, self.port, self.pid, self.log = host, port, pid, log

    def client(self, **options):
        return Client(self.host, self.port, **options)

    def check_memory(self, what, used, allowed):
        if used > allowed and not is_sanitized(self.pid):
            raise Broken(what)

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def connections(self):
        with contextlib.closing(self.client()) as c:
            text = c.send("GET", "/metrics", signed=False).body.decode()
        return int(float(re.search(r"^millrace_connections (\S+)$", text, re.M).group(1))) - 1


def check_clear(what, reply):
    if reply.status not in CLEAR:
        raise Broken("%s: %d %r" % (what, reply.status, reply.body[:200]))
    if reply.status != 200 and not reply.headers.get("x-amzn-requestid"):
        raise Broken("%s: no request id" % what)
    kind = reply.headers.get("content-type", "")
    text = reply.body.decode()  # always UTF-8
    if "json" in kind and text:
        json.loads(text)
    if "xml" in kind:
        ElementTree.fromstring(text)
    if reply.status != 200 and len(text) > 16 * 1024:
        raise Broken("%s: an error of %d bytes" % (what, len(text)))


def honest(t):
    with contextlib.closing(t.client()) as c:
        body = "honest %f" % time.monotonic()
        c.call("CreateQueue", {"QueueName": "honest"})
        c.call("SendMessage", {"QueueUrl": "honest", "MessageBody": body})
        for _ in range(100):
            got = c.call("ReceiveMessage", {"QueueUrl": "honest", "WaitTimeSeconds": 2}).get("Messages", [])
            for m in got:
                c.call("DeleteMessage", {"QueueUrl": "honest", "ReceiptHandle": m["ReceiptHandle"]})
            if any(m["Body"] == body for m in got):
                return
        raise Broken("what an honest client sent did not come back")


# == Every field of every operation ==

class Field:
    """A row: what it holds, its names in both protocols, the fields of its elements."""

    def __init__(self, kind, wire, rest, fields):
        def option(name, default):
            found = re.search(r"\.%s = \"(\w+)\"" % name, rest)
            return found.group(1) if found else default
        of = re.search(r"\.of = &(\w+)_shape", rest)
        self.kind, self.wire, self.of = kind, wire, fields(of.group(1)) if of else None
        self.query, self.key, self.value = option("query", wire), option("query_key", "Name"), option("query_value", "Value")


def operations():
    """{operation: its fields} of the rows."""
    shapes = dict(re.findall(r"^SHAPE\((\w+)\)(.*?)^END", ROWS.read_text(), re.S | re.M))

    def fields(name):
        return [Field(*row, fields) for row in re.findall(r"^FIELD\(\w+, (\w+), \"(\w+)\"(.*)\)$", shapes[name], re.M)]

    found = {"".join(part.title() for part in name[:-3].split("_")[1:]): fields(name) for name in shapes if name.endswith("_in")}
    if len(found) < 23:
        raise Broken("only %d operations in %s" % (len(found), ROWS))
    return found


ODD = (None, True, False, 0, 1, -1, 10, 11, 2 ** 31, 2 ** 63 - 1, 2 ** 63, -2 ** 63, 2 ** 70, 1.5, 1e300, "", " ", "a", "0", "-1", "1.0", "q",
       "q.fifo", "honest", "http://x/000000000000/q", "http://x/1/2/3/4", "http://x/000000000000/", "arn:aws:sqs:us-east-1:000000000000:q",
       "arn:aws:sqs:us-east-1:000000000000:q:extra", "arn:", "\u0000", "\u001f", "\ufffe", "\ud800", "\u202e", "é" * 100, "x" * 300, "x" * 100000,
       "../../etc/passwd", "%00", "%s%n%p", "{}", "[]", "{\"Version\":\"2012-10-17\",\"Statement\":[]}", "null", "All", ".*", "*", [], {}, [[]], [None],
       [{}], ["All"], ["a"] * 11, {"a": "b"}, {"": ""}, {"VisibilityTimeout": "x"}, {"Policy": "{"}, {"RedrivePolicy": "{}"}, {"a": None}, {"a": {"DataType": "x"}},
       [{"Id": "a"}] * 3, [{"Id": "a", "MessageBody": "b"}, {"Id": "a", "MessageBody": "b"}], {"k": {"DataType": "String", "StringValue": None}},
       {"k": {"DataType": "Number", "StringValue": "1e999"}}, {"k": {"DataType": "Binary", "BinaryValue": "%%"}})
FINE = {"QueueUrl": "q", "QueueName": "q", "MessageBody": "b", "ReceiptHandle": "h", "SourceArn": "arn:aws:sqs:us-east-1:000000000000:q", "Label": "l",
        "DataType": "String", "StringValue": "v", "AWSAccountIds": ["000000000000"], "Actions": ["SendMessage"]}


def odd_value(rng, kind, of, depth=0):
    if rng.random() < 0.35 or depth > 3:
        return rng.choice(ODD)
    if kind == "STRUCT" and of:
        return odd_object(rng, of, depth + 1)
    if kind == "LIST" and of:
        return [odd_object(rng, of, depth + 1) for _ in range(rng.choice((0, 1, 2, 10, 11)))]
    if kind == "LIST":
        return [rng.choice(ODD) for _ in range(rng.randrange(4))]
    if kind == "MAP":
        return {str(rng.choice(ODD)): odd_object(rng, of, depth + 1) if of else rng.choice(ODD) for _ in range(rng.randrange(4))}
    return rng.choice(ODD)


def odd_object(rng, fields, depth=0):
    made = {f.wire: FINE[f.wire] if f.wire in FINE and rng.random() < 0.6 else odd_value(rng, f.kind, f.of, depth)
            for f in fields if rng.random() < 0.8}
    if rng.random() < 0.1:
        made["Unknown"] = rng.choice(ODD)
    return made


def fine_object(fields, number=0):
    made = {f.wire: FINE[f.wire] for f in fields if f.wire in FINE}
    for f in fields:
        if f.wire == "Id":
            made["Id"] = "id%d" % number
        elif f.of and f.kind == "LIST":
            made[f.wire] = [fine_object(f.of, index) for index in range(2)]
        elif f.of and f.kind == "MAP":
            name = "AWSTraceHeader" if f.wire == "MessageSystemAttributes" else "a"
            made[f.wire] = {name: fine_object(f.of)}
    return made


def places(made, fields):
    """(container, key) of everything that is or could be in the object, however deep."""
    for f in fields:
        yield made, f.wire
        inner = made.get(f.wire)
        if not f.of or not inner:
            continue
        for key in range(len(inner)) if f.kind == "LIST" else list(inner):
            yield inner, key
            yield from places(inner[key], f.of)


def one_odd_thing(rng, fields):
    """A good request but for one value: what is behind the first checks sees it."""
    made = fine_object(fields)
    container, key = rng.choice(list(places(made, fields)))
    container[key] = rng.choice(ODD)
    return made


def form_of(value, fields, prefix=""):
    """The query protocol's way to write it."""
    pairs, rows = [], {f.wire: f for f in fields}
    for wire, inner in value.items():
        f = rows.get(wire)
        name = prefix + (f.query if f else wire)
        if not f or f.kind not in ("LIST", "MAP") or not isinstance(inner, (list, dict)):
            pairs += flat(inner, name)
            continue
        for index, item in enumerate(inner):
            at = "%s.%d" % (name, index + 1)
            if isinstance(inner, dict):
                pairs.append(("%s.%s" % (at, f.key), str(item)))
                at, item = "%s.%s" % (at, f.value), inner[item]
            pairs += form_of(item, f.of, at + ".") if f.of and isinstance(item, dict) else flat(item, at)
    return pairs


def flat(value, name=""):
    """What is not as the rows have it."""
    if isinstance(value, dict):
        return [pair for k, v in value.items() for pair in flat(v, name + "." + k if name else k)]
    if isinstance(value, list):
        return [pair for i, v in enumerate(value) for pair in flat(v, "%s.%d" % (name, i + 1))]
    return [(name, "" if value is None else str(value))]


def odd_arguments(t, rng):
    c = t.client()
    c.call("CreateQueue", {"QueueName": "q"})
    count = 0
    for operation, fields in operations().items():
        for number in range(120):
            value = odd_object(rng, fields) if number % 2 else one_odd_thing(rng, fields)
            if "WaitTimeSeconds" in value:
                value["WaitTimeSeconds"] = rng.choice((0, -1, 21, "x"))
            check_clear("%s %r" % (operation, value), c.json(operation, json.dumps(value).encode("utf-8", "surrogatepass")))
            pairs = [("Action", operation), ("Version", "2012-11-05")] + form_of(value, fields)
            body = urllib.parse.urlencode(pairs, errors="surrogatepass").encode()
            check_clear("form %s %r" % (operation, value), c.query(body, headers={"Accept": "application/json"} if rng.random() < 0.3 else None))
            count += 2
            if operation in ("DeleteQueue", "PurgeQueue", "SetQueueAttributes"):
                c.json("CreateQueue", {"QueueName": "q"})
    return "%d requests" % count


# == Texts that are not text, and too much of everything ==

def broken_texts(t, rng):
    c = t.client()
    bad = (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3", b"\x80", b"\xf0\x9f\x98", b"\xef\xbf\xbe", b"\x00", b"\x1f", b"\x7f", b"\\ud800",
           b"\\ud800\\ud800", b"\\udc00", b"\\x41", b"\\u12", b"\\")
    for piece in bad:
        for body in (b'{"QueueName":"%s"}', b'{"%s":1}', b'{"Attributes":{"%s":"1"}}', b'{"Attributes":{"a":"%s"}}', b'%s', b'{%s}', b'{"QueueName":"q"}%s', b'{"x":[%s]}'):
            check_clear(repr(body % piece), c.json("CreateQueue", body % piece))
            check_clear(repr(body % piece), c.json("SendMessage", body.replace(b"QueueName", b"MessageBody") % piece))
        quoted = urllib.parse.quote(piece)
        for form in (b"Action=%s", b"Action=CreateQueue&QueueName=%s", b"Action=CreateQueue&%s=x", b"Action=CreateQueue&Attribute.1.Name=%s&Attribute.1.Value=1",
                     b"Action=SendMessage&QueueUrl=q&MessageBody=%s"):
            check_clear(repr(form % piece), c.query(form % piece))
            check_clear(repr(form % quoted.encode()), c.query(form % quoted.encode()))
        target = "/000000000000/" + quoted
        check_clear(target, c.send("GET", target + "?Action=GetQueueUrl&QueueName=q"))
        check_clear(target, c.json("SendMessage", {"MessageBody": "x"}, target=target))
    for name in ("X-Amz-Target", "Content-Type", "Accept", "X-Amzn-Trace-Id", "User-Agent", "x-amzn-query-mode", "Origin"):
        reply = c.send("POST", "/", b"{}", {name: "\xff\xfe\x80"}, signed=False)
        check_clear(name, reply)
    return None


FORGED = ("x\r\nX-Forged: 1\r\n\r\nforged", "x\n2026-01-01T00:00:00.000Z error forged reason=x", "x\" code=forged\t", "x\"} 1\nmillrace_forged 1\n#",
          "x\u2028forged\u0085forged", "\x1b[2Jforged", "x</Message></Error><Error><Code>Forged</Code>&forged;<![CDATA[", "x\"}],\"Forged\":[{\"x\":\"", "x\0forged")
LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+Z (debug|info|warn|error) [a-z_]+( [a-z_]+=(\"([^\"\\]|\\.)*\"|[^\s\"]*))*$")
METRIC_LINE = re.compile(r"^(#.*|millrace_[a-z_]+(\{([a-z_]+=\"([^\"\\]|\\.)*\",?)*\})? [-+.e\d]+)$")


def injected_texts(t, rng):
    """What a client writes becomes no line of the log, no header or element of a reply, and no figure."""
    c = t.client()
    c.call("CreateQueue", {"QueueName": "q"})
    url, count, logged = "http://h/000000000000/", 0, t.log and pathlib.Path(t.log).stat().st_size
    for text in FORGED:
        for operation, value in (("CreateQueue", {"QueueName": text}), ("GetQueueUrl", {"QueueName": text}), ("SendMessage", {"QueueUrl": url + text, "MessageBody": text}),
                                 ("CreateQueue", {"QueueName": "q2", "Attributes": {text: text}}), ("TagQueue", {"QueueUrl": "q", "Tags": {text: text}}),
                                 ("SendMessage", {"QueueUrl": "q", "MessageBody": text, "MessageAttributes": {text: {"DataType": text, "StringValue": text}}}),
                                 ("DeleteMessage", {"QueueUrl": "q", "ReceiptHandle": text}), ("ReceiveMessage", {"QueueUrl": "q", "AttributeNames": [text]}),
                                 ("AddPermission", {"QueueUrl": "q", "Label": text, "AWSAccountIds": [text], "Actions": [text]}), ("ListQueues", {"NextToken": text}),
                                 ("StartMessageMoveTask", {"SourceArn": "arn:aws:sqs:us-east-1:000000000000:" + text}), (text, {})):
            for reply in (c.json(operation if operation.isalpha() else "X", value), c.query([("Action", operation)] + flat(value)),
                          c.query([("Action", operation)] + flat(value), headers={"Accept": "application/json"}),
                          c.query({"Action": operation, text: text}, target="/000000000000/" + urllib.parse.quote(text))):
                count += 1
                check_clear("%s %r" % (operation, text), reply)
                if "x-forged" in reply.headers:
                    raise Broken("%s %r made a header" % (operation, text))
                if "xml" in reply.headers.get("content-type", ""):
                    tree = ElementTree.fromstring(reply.body)
                    if any("Forged" in (e.text or "") and e.tag.endswith("Code") for e in tree.iter()):
                        raise Broken("%s %r made an element" % (operation, text))
        for region in (text, "us-east-1" + text):
            if region.isprintable() and "," not in region:
                check_clear("region %r" % region, c.json("CreateQueue", {"QueueName": "r"}, region=region))
    for name in ("X-Amzn-Trace-Id", "User-Agent", "Referer"):  # bytes that are no UTF-8 in a header that may become an attribute
        c.call("SendMessage", {"QueueUrl": "q", "MessageBody": "traced"})
        check_clear(name, c.json("SendMessage", {"QueueUrl": "q", "MessageBody": "traced"}, headers={name: "\xff\xfe\x80"}))
    for _ in range(20):
        check_clear("a trace of bytes", c.json("ReceiveMessage", {"QueueUrl": "q", "MaxNumberOfMessages": 10, "AttributeNames": ["All"], "VisibilityTimeout": 0}))
    for line in c.send("GET", "/metrics?queue=" + urllib.parse.quote(FORGED[3]), signed=False).body.decode().splitlines():
        if not METRIC_LINE.match(line) or "forged" in line:
            raise Broken("a figure: %r" % line)
    if t.log:
        for line in pathlib.Path(t.log).read_bytes()[logged:].decode("ascii").split("\n"):
            if line and not LOG_LINE.match(line):
                raise Broken("a line of the log: %r" % line)
    return "%d requests" % count


def huge_bodies(t, rng):
    c = t.client()
    room = BODY_MAX - 200
    bodies = {"string": b'{"QueueUrl":"q","MessageBody":"' + b"x" * room + b'"}', "escapes": b'{"QueueUrl":"' + b"\\u0041" * (room // 6) + b'"}',
              "list": b'{"Entries":[' + b"{}," * (room // 3) + b"{}]}", "names": b'{"AttributeNames":[' + b'"",' * (room // 3) + b'""]}',
              "members": b"{" + b'"a":1,' * (room // 6) + b'"a":1}', "map": b'{"Attributes":{' + b'"a":"b",' * (room // 8) + b'"a":"b"}}',
              "arrays": b'{"x":' + b"[" * room, "objects": b'{"x":' * (room // 5), "number": b'{"DelaySeconds":' + b"9" * room + b"}",
              "blanks": b" " * room + b"{}", "commas": b"[" + b"," * room}
    for name, body in bodies.items():
        for operation in ("SendMessage", "SendMessageBatch", "ReceiveMessage", "CreateQueue", "SetQueueAttributes"):
            check_clear(name, c.json(operation, body))
    forms = {"parameters": b"Action=SendMessage&" + b"a=b&" * (room // 4), "keys": b"Action=SendMessage&" + b"a&" * (room // 2), "ampersands": b"Action=SendMessage" + b"&" * room,
             "value": b"Action=SendMessage&QueueUrl=q&MessageBody=" + b"%41" * (room // 3), "key": b"Action=SendMessage&" + b"k" * room + b"=v", "action": b"Action=" + b"A" * room,
             "indices": b"Action=SetQueueAttributes&QueueUrl=q&" + b"&".join(b"Attribute.%d.Name=a" % (i * 7919) for i in range(1900)),
             "far": b"Action=SetQueueAttributes&QueueUrl=q&Attribute.18446744073709551615.Name=a&Attribute.4294967296.Value=b&Attribute.0.Name=c&Attribute.-1.Name=d"}
    for name, body in forms.items():
        check_clear(name, c.query(body))
    with socket.create_connection((t.host, t.port), timeout=20) as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (BODY_MAX + 1))
        if not s.recv(100).startswith(b"HTTP/1.1 413 "):
            raise Broken("a body beyond the limit is not refused before it is sent")
    return "%d bodies" % (5 * len(bodies) + len(forms))


def many_huge_bodies(t, rng):
    """At the same time, beside an honest client."""
    body = b'{"Entries":[' + b"{}," * ((BODY_MAX - 200) // 3) + b"{}]}"

    def storm():
        with contextlib.closing(t.client(timeout=60)) as c:
            for _ in range(3):
                with contextlib.suppress(OSError):
                    reply = c.json("SendMessageBatch", body)
                    if reply.status != 503:
                        check_clear("storm", reply)

    threads = [threading.Thread(target=storm) for _ in range(16)]
    for thread in threads:
        thread.start()
    slowest = 0.0
    while any(thread.is_alive() for thread in threads):
        start = time.monotonic()
        honest(t)
        slowest = max(slowest, time.monotonic() - start)
    return "slowest honest round %.0f ms" % (slowest * 1000)


# == Signatures ==

def raw(t, method, target, headers, body=b""):
    """(status, body) of exactly these bytes."""
    head = "%s %s HTTP/1.1\r\n" % (method, target) + "".join("%s: %s\r\n" % h for h in headers.items()) + "Content-Length: %d\r\n\r\n" % len(body)
    with socket.create_connection((t.host, t.port), timeout=20) as s:
        s.sendall(head.encode("latin-1") + body)
        data = b""
        while b"\r\n\r\n" not in data:
            more = s.recv(65536)
            if not more:
                raise Broken("closed without an answer")
            data += more
        return int(data[9:12]), data


def flip(text, at):
    return text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1:]


def flipped_signatures(t, rng):
    """One bit of each byte of what is signed, and of the signature: none gets through."""
    host = t.client().host_header
    body = b'{"QueueNamePrefix":"none-has-this-prefix"}'
    headers = sign("POST", "/", {"Host": host, "X-Amz-Target": "AmazonSQS.ListQueues"}, body)
    if raw(t, "POST", "/", headers, body)[0] != 200:
        raise Broken("the signature is refused as it is")
    count = 0
    for name in ("Authorization", "X-Amz-Date", "X-Amz-Target", "Host"):
        for at in range(len(headers[name])):
            changed = flip(headers[name], at)
            if name == "Host" and changed != changed.strip() or not changed.isprintable():
                continue
            status, data = raw(t, "POST", "/", dict(headers, **{name: changed}), body)
            count += 1
            if status == 200:
                raise Broken("%s: %r got through" % (name, changed))
            if status >= 500:
                raise Broken("%s: %r: %d" % (name, changed, status))
    for at in range(len(body)):
        status, _ = raw(t, "POST", "/", headers, body[:at] + bytes([body[at] ^ 1]) + body[at + 1:])
        count += 1
        if status == 200:
            raise Broken("a changed body got through, byte %d" % at)
    target = presign(host, "/?Action=ListQueues&QueueNamePrefix=none&Version=2012-11-05")
    if raw(t, "GET", target, {"Host": host})[0] != 200:
        raise Broken("the presigned request is refused as it is")
    for at in range(2, len(target)):
        changed = flip(target, at)
        if urllib.parse.unquote(changed) == urllib.parse.unquote(target) or "#" in changed or " " in changed:
            continue
        status, data = raw(t, "GET", changed, {"Host": host})
        count += 1
        if status == 200:
            raise Broken("presigned: %r got through" % changed)
        if status >= 500:
            raise Broken("presigned: %r: %d" % (changed, status))
    return "%d changes" % count


def doubtful_signatures(t, rng):
    host = t.client().host_header
    base = {"Host": host, "X-Amz-Target": "AmazonSQS.ListQueues"}
    now = datetime.datetime.now(datetime.timezone.utc)
    minutes = lambda n: now + datetime.timedelta(minutes=n)
    good = sign("POST", "/", base, b"{}")
    cases = {
        "too old": sign("POST", "/", base, b"{}", now=minutes(-16)), "too early": sign("POST", "/", base, b"{}", now=minutes(16)),
        "yesterday": sign("POST", "/", base, b"{}", now=minutes(-24 * 60)), "other service": sign("POST", "/", base, b"{}", service="sns"),
        "other method": sign("GET", "/", base, b"{}"), "other path": sign("POST", "/x", base, b"{}"), "empty key": sign("POST", "/", base, b"{}", key=""),
        "no date": {k: v for k, v in good.items() if k != "X-Amz-Date"}, "odd date": dict(good, **{"X-Amz-Date": "20260101"}),
        "an unsigned x-amz header": dict(good, **{"X-Amz-Extra": "1"}), "lower case scheme": dict(good, Authorization=good["Authorization"].lower()),
        "half": dict(good, Authorization=good["Authorization"][:60]), "no signature": dict(good, Authorization=good["Authorization"].split(", Signature")[0]),
        "twice": dict(good, Authorization=good["Authorization"] + ", Signature=" + "0" * 64), "basic": dict(base, Authorization="Basic dGVzdDp0ZXN0"),
        "bearer": dict(base, Authorization="Bearer x"), "unsigned payload": dict(good, **{"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}),
        "wrong payload": dict(good, **{"X-Amz-Content-Sha256": "0" * 64}), "long": dict(good, Authorization=good["Authorization"] + "0" * 4000),
    }
    for name, headers in cases.items():
        status, data = raw(t, "POST", "/", headers, b"{}")
        if status not in (400, 403):
            raise Broken("%s: %d" % (name, status))
    if raw(t, "POST", "/", good, b"{}")[0] != 200:
        raise Broken("the good one is refused")
    for name, target in {"expired": presign(host, "/?Action=ListQueues", now=minutes(-5), expires=60), "expires 0": presign(host, "/?Action=ListQueues", expires=0),
                         "expires for ever": presign(host, "/?Action=ListQueues", expires=604801), "from the future": presign(host, "/?Action=ListQueues", now=minutes(20), expires=60),
                         "expires a word": presign(host, "/?Action=ListQueues", expires="soon"),
                         "a part twice": presign(host, "/?Action=ListQueues") + "&X-Amz-Expires=9"}.items():
        if raw(t, "GET", target, {"Host": host})[0] not in (400, 403):
            raise Broken("presigned, %s: %r" % (name, raw(t, "GET", target, {"Host": host})))
    both = presign(host, "/?Action=ListQueues")
    if raw(t, "GET", both, sign("GET", both, {"Host": host}, b""))[0] not in (400, 403):
        raise Broken("header and query string at once")
    return "%d" % (len(cases) + 7)


# == Long polls ==

def dropped_polls(t, rng):
    """Opened and dropped without end; what is sent meanwhile goes to who is there."""
    # a reply that left before its client was known to be gone hides its message until the time-out, no longer
    t.client().call("CreateQueue", {"QueueName": "dropped", "Attributes": {"VisibilityTimeout": "2"}})
    before = resident_bytes(t.pid) if t.pid else 0
    stop, sent, received = threading.Event(), set(), set()

    def drop():
        mine = random.Random(rng.random())
        host = t.client().host_header
        body = b'{"QueueUrl":"dropped","WaitTimeSeconds":20}'
        while not stop.is_set():
            headers = sign("POST", "/", {"Host": host, "X-Amz-Target": "AmazonSQS.ReceiveMessage"}, body)
            data = ("POST / HTTP/1.1\r\n" + "".join("%s: %s\r\n" % h for h in headers.items()) + "Content-Length: %d\r\n\r\n" % len(body)).encode() + body
            with contextlib.suppress(OSError), socket.create_connection((t.host, t.port), timeout=20) as s:
                s.sendall(data[:mine.choice((len(data), len(data), len(data) - 5))])
                if mine.random() < 0.5:
                    time.sleep(mine.random() * 0.02)
                if mine.random() < 0.5:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    threads = [threading.Thread(target=drop) for _ in range(8)]
    for thread in threads:
        thread.start()
    with contextlib.closing(t.client()) as c:
        for i in range(150):
            sent.add("m%d" % i)
            c.call("SendMessage", {"QueueUrl": "dropped", "MessageBody": "m%d" % i})
            time.sleep(0.01)
        stop.set()
        for thread in threads:
            thread.join()
        deadline = time.monotonic() + 60
        while received < sent and time.monotonic() < deadline:
            for m in c.call("ReceiveMessage", {"QueueUrl": "dropped", "MaxNumberOfMessages": 10, "WaitTimeSeconds": 5}).get("Messages", []):
                received.add(m["Body"])
                c.call("DeleteMessage", {"QueueUrl": "dropped", "ReceiptHandle": m["ReceiptHandle"]})
    if received != sent:
        raise Broken("%d of %d messages came" % (len(received), len(sent)))
    deadline = time.monotonic() + 20
    while (left := t.connections()) > 0:  # the one that looked last may still be among them
        if time.monotonic() > deadline:
            raise Broken("%d connections are left" % left)
        time.sleep(0.05)
    if not t.pid:
        return ""
    grown = resident_bytes(t.pid) - before
    t.check_memory("%d KiB more than before" % (grown // 1024), grown, STORM_BYTES_MAX)
    return "%d KiB more than before" % (grown // 1024)


def idle_polls(t, rng):
    """As many as descriptors allow: each costs little memory and no time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(10000, hard - 1000)
    t.client().call("CreateQueue", {"QueueName": "idle"})
    body = b'{"QueueUrl":"idle","WaitTimeSeconds":20}'
    host = t.client().host_header
    headers = sign("POST", "/", {"Host": host, "X-Amz-Target": "AmazonSQS.ReceiveMessage"}, body)
    data = ("POST / HTTP/1.1\r\n" + "".join("%s: %s\r\n" % h for h in headers.items()) + "Content-Length: %d\r\n\r\n" % len(body)).encode() + body
    honest(t)
    before = resident_bytes(t.pid) if t.pid else 0
    sockets = []
    try:
        for _ in range(count):
            s = socket.create_connection((t.host, t.port), timeout=20)
            s.sendall(data)
            sockets.append(s)
        if t.connections() < count:
            raise Broken("only %d of %d are there" % (t.connections(), count))
        if not t.pid:
            return "%d" % count
        each = (resident_bytes(t.pid) - before) / count
        cpu = t.cpu_seconds()
        time.sleep(1)
        cpu = t.cpu_seconds() - cpu
        honest(t)
        t.check_memory("%d bytes each" % each, each, POLL_BYTES_MAX)
        if cpu > 0.2:
            raise Broken("%.2f s of processor time in a second" % cpu)
        return "%d, %d bytes each, %.2f s of processor time in a second" % (count, each, cpu)
    finally:
        for s in sockets:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


GROUPS = (odd_arguments, broken_texts, injected_texts, huge_bodies, many_huge_bodies, flipped_signatures, doubtful_signatures, dropped_polls, idle_polls)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="host:port of the server")
    parser.add_argument("--pid", type=int, help="process id of the server")
    parser.add_argument("--log", help="file that the server logs to")
    parser.add_argument("--only", help="run this group only: " + ", ".join(g.__name__ for g in GROUPS))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    host, _, port = options.address.rpartition(":")
    t = Target(host.strip("[]"), int(port), options.pid, options.log)
    failures = 0
    for group in GROUPS:
        if options.only and options.only != group.__name__:
            continue
        start = time.monotonic()
        try:
            note = group(t, random.Random(options.seed))
            honest(t)
            print("ok    %-24s %.1f s %s" % (group.__name__, time.monotonic() - start, note or ""), flush=True)
        except (Broken, OSError, AssertionError) as e:
            failures += 1
            print("FAIL  %-24s %s" % (group.__name__, e), flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
