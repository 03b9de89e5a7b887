"""How the program starts, refuses to, and ends."""

import datetime
import http.client
import os
import pathlib
import re
import signal
import socket
import threading

from toolbox import Client, free_port, trusting, until


def test_words_for_people(t):
    out, _ = t.run("--help")
    for command in ("serve", "doctor", "log", "backup", "version"):
        assert "\n  " + command in out, out
    out, _ = t.run("serve", "--help")
    for option in ("--data-dir", "--listen", "--tls-cert", "--accounts", "--durability", "--threads", "--config", "--quotas"):
        assert option in out, out
    for words in (("serve", "--help"), ("doctor", "-h"), ("log", "--help"), ("backup", "--help"), ("help", "log")):
        out, _ = t.run(*words)
        assert out.startswith("usage: millrace ") and "Exit codes:" in out and "\n  74 " in out, out
    assert t.run("version")[0].startswith("millrace ")
    assert t.run("--version") == t.run("version")
    for wrong in ((), ("dance",), ("log",), ("log", "dance", "x"), ("backup",), ("doctor", "--dance"), ("help", "dance")):
        assert t.run(*wrong, code=64)[1].startswith("millrace: "), wrong


def test_wrong_options(t):
    t.refused(64, "--dance", words=["--dance is not an option"])
    t.refused(64, "--threads", "many", words=["threads", "many", "whole number"])
    t.refused(64, "--durability", "maybe", words=["durability", "fsync|os|memory"])
    t.refused(64, "--config", "/nonexistent", words=["/nonexistent"])
    t.refused(64, environment={"MILLRACE_THREADS": "x"}, words=["threads"])
    t.refused(64, listen="127.0.0.1", words=["127.0.0.1"])
    t.refused(64, listen="localhost.example:1", words=["localhost.example:1"])


def test_first_start(t):
    s = t.server().ready()
    text = s.text()
    assert "is ready at http://127.0.0.1:%d (data in %s, durability fsync)" % (s.port, s.directory) in text, text
    assert 'access key "test", secret "test" (account 000000000000)' in text
    assert text.count("  aws --endpoint-url http://127.0.0.1:%d sqs " % s.port) == 3
    c = s.client()
    assert c.call("CreateQueue", {"QueueName": "q"})["QueueUrl"] == "http://127.0.0.1:%d/000000000000/q" % s.port
    assert "stopped clean=true" in s.stop()


def test_restart_keeps_and_sigint(t):
    s = t.server().ready()
    c = s.client()
    c.call("CreateQueue", {"QueueName": "q"})
    for i in range(20):
        c.call("SendMessage", {"QueueUrl": "q", "MessageBody": "m%d" % i})
    s.stop(signal.SIGINT)
    s = t.server().ready()
    c, bodies = s.client(), set()
    while True:
        got = c.call("ReceiveMessage", {"QueueUrl": "q", "MaxNumberOfMessages": 10}).get("Messages")
        if not got:
            break
        bodies |= {m["Body"] for m in got}
    assert bodies == {"m%d" % i for i in range(20)}
    s.stop()


def test_long_polls_end_at_stop(t):
    s = t.server().ready()
    s.client().call("CreateQueue", {"QueueName": "q"})
    replies = []

    def poll():
        replies.append(s.client().json("ReceiveMessage", {"QueueUrl": "q", "WaitTimeSeconds": 20}))

    threads = [threading.Thread(target=poll) for _ in range(5)]
    for thread in threads:
        thread.start()
    c = s.client()
    until(lambda: b"millrace_connections 6" in c.send("GET", "/metrics", signed=False).body, "all polls are there")
    c.close()
    s.stop()
    for thread in threads:
        thread.join()
    assert [r.status for r in replies] == [200] * 5
    assert all(r.body == b"{}" and r.headers["connection"] == "close" for r in replies), [r.body for r in replies]


def test_a_second_sigterm_ends_at_once(t):
    s = t.server().ready()
    held = socket.create_connection(("127.0.0.1", s.port))
    held.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
    until(lambda: b"millrace_connections 2" in s.client().send("GET", "/metrics", signed=False).body, "it is there")
    s.send(signal.SIGTERM)
    until(lambda: "info stopping" in s.text(), "it drains")
    assert s.process.poll() is None
    s.send(signal.SIGTERM)
    assert s.wait() == 128 + signal.SIGTERM
    assert "stopped clean" not in s.text()
    held.close()
    t.server().ready().stop()


def test_a_start_is_broken_off(t):
    """A start may take long; here it waits for a pipe that nobody writes into."""
    os.mkfifo(t.path("accounts"), 0o600)
    for number in (signal.SIGTERM, signal.SIGINT):
        s = t.server("--accounts", t.path("accounts"))
        until(lambda: threads_of(s) > 1, "it watches for signals")
        assert "before the start was over" in s.stop(number)


def threads_of(s):
    return len(os.listdir("/proc/%d/task" % s.process.pid))


def test_a_slow_client_does_not_hold_up_the_stop(t):
    s = t.server().ready()
    held = socket.create_connection(("127.0.0.1", s.port))
    held.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
    until(lambda: b"millrace_connections 2" in s.client().send("GET", "/metrics", signed=False).body, "it is there")
    assert "stopped clean=true" in s.stop()
    held.close()


def test_one_process_a_directory_and_a_port(t):
    s = t.server().ready()
    t.refused(69, words=["another process uses this data directory", s.directory])
    t.refused(69, data="other", port=s.port, words=["cannot listen on 127.0.0.1:%d" % s.port])
    s.stop()
    t.server(data="other").ready().stop()


def test_other_addresses_are_guarded(t):
    cert, key = t.certificate()
    accounts = t.write("accounts", "AKIA1 secret 111122223333\n")
    outside = "192.0.2.1:%d" % free_port()  # documentation's own network: nobody has it
    guarded = ["is not a loopback address", "--accounts", "--insecure-dev-anywhere"]
    t.refused(64, listen=outside, words=guarded)
    t.refused(64, listen="0.0.0.0:%d" % free_port(), words=guarded)
    t.refused(64, listen="[::]:%d" % free_port(), words=guarded)
    t.refused(64, listen="[::ffff:192.0.2.1]:%d" % free_port(), words=guarded)
    t.refused(64, "--accounts", accounts, listen=outside, words=guarded)
    t.refused(64, "--tls-cert", cert, "--tls-key", key, listen="https://" + outside, words=guarded)
    t.refused(64, "--listen", outside, words=guarded)  # beside a harmless one
    # said so, or with both: then it is only the kernel that does not have the address
    t.refused(69, "--insecure-dev-anywhere", listen=outside, words=["cannot listen on", outside])
    t.refused(69, "--accounts", accounts, "--tls-cert", cert, "--tls-key", key, listen="https://" + outside, words=["cannot listen on"])
    t.refused(64, listen=outside, environment={"MILLRACE_INSECURE_DEV_ANYWHERE": ""}, words=guarded)


def test_data_of_other_versions_and_damage(t):
    s = t.server().ready()
    c = s.client()
    c.call("CreateQueue", {"QueueName": "q"})
    for _ in range(50):
        c.call("SendMessage", {"QueueUrl": "q", "MessageBody": "x" * 500})
    s.send(signal.SIGKILL)  # no snapshot: the journal is what there is
    s.wait()
    format_file = pathlib.Path(s.directory, "format")
    was = format_file.read_text()
    format_file.write_text("millrace 99\nlogs 64\nspan 67108864\n")
    t.refused(76, words=["newer version"])
    format_file.write_text("nonsense")
    t.refused(65, words=["format"])
    format_file.write_text(was)
    segment = sorted(pathlib.Path(s.directory).glob("journal-*.seg"))[0]
    content = bytearray(segment.read_bytes())
    at = content.index(b"x" * 500)
    content[at + 100] ^= 1
    segment.write_bytes(content)
    t.refused(65, words=[s.directory])
    content[at + 100] ^= 1
    segment.write_bytes(content)
    t.server().ready().stop()


def test_a_directory_that_cannot_be(t):
    t.write("file", "")
    t.refused(74, data="file/below", words=["file/below"])
    t.refused(74, data="no/such/parent", words=["no/such/parent"])


def test_memory_only(t):
    s = t.server("--durability", "memory").ready()
    assert "(data in memory, durability memory)" in s.text()
    s.client().call("CreateQueue", {"QueueName": "q"})
    s.stop()
    assert not pathlib.Path(s.directory).exists()


def all_options(t, ports):
    """Every option with a value that is not its default; lists with two."""
    cert, key = t.certificate()
    return {
        "data-dir": t.path("elsewhere"),
        "listen": ["127.0.0.1:%d" % ports[0], "https://127.0.0.1:%d" % ports[1]],
        "tls-cert": cert,
        "tls-key": key,
        "accounts": t.write("accounts", "AKIA1 secret 111122223333\n"),
        "durability": "os",
        "threads": "3",
        "public-url": "https://queues.example",
        "cors-origins": ["https://one.example", "https://two.example"],
        "trusted-proxies": ["10.0.0.0/8", "127.0.0.1"],
        "clock-window": "7200",
        "quotas": "aws",
        "max-connections": "3",
        "segment-mib": "8",
        "snapshot-mib": "1",
        "insecure-dev-anywhere": "true",
        "accept-future-log": "true",
        "log-level": "debug",
    }


def check_options(t, s, ports):
    text = s.text()
    assert "http://127.0.0.1:%d and https://127.0.0.1:%d (data in %s, durability os)" % (*ports, t.path("elsewhere")) in text, text
    assert "threads=3 " in text and "Credentials for development" not in text
    assert pathlib.Path(t.path("elsewhere"), "format").exists()
    c = Client("127.0.0.1", ports[0], key="AKIA1", secret="secret")
    assert c.call("CreateQueue", {"QueueName": "q"})["QueueUrl"] == "https://queues.example/111122223333/q"
    assert b"MalformedHttpRequest" in c.json("ListQueues", {}, headers={"X-Forwarded-Proto": "gopher"}).body
    hours_ago = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=110)
    assert c.json("PurgeQueue", {"QueueUrl": "q"}, now=hours_ago).status == 200
    assert b"PurgeQueueInProgress" in c.json("PurgeQueue", {"QueueUrl": "q"}).body
    for origin, status in (("https://one.example", 200), ("https://two.example", 200), ("https://three.example", 403)):
        assert c.send("GET", "/health", headers={"Origin": origin}, signed=False).status == status, origin
    secure = Client("127.0.0.1", ports[1], key="AKIA1", secret="secret", tls=trusting())
    assert secure.json("ListQueues", {}).status == 200
    third = Client("127.0.0.1", ports[0])
    assert third.send("GET", "/health", signed=False).status == 200
    try:
        Client("127.0.0.1", ports[0]).send("GET", "/health", signed=False)
        raise AssertionError("a fourth connection")
    except (OSError, http.client.HTTPException):
        pass
    for client in (c, secure, third):
        client.close()
    assert " debug request " in s.stop()
    sizes = [f.stat().st_size for f in pathlib.Path(t.path("elsewhere")).glob("journal-*.seg")]
    assert sizes and max(sizes) <= 8 * 1024 * 1024, sizes


def values_of(value):
    return value if isinstance(value, list) else [value]


def test_every_option_as_flag(t):
    ports = [free_port() for _ in range(2)]
    options = all_options(t, ports)
    named = set(re.findall(r"^  --([a-z-]+)", t.run("serve", "--help")[0], re.M))
    assert set(options) == named - {"config"}, "an option is not tested: %s" % (named ^ set(options))
    words = []
    for name, value in options.items():
        for one in values_of(value):
            words += ["--" + name] if one == "true" else ["--%s=%s" % (name, one)] if name == "threads" else ["--" + name, one]
    check_options(t, t.server(*words, data=None, listen="").ready(), ports)


def test_every_option_as_variable(t):
    ports = [free_port() for _ in range(2)]
    variables = {"MILLRACE_" + name.upper().replace("-", "_"): ",".join(values_of(value)) for name, value in all_options(t, ports).items()}
    check_options(t, t.server(environment=variables, data=None, listen="").ready(), ports)


def test_every_option_as_line(t):
    ports = [free_port() for _ in range(2)]
    lines = ["%s = %s\n" % (name, one) for name, value in all_options(t, ports).items() for one in values_of(value)]
    check_options(t, t.server("--config", t.write("millrace.conf", "".join(lines)), data=None, listen="").ready(), ports)


def test_options_of_file_and_variables(t):
    ports = [free_port() for _ in range(3)]
    file = t.write("millrace.conf", "# a comment\nlisten = 127.0.0.1:%d\ndata-dir = %s\nlog-level = debug\n" % (ports[0], t.path("of-file")))
    t.server("--config", file, data=None, listen="").ready().stop()
    assert pathlib.Path(t.path("of-file"), "format").exists()
    s = t.server(environment={"MILLRACE_CONFIG": file, "MILLRACE_LISTEN": "127.0.0.1:%d" % ports[1]}, data="of-flag", listen="").ready()
    assert "at http://127.0.0.1:%d (" % ports[1] in s.text()
    assert pathlib.Path(t.path("of-flag"), "format").exists()
    s.stop()
