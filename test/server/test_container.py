"""As in a container: process 1 of its namespace, with limits of memory and processors."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess

from toolbox import Skip, until
from wire import sign

MIB = 1024 * 1024


def unshared(t, *arguments):
    """A server that is process 1, and its number outside."""
    tool = shutil.which("unshare")
    words = [tool or "unshare", "--pid", "--fork", "--kill-child"] + ([] if os.getuid() == 0 else ["--user", "--map-root-user"])
    if not tool or not shutil.which("nsenter") or subprocess.run(words + ["true"], capture_output=True).returncode:
        raise Skip("there is no unshare and nsenter, or they may not be used")
    s = t.server(*arguments, before=words).ready()
    children = pathlib.Path("/proc/%d/task/%d/children" % (s.process.pid, s.process.pid)).read_text()
    return s, int(children)


def test_process_1(t):
    """Signals work although the kernel shields process 1 from those without a handler; orphans are not kept."""
    s, inside = unshared(t)
    assert "NSpid:\t%d\t1\n" % inside in pathlib.Path("/proc/%d/status" % inside).read_text()
    subprocess.run(["nsenter", "--target", str(inside), "--pid", "--user", "--preserve-credentials"][:4 if os.getuid() == 0 else None]
                   + ["sh", "-c", "(exec sleep 0.01) & (exec sleep 0.01) &"], check=True, timeout=30)
    children = pathlib.Path("/proc/%d/task/%d/children" % (inside, inside))
    until(lambda: not children.read_text().strip(), "children that ended are gone")
    s.client().call("CreateQueue", {"QueueName": "q"})
    os.kill(inside, signal.SIGTERM)
    assert s.wait() == 0
    assert "stopped clean=true" in s.text()


def control_group(t, controller, limits):
    """Two directories with these limits (version 1, version 2), whichever the machine has; where to put a process."""
    for root, values in (("/sys/fs/cgroup/" + controller, limits[0]), ("/sys/fs/cgroup", limits[1])):
        group = pathlib.Path(root, "millrace-test-%d" % os.getpid())
        if not os.path.exists(os.path.join(root, "cgroup.procs")):
            continue
        with contextlib.suppress(OSError):
            group.mkdir()
            t.at_close(group.rmdir)
            for name, value in values.items():
                (group / name).write_text(value)
            return group
    raise Skip("no control group with a limit of %s can be made" % controller)


def inside(group):
    return ["sh", "-c", 'echo $$ > "%s/cgroup.procs" && exec "$0" "$@"' % group]


def test_processors(t):
    group = control_group(t, "cpu", ({"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "100000"}, {"cpu.max": "100000 100000"}))
    s = t.server(before=inside(group)).ready()
    assert "threads=1 " in s.text()
    s.stop()


def gauge(client, name):
    text = client.send("GET", "/metrics", signed=False).body.decode()
    return [float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " ")][0]


def bodies(port, head):
    """240 MiB of bodies are announced and nearly sent."""
    for _ in range(60):
        s = socket.create_connection(("127.0.0.1", port), timeout=30)
        yield s
        with contextlib.suppress(ConnectionError):
            s.sendall(head)
            for _ in range(63):
                s.sendall(b"x" * 65536)


def head_of(headers):
    headers = dict({"Host": "x", "Content-Length": 4 * MIB}, **headers)
    return b"POST / HTTP/1.1\r\n" + "".join("%s: %s\r\n" % pair for pair in headers.items()).encode() + b"\r\n"


def first_bytes(s):
    s.setblocking(False)
    with contextlib.suppress(OSError):
        return s.recv(100)


def test_memory(t):
    """What clients can make the server hold follows the limit, and strangers have little of it: it refuses, and is not killed."""
    if "asan" in t.millrace or "tsan" in t.millrace:
        raise Skip("a sanitizer needs more than the limit for itself")
    group = control_group(t, "memory", ({"memory.limit_in_bytes": str(128 * MIB)}, {"memory.max": str(128 * MIB)}))
    s = t.server(before=inside(group)).ready()
    assert "little_memory limit_mib=128 " in s.text()
    c = s.client()
    assert gauge(c, "millrace_http_body_budget_bytes") == 32 * MIB
    c.call("CreateQueue", {"QueueName": "q"})
    for headers, count in (({}, 1), (sign("POST", "/", {"Host": "x"}, b""), 8)):
        with contextlib.ExitStack() as held:
            all_of_them = [held.enter_context(contextlib.closing(one)) for one in bodies(s.port, head_of(headers))]
            until(lambda: gauge(c, "millrace_http_body_bytes") == 4 * count * MIB, "the budget is used up")
            assert c.call("GetQueueUrl", {"QueueName": "q"})["QueueUrl"].endswith("/q")
            refused = [one for one in all_of_them if (first_bytes(one) or b"").startswith(b"HTTP/1.1 503 ")]
            assert len(refused) == 60 - count, len(refused)
        until(lambda: gauge(c, "millrace_http_body_bytes") == 0, "the memory is given back")
    s.stop()
