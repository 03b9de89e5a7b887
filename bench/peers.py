"""peers.py: other servers, installed beside the benchmark and measured in the same run.

Each peer is fetched from its own package registry into one directory (nothing is installed into the system), listens on
127.0.0.1 only, and says how durable an acknowledged message is. What cannot be had is skipped by name, with the reason.

    python3 bench/peers.py [--only elasticmq,redis] [--seconds 1] [--rounds 3]      measures the peers alone
"""
import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time
import venv

import rig as rigs
from rig import NotMeasured, Process

INSTALL_LIMIT_S = 600
BODY_SIZE = 200


def run(command, limit_s=INSTALL_LIMIT_S, **options):
    """A finished command; NotMeasured with its last line when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False, **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotMeasured(f"{os.path.basename(command[0])}: {error}") from error
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
        raise NotMeasured(f"{os.path.basename(command[0])} failed: {lines[-1][:200]}")
    return done.stdout


def debian_root(directory, packages):
    """Debian packages with what they need that is missing here, unpacked, not installed."""
    root = os.path.join(directory, "root")
    if os.path.exists(os.path.join(directory, "complete")):
        return root
    if not shutil.which("apt-get"):
        raise NotMeasured("no apt-get on this machine")
    archive = os.path.join(directory, "archive")
    os.makedirs(archive, exist_ok=True)
    plan = run(["apt-get", "install", "--simulate", "--no-install-recommends", *packages])
    names = re.findall(r"^Inst (\S+)", plan, re.M)
    missing = sorted(set(names) | set(packages))
    run(["apt-get", "download", *missing], cwd=archive)
    for package in glob.glob(os.path.join(archive, "*.deb")):
        run(["dpkg", "-x", package, root])
    open(os.path.join(directory, "complete"), "w").close()
    return root


def with_libraries(root):
    """The environment in which unpacked programs find what was unpacked with them."""
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(glob.glob(os.path.join(root, "usr", "lib", "*-linux-gnu")))}


class Peer:
    """One peer: install() and start() once, then cells."""

    name = title = durability = ""
    tls = False

    def __init__(self, rig):
        self.rig, self.home = rig, os.path.join(rig.peers_dir, self.name)
        self.data = os.path.join(rig.work_dir, f"peer-{self.name}")
        self.port, self.processes = rigs.free_port(), []
        os.makedirs(self.home, exist_ok=True)
        os.makedirs(self.data, exist_ok=True)

    @property
    def pid(self):
        return self.processes[-1].pid

    def launch(self, command, **options):
        process = Process(f"{self.name}-{len(self.processes)}", command, self.rig.work_dir, **options)
        self.processes.append(process)
        return process

    def stop(self):
        for process in reversed(self.processes):
            process.stop()
        self.processes = []


class HttpPeer(Peer):
    """Speaks the same protocol: the same generator, the same checks."""

    warm_s = 0.5

    def prepare(self):
        self.install()
        self.start()
        self.queue = "bench"
        rigs.create_queue(self.port, self.queue)
        self.rig.load(self, "send", queue=self.queue, size=BODY_SIZE, duration=self.warm_s, warmup=0)

    def sends(self, seconds):
        return self.rig.checked(self, "send", size=BODY_SIZE, duration=seconds)["messages_per_s"]


class ElasticMq(HttpPeer):
    name, title, durability = "elasticmq", "ElasticMQ", "in memory, nothing survives the process"
    warm_s = 6  # the first seconds of a JVM are not its speed
    backlogs = ()
    artifact, version = "elasticmq-server_2.13", "1.7.1"

    def install(self):
        self.jars = os.path.join(self.home, "lib")
        if glob.glob(os.path.join(self.jars, f"{self.artifact}-*.jar")):
            return
        for program in ("java", "mvn"):
            if not shutil.which(program):
                raise NotMeasured(f"{program} is not installed")
        with open(os.path.join(self.home, "pom.xml"), "w") as pom:
            pom.write(f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>bench</groupId><artifactId>peer</artifactId><version>1</version><dependencies><dependency>
<groupId>org.elasticmq</groupId><artifactId>{self.artifact}</artifactId><version>{self.version}</version>
</dependency></dependencies></project>
""")
        run(["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={self.jars}", "-DincludeScope=runtime"], cwd=self.home)

    def start(self):
        config = os.path.join(self.data, "elasticmq.conf")
        with open(config, "w") as file:
            file.write(f"""include classpath("application.conf")
node-address {{ protocol = http, host = "127.0.0.1", port = {self.port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-hostname = "127.0.0.1", bind-port = {self.port}, sqs-limits = strict }}
rest-stats {{ enabled = false }}
aws {{ region = us-east-1, accountId = {rigs.ACCOUNT} }}
""")
        process = self.launch(["java", f"-Dconfig.file={config}", "-cp", os.path.join(self.jars, "*"), "org.elasticmq.server.Main"],
                              cwd=self.data)
        rigs.wait_for(process, lambda: rigs.is_open(self.port), pause_s=0.1)

    def backlog(self, queue, count, groups):
        if queue in self.backlogs:
            return
        rigs.create_queue(self.port, queue)
        self.rig.load(self, "fill", queue=queue, groups=groups, size=BODY_SIZE, count=count, connections=16, limit=240)
        self.backlogs = (*self.backlogs, queue)

    def lives(self, queue, seconds, batch, groups):
        """Messages sent, received and deleted per second beside the backlog. A cell in which not one went through is
        lengthened rather than reported as nothing."""
        for factor in (1, 4, 16):
            report = self.rig.load(self, "depth", queue=queue, groups=groups, size=BODY_SIZE, batch=batch, duration=seconds * factor,
                                   check=False)
            if report["errors"]:
                raise NotMeasured(f"elasticmq: {report['errors']} errors: {report.get('first_error')}")
            if report["messages"]:
                return report["messages_per_s"]
        raise NotMeasured("elasticmq finished no life beside the backlog in 16 s")


class Moto(HttpPeer):
    name, title, durability = "moto", "moto server", "in memory, nothing survives the process"

    def install(self):
        self.program = os.path.join(self.home, "bin", "moto_server")
        if os.path.exists(self.program):
            return
        venv.create(self.home, with_pip=True)
        run([os.path.join(self.home, "bin", "python"), "-m", "pip", "install", "--quiet", "moto[server]"])

    def start(self):
        process = self.launch([self.program, "-H", "127.0.0.1", "-p", str(self.port)])
        rigs.wait_for(process, lambda: rigs.is_open(self.port), pause_s=0.1)

    def sends(self, seconds):
        # It slows down as it fills and answers a few hundred a second, so 16 connections keep each cell short.
        return self.rig.checked(self, "send", size=BODY_SIZE, duration=seconds, connections=16)["messages_per_s"]


class Redis(Peer):
    name, title = "redis", "Redis Streams, appendfsync always"
    durability = "fsync before the reply, shared by the turn of its loop; not HTTP, no signatures"

    def prepare(self):
        names = ("redis-server", "redis-benchmark", "redis-cli")
        self.programs, self.options = {name: shutil.which(name) for name in names}, {}
        if not all(self.programs.values()):
            root = debian_root(self.home, ["redis-server", "redis-tools"])
            self.programs = {name: os.path.join(root, "usr/bin", name) for name in names}
            self.options = {"env": with_libraries(root)}
        process = self.launch([self.programs["redis-server"], "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.data,
                               "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--daemonize", "no"], **self.options)
        rigs.wait_for(process, lambda: rigs.is_open(self.port), pause_s=0.05)
        self.rate = self.benchmark(5000)

    def benchmark(self, count):
        key = f"s{time.monotonic_ns()}"
        output = run([self.programs["redis-benchmark"], "-h", "127.0.0.1", "-p", str(self.port), "-c", str(self.rig.connections),
                      "-n", str(count), "--csv", "XADD", key, "*", "b", "x" * BODY_SIZE], 120, **self.options)
        stored = int(run([self.programs["redis-cli"], "-p", str(self.port), "XLEN", key], 30, **self.options))
        run([self.programs["redis-cli"], "-p", str(self.port), "DEL", key], 30, **self.options)
        if stored < count:
            raise NotMeasured(f"redis: {count} entries acknowledged, {stored} stored")
        for line in output.splitlines():
            fields = [field.strip('"') for field in re.findall(r'"[^"]*"', line)]
            if len(fields) >= 2 and fields[0].startswith("XADD"):
                return float(fields[1])
        raise NotMeasured("redis-benchmark printed no XADD line")

    def sends(self, seconds):
        self.rate = self.benchmark(max(1000, int(self.rate * seconds)))
        return self.rate


class RabbitMq(Peer):
    name, title = "rabbitmq", "RabbitMQ quorum queue, confirms"
    durability = "one node, write-ahead log fsynced before the confirm; AMQP, no signatures"

    def prepare(self):
        root = debian_root(self.home, ["rabbitmq-server", "librabbitmq-dev"])
        libraries = os.path.join(root, "usr/lib/x86_64-linux-gnu")
        found = glob.glob(os.path.join(root, "usr/lib/*/librabbitmq.so"))
        if found:
            libraries = os.path.dirname(found[0])
        self.client = self.build_client(root, libraries)
        self.start(root, libraries)
        report = self.publish(1)
        if report["errors"]:
            raise NotMeasured(f"rabbitmq: {report.get('first_error')}")

    def build_client(self, root, libraries):
        client = os.path.join(self.home, "peer_amqp")
        sources = [os.path.join(rigs.HERE, name) for name in ("peer_amqp.c", "hist.c", "util.c")]
        run(["gcc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", f"-I{root}/usr/include", "-o", client, *sources,
             f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-lrabbitmq", "-lpthread"])
        return client

    def start(self, root, libraries):
        erlang, epmd_port = os.path.join(root, "usr/lib/erlang"), rigs.free_port()
        scripts = glob.glob(os.path.join(root, "usr/lib/rabbitmq/lib/*/sbin"))
        if not scripts:
            raise NotMeasured("the package holds no rabbitmq-server")
        for name in ("plugins", "rabbitmq.conf"):
            open(os.path.join(self.data, name), "w").write("[]." if name == "plugins" else "log.console.level = warning\n")
        env = {
            "PATH": f"{self.moved_erl(erlang)}:{erlang}/bin:/usr/bin:/bin", "HOME": self.data, "LANG": "C.UTF-8",
            "LD_LIBRARY_PATH": libraries, "ERL_EPMD_PORT": str(epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"bench{self.port}@localhost", "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port), "RABBITMQ_DIST_PORT": str(rigs.free_port()),
            "RABBITMQ_MNESIA_BASE": self.data, "RABBITMQ_LOG_BASE": self.data, "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": os.path.join(self.data, "pid"), "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": os.path.join(self.data, "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": os.path.join(self.data, "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        self.launch([os.path.join(erlang, "bin", "epmd"), "-port", str(epmd_port), "-address", "127.0.0.1"], env=env)
        server = self.launch([os.path.join(scripts[0], "rabbitmq-server")], env=env, cwd=self.data)
        rigs.wait_for(server, lambda: rigs.is_open(self.port), pause_s=0.2)

    def moved_erl(self, erlang):
        """The directory of a copy of the start script that knows where the runtime was unpacked: the packaged one names
        the place it would be installed in."""
        directory = os.path.join(self.data, "bin")
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(erlang, "bin", "erl")) as script:
            text = script.read().replace("ROOTDIR=/usr/lib/erlang", f'ROOTDIR="{erlang}"')
        with open(os.path.join(directory, "erl"), "w") as script:
            script.write(text)
        os.chmod(os.path.join(directory, "erl"), 0o755)
        return directory

    def publish(self, seconds):
        command = [self.client, "--target", f"127.0.0.1:{self.port}", "--connections", str(self.rig.connections),
                   "--duration", str(seconds), "--size", str(BODY_SIZE)]
        output = run(command, seconds + 60)
        report = json.loads(output)
        self.rig.cells.append(dict(report, cell="rabbitmq publish"))
        return report

    def sends(self, seconds):
        report = self.publish(seconds)
        if report["errors"] or report["stored"] != report["acknowledged"]:
            raise NotMeasured(f"rabbitmq: {report['errors']} errors, {report['acknowledged']} confirmed, {report['stored']} stored")
        return report["messages_per_s"]


PEERS = {peer.name: peer for peer in (ElasticMq, Moto, Redis, RabbitMq)}


def get(rig, name):
    """The running peer; a failure is remembered and told again."""
    known = rig.peers.get(name)
    failures = rig.__dict__.setdefault("peer_failures", {})
    if known:
        return known
    if name in failures:
        raise NotMeasured(failures[name])
    peer = PEERS[name](rig)
    try:
        peer.prepare()
    except NotMeasured as error:
        peer.stop()
        failures[name] = f"{peer.title}: {error}"
        raise NotMeasured(failures[name]) from error
    rig.peers[name] = peer
    return peer


def main():
    parser = argparse.ArgumentParser(description="Measures the peers alone: durable or not, single sends per second, 64 connections.")
    base = os.path.join(rigs.HERE, "..", "build", "bench")
    parser.add_argument("--only", help="names, with commas: " + ",".join(PEERS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", dest="cell", type=float, default=1)
    parser.add_argument("--tools", default=base)
    parser.add_argument("--data", default=os.path.join(base, "data"))
    parser.add_argument("--peers-dir", default=os.path.join(base, "peers"))
    options = parser.parse_args()
    options.millrace, options.depth, options.full = None, 0, False
    rig = rigs.Rig(options)
    try:
        for name in options.only.split(",") if options.only else PEERS:
            try:
                if name not in PEERS:
                    raise NotMeasured("no such peer")
                peer = get(rig, name)
                speeds = sorted(peer.sends(options.cell) for _ in range(options.rounds))
                print(f"{name:10s} {speeds[len(speeds) // 2]:10.0f}/s  ({speeds[0]:.0f} to {speeds[-1]:.0f})  {peer.title}: {peer.durability}", flush=True)
            except NotMeasured as error:
                print(f"{name:10s} not measured: {error}", flush=True)
    finally:
        rig.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
