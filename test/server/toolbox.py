"""toolbox.py: what a test of the whole server needs: processes that are surely ended, certificates, waiting."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from process import sanitizer_report
from wire import Client, free_port, trusting

WAIT = 30.0  # seconds until something that must happen counts as not happening; nothing is measured with it


class Skip(Exception):
    pass


def until(condition, what):
    """The first true value of condition(); a test that waits for ever fails."""
    deadline = time.monotonic() + WAIT
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("it never happened that " + what)
        time.sleep(0.01)


class Server:
    """One `millrace serve`. stdout and stderr are one file, `text()`."""

    def __init__(self, toolbox, arguments, environment, directory, port, before=()):
        self.directory, self.port = directory, port
        self.log_path = toolbox.path("server-%d.log" % len(toolbox.servers))
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MILLRACE_")) and k != "NOTIFY_SOCKET"}
        clean.update(environment)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([*before, toolbox.millrace, "serve"] + arguments, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=clean, cwd=toolbox.directory)

    def text(self):
        return pathlib.Path(self.log_path).read_text("utf-8", "replace")

    def ready(self):
        until(lambda: "info started" in self.text() or self.process.poll() is not None, "the server starts")
        assert self.process.poll() is None, "it left with %d: %s" % (self.process.returncode, self.text())
        return self

    def client(self, **options):
        return Client("127.0.0.1", self.port, **options)

    def send(self, number):
        self.process.send_signal(number)

    def reload(self, event):
        """SIGHUP, then until one more line of that event stands in the log."""
        before = self.text().count(" " + event)
        self.send(signal.SIGHUP)
        until(lambda: self.text().count(" " + event) > before, "the log says " + event)

    def wait(self):
        return self.process.wait(WAIT)

    def stop(self, number=signal.SIGTERM, code=0):
        self.send(number)
        left = self.wait()
        assert left == code, "it left with %d instead of %d" % (left, code)
        return self.text()


class Toolbox:
    def __init__(self, millrace):
        self.millrace = millrace
        self.directory = tempfile.mkdtemp(prefix="millrace-server-")
        self.servers = []
        self.ends = []

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text, mode=0o600):
        path = self.path(name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def server(self, *arguments, environment=None, data="data", listen=None, port=None, before=()):
        """Starts one on a free port of 127.0.0.1, or at `listen`; not waited for. `before`: words of a program that starts it."""
        port = port or free_port()
        listen = ["--listen", listen or "127.0.0.1:%d" % port] if listen != "" else []
        fixed = ["--data-dir", self.path(data)] if data else []
        s = Server(self, fixed + listen + list(arguments), environment or {}, self.path(data) if data else None, port, before)
        self.servers.append(s)
        return s

    def refused(self, code, *arguments, words=(), **options):
        """It must end by itself with that code, having said these words in one sentence on stderr."""
        s = self.server(*arguments, **options)
        left = s.wait()
        lines = [line for line in s.text().splitlines() if line.startswith("millrace: ")]
        assert left == code, "it left with %d instead of %d: %s" % (left, code, s.text())
        assert len(lines) == 1, s.text()
        for word in words:
            assert word in lines[0], "%r is not in %r" % (word, lines[0])

    def at_close(self, end):
        """Called after the servers are gone."""
        self.ends.append(end)

    def run(self, *arguments, code=0):
        done = subprocess.run([self.millrace] + list(arguments), stdin=subprocess.DEVNULL, capture_output=True, timeout=WAIT,
                              cwd=self.directory)
        assert done.returncode == code, "%s: %d instead of %d: %s" % (
            arguments, done.returncode, code, (done.stdout + done.stderr)[-500:].decode("utf-8", "replace"))
        return done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")

    def certificate(self, name="millrace", serial=1):
        """(certificate, key): self-signed for localhost, 127.0.0.1 and ::1."""
        if not shutil.which("openssl"):
            raise Skip("the openssl command is not installed")
        cert, key = self.path("cert-%d.pem" % serial), self.path("key-%d.pem" % serial)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-set_serial", str(serial), "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1",
             "-keyout", key, "-out", cert], check=True, capture_output=True, timeout=WAIT)
        return cert, key

    def reports(self):
        return "".join(sanitizer_report(s.text()) for s in self.servers)

    def tails(self):
        return "".join("\n-- %s\n%s" % (s.log_path, s.text()[-1500:]) for s in self.servers)

    def close(self):
        for s in self.servers:
            if s.process.poll() is None:
                s.process.kill()
                s.process.wait()
        for end in reversed(self.ends):
            end()
        shutil.rmtree(self.directory, ignore_errors=True)


__all__ = ["Client", "Server", "Skip", "Toolbox", "free_port", "trusting", "until"]
