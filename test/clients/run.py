#!/usr/bin/env python3
"""Run real, unpatched clients against the real program.

    run.py --millrace build/release/millrace [--quick] [--only boto3,cli,...] [--update]

Each client gets a server of its own (empty data directory, free loopback
port), which must be healthy before and leave with 0 on SIGTERM after.  What
the clients need is installed once under build/clients/ by their own package
tools; a client that cannot be installed is reported as SKIPPED with its
reason.  Exit status: 1 when anything failed, else 0.
"""

import argparse
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "clients"
LOGS = BUILD / "logs"
SUITE_SECONDS = 900
INSTALL_SECONDS = 900
FAILURES_SHOWN = 40

sys.path.insert(0, str(HERE / "lib"))
sys.dont_write_bytecode = True
import server  # noqa: E402  (lib/ is on the path only now)


class Unavailable(Exception):
    """This client cannot be had here; the text says why."""


class Result:
    def __init__(self, passed=0, failed=0, skipped=0, failures=()):
        self.passed, self.failed, self.skipped, self.failures = passed, failed, skipped, list(failures)
        self.skips = []

    def fail(self, text):
        self.failed += 1
        self.failures.append(text)


# ---- processes --------------------------------------------------------------

def run(command, log, seconds, cwd=None, env=None):
    """Run to the end or the time limit, everything into the log; the exit status, None at the limit."""
    with open(log, "ab") as stream:
        process = subprocess.Popen([str(word) for word in command], cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                                   stdout=stream, stderr=stream, start_new_session=True)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def last_words(log):
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"error|not found|no module|could not|failed", line, re.I)]
    return (errors or lines or ["no output"])[-1][:200]


def install(name, command, cwd=None, env=None):
    log = LOGS / f"{name}-install.log"
    if run(command, log, INSTALL_SECONDS, cwd, env) != 0:
        raise Unavailable(f"{pathlib.Path(str(command[0])).name}: {last_words(log)}")


def tool(name):
    path = shutil.which(name)
    if not path:
        raise Unavailable(f"{name} is not installed")
    return path


def is_done(folder, content, update):
    """True when folder was made from this content; the caller writes the stamp after making it."""
    stamp = folder / ".stamp"
    return not update and stamp.exists() and stamp.read_text() == hashlib.sha256(content.encode()).hexdigest()


def stamp_done(folder, content):
    (folder / ".stamp").write_text(hashlib.sha256(content.encode()).hexdigest())


# ---- installing -------------------------------------------------------------

def venv(name, requirements, update):
    """A virtual environment with these requirements; its python."""
    folder = BUILD / f"venv-{name}"
    python = folder / "bin" / "python"
    content = "\n".join(requirements)
    if not is_done(folder, content, update):
        shutil.rmtree(folder, ignore_errors=True)
        install(f"venv-{name}", [sys.executable, "-m", "venv", folder])
        install(f"venv-{name}", [python, "-m", "pip", "install", "--quiet", "--upgrade", *requirements])
        stamp_done(folder, content)
    return python


def copy_of(name):
    """build/clients/<name> with the sources of test/clients/<name>."""
    folder = BUILD / name
    shutil.copytree(HERE / name, folder, dirs_exist_ok=True)
    return folder


# ---- counting ---------------------------------------------------------------

def junit(path):
    result = Result()
    for case in ElementTree.parse(path).iter("testcase"):
        title = f"{pathlib.Path(case.get('classname').replace('.', '/')).name}::{case.get('name')}"
        problem = case.find("failure") if case.find("failure") is not None else case.find("error")
        if problem is not None:
            words = (problem.get("message") or "").strip().splitlines()
            result.fail(f"{title}: {words[0] if words else 'failed'}")
        elif case.find("skipped") is not None:
            result.skipped += 1
            result.skips.append(f"{title}: {case.find('skipped').get('message')}")
        else:
            result.passed += 1
    return result


def counted(log, passed, failed, skipped):
    """Count lines of a log by three patterns; group 1 of `failed` is the name."""
    text = log.read_text(errors="replace")
    failures = re.findall(failed, text, re.M)
    return Result(len(re.findall(passed, text, re.M)), len(failures), len(re.findall(skipped, text, re.M)), failures)


def judged(result, status):
    """An exit status that does not fit the counts is a failure of its own."""
    if status is None:
        result.fail(f"ran longer than {SUITE_SECONDS} s")
    elif status != 0 and not result.failed:
        result.fail(f"left with {status}")
    elif result.passed + result.failed + result.skipped == 0:
        result.fail("ran no test")
    return result


# ---- the clients ------------------------------------------------------------

class Client:
    """prepare() installs or raises Unavailable; run(env, log) gives a Result."""

    needs_server = True

    def __init__(self, name, update):
        self.name, self.update = name, update


class Pytest(Client):
    folder = ""
    requirements = ()
    venv_name = ""

    def prepare(self):
        self.python = venv(self.venv_name, [*self.requirements, "pytest"], self.update)

    def run(self, env, log):
        report = LOGS / f"{self.name}.xml"
        report.unlink(missing_ok=True)
        status = run([self.python, "-m", "pytest", "-q", "--tb=short", f"--junitxml={report}", HERE / self.folder],
                     log, SUITE_SECONDS, HERE, env)
        return judged(junit(report) if report.exists() else Result(), status)


class Boto3(Pytest):
    folder, requirements, venv_name = "python", ("boto3",), "boto3"


class Query(Pytest):
    folder, requirements, venv_name = "python", ("boto3==1.26.165", "botocore==1.29.165"), "query"


class Raw(Pytest):
    folder, requirements, venv_name = "raw", ("boto3",), "boto3"


class Cli(Pytest):
    folder, requirements, venv_name = "cli", ("awscli", "boto3"), "cli"


class Celery(Pytest):
    folder, requirements, venv_name = "celery_suite", ("celery[sqs]",), "celery"


class JavaScript(Client):
    def prepare(self):
        npm, node = tool("npm"), tool("node")
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        if int(version.lstrip("v").split(".")[0]) < 20:
            raise Unavailable(f"node {version} is too old, 20 is needed")
        self.folder = copy_of("javascript")
        content = (self.folder / "package.json").read_text()
        if not is_done(self.folder, content, self.update):
            install(self.name, [npm, "install", "--no-package-lock", "--no-audit", "--no-fund"], self.folder)
            stamp_done(self.folder, content)

    def run(self, env, log):
        status = run(["node", "--test", "--test-reporter=tap", "sqs.test.mjs"], log, SUITE_SECONDS, self.folder, env)
        return judged(counted(log, r"^ok \d+ - (?!.*# SKIP)", r"^not ok \d+ - (.*)", r"^ok \d+ - .*# SKIP"), status)


class Java(Client):
    def prepare(self):
        maven, java = tool("mvn"), tool("java")
        self.folder = copy_of("java")
        sources = sorted(path for path in self.folder.rglob("*") if path.suffix in (".java", ".xml") and "target" not in path.parts)
        content = "\n".join(path.read_text() for path in sources)
        if not is_done(self.folder, content, self.update):
            install(self.name, [maven, "-q", "-B", f"-Dmaven.repo.local={BUILD / 'm2'}", "compile", "dependency:build-classpath",
                                "-Dmdep.outputFile=classpath", "-Dmdep.includeScope=runtime"], self.folder)
            stamp_done(self.folder, content)
        self.java = java

    def run(self, env, log):
        path = f"target/classes:{(self.folder / 'classpath').read_text().strip()}"
        status = run([self.java, "-XX:+UseSerialGC", "-cp", path, "clients.Main"], log, SUITE_SECONDS, self.folder, env)
        return judged(counted(log, r"^ok - ", r"^not ok - (.*)", r"^skip - "), status)


class Go(Client):
    def prepare(self):
        go = tool("go")
        self.folder = copy_of("go")
        env = {**os.environ, "GOPATH": str(BUILD / "gopath"), "GOCACHE": str(BUILD / "gocache"),
               "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local"}
        content = "\n".join((self.folder / file).read_text() for file in ("go.mod", "sqs_test.go"))
        if not is_done(self.folder, content, self.update):
            install(self.name, [go, "mod", "tidy"], self.folder, env)
            install(self.name, [go, "test", "-c", "-o", "clients.test", "."], self.folder, env)
            stamp_done(self.folder, content)

    def run(self, env, log):
        status = run([self.folder / "clients.test", "-test.v"], log, SUITE_SECONDS, self.folder, env)
        return judged(counted(log, r"^--- PASS: ", r"^--- FAIL: (\w+)", r"^--- SKIP: "), status)


class Model(Client):
    """No client: the rows of the service against the newest installed API model."""

    needs_server = False

    def prepare(self):
        self.python = venv("boto3", [*Boto3.requirements, "pytest"], self.update)

    def run(self, env, log):
        command = [self.python, ROOT / "test" / "model" / "check.py"]
        older = sorted(BUILD.glob("venv-query/lib/*/site-packages/botocore/data/sqs/*/service-2.json*"))
        if older:
            command += ["--query-model", older[0]]
        status = run(command, log, SUITE_SECONDS, ROOT, env)
        return Result(passed=1) if status == 0 else Result(0, 1, 0, [last_words(log)])


CLIENTS = {"model": Model, "boto3": Boto3, "raw": Raw, "cli": Cli, "query": Query, "javascript": JavaScript,
           "java": Java, "go": Go, "celery": Celery}
QUICK = ("model", "boto3", "raw", "cli")


def run_client(client, binary):
    log = LOGS / f"{client.name}.log"
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "MILLRACE": str(binary)}
    if not client.needs_server:
        return client.run(env, log)
    result = Result()
    try:
        with server.running(str(binary), str(LOGS / f"{client.name}-server.log")) as running:
            env.update(server.client_environment(running.url))
            result = client.run(env, log)
    except server.ServerError as error:
        result.fail(f"server: {error}")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--millrace", type=pathlib.Path, required=True, metavar="BIN", help="the program under test")
    parser.add_argument("--only", help="names, comma separated: " + ", ".join(CLIENTS))
    parser.add_argument("--quick", action="store_true", help="only " + ", ".join(QUICK))
    parser.add_argument("--update", action="store_true", help="install the clients anew, in their newest versions")
    options = parser.parse_args()

    names = options.only.split(",") if options.only else list(QUICK if options.quick else CLIENTS)
    unknown = [name for name in names if name not in CLIENTS]
    if unknown:
        parser.error(f"no client called {', '.join(unknown)}")
    binary = options.millrace.resolve()
    if not os.access(binary, os.X_OK):
        parser.error(f"{options.millrace} is not a program")
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)

    total = Result()
    for name in names:
        client = CLIENTS[name](name, options.update)
        try:
            client.prepare()
        except Unavailable as reason:
            print(f"SKIPPED {name}: {reason}", flush=True)
            total.skipped += 1
            continue
        result = run_client(client, binary)
        print(f"{name}: {result.passed} passed, {result.failed} failed, {result.skipped} skipped", flush=True)
        for skip in result.skips:
            print(f"  SKIPPED {skip}", flush=True)
        for failure in result.failures[:FAILURES_SHOWN]:
            print(f"  {failure[:300]}", flush=True)
        if result.failed > FAILURES_SHOWN:
            print(f"  and {result.failed - FAILURES_SHOWN} more; see {LOGS.relative_to(ROOT)}/{name}.log", flush=True)
        total.passed += result.passed
        total.failed += result.failed
        total.skipped += result.skipped
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
