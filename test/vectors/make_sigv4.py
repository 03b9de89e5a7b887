#!/usr/bin/env python3
"""Writes sigv4.txt: requests signed by botocore, for test/unit/auth/sigv4_test.c.

Run it after changing the cases (it needs botocore, nothing else of the tree does) and keep the output with the change. The keys
are the examples of the public documentation. The signatures in PUBLISHED are the documented ones of the same requests: this
script stops if botocore disagrees with them.

A vector is lines of "name value", ended by "end"; bodies are hexadecimal; "now" is the second it was signed.
"""
import datetime
import random
import sys
from pathlib import Path
from urllib.parse import quote

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

KEY = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = datetime.datetime(2015, 8, 30, 12, 36, 0)
HOST = "example.amazonaws.com"

PUBLISHED = {
    "get-vanilla": "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    "get-vanilla-query-order-key-case": "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    "post-vanilla": "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    "iam-list-users": "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
}


def vector(name, method="GET", path="/", query="", headers=(), body=b"", *, host=HOST, service="service",
           region="us-east-1", secret=SECRET, key=KEY, token=None, expires=None, date_header=False, now=NOW, unsigned=()):
    """One signed request as text. `unsigned` headers are added after signing."""
    botocore.auth.get_current_datetime = lambda *_: now
    request = AWSRequest(method=method, url=f"http://{host}{path}" + (f"?{query}" if query else ""), data=body)
    request.headers = HTTPHeaders()
    request.headers["Host"] = host
    for header, value in headers:
        request.headers.add_header(header, value)
    if date_header:
        request.headers["Date"] = "x"  # replaced by the signer
    credentials = Credentials(key, secret, token)
    request.context["timestamp"] = now.strftime("%Y%m%dT%H%M%SZ")
    if expires is None:
        botocore.auth.SigV4Auth(credentials, service, region).add_auth(request)
        signature = request.headers["Authorization"].rsplit("=", 1)[1]
    else:
        botocore.auth.SigV4QueryAuth(credentials, service, region, expires).add_auth(request)
        signature = request.url.rsplit("=", 1)[1]
    if name in PUBLISHED and signature != PUBLISHED[name]:
        sys.exit(f"{name}: botocore says {signature}, the documentation {PUBLISHED[name]}")
    target = request.url.split(host, 1)[1]
    sent_path, _, sent_query = target.partition("?")
    lines = [f"vector {name}", f"now {int((now - datetime.datetime(1970, 1, 1)).total_seconds())}", f"secret {secret}",
             f"method {method}", f"path {sent_path}"]
    if sent_query:
        lines.append(f"query {sent_query}")
    lines += [f"header {header}: {value}" for header, value in request.headers.items()]
    lines += [f"header {header}: {value}" for header, value in unsigned]
    if body:
        lines.append(f"body {body.hex()}")
    return "\n".join(lines) + "\nend\n"


def written():
    yield vector("get-vanilla")
    yield vector("post-vanilla", "POST")
    yield vector("get-vanilla-query-order-key-case", query="Param2=value2&Param1=value1")
    yield vector("iam-list-users", query="Action=ListUsers&Version=2010-05-08", host="iam.amazonaws.com", service="iam",
                 headers=[("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")])
    for name, path in [("trailing", "/example/"), ("unreserved", "/-._~0123456789abcXYZ"), ("utf8", "/%E1%88%B4"),
                       ("space", "/a%20b/c"), ("dots", "/example1/example2/../.."), ("dot", "/./"), ("inner", "/a/./b//c/"),
                       ("slashes", "//example//"), ("above", "/../../x"), ("queue", "/123456789012/orders.fifo"),
                       ("sub", "/a/b/../c"), ("colon", "/a:b,c;d=e@f!$'()*"), ("escaped", "/a%2Fb%2fc%41"),
                       ("percent", "/100%25")]:
        yield vector(f"path-{name}", path=path)
    for name, query in [("empty-value", "Param1="), ("no-value", "Param1"), ("same-name", "a=2&a=1&a=11&a="),
                        ("prefix", "ab=1&a-b=2&a=3&a.b=4&a%20=5"), ("utf8", "%E1%88%B4=bar"),
                        ("space", "a=b%20c&d=%2B"), ("case", "b=1&B=2&a=3&A=4"), ("equals", "a=b%3Dc"),
                        ("many", "&".join(f"k{i * 7 % 50}=v{i}" for i in range(50)))]:
        yield vector(f"query-{name}", query=query)
    yield vector("header-blanks", headers=[("My-Header1", "  a   b   c  "), ("My-Header2", '"a   b   c"')])
    yield vector("header-tabs", headers=[("X-Tabs", "\ta \t b\t\tc ")])
    yield vector("header-twice", headers=[("My-Header1", "value4"), ("My-Header1", "value1"), ("My-Header1", "value3")])
    yield vector("header-empty", headers=[("X-Empty", "")])
    yield vector("header-case", headers=[("X-MiXeD-CaSe", "MiXeD")])
    yield vector("header-long", headers=[("X-Long", "0123456789" * 700)])
    yield vector("header-token", token="AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQW")
    yield vector("header-date", date_header=True)
    yield vector("header-unsigned", unsigned=[("User-Agent", "x y"), ("X-Amzn-Trace-Id", "Root=1-2-3"), ("Accept", "*/*")])
    yield vector("leap-day", now=datetime.datetime(2024, 2, 29, 23, 59, 59))
    yield vector("region", region="ap-southeast-2", service="sqs", host="127.0.0.1:4566")
    yield vector("secret-short", secret="x", service="sqs")
    yield vector("secret-long", secret="0123456789abcdef" * 8, service="sqs")
    json_headers = [("Content-Type", "application/x-amz-json-1.0"), ("X-Amz-Target", "AmazonSQS.SendMessage")]
    body = b'{"QueueUrl":"http://127.0.0.1:4566/123456789012/orders","MessageBody":"\xc3\xa9\xf0\x9f\x98\x80"}'
    yield vector("sqs-json", "POST", headers=json_headers, body=body, service="sqs", host="127.0.0.1:4566")
    yield vector("sqs-json-mode", "POST", headers=json_headers + [("x-amzn-query-mode", "true")], body=body, service="sqs",
                 host="localhost:4566", unsigned=[("amz-sdk-request", "attempt=1"), ("Content-Length", str(len(body)))])
    yield vector("sqs-form", "POST", path="/123456789012/orders", service="sqs",
                 headers=[("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")],
                 body=b"Action=SendMessage&Version=2012-11-05&MessageBody=a+b%26c")
    yield vector("sqs-content-hash", "POST", headers=json_headers + [(
        "X-Amz-Content-SHA256", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")], body=b"{}", service="sqs")
    yield vector("body-binary", "POST", body=bytes(range(256)))
    yield vector("body-large", "POST", body=b"0123456789abcdef" * 256)
    for name, options in [("plain", {}), ("short", {"expires": 1}), ("week", {"expires": 604800}),
                          ("token", {"token": "a/b+c=d"}), ("header", {"headers": [("X-Amz-Meta", "a  b")]})]:
        yield vector(f"presigned-{name}", query="Action=ListQueues&Version=2012-11-05", service="sqs",
                     **{"expires": 3600, **options})
    yield vector("presigned-path", path="/123456789012/or%20ders", query="Action=SendMessage&MessageBody=a%26b",
                 service="sqs", expires=60)


def chance():
    dice = random.Random(20150830)
    unreserved = "ABCxyz019-_.~"
    odd = " !\"#$%&'()*+,/:;<=>?@[]^`{|}é漢😀"

    def text(size):
        return "".join(dice.choice(unreserved * 2 + odd) for _ in range(dice.randrange(size)))

    for number in range(40):
        path = "/" + "/".join(quote(text(8), safe="-_.~") for _ in range(dice.randrange(4)))
        query = "&".join(quote(text(6), safe="-_.~") + "=" + quote(text(8), safe="-_.~") for _ in range(dice.randrange(6)))
        headers = [(f"X-H{dice.randrange(6)}", " ".join(dice.choice(["a", "", "b,c", "d\te"]) for _ in range(4)))
                   for _ in range(dice.randrange(4))]
        moment = NOW + datetime.timedelta(seconds=dice.randrange(10**9))
        body = bytes(dice.randrange(256) for _ in range(dice.randrange(80)))
        expires = dice.choice([None, None, None, dice.randrange(1, 604801)])
        yield vector(f"chance-{number}", "GET" if expires else dice.choice(["GET", "POST", "PUT"]), path,
                     "" if expires else query, headers, b"" if expires else body, now=moment, expires=expires,
                     service=dice.choice(["sqs", "sns", "sts"]), region=dice.choice(["us-east-1", "eu-central-1"]))


if __name__ == "__main__":
    out = Path(__file__).with_name("sigv4.txt")
    head = "# Made by make_sigv4.py; see there. Example keys of the public documentation, no secrets.\n"
    out.write_text(head + "".join(list(written()) + list(chance())), encoding="utf-8")
    print(f"{out.name}: {out.read_text(encoding='utf-8').count('vector ')} vectors")
