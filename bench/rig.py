"""rig.py: the processes a benchmark run is made of, and the two ways to speak to them.

    Rig ──starts──> Ceiling, Millrace (several, by kind), load, disk
     └── cells: one short measurement each, with its own queue, checked afterwards

Everything listens on 127.0.0.1, lives under one work directory and ends with the run.
"""
import ctypes
import datetime
import hashlib
import hmac
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ACCOUNT = "000000000000"

# The server's command line, in one place. A kind of server is the default one plus flags.
SERVE = ["serve", "--data-dir", "{data}", "--listen", "{scheme}127.0.0.1:{port}"]
KINDS = {
    "default": [],
    "threads1": ["--threads", "1"],
    "threads2": ["--threads", "2"],
    "tls": ["--tls-cert", "{certificate}", "--tls-key", "{key}"],
    "os": ["--durability", "os"],
    "memory": ["--durability", "memory"],
    "standing": [],   # keeps the deep backlog
    "scratch": [],    # for figures that need a server of their own
    "forgotten": [],  # FIFO messages whose ids are forgotten
}
READY_LIMIT_S = 60
STOP_LIMIT_S = 20
REST_LIMIT_S = 20
REST_LOOK_S = 0.2
REST_SHARE = 0.05  # of all processors


class NotMeasured(Exception):
    """A figure, or what it needs, could not be had; the text says why."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def die_with_parent():
    """In the child: no server outlives a benchmark that was killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG


class Process:
    """A child in the background; its output goes to a file."""

    def __init__(self, name, command, log_dir, env=None, cwd=None):
        self.name = name
        self.log_path = os.path.join(log_dir, f"{name}.log")
        with open(self.log_path, "ab") as log:
            try:
                self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL,
                                              env=env, cwd=cwd, start_new_session=True, preexec_fn=die_with_parent)
            except OSError as error:
                raise NotMeasured(f"{name} cannot be started: {error}") from error

    @property
    def pid(self):
        return self.child.pid

    def last_words(self):
        with open(self.log_path, errors="replace") as log:
            lines = [line.strip() for line in log if line.strip()]
        return lines[-1][:200] if lines else "it said nothing"

    def require_alive(self):
        if self.child.poll() is not None:
            raise NotMeasured(f"{self.name} ended with code {self.child.returncode}: {self.last_words()}")

    def stop(self):
        """Ends the child; what it printed on stdout."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.communicate(timeout=STOP_LIMIT_S)[0]
        except subprocess.TimeoutExpired:
            self.child.kill()
            return self.child.communicate()[0]

    def kill(self):
        self.child.kill()
        self.child.communicate()


def wait_for(process, probe, limit_s=READY_LIMIT_S, pause_s=0.002):
    """Seconds until probe() is true."""
    start = time.monotonic()
    while not probe():
        process.require_alive()
        if time.monotonic() - start > limit_s:
            raise NotMeasured(f"{process.name} was not ready within {limit_s} s")
        time.sleep(pause_s)
    return time.monotonic() - start


def busy_ticks():
    """What all processors together have spent so far: busy, and in all."""
    with open("/proc/stat") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def rest(limit_s=REST_LIMIT_S):
    """Waits until what ran before has come to its end altogether: a JVM goes on for a second, a server writes a snapshot, and
    whoever is measured next would pay for it."""
    end = time.monotonic() + limit_s
    before = busy_ticks()
    while time.monotonic() < end:
        time.sleep(REST_LOOK_S)
        now = busy_ticks()
        if now[0] - before[0] <= REST_SHARE * (now[1] - before[1]):
            return
        before = now


def is_open(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def http_get(port, path, tls=False, timeout_s=30):
    connection = connect(port, tls, timeout_s)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def connect(port, tls, timeout_s=30):
    if not tls:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout_s, context=context)


def is_healthy(port, tls=False):
    try:
        return http_get(port, "/health", tls, 2)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def sign(host, target, body, moment):
    """The Authorization header of a POST / with four signed headers."""
    day, scope = moment[:8], f"{moment[:8]}/us-east-1/sqs/aws4_request"
    names = "content-type;host;x-amz-date;x-amz-target"
    canonical = (f"POST\n/\n\ncontent-type:application/x-amz-json-1.0\nhost:{host}\nx-amz-date:{moment}\n"
                 f"x-amz-target:{target}\n\n{names}\n{hashlib.sha256(body).hexdigest()}")
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4test"
    for part in (day, "us-east-1", "sqs", "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return f"AWS4-HMAC-SHA256 Credential=test/{scope}, SignedHeaders={names}, Signature={key.hex()}"


def call(port, operation, members, tls=False, timeout_s=60):
    """One signed API call; the decoded reply."""
    host, body = f"127.0.0.1:{port}", json.dumps(members).encode()
    moment = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    target = f"AmazonSQS.{operation}"
    headers = {"Host": host, "Content-Type": "application/x-amz-json-1.0", "X-Amz-Date": moment,
               "X-Amz-Target": target, "Authorization": sign(host, target, body, moment)}
    connection = connect(port, tls, timeout_s)
    try:
        connection.request("POST", "/", body, headers)
        reply = connection.getresponse()
        text = reply.read()
    except (OSError, http.client.HTTPException) as error:
        raise NotMeasured(f"{operation}: {error}") from error
    finally:
        connection.close()
    if reply.status != 200:
        raise NotMeasured(f"{operation} answered {reply.status}: {text[:160].decode(errors='replace')}")
    return json.loads(text) if text else {}


def queue_url(port, name):
    return f"http://127.0.0.1:{port}/{ACCOUNT}/{name}"


def create_queue(port, name, tls=False, **attributes):
    if name.endswith(".fifo"):
        attributes["FifoQueue"] = "true"
    call(port, "CreateQueue", {"QueueName": name, "Attributes": attributes} if attributes else {"QueueName": name}, tls)


def queue_depth(port, name, tls=False):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
    reply = call(port, "GetQueueAttributes", {"QueueUrl": queue_url(port, name), "AttributeNames": names}, tls)
    return sum(int(reply.get("Attributes", {}).get(n, 0)) for n in names)


def delete_queue(port, name, tls=False):
    call(port, "DeleteQueue", {"QueueUrl": queue_url(port, name)}, tls)


def process_memory(pid):
    """Resident bytes, all and anonymous."""
    fields = {}
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            name, _, value = line.partition(":")
            if name in ("VmRSS", "RssAnon"):
                fields[name] = int(value.split()[0]) * 1024
    return fields["VmRSS"], fields.get("RssAnon", fields["VmRSS"])


class Millrace(Process):
    def __init__(self, rig, kind, data_dir):
        self.kind, self.data_dir, self.tls, self.port = kind, data_dir, kind == "tls", free_port()
        os.makedirs(data_dir, exist_ok=True)
        words = {"data": data_dir, "port": self.port, "scheme": "https://" if self.tls else "", "certificate": rig.certificate, "key": rig.key}
        command = [rig.millrace] + [word.format(**words) for word in SERVE + KINDS[kind]]
        super().__init__(f"millrace-{kind}", rig.server_prefix + command, rig.work_dir)
        self.ready_s = wait_for(self, lambda: is_healthy(self.port, self.tls), READY_LIMIT_S if not rig.server_prefix else 180)


class Rig:
    def __init__(self, options):
        self.millrace = os.path.abspath(options.millrace) if options.millrace else None
        self.tools = os.path.abspath(options.tools)
        self.work_dir = os.path.join(os.path.abspath(options.data), f"run-{os.getpid()}")
        self.rounds, self.cell_s, self.depth, self.full = options.rounds, options.cell, options.depth, options.full
        self.connections, self.peers_dir = 64, os.path.abspath(options.peers_dir)
        self.server_prefix = []
        self.servers, self.ceilings, self.others, self.peers = {}, {}, [], {}
        self.queue_number = 0
        self.cells = []  # every cell's full report, for results.json
        os.makedirs(self.work_dir)
        self.certificate, self.key = os.path.join(self.work_dir, "cert.pem"), os.path.join(self.work_dir, "key.pem")

    # --- processes ---

    def make_certificate(self):
        if os.path.exists(self.key):
            return
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                   "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                   "-keyout", self.key, "-out", self.certificate]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            raise NotMeasured("no certificate could be made: the openssl command failed")

    def server(self, kind="default"):
        if not self.millrace:
            raise NotMeasured("no --millrace binary was given")
        if not os.access(self.millrace, os.X_OK):
            raise NotMeasured("the --millrace binary does not exist or is not executable")
        if kind == "tls":
            self.make_certificate()
        server = self.servers.get(kind)
        if server and server.child.poll() is not None:
            raise NotMeasured(f"{server.name} has ended with code {server.child.returncode}: {server.last_words()}")
        if not server:
            server = self.servers[kind] = Millrace(self, kind, os.path.join(self.work_dir, f"data-{kind}"))
        return server

    def drop_server(self, kind):
        """Ends a server and removes its data."""
        server = self.servers.pop(kind, None)
        if server:
            server.stop()
            shutil.rmtree(server.data_dir, ignore_errors=True)

    def ceiling(self, tls=False, threads=None):
        threads = threads or min(os.cpu_count() or 1, 64)
        key = (tls, threads)
        if key not in self.ceilings:
            port = free_port()
            command = [self.tool("ceiling"), "--listen", f"127.0.0.1:{port}", "--threads", str(threads)]
            if tls:
                self.make_certificate()
                command += ["--tls-cert", self.certificate, "--tls-key", self.key]
            process = Process(f"ceiling-{threads}{'-tls' if tls else ''}", command, self.work_dir)
            process.port, process.tls = port, tls
            wait_for(process, lambda: is_open(port))
            self.ceilings[key] = process
        return self.ceilings[key]

    def tool(self, name):
        path = os.path.join(self.tools, name)
        if not os.access(path, os.X_OK):
            raise NotMeasured(f"the tool {name} is not built (make -C bench)")
        return path

    def close(self):
        for process in list(self.servers.values()) + list(self.ceilings.values()) + self.others + list(self.peers.values()):
            process.stop()
        shutil.rmtree(self.work_dir, ignore_errors=True)

    # --- measuring ---

    def load_command(self, port, workload, tls=False, pid=None, **options):
        options.setdefault("connections", self.connections)
        command = [self.tool("load"), "--target", f"127.0.0.1:{port}", "--workload", workload]
        for name, value in options.items():
            if value is True:
                command.append("--" + name)
            elif value not in (None, False):
                command += ["--" + name.replace("_", "-"), str(value)]
        return command + (["--tls"] if tls else []) + (["--pid", str(pid)] if pid else [])

    def load(self, target, workload, check=True, **options):
        """Runs the generator to its end; its report. Errors in replies make the cell void."""
        if "count" not in options:
            options.setdefault("duration", self.cell_s)
        command = self.load_command(target.port, workload, target.tls, target.pid, **options)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=86400)
        return self.accept(f"{target.name} {workload}", done.stdout, done.stderr, check)

    def accept(self, name, stdout, stderr, check=True):
        try:
            report = json.loads(stdout)
        except ValueError:
            raise NotMeasured(f"{name}: the generator failed: {stderr.strip()[:200]}") from None
        report["cell"] = name
        self.cells.append(report)
        if check and (report.get("fatal") or report["errors"] or report["unanswered"]):
            why = report.get("fatal") or report.get("first_error") or f"{report['unanswered']} requests without answer"
            raise NotMeasured(f"{name}: {report['errors']} errors: {why}")
        return report

    def new_queue(self, target, fifo=False, **attributes):
        self.queue_number += 1
        name = f"bench-{self.queue_number}" + (".fifo" if fifo else "")
        create_queue(target.port, name, target.tls, **attributes)
        return name

    def checked(self, target, workload, queue=None, fifo=False, **options):
        """A cell on its own queue: afterwards the queue must hold exactly what was acknowledged and not deleted."""
        name = queue or self.new_queue(target, fifo)
        before = queue_depth(target.port, name, target.tls) if queue else 0
        report = self.load(target, workload, queue=name, **options)
        expect_depth(target, name, before + balance(report))
        if not queue:
            delete_queue(target.port, name, target.tls)
        return report

    def tool_report(self, name, *arguments):
        done = subprocess.run([self.tool(name), "--seconds", str(self.cell_s), *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotMeasured(f"{name}: {done.stderr.strip()[:200]}")
        return json.loads(done.stdout)

    def disk(self):
        return self.tool_report("disk", "--dir", self.work_dir, "--size", "4096")

    def pauses(self):
        return self.tool_report("pauses")


def balance(report):
    """Messages a report says were stored and not deleted."""
    done = {name: row["acknowledged"] for name, row in report["operations"].items()}
    return done.get("send", 0) + done.get("send_batch", 0) - done.get("delete_batch", 0)


def expect_depth(target, name, expected):
    found = queue_depth(target.port, name, target.tls)
    if found != expected:
        raise NotMeasured(f"data check failed: {expected} messages acknowledged and not deleted, the queue says {found}")
