"""Certificates, several addresses, IPv6."""

import pathlib
import shutil
import socket
import ssl
import subprocess

from toolbox import Client, Skip, free_port, trusting, until


def peer_serial(port, context=None):
    """(the serial number of the certificate, the open connection)"""
    raw = socket.create_connection(("127.0.0.1", port), timeout=30)
    s = (context or trusting()).wrap_socket(raw, server_hostname="localhost")
    der = s.getpeercert(binary_form=True)
    text = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-serial"], input=der, capture_output=True, check=True).stdout
    return int(text.decode().strip().split("=")[1], 16), s


def request(s):
    s.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(65536)
        if not more:
            return data
        data += more
    return data


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def test_several_addresses(t):
    cert, key = t.certificate()
    plain, secure, six = free_port(), free_port(), free_port()
    listen = ["--listen", "https://127.0.0.1:%d" % secure] + (["--listen", "[::1]:%d" % six] if has_ipv6() else [])
    s = t.server("--tls-cert", cert, "--tls-key", key, *listen, port=plain).ready()
    assert "http://127.0.0.1:%d and https://127.0.0.1:%d" % (plain, secure) in s.text()
    verified = ssl.create_default_context(cafile=cert)
    c = Client("127.0.0.1", plain)
    assert c.call("CreateQueue", {"QueueName": "q"})["QueueUrl"] == "http://127.0.0.1:%d/000000000000/q" % plain
    c = Client("localhost", secure, tls=verified)
    assert c.call("GetQueueUrl", {"QueueName": "q"})["QueueUrl"] == "https://localhost:%d/000000000000/q" % secure
    c.call("SendMessage", {"QueueUrl": "q", "MessageBody": "over TLS " + "x" * 200000})
    if has_ipv6():
        c = Client("::1", six)
        url = c.call("GetQueueUrl", {"QueueName": "q"})["QueueUrl"]
        assert url == "http://[::1]:%d/000000000000/q" % six, url
        assert c.call("ReceiveMessage", {"QueueUrl": url})["Messages"][0]["Body"].startswith("over TLS ")
    s.stop()


def test_versions_of_tls(t):
    cert, key = t.certificate()
    port = free_port()
    s = t.server("--tls-cert", cert, "--tls-key", key, listen="https://127.0.0.1:%d" % port).ready()
    for version, is_fine in ((ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_1, False)):
        context = trusting()
        context.set_ciphers("ALL:@SECLEVEL=0")
        try:
            context.minimum_version = context.maximum_version = version
            _, connection = peer_serial(port, context)
            assert is_fine, version
            assert b"200 OK" in request(connection)
            connection.close()
        except ssl.SSLError:
            assert not is_fine, version
    with socket.create_connection(("127.0.0.1", port)) as plain:  # not TLS at all
        plain.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        plain.settimeout(30)
        assert b"HTTP/1.1" not in plain.recv(100)
    assert b"200 OK" in request(peer_serial(port)[1])
    s.stop()


def test_curl(t):
    if not shutil.which("curl"):
        raise Skip("curl is not installed")
    cert, key = t.certificate()
    port = free_port()
    s = t.server("--tls-cert", cert, "--tls-key", key, listen="https://127.0.0.1:%d" % port).ready()
    url = "https://localhost:%d/health" % port
    done = subprocess.run(["curl", "-sS", "--cacert", cert, url], capture_output=True, timeout=30)
    assert done.returncode == 0 and b'"status":"ok"' in done.stdout, done
    assert subprocess.run(["curl", "-sS", url], capture_output=True, timeout=30).returncode == 60  # not trusted
    s.stop()


def test_refusals(t):
    cert, key = t.certificate(serial=1)
    other_cert, _ = t.certificate(serial=2)
    listen = "https://127.0.0.1:%d" % free_port()
    t.refused(64, listen=listen, words=["https://", "--tls-cert", "--tls-key"])
    t.refused(64, "--tls-cert", cert, listen=listen, words=["--tls-key"])
    t.refused(64, "--tls-cert", cert, "--tls-key", t.path("nothing"), listen=listen, words=["TLS on"])
    t.refused(64, "--tls-cert", other_cert, "--tls-key", key, listen=listen, words=["TLS on"])
    t.refused(64, "--tls-cert", t.write("empty", ""), "--tls-key", key, listen=listen, words=["TLS on"])


def test_certificates_are_reloaded(t):
    cert, key = t.certificate(serial=1)
    new_cert, new_key = t.certificate(serial=2)
    port = free_port()
    s = t.server("--tls-cert", cert, "--tls-key", key, listen="https://127.0.0.1:%d" % port).ready()
    serial, old = peer_serial(port)
    assert serial == 1
    pathlib.Path(cert).write_bytes(pathlib.Path(new_cert).read_bytes())
    s.reload("tls_reload_failed")  # the key does not belong to it: the old pair stays
    assert peer_serial(port)[0] == 1
    pathlib.Path(key).write_bytes(pathlib.Path(new_key).read_bytes())
    s.reload("tls_reloaded")
    assert peer_serial(port)[0] == 2
    assert b"200 OK" in request(old)  # who was there before is not disturbed
    pathlib.Path(cert).write_text("nonsense")
    s.reload("tls_reload_failed")
    assert peer_serial(port)[0] == 2
    old.close()
    s.stop()


def test_waiting_under_tls(t):
    """A long poll over TLS is woken like any other."""
    cert, key = t.certificate()
    port, plain = free_port(), free_port()
    s = t.server("--tls-cert", cert, "--tls-key", key, "--listen", "https://127.0.0.1:%d" % port, port=plain).ready()
    c = s.client()
    c.call("CreateQueue", {"QueueName": "q"})
    _, waiting = peer_serial(port)
    from wire import sign
    body = b'{"QueueUrl":"q","WaitTimeSeconds":20}'
    headers = sign("POST", "/", {"Host": "localhost", "X-Amz-Target": "AmazonSQS.ReceiveMessage", "Content-Length": len(body)}, body)
    waiting.sendall(b"POST / HTTP/1.1\r\n" + "".join("%s: %s\r\n" % h for h in headers.items()).encode() + b"\r\n" + body)
    until(lambda: b"millrace_connections 2" in c.send("GET", "/metrics", signed=False).body, "it waits")
    c.call("SendMessage", {"QueueUrl": "q", "MessageBody": "woken"})
    waiting.settimeout(30)
    data = b""
    while b"woken" not in data:
        more = waiting.recv(65536)
        assert more, data
        data += more
    waiting.close()
    s.stop()
