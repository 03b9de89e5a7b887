"""figures.py: every figure of the table: one row each.

A row is either a formula over cells, which are measured together in interleaved rounds so that each ratio is taken inside
one round, or a function of its own. `must` and `want` are None for figures that are only reported.
"""
import collections
import glob
import os
import re
import resource
import subprocess
import time

import peers
import rig as rigs
from rig import NotMeasured

MIB = 1024 * 1024
Figure = collections.namedtuple("Figure", "id title unit better must want cells formula function")


def row(id, title, unit, better, must=None, want=None, cells=(), formula=None, function=None):
    return Figure(id, title, unit, better, must, want, tuple(cells), formula, function)


# --- cells: one short measurement ---

def ceiling_cell(tls=False, threads=None, **options):
    return lambda rig: rig.load(rig.ceiling(tls, threads), options.get("workload", "raw"), raw=True,
                                **{k: v for k, v in options.items() if k != "workload"})


def server_cell(kind, workload, **options):
    return lambda rig: rig.checked(rig.server(kind), workload, **options)


ONE = {"connections": 1, "threads": 1}
CELLS = {
    "disk": lambda rig: rig.disk(),
    "pauses": lambda rig: rig.pauses(),
    "ceiling": ceiling_cell(size=200),
    "ceiling_1k": ceiling_cell(size=1024),
    "ceiling_64k": ceiling_cell(size=65536),
    "ceiling_1m": ceiling_cell(size=MIB - 8, connections=16),
    "ceiling_paced": ceiling_cell(size=200, rate=20000),
    "ceiling_tls": ceiling_cell(tls=True, size=200),
    "ceiling_t1": ceiling_cell(threads=1, size=200),
    "ceiling_connect": ceiling_cell(workload="connect", size=200),
    "send": server_cell("default", "send", size=200),
    "send_1k": server_cell("default", "send", size=1024),
    "send_64k": server_cell("default", "send", size=65536),
    "send_1m": server_cell("default", "send", size=MIB - 8, connections=16),
    "send_tls": server_cell("tls", "send", size=200),
    "send_t1": server_cell("threads1", "send", size=200),
    "send_t2": server_cell("threads2", "send", size=200),
    "send_os": server_cell("os", "send", size=200),
    "send_memory": server_cell("memory", "send", size=200),
    "send_connect": server_cell("default", "connect", size=200),
    "batch": server_cell("default", "send-batch", size=200),
    "life": server_cell("default", "life", size=200),
    "one_t1": server_cell("threads1", "send", size=200, **ONE),
    "one": server_cell("default", "send", size=200, **ONE),
}


def rate(cell):
    return lambda r: r[cell]["requests_per_s"]


def per(cell, ceiling):
    return lambda r: r[cell]["requests_per_s"] / r[ceiling]["requests_per_s"]


def measure_cells(rig, names, on_progress):
    """Runs all cells once per round, in an order that turns from round to round. A cell that fails is left out of every
    round after; {name: reason} tells why."""
    rounds, failed = [], {}
    for number in range(rig.rounds):
        got = {}
        order = names[number % len(names):] + names[:number % len(names)] if names else []
        for name in order:
            if name in failed:
                continue
            on_progress(f"round {number + 1}/{rig.rounds}: {name}")
            rigs.rest()
            try:
                got[name] = CELLS[name](rig)
            except NotMeasured as error:
                failed[name] = str(error)
        rounds.append(got)
    return rounds, failed


# --- figures with a course of their own; each returns a list of values, one per round, and a note ---

def half_load(rig):
    """Sends and a drain of what is sent, both together about half of what the server takes: segments turn over, snapshots
    are made. A message costs its send and a fifth of a request of ten, which weighs about three: so a send is 0.6 of it.
    In the full run ten minutes in a row, each of them a round."""
    target = rig.server("scratch")
    top = 0.6 * rig.checked(target, "send", size=200)["requests_per_s"]
    seconds, rounds = (60, 10) if rig.full else (4, rig.rounds)
    queue = rig.new_queue(target)
    values, kept = [], 0
    for _ in range(rounds):
        command = rig.load_command(target.port, "drain", target.tls, connections=8, threads=2, queue=queue, rate=top / 2 / 4,
                                   warmup=0.1, duration=seconds + 0.5)
        drain = rigs.Process("drain", command, rig.work_dir)
        rig.others.append(drain)
        report = rig.load(target, "send", queue=queue, rate=top / 2, duration=seconds)
        drained = rig.accept("drain", drain.child.communicate()[0], "", check=True)
        rig.others.remove(drain)
        if report["behind"] > report["requests"] / 100:
            raise NotMeasured(f"the server could not hold half of its own top rate ({top:.0f}/s): {report['behind']} requests behind")
        kept += rigs.balance(report) + rigs.balance(drained)
        rigs.expect_depth(target, queue, kept)
        values.append(report["latency_us"]["p99"] / report["latency_us"]["p50"])
    rigs.delete_queue(target.port, queue)
    return values, f"{top / 2:.0f} sends/s, rounds of {seconds} s, drained beside it"


def standing(rig):
    """A server with the deep backlog in the standard queue `deep`, and what it weighed at half and at full depth."""
    server = rig.server("standing")
    if not hasattr(server, "weights"):
        idle = rigs.process_memory(server.pid)
        rigs.create_queue(server.port, "deep", VisibilityTimeout="43200")
        server.weights = {0: idle}
        for depth in (rig.depth // 2, rig.depth):
            rig.load(server, "fill", queue="deep", size=256, count=depth - max(server.weights), limit=3600)
            rigs.expect_depth(server, "deep", depth)
            time.sleep(1.5)
            server.weights[depth] = rigs.process_memory(server.pid)
    return server


def memory_deep(rig, wanted):
    weights = standing(rig).weights
    half, whole = sorted(weights)[1:]
    if whole >= wanted:
        return [(weights[whole][0] - weights[0][0]) / MIB], f"resident, {whole} messages; anonymous {(weights[whole][1] - weights[0][1]) / MIB:.1f} MiB"
    slope = (weights[whole][0] - weights[half][0]) / (whole - half)
    return [slope * wanted / MIB], (f"slope between {half} and {whole} messages, {slope:.2f} B each; measured at {whole}: "
                                    f"{(weights[whole][0] - weights[0][0]) / MIB:.1f} MiB")


def depth_rounds(rig, prepare_deep, groups, note):
    """Life beside a deep backlog against life beside 1,000 messages, in turn."""
    target = rig.server("standing")
    deep = prepare_deep(rig)
    inflight = max(rig.connections, min(100000, rig.depth // 100))
    shallow = rig.new_queue(target, fifo=bool(groups), VisibilityTimeout="43200")
    few = min(groups, 1000)
    rig.load(target, "fill", queue=shallow, size=256, count=1000, groups=few)
    values = []
    for number in range(2 * rig.rounds - 1):  # they are quick to measure once filled, and spread widely
        cells = [(deep, groups, inflight), (shallow, few, 0)]
        speed = {}
        for queue, count, kept in cells if number % 2 == 0 else reversed(cells):
            rigs.rest()
            # What the first round holds stays in flight: later runs do not know the handles, nor do they need them.
            report = rig.checked(target, "depth", queue=queue, size=256, groups=count,
                                 inflight=kept if number == 0 else 0, limit=300)
            speed[queue] = report["messages_per_s"]
        values.append(speed[deep] / speed[shallow])
    rigs.delete_queue(target.port, shallow)
    if groups:
        rigs.delete_queue(target.port, deep)  # recovery is measured with the standard backlog alone
    return values, f"depth {rig.depth}, {inflight} in flight{note}"


def depth_standard(rig):
    return depth_rounds(rig, lambda r: standing(r) and "deep", 0, "")


def groups_of(rig):
    return max(10, min(100000, rig.depth // 100))


def fill_fifo(rig, blocked):
    target = rig.server("standing")
    queue = rig.new_queue(target, fifo=True, VisibilityTimeout="43200")
    groups = groups_of(rig)
    if blocked:
        head = max(10, rig.depth // 10)
        rig.load(target, "fill", queue=queue, size=256, count=head, groups=1, group_prefix="blocked", limit=3600, **ONE)
        rig.load(target, "hold", queue=queue, size=256, count=1, batch=1, **ONE)
        rig.load(target, "fill", queue=queue, size=256, count=rig.depth - head, groups=groups, limit=3600)
    else:
        rig.load(target, "fill", queue=queue, size=256, count=rig.depth, groups=groups, limit=3600)
    rigs.expect_depth(target, queue, rig.depth)
    return queue


def depth_fifo(rig):
    return depth_rounds(rig, lambda r: fill_fifo(r, False), groups_of(rig), f", {groups_of(rig)} groups")


def depth_fifo_blocked(rig):
    return depth_rounds(rig, lambda r: fill_fifo(r, True), groups_of(rig), f", {groups_of(rig)} groups behind a locked one")


def fifo_forgotten(rig):
    """A server with the deep backlog in a FIFO queue whose ids are forgotten, the queue's name, and what it weighs."""
    if not rig.full:
        raise NotMeasured("needs --full: the deduplication window of five minutes has to pass")
    if not hasattr(rig, "forgotten"):
        rig.drop_server("forgotten")
        target = rig.server("forgotten")
        idle = rigs.process_memory(target.pid)[0]
        queue = rig.new_queue(target, fifo=True)
        rig.load(target, "fill", queue=queue, size=256, count=rig.depth, groups=groups_of(rig), limit=3600)
        rigs.expect_depth(target, queue, rig.depth)
        time.sleep(330)
        rig.forgotten = queue, rigs.process_memory(target.pid)[0] - idle
    return rig.forgotten


def memory_fifo(rig):
    _, used = fifo_forgotten(rig)
    return [used / rig.depth * 10e6 / MIB], f"{rig.depth} messages in {groups_of(rig)} groups, scaled to 10 million"


def recovery_fifo_forgotten(rig, dropped):
    queue, _ = fifo_forgotten(rig)
    values = restarts(rig, "forgotten", queue, dropped)
    if dropped:
        rig.drop_server("forgotten")
    return values, f"{rig.depth} messages in {groups_of(rig)} groups"


def dedup_entry(rig):
    """Entries outlive their messages: what stays resident after a FIFO queue was drained inside the window, above the same
    process after another queue was used and deleted."""
    rig.drop_server("scratch")
    target = rig.server("scratch")
    count = min(rig.depth, 300000)
    first = rig.new_queue(target)  # the write ring and the pools have been used once; it remembers no ids, whose memory would be used again
    rig.load(target, "life", queue=first, size=256, duration=4, warmup=0)
    rigs.delete_queue(target.port, first)
    queue = rig.new_queue(target, fifo=True)
    idle = rigs.process_memory(target.pid)[0]
    begun = time.monotonic()
    rig.load(target, "fill", queue=queue, size=256, count=count, groups=1000, limit=240)
    while rigs.queue_depth(target.port, queue) > 0:
        rig.load(target, "drain", queue=queue, size=256, duration=1, warmup=0)
        if time.monotonic() - begun > 240:
            raise NotMeasured("the queue could not be filled and drained inside the deduplication window")
    used = rigs.process_memory(target.pid)[0] - idle
    rig.drop_server("scratch")
    return [used / count], f"resident above a used server after {count} FIFO messages were sent and deleted; unreturned heap is in it"


def drop_page_cache(directory):
    """Of these files only: the rest of the machine keeps its cache."""
    for path in glob.glob(os.path.join(directory, "**"), recursive=True):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                os.fdatasync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def restarts(rig, name, queue, dropped=False):
    """Seconds from each of three `kill -9` to /health; every message is there."""
    server, values = rig.servers[name], []
    for _ in range(min(rig.rounds, 3)):
        time.sleep(1)  # what a deletion before made due is written
        held = rigs.queue_depth(server.port, queue)
        server.kill()
        del rig.servers[name]
        if dropped:
            drop_page_cache(server.data_dir)
        server = rig.server(name)
        values.append(server.ready_s)
        rigs.expect_depth(server, queue, held)
    return values


def recovery(rig, dropped):
    weights = standing(rig).weights
    values = restarts(rig, "standing", "deep", dropped)
    rig.servers["standing"].weights = weights
    scale = "" if rig.depth >= 10_000_000 else " (the must is for 10 million)"
    return values, f"backlog of {rig.depth} and what the depth figures left{scale}"


def recovery_fifo(rig):
    rig.drop_server("scratch")
    target = rig.server("scratch")
    queue = rig.new_queue(target, fifo=True)
    rig.load(target, "fill", queue=queue, size=256, count=rig.depth, groups=groups_of(rig), limit=3600)
    values = restarts(rig, "scratch", queue)
    rig.drop_server("scratch")
    return values, f"{rig.depth} messages in {groups_of(rig)} groups, each with an id to be remembered"


def idle_memory(rig):
    return fresh_starts(rig, lambda server: rigs.process_memory(server.pid)[0] / MIB, settle_s=1)


def idle_ready(rig):
    return fresh_starts(rig, lambda server: server.ready_s * 1e3, settle_s=0)


def fresh_starts(rig, figure, settle_s):
    values = []
    for _ in range(rig.rounds):
        rig.drop_server("scratch")
        server = rig.server("scratch")
        time.sleep(settle_s)
        values.append(figure(server))
    rig.drop_server("scratch")
    return values, "a new process on a new directory each time"


def longpolls(rig, kind, figure):
    known = rig.__dict__.setdefault("longpolls", {})
    if kind not in known:
        name = "tls" if kind == "tls" else "scratch"
        rig.drop_server(name)
        target = rig.server(name)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        count = min(10000, limit - 200)
        if count < 1000:
            raise NotMeasured(f"the limit of open files is {limit}")
        queue = rig.new_queue(target)
        known[kind] = rig.load(target, "longpoll", queue=queue, connections=count, warmup=2, duration=5, wait=20, limit=60), count
        rig.drop_server(name)
    report, count = known[kind]
    server = report["server"]
    value = (server["rss_bytes_end"] - server["rss_bytes_idle"]) / 1024 / count if figure == "memory" else server["cpu_cores"] * 100
    return [value], f"{count} connections; kernel socket memory is not in a process's resident set"


def many_queues(rig):
    if "queues" not in rig.__dict__:
        rig.drop_server("scratch")
        target = rig.server("scratch")
        count = 100000 if rig.full else 20000
        idle = rigs.process_memory(target.pid)[0]
        rig.load(target, "create", queue="many", count=count, limit=600)
        time.sleep(1)
        rig.queues = count, (rigs.process_memory(target.pid)[0] - idle) / count
    if "scratch" not in rig.servers:
        raise NotMeasured("the server with the queues is gone")
    return rig.servers["scratch"], *rig.queues


def queues_memory(rig):
    _, count, bytes_each = many_queues(rig)
    return [bytes_each / 1024], f"{count} queues"


def queues_random(rig):
    target, count, _ = many_queues(rig)
    values = []
    for _ in range(rig.rounds):
        spread = rig.load(target, "queues", queue="many", queues=count, size=200)
        one = rig.checked(target, "send", size=200)
        values.append(spread["requests_per_s"] / one["requests_per_s"])
    return values, f"{count} queues"


def queues_metrics(rig):
    target, count, _ = many_queues(rig)
    status, body = rigs.http_get(target.port, "/metrics")
    if status != 200:
        raise NotMeasured(f"/metrics answered {status}")
    return [len(body) / 1024], f"{count} queues"


def use_segments(rig, target, workload, size):
    """The first segments are written twice, with zeros before they are used; what is measured is the steady state after."""
    for _ in range(30):
        rig.checked(target, workload, size=size, duration=2, warmup=0)
        _, text = rigs.http_get(target.port, "/metrics")
        if float(re.search(rb"^millrace_log_segments_recycled_total (\d+)", text, re.M).group(1)) >= 8:
            return
    raise NotMeasured("no segment was used again in a minute")


def written(rig, workload, size, figure, note):
    target = rig.server("default")
    values = []
    use_segments(rig, target, "life", 4096)
    for _ in range(min(rig.rounds, 3)):
        report = rig.checked(target, workload, size=size, duration=3 if not rig.full else 20, warmup=1)
        if report["server"]["write_bytes"] == 0:
            raise NotMeasured("/proc/PID/io of the server shows no written bytes")
        values.append(figure(report["server"]["write_bytes"], report["messages"]))
    return values, note


def written_life(rig):
    return written(rig, "life", 4096, lambda w, m: w / m / 4096, "life of 4 KiB bodies in tens, closed loop")


def written_kept(rig):
    return written(rig, "send-batch", 4096, lambda w, m: w / m / 4096, "4 KiB bodies in tens, kept")


def written_overhead(rig):
    return written(rig, "life", 256, lambda w, m: w / m - 256, "bytes written per message beyond its 256")


def drain_beside(rig):
    """p99 of sends at a fixed rate while a drain of a backlog is given 30 % of the CPU, against the same sends alone."""
    target, backlog, seconds = standing(rig), rig.depth // 2, 2
    queue = rig.new_queue(target)
    top_up(rig, target, queue, backlog)
    probe = rig.load(target, "drain", queue=queue, size=256, connections=8, duration=0.5)
    wanted = 0.30 * (os.cpu_count() or 1) * 1e6 / max(probe["server"]["cpu_us_per_request"], 1)
    # Ten messages go with two requests; the backlog must outlast the window.
    share = min(wanted, backlog / 5 / (seconds + 1.5))
    sends, values, cores = 2000, [], []
    for _ in range(rig.rounds):
        top_up(rig, target, queue, backlog)
        quiet = rig.checked(target, "send", size=200, rate=sends, duration=seconds)
        command = rig.load_command(target.port, "drain", queue=queue, size=256, connections=8, threads=1, rate=share,
                                   duration=seconds + 1, warmup=0.1)
        drain = rigs.Process("drain", command, rig.work_dir)
        rig.others.append(drain)
        busy = rig.checked(target, "send", size=200, rate=sends, duration=seconds)
        rig.accept("drain", drain.child.communicate()[0], "")
        rig.others.remove(drain)
        values.append(busy["latency_us"]["p99"] / quiet["latency_us"]["p99"])
        cores.append(busy["server"]["cpu_cores"] - quiet["server"]["cpu_cores"])
    rigs.delete_queue(target.port, queue)
    return values, (f"{sends} sends/s beside {share:.0f} drain requests/s, which took {sorted(cores)[len(cores) // 2]:.2f} cores; "
                    f"backlog {backlog}" + (", rate bounded by the backlog" if share < wanted else ""))


def top_up(rig, target, queue, depth):
    missing = depth - rigs.queue_depth(target.port, queue)
    if missing > 0:
        rig.load(target, "fill", queue=queue, size=256, count=missing, limit=3600)


def instructions(rig):
    """User instructions per SendMessage: the difference of two runs under callgrind, so that the start cancels out."""
    if subprocess.run(["which", "valgrind"], capture_output=True, check=False).returncode != 0:
        raise NotMeasured("valgrind is not installed")
    totals = {}
    for count in (500, 2500):
        out = os.path.join(rig.work_dir, f"callgrind-{count}.out")
        rig.server_prefix = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        try:
            rig.drop_server("scratch")
            server = rig.server("scratch")
            rig.checked(server, "send", size=200, count=count, connections=4, limit=120)
            rig.servers.pop("scratch").stop()
        finally:
            rig.server_prefix = []
        with open(out, errors="replace") as file:
            found = re.findall(r"^(?:summary|totals):\s*(\d+)", file.read(), re.M)
        if not found:
            raise NotMeasured("callgrind left no totals")
        totals[count] = int(found[-1])
    return [(totals[2500] - totals[500]) / 2000], "2000 requests, 4 connections, under valgrind --tool=callgrind"


# --- peers ---

def against(rig, name, measures):
    """Millrace and the peer in turn, each while the other is at rest; `measures` give their speeds."""
    peer = peers.get(rig, name)
    values, notes = [], []
    for _ in range(rig.rounds):
        speeds = []
        for measure in measures:
            rigs.rest()
            speeds.append(measure(peer))
        values.append(speeds[0] / speeds[1])
        notes.append(speeds)
    ours, theirs = (sorted(n[i] for n in notes)[len(notes) // 2] for i in (0, 1))
    return values, f"{ours:.0f}/s against {theirs:.0f}/s; {peer.title}: {peer.durability}"


def peer_sends(name):
    return lambda rig: against(rig, name, (lambda _: rig.checked(rig.server("default"), "send", size=200)["messages_per_s"],
                                           lambda peer: peer.sends(rig.cell_s)))


def elasticmq_backlog(batch, groups=0):
    def measure(rig):
        peer, theirs = peers.get(rig, "elasticmq"), "backlog.fifo" if groups else "backlog"
        target, backlog = rig.server("default"), 100000
        queue = rig.new_queue(target, fifo=bool(groups))
        rig.load(target, "fill", queue=queue, groups=groups, size=200, count=backlog, limit=300)
        peer.backlog(theirs, backlog, groups)
        return against(rig, "elasticmq", (
            lambda _: rig.checked(target, "depth", queue=queue, groups=groups, size=200, batch=batch)["messages_per_s"],
            lambda peer: peer.lives(theirs, rig.cell_s, batch, groups)))
    return measure


# The table. Ratios: "more" is better or "less" is.
FIGURES = [
    row("send-200", "SendMessage 200 B, 64 connections / ceiling", "x", "more", 0.5, 0.7, ["ceiling", "send"], per("send", "ceiling")),
    row("send-1k", "SendMessage 1 KiB / ceiling", "x", "more", 0.4, 0.6, ["ceiling_1k", "send_1k"], per("send_1k", "ceiling_1k")),
    row("send-tls", "SendMessage 200 B over TLS / ceiling over TLS", "x", "more", 0.5, 0.7, ["ceiling_tls", "send_tls"], per("send_tls", "ceiling_tls")),
    row("cpu", "server CPU per SendMessage 200 B / ceiling's", "x", "less", 2.3, 1.6, ["ceiling", "send"],
        lambda r: r["send"]["server"]["cpu_us_per_request"] / r["ceiling"]["server"]["cpu_us_per_request"]),
    row("p50-one-thread", "p50 at 1 connection, 1 thread / fdatasync p50", "x", "less", 2.0, 1.5, ["disk", "one_t1"],
        lambda r: r["one_t1"]["latency_us"]["p50"] / r["disk"]["p50_us"]),
    row("p50-all-threads", "p50 at 1 connection, all threads / fdatasync p50", "x", "less", 2.0, 1.5, ["disk", "one"],
        lambda r: r["one"]["latency_us"]["p50"] / r["disk"]["p50_us"]),
    row("half-load", "p99 / p50 of SendMessage at half load", "x", "less", 4, 2.5, function=half_load),
    row("half-load-ceiling", "p99 / p50 of the ceiling at 20,000 requests/s", "x", "less", None, None, ["ceiling_paced"],
        lambda r: r["ceiling_paced"]["latency_us"]["p99"] / r["ceiling_paced"]["latency_us"]["p50"]),
    row("batch", "SendMessageBatch 10 x 200 B messages/s / SendMessage's", "x", "more", 4, 6, ["send", "batch"],
        lambda r: r["batch"]["messages_per_s"] / r["send"]["messages_per_s"]),
    row("life", "send, receive, delete in tens: messages/s / ceiling's requests/s", "x", "more", 0.8, 1.5, ["ceiling", "life"],
        lambda r: r["life"]["messages_per_s"] / r["ceiling"]["requests_per_s"]),
    row("written-life", "bytes written per body byte, 4 KiB in tens, deleted", "x", "less", 1.3, 1.1, function=written_life),
    row("written-kept", "bytes written per body byte, 4 KiB in tens, kept", "x", "less", 2.3, 1.5, function=written_kept),
    row("written-overhead", "bytes written per life of 256 B beyond the body", "B", "less", 160, 100, function=written_overhead),
    row("memory-10m", "memory above idle, 10 million of 256 B", "MiB", "less", 170, 50, function=lambda rig: memory_deep(rig, 10_000_000)),
    row("memory-100m", "memory above idle, 100 million of 256 B", "MiB", "less", 1740.8, 500, function=lambda rig: memory_deep(rig, 100_000_000)),
    row("drain", "p99 of SendMessage beside a drain / alone", "x", "less", 2, 1.2, function=drain_beside),
    row("depth-standard", "life at depth / at 1,000: standard", "x", "more", 0.9, 1.0, function=depth_standard),
    row("depth-fifo", "life at depth / at 1,000: FIFO", "x", "more", 0.8, 1.0, function=depth_fifo),
    row("depth-fifo-blocked", "life at depth / at 1,000: FIFO, blocked head", "x", "more", 0.9, 1.0, function=depth_fifo_blocked),
    row("recovery-warm", "ready after kill -9, page cache warm", "s", "less", 1, 0.3, function=lambda rig: recovery(rig, False)),
    row("recovery-dropped", "ready after kill -9, page cache dropped", "s", "less", 3, 0.5, function=lambda rig: recovery(rig, True)),
    row("recovery-fifo", "ready after kill -9, FIFO, inside the window", "s", "less", function=recovery_fifo),
    row("memory-fifo", "memory above idle, FIFO 10 million, window over", "MiB", "less", 250, 100, function=memory_fifo),
    row("recovery-fifo-over", "ready after kill -9, FIFO, window over, warm", "s", "less", 1, 0.3, function=lambda rig: recovery_fifo_forgotten(rig, False)),
    row("recovery-fifo-over-dropped", "ready after kill -9, FIFO, window over, dropped", "s", "less", 3, 0.5, function=lambda rig: recovery_fifo_forgotten(rig, True)),
    row("memory-dedup", "memory per deduplication entry", "B", "less", 64, 32, function=dedup_entry),
    row("idle-memory", "resident memory, idle on an empty directory", "MiB", "less", 20, 10, function=idle_memory),
    row("idle-ready", "ready on an empty directory", "ms", "less", 50, 20, function=idle_ready),
    row("longpoll-memory", "memory per idle long poll, plain", "KiB", "less", 4, 2, function=lambda rig: longpolls(rig, "plain", "memory")),
    row("longpoll-cpu", "CPU of a core for all idle long polls", "%", "less", 1, 0.2, function=lambda rig: longpolls(rig, "plain", "cpu")),
    row("longpoll-memory-tls", "memory per idle long poll, TLS", "KiB", "less", 24, 16, function=lambda rig: longpolls(rig, "tls", "memory")),
    row("queues-memory", "memory per idle queue", "KiB", "less", 2, 1, function=queues_memory),
    row("queues-random", "SendMessage to random queues / to one", "x", "more", 0.8, 0.95, function=queues_random),
    row("queues-metrics", "size of one /metrics reply with all queues", "KiB", "less", 1024, None, function=queues_metrics),
    row("instructions", "user instructions per SendMessage 200 B", "", "less", function=instructions),
    row("elasticmq-send", "SendMessage / ElasticMQ", "x", "more", 5, 20, function=peer_sends("elasticmq")),
    # A backlog slows ElasticMQ's FIFO queues only: the goal is theirs (doc/decisions/0008-a-backlog-in-elasticmq.md).
    row("elasticmq-backlog", "life one by one at a backlog of 100,000 / ElasticMQ", "x", "more", function=elasticmq_backlog(1)),
    row("elasticmq-backlog-tens", "life in tens at a backlog of 100,000 / ElasticMQ", "x", "more", function=elasticmq_backlog(10)),
    row("elasticmq-fifo", "FIFO: life one by one at a backlog of 100,000 / ElasticMQ", "x", "more", 20, 100, function=elasticmq_backlog(1, 1000)),
    row("elasticmq-fifo-tens", "FIFO: life in tens at a backlog of 100,000 / ElasticMQ", "x", "more", 20, 100, function=elasticmq_backlog(10, 1000)),
    row("moto-send", "SendMessage / moto server", "x", "more", function=peer_sends("moto")),
    row("redis-send", "SendMessage / Redis Streams always", "x", "more", 0.9, 1.2, function=peer_sends("redis")),
    row("rabbitmq-send", "SendMessage / RabbitMQ quorum, confirms", "x", "more", 2.5, 4, function=peer_sends("rabbitmq")),
    row("threads-1", "SendMessage 200 B, 1 thread / ceiling with 1 thread", "x", "more", None, None, ["ceiling_t1", "send_t1"], per("send_t1", "ceiling_t1")),
    row("threads-2", "SendMessage 200 B, 2 threads / 1 thread", "x", "more", None, None, ["send_t1", "send_t2"], per("send_t2", "send_t1")),
    row("send-64k", "SendMessage 64 KiB / ceiling", "x", "more", None, None, ["ceiling_64k", "send_64k"], per("send_64k", "ceiling_64k")),
    row("send-1m", "SendMessage 1 MiB, 16 connections / ceiling", "x", "more", None, None, ["ceiling_1m", "send_1m"], per("send_1m", "ceiling_1m")),
    row("durability-os", "SendMessage 200 B, --durability os / ceiling", "x", "more", None, None, ["ceiling", "send_os"], per("send_os", "ceiling")),
    row("durability-memory", "SendMessage 200 B, --durability memory / ceiling", "x", "more", None, None, ["ceiling", "send_memory"], per("send_memory", "ceiling")),
    row("connect", "SendMessage with new connections / ceiling's", "x", "more", None, None, ["ceiling_connect", "send_connect"], per("send_connect", "ceiling_connect")),
    row("abs-ceiling", "ceiling, absolute", "/s", "more", None, None, ["ceiling"], rate("ceiling")),
    row("abs-send", "SendMessage 200 B, absolute", "/s", "more", None, None, ["send"], rate("send")),
    row("abs-send-p99", "SendMessage 200 B, p99, absolute", "us", "less", None, None, ["send"], lambda r: r["send"]["latency_us"]["p99"]),
    row("abs-life", "whole lives, absolute", "msg/s", "more", None, None, ["life"], lambda r: r["life"]["messages_per_s"]),
    row("abs-paced", "ceiling at 20,000 requests/s, p99, absolute", "us", "less", None, None, ["ceiling_paced"], lambda r: r["ceiling_paced"]["latency_us"]["p99"]),
    row("pauses-share", "time that others take from a busy thread on each core", "%", "less", None, None, ["pauses"], lambda r: r["pauses"]["lost_percent"]),
    row("pauses-longest", "the longest such pause", "us", "less", None, None, ["pauses"], lambda r: r["pauses"]["longest_us"]),
    row("abs-disk", "4 KiB pwrite + fdatasync p50, absolute", "us", "less", None, None, ["disk"], lambda r: r["disk"]["p50_us"]),
]
