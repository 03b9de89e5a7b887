#!/usr/bin/env python3
"""Sends what no honest client sends to an HTTP server and checks that it stays correct and alive.

usage: http_raw.py HOST:PORT [--tls] [--path /] [--only NAME] [--seed N]

What is checked does not depend on what the server does with a request (any final status will do), only on how it frames:
a request of doubtful framing gets one refusal and the connection ends, so that nothing behind it can be taken for another
request. After each group an honest client must be served. Only the standard library is needed.
"""
import argparse
import contextlib
import random
import select
import socket
import ssl
import struct
import sys
import threading
import time

WAIT = 20.0  # seconds until a silent server counts as broken
REFUSALS = {400, 413, 414, 417, 431, 501, 505}


class Target:
    def __init__(self, host, port, tls, path):
        self.host, self.port, self.path = host, port, path.encode()
        self.tls = None
        if tls:
            self.tls = ssl.create_default_context()
            self.tls.check_hostname = False
            self.tls.verify_mode = ssl.CERT_NONE
        self.host_line = b"Host: %s:%d\r\n" % (host.encode(), port)

    def connect(self, receive_buffer=None, plain=False):
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        s = socket.socket(family, socket.SOCK_STREAM)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        s.settimeout(WAIT)
        s.connect((self.host, self.port))
        return self.tls.wrap_socket(s) if self.tls and not plain else s

    def get(self, extra=b"", method=b"GET", version=b"HTTP/1.1"):
        return method + b" " + self.path + b" " + version + b"\r\n" + self.host_line + extra + b"\r\n"

    def post(self, extra, body=b""):
        return b"POST " + self.path + b" HTTP/1.1\r\n" + self.host_line + extra + b"\r\n" + body


class Broken(Exception):
    pass


class Reader:
    """Replies off a socket, framed strictly."""

    def __init__(self, s):
        self.socket, self.bytes, self.is_ended = s, b"", False

    def fill(self):
        try:
            more = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLError):
            more = b""
        except socket.timeout:
            raise Broken("no answer within %d s" % WAIT)
        self.is_ended = not more
        self.bytes += more
        return bool(more)

    def reply(self, to_head=False):
        """(status, headers, body), or None at the end."""
        while b"\r\n\r\n" not in self.bytes:
            if not self.fill():
                if self.bytes:
                    raise Broken("ends inside a reply's head: %r" % self.bytes[:80])
                return None
        head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        lines = head.split(b"\r\n")
        if not lines[0].startswith(b"HTTP/1.1 ") or len(lines[0]) < 13:
            raise Broken("not a status line: %r" % lines[0][:80])
        status = int(lines[0][9:12])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            headers[name.lower().decode("latin-1")] = value.strip().decode("latin-1")
        size = 0
        if not (to_head or status < 200 or status in (204, 304)):
            if "content-length" not in headers:
                raise Broken("a reply without Content-Length")
            size = int(headers["content-length"])
        while len(self.bytes) < size:
            if not self.fill():
                raise Broken("ends inside a reply's body")
        body, self.bytes = self.bytes[:size], self.bytes[size:]
        return status, headers, body

    def final(self, to_head=False):
        while True:
            r = self.reply(to_head)
            if r is None or r[0] >= 200:
                return r

    def expect_end(self):
        while not self.is_ended:
            self.fill()
        if self.bytes:
            raise Broken("more bytes where the connection should end: %r" % self.bytes[:80])


def send(s, data):
    """False when the server has closed already, which is fine for most of what is sent here."""
    try:
        s.sendall(data)
        return True
    except (ConnectionError, ssl.SSLError):
        return False
    except socket.timeout:
        raise Broken("does not read")


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def honest(t, times=1):
    with contextlib.closing(t.connect()) as s:
        r = Reader(s)
        for _ in range(times):
            s.sendall(t.get())
            reply = r.final()
            if reply is None:
                raise Broken("an honest client is not answered")
            if reply[1].get("connection", "").lower() == "close":
                return


# == Doubtful framing: one refusal, then the end ==

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


def refused_shapes(t):
    """(name, bytes): each is followed by a whole further request that must never be answered."""
    chunked, length = b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n"
    yield "CL.TE", t.post(b"Content-Length: 6\r\n" + chunked, b"0\r\n\r\nX")
    yield "TE.CL", t.post(chunked + b"Content-Length: 4\r\n", b"5c\r\nGPOST\r\n0\r\n\r\n")
    yield "CL.CL equal", t.post(length + length, b"hello")
    yield "CL.CL different", t.post(length + b"Content-Length: 0\r\n", b"hello")
    yield "CL.0 and TE", t.post(b"Content-Length: 0\r\n" + chunked, b"0\r\n\r\n")
    for value in (b"5, 5", b"5,5", b"+5", b"-1", b"-0", b"0x5", b"5.0", b"5e0", b"5 5", b"'5'", b"", b"\xd9\xa5", b"1_0", b"5\x00",
                  b"99999999999999999999x"):
        yield "CL %r" % value, t.post(b"Content-Length: " + value + b"\r\n", b"hello")
    for value in (b"18446744073709551616", b"18446744073709551621", b"18446744073709551615", b"9223372036854775808", b"9223372036854775807", b"4294967296", b"340282366920938463463374607431768211461"):
        yield "CL %s" % value.decode(), t.post(b"Content-Length: " + value + b"\r\n", b"hello")
    for line in (
        b"Transfer-Encoding: xchunked", b"Transfer-Encoding : chunked", b"Transfer-Encoding\t:chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
        b" Transfer-Encoding: chunked", b"X: X\nTransfer-Encoding: chunked", b"Transfer-Encoding\n: chunked",
        b"X: X\rTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: identity, chunked",
        b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding:\x0bchunked",
        b"Transfer-Encoding: \x00chunked", b"Transfer-Encoding: chunked\x00", b"Transfer-Encoding:\r\n chunked",
        b"Transfer-Encoding: \"chunked\"", b"Transfer-Encoding: 'chunked'", b"Transfer-Encoding: chunked;a=b",
        b"Transfer-Encoding: ,chunked", b"Transfer-Encoding: chunked,", b"Transfer-Encoding: cow",
        b"Transfer-Encoding: \xffchunked", b"Transfer-Encoding:", b"\x00Transfer-Encoding: chunked",
        b"Foo: bar\r\n\rTransfer-Encoding: chunked", b"Transfer-Encoding\x00: chunked", b"Transfer\xa0Encoding: chunked",
        b"Transfer-Encoding: chunked\r\n\t, identity",
    ):
        yield "TE %r" % line, t.post(line + b"\r\nContent-Length: 5\r\n", b"0\r\n\r\n")
    yield "TE in HTTP/1.0", b"POST / HTTP/1.0\r\n" + t.host_line + chunked + b"\r\n0\r\n\r\n"
    for body in (b"5 \r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n",
                 b"-1\r\n", b"5\nhello\n0\n\n", b"5\r\nhello0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n", b"5;x\nyyyyy\r\n0\r\n\r\n",
                 b"5;\x00\r\nhello\r\n0\r\n\r\n", b"\r\n0\r\n\r\n", b"g\r\n\r\n", b"100000000000000005\r\nhello\r\n0\r\n\r\n",
                 b"0000000000000005\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff\r\nhello", b"8000000000000000\r\nhello", b"7fffffffffffffff\r\nhello", b"5\r\rhello\r\n0\r\n\r\n", b"5\r\nhellohello\r\n0\r\n\r\n",
                 b"0\r\nTrailer\r\n\r\n", b"0\r\n Trailer: x\r\n\r\n", b"0\r\nTrailer : x\r\n\r\n", b"0\r\nA: b\nB: c\r\n\r\n", b"0\r\n\n"):
        yield "chunks %r" % body, t.post(chunked, body)
    for line in (b"Name : value", b"Name\t: value", b" Name: value", b": value", b"Name", b"Na me: value", b"Na\x00me: value",
                 b"Name: va\x00lue", b"Name: va\x01lue", b"Name: va\x7flue", b"Name: value\n", b"Name: value\r\r", b"Name: a\rb",
                 b"Name: value\r\n folded", b"Name: value\r\n\tfolded", b"N\xc3\xa4me: value", b"(Name): value", b"Name\xff: v"):
        yield "header %r" % line, t.get(line + b"\r\n")
    yield "fold before the first header", b"GET / HTTP/1.1\r\n Host: x\r\n\r\n"
    yield "no Host", b"GET / HTTP/1.1\r\n\r\n"
    yield "two Hosts", t.get(b"Host: other\r\n")
    yield "two equal Hosts", t.get(t.host_line)
    for value in (b"a b", b"a,b", b"a/b", b"user@host", b"a\"b", b"a\x00b"):
        yield "Host %r" % value, b"GET / HTTP/1.1\r\nHost: " + value + b"\r\n\r\n"
    for line in (b"GET /", b"GET  / HTTP/1.1", b"GET /  HTTP/1.1", b"GET\t/ HTTP/1.1", b" GET / HTTP/1.1", b"GET / HTTP/1.1 ",
                 b"GET / http/1.1", b"GET / HTTP/1.1x", b"GET / HTTP/11.1", b"GET / HTTP/1.11", b"GET / HTTP/2.0", b"GET / HTTP/0.9",
                 b"GET / HTTP/1", b"GET / HTTP/1.", b"GET /a b HTTP/1.1", b"GET /\x00 HTTP/1.1", b"GET /\x7f HTTP/1.1", b"GET /\xff HTTP/1.1",
                 b"GET /#f HTTP/1.1", b"GET x HTTP/1.1", b"GET * HTTP/1.1", b"GET http:///x HTTP/1.1", b"GET http://u:p@x/ HTTP/1.1",
                 b"GET ftp://x/ HTTP/1.1", b"CONNECT x:80 HTTP/1.1", b"G(T / HTTP/1.1", b"\x00GET / HTTP/1.1", b"", b"\r\n", b"GET\r\n"):
        yield "line %r" % line, line + b"\r\n" + t.host_line + b"\r\n"
    yield "LF only", b"GET / HTTP/1.1\nHost: x\n\n"
    yield "CR only", b"GET / HTTP/1.1\rHost: x\r\r"
    yield "HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield "expectation", t.post(b"Expect: something\r\n" + length, b"hello")
    yield "endless target", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    yield "endless method", b"A" * 100000 + b" / HTTP/1.1\r\nHost: x\r\n\r\n"
    yield "endless name", b"GET / HTTP/1.1\r\n" + b"n" * 1000000
    yield "endless value", b"GET / HTTP/1.1\r\nX: " + b"v" * 1000000
    yield "many headers", t.get(b"A: b\r\n" * 5000)
    yield "many extensions", t.post(chunked, b"1" + b";e" * 500000 + b"\r\nx\r\n0\r\n\r\n")
    yield "many trailers", t.post(chunked, b"0\r\n" + b"A: b\r\n" * 200000 + b"\r\n")


def refusals(t, rng):
    for name, data in refused_shapes(t):
        for before in (b"", t.get()):
            with contextlib.closing(t.connect()) as s:
                send(s, before + data + SMUGGLED)
                r = Reader(s)
                try:
                    if before and r.final() is None:
                        raise Broken("the good request before it was not answered")
                    reply = r.final()
                    if reply is None:
                        raise Broken("closed without an answer")
                    if reply[0] not in REFUSALS:
                        raise Broken("answered with %d" % reply[0])
                    if reply[1].get("connection", "").lower() != "close":
                        raise Broken("does not say that it closes")
                    r.expect_end()
                except Broken as e:
                    raise Broken("%s%s: %s" % (name, " after a good one" if before else "", e))


# == Unusual and right: exactly as many replies as requests ==

def accepted_shapes(t):
    chunked = b"Transfer-Encoding: chunked\r\n"
    yield "blank line first", b"\r\n" + t.get()
    yield "no blanks in a header", t.get(b"A:b\r\n")
    yield "blanks around a value", t.get(b"A: \t b \t \r\n")
    yield "empty value", t.get(b"A:\r\n")
    yield "obs-text", t.get(b"A: \x80\xff\r\n")
    yield "CL zero", t.post(b"Content-Length: 0\r\n")
    yield "CL with zeros before", t.post(b"Content-Length: 0005\r\n", b"hello")
    yield "body looks like a request", t.post(b"Content-Length: %d\r\n" % len(SMUGGLED), SMUGGLED)
    yield "chunk looks like a request", t.post(chunked, b"%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n0\r\n\r\n")
    yield "chunk looks like the last one", t.post(chunked, b"5\r\n0\r\n\r\n\r\n0\r\n\r\n")
    yield "extensions and trailers", t.post(chunked, b"5;a=b;c=\"d;e\"\r\nhello\r\n0;z\r\nT: v\r\nU:\r\n\r\n")
    yield "chunks of one byte", t.post(chunked, b"1\r\nx\r\n" * 2000 + b"0\r\n\r\n")
    yield "body of a GET", t.get(b"Content-Length: 5\r\n") + b"hello"
    yield "absolute target", b"GET http://elsewhere" + t.path + b" HTTP/1.1\r\n" + t.host_line + b"\r\n"
    yield "unknown method", b"BREW / HTTP/1.1\r\n" + t.host_line + b"\r\n"
    yield "OPTIONS *", b"OPTIONS * HTTP/1.1\r\n" + t.host_line + b"\r\n"


def framing(t, rng):
    """The end of each is found: the request behind it is answered too, however the bytes are cut."""
    for name, data in accepted_shapes(t):
        for piece in (len(data) + 1000, 1, 3, 100):
            if len(data) / piece > 3000:
                continue
            with contextlib.closing(t.connect()) as s:
                whole = data + t.get(b"Connection: close\r\n")
                is_sent = all(send(s, whole[at:at + piece]) for at in range(0, len(whole), piece))
                r = Reader(s)
                try:
                    first = r.final()
                    if first is None or first[0] == 400 and first[1].get("content-type", "").startswith("text/plain"):
                        raise Broken("refused: %r" % (first,))
                    if first[1].get("connection", "").lower() == "close":
                        continue  # a handler may end the connection
                    if r.final() is None or not is_sent:
                        raise Broken("the request behind it was not answered")
                    r.expect_end()
                except Broken as e:
                    raise Broken("%s in pieces of %d: %s" % (name, piece, e))


def head_and_expect(t, rng):
    with contextlib.closing(t.connect()) as s:
        r = Reader(s)
        send(s, t.get(method=b"HEAD") + t.get())
        head = r.final(to_head=True)
        if head is None or r.final() is None:
            raise Broken("HEAD is not followed by the next reply: it had a body")
    with contextlib.closing(t.connect()) as s:
        r = Reader(s)
        send(s, t.post(b"Expect: 100-continue\r\nContent-Length: 5\r\n"))
        reply = r.reply()
        if reply is None:
            raise Broken("Expect: 100-continue is not answered")
        if reply[0] == 100:
            send(s, b"hello" + t.get(b"Connection: close\r\n"))
            if r.final() is None or r.final() is None:
                raise Broken("nothing after 100 Continue")
            r.expect_end()
    with contextlib.closing(t.connect()) as s:  # the body comes without waiting
        r = Reader(s)
        send(s, t.post(b"Expect: 100-continue\r\nContent-Length: 5\r\n", b"hello") + t.get(b"Connection: close\r\n"))
        if r.final() is None:
            raise Broken("a body that did not wait is not answered")
    with contextlib.closing(t.connect()) as s:
        r = Reader(s)
        send(s, b"GET " + t.path + b" HTTP/1.0\r\n\r\n")
        if r.final() is None:
            raise Broken("HTTP/1.0 is not answered")
        r.expect_end()


# == Clients that leave, dawdle or flood ==

def half_requests(t, rng):
    whole = t.post(b"Content-Length: 50\r\nX-Header: value\r\n", b"x" * 49)
    chunks = t.post(b"Transfer-Encoding: chunked\r\n", b"5;e=f\r\nhello\r\n0\r\nT: v\r\n")
    for data in (whole, chunks):
        for size in range(0, len(data), 3):
            s = t.connect()
            send(s, data[:size])
            if size % 2:
                reset(s)
            else:
                s.close()


def large_bodies_abandoned(t, rng):
    for index in range(40):
        s = t.connect()
        send(s, t.post(b"Content-Length: 4000000\r\n", b"x" * rng.randrange(0, 300000)))
        if index % 2:
            reset(s)
        else:
            s.close()


def slow_senders(t, rng):
    """One byte at a time, many at once: an honest client beside them does not wait for them."""
    data = t.post(b"Content-Length: 5\r\n", b"hello")
    sockets = [t.connect() for _ in range(50)]
    for at in range(len(data)):
        for s in sockets:
            send(s, data[at:at + 1])
        if at % 20 == 0:
            honest(t)
    for s in sockets:
        if Reader(s).final() is None:
            raise Broken("a slow sender was not answered")
        s.close()


def slow_readers(t, rng):
    """Asks much, reads nothing for a while: the others are served, and in the end everything arrives in order."""
    count = 3000
    sockets = [t.connect(receive_buffer=4096) for _ in range(8)]
    threads = [threading.Thread(target=send, args=(s, t.get() * count), daemon=True) for s in sockets]
    for thread in threads:
        thread.start()
    for _ in range(20):
        honest(t)
        time.sleep(0.02)
    for s in sockets[4:]:
        reset(s)
    for s in sockets[:4]:
        r = Reader(s)
        for index in range(count):
            reply = r.final()
            if reply is None:
                raise Broken("only %d of %d replies" % (index, count))
            if reply[1].get("connection", "").lower() == "close":
                break
        s.close()


def pipelining_flood(t, rng):
    """Clients that send without end and never wait: an honest one is still served."""
    stop = threading.Event()

    def flood():
        with contextlib.suppress(OSError), contextlib.closing(t.connect()) as s:
            s.setblocking(False)
            block, at = t.get() * 200, 0
            would_block = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
            while not stop.is_set():
                moved = False
                with contextlib.suppress(*would_block):
                    at = (at + s.send(block[at:])) % len(block)
                    moved = True
                with contextlib.suppress(*would_block):
                    moved = bool(s.recv(1 << 20))
                if not moved:
                    select.select([s], [], [], 0.01)

    threads = [threading.Thread(target=flood, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        slowest = 0.0
        for _ in range(50):
            start = time.monotonic()
            honest(t)
            slowest = max(slowest, time.monotonic() - start)
    finally:
        stop.set()
        for thread in threads:
            thread.join(WAIT)
    return "slowest honest request %.0f ms" % (slowest * 1000)


def many_idle(t, rng):
    sockets = [t.connect() for _ in range(400)]
    honest(t, 10)
    for s in rng.sample(sockets, 50):
        send(s, t.get())
        if Reader(s).final() is None:
            raise Broken("an idle connection is not served any more")
    for s in sockets:
        s.close()


def connection_churn(t, rng):
    for index in range(600):
        s = t.connect()
        if index % 3 == 0:
            send(s, t.get())
        if index % 2:
            reset(s)
        else:
            s.close()


def garbage(t, rng):
    good = t.post(b"Content-Length: 5\r\nX-A: b\r\n", b"hello")
    for index in range(400):
        data = bytearray(good * 2)
        kind = index % 4
        if kind == 0:
            data = bytearray(rng.randrange(256) for _ in range(rng.randrange(1, 3000)))
        else:
            for _ in range(rng.randrange(1, 6)):
                at = rng.randrange(len(data))
                if kind == 1:
                    data[at] = rng.randrange(256)
                elif kind == 2:
                    del data[at:at + rng.randrange(1, 10)]
                else:
                    data[at:at] = bytes(rng.choice(b"\r\n\0 :\t;,5") for _ in range(rng.randrange(1, 5)))
        with contextlib.closing(t.connect()) as s:
            send(s, bytes(data))
            if not t.tls:
                s.shutdown(socket.SHUT_WR)
                r = Reader(s)
                for _ in range(10):  # whatever is answered is framed properly
                    if r.final() is None:
                        break


def tls_hello_or_plain(t, rng):
    """The other protocol on this port, and pieces of a handshake."""
    hello = bytes.fromhex("160301020001000 1fc0303".replace(" ", "")) + bytes(rng.randrange(256) for _ in range(500))
    for size in (1, 5, 11, 100, len(hello)):
        with contextlib.closing(t.connect(plain=True)) as s:
            send(s, hello[:size] if not t.tls or size < len(hello) else t.get())
            if size > 11:
                s.settimeout(2)
                with contextlib.suppress(OSError):
                    while s.recv(4096):
                        pass


GROUPS = (refusals, framing, head_and_expect, half_requests, large_bodies_abandoned, slow_senders, slow_readers,
          pipelining_flood, many_idle, connection_churn, garbage, tls_hello_or_plain)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="host:port of the server")
    parser.add_argument("--tls", action="store_true", help="speak TLS; the certificate is not verified")
    parser.add_argument("--path", default="/", help="a path that is answered at once")
    parser.add_argument("--only", help="run this group only: " + ", ".join(g.__name__ for g in GROUPS))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    host, _, port = options.address.rpartition(":")
    t = Target(host.strip("[]"), int(port), options.tls, options.path)
    failures = 0
    for group in GROUPS:
        if options.only and options.only != group.__name__:
            continue
        start = time.monotonic()
        try:
            note = group(t, random.Random(options.seed))
            honest(t, 3)
            print("ok    %-24s %.1f s %s" % (group.__name__, time.monotonic() - start, note or ""), flush=True)
        except (Broken, OSError) as e:
            failures += 1
            print("FAIL  %-24s %s" % (group.__name__, e), flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
