"""server.py: one millrace process for one suite.

Starts `BIN serve` on a free loopback port with an empty data directory, waits
until GET /health says 200, and stops it with SIGTERM.  A suite is only green
when the server then leaves with exit code 0.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

START_SECONDS = 20
STOP_SECONDS = 20


class ServerError(Exception):
    """The server did not start, died, or did not stop cleanly."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, binary, log_path=None, extra_env=None):
        self.directory = tempfile.mkdtemp(prefix="millrace-clients-")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = log_path or os.path.join(self.directory, "server.log")
        self.binary = binary
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MILLRACE_"))}
        self.env.update(extra_env or {})
        self.start()

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--data-dir", os.path.join(self.directory, "data"),
                 "--listen", f"127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env)

    def restart(self, kill=False):
        """The same address and data again, after SIGTERM or SIGKILL."""
        if kill:
            self.process.kill()
            self.process.wait()
        else:
            self.stop()
        self.start()
        return self.wait_healthy()

    def wait_healthy(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise ServerError(f"the server left with {self.process.returncode} before it was healthy:\n{self.log_tail()}")
            try:
                with urllib.request.urlopen(self.url + "/health", timeout=2) as reply:
                    if reply.status == 200:
                        return self
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.05)
        raise ServerError(f"GET /health did not answer 200 within {START_SECONDS} s:\n{self.log_tail()}")

    def log_tail(self, size=4000):
        try:
            with open(self.log_path, "rb") as log:
                return log.read()[-size:].decode("utf-8", "replace")
        except OSError:
            return ""

    def stop(self):
        """SIGTERM; anything but exit code 0 is an error."""
        code = self.process.poll()
        if code is not None:
            raise ServerError(f"the server was already gone with {code}:\n{self.log_tail()}")
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise ServerError(f"the server did not stop within {STOP_SECONDS} s of SIGTERM")
        if code != 0:
            raise ServerError(f"the server left with {code} on SIGTERM:\n{self.log_tail()}")

    def discard(self):
        """Last resort after stop(): no process and no directory may stay."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


@contextlib.contextmanager
def running(binary, log_path=None, extra_env=None):
    server = Server(binary, log_path, extra_env)
    try:
        yield server.wait_healthy()
        server.stop()
    finally:
        server.discard()


def client_environment(url):
    """What an unpatched client needs to find the server."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_PAGER": "",
    }
