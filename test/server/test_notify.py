"""systemd's notification socket, by path and in the abstract namespace; and when it is not there."""

import os
import signal
import socket


def listener(address):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.settimeout(30)
    s.bind(address)
    return s


def check(t, address, name):
    with listener(address) as notify:
        s = t.server(environment={"NOTIFY_SOCKET": name})
        assert notify.recv(100) == b"READY=1"
        assert s.client().send("GET", "/health", signed=False).status == 200  # ready means ready
        s.send(signal.SIGHUP)
        assert notify.recv(100) == b"RELOADING=1"
        assert notify.recv(100) == b"READY=1"
        s.send(signal.SIGTERM)
        assert notify.recv(100) == b"STOPPING=1"
        assert s.wait() == 0


def test_by_path(t):
    check(t, t.path("notify"), t.path("notify"))


def test_abstract(t):
    name = "millrace-test-%d" % os.getpid()
    check(t, "\0" + name, "@" + name)


def test_nobody_listens(t):
    for name in (t.path("nothing"), "relative", "", "@", "/" + "x" * 200):
        t.server(environment={"NOTIFY_SOCKET": name}, data="d%d" % len(name)).ready().stop()


def test_nothing_of_a_failed_start(t):
    with listener(t.path("notify")) as notify:
        t.refused(64, "--threads", "x", environment={"NOTIFY_SOCKET": t.path("notify")})
        notify.settimeout(0)
        try:
            raise AssertionError(notify.recv(100))
        except BlockingIOError:
            pass
