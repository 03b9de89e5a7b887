"""Judges the histories of clients against what a durable queue promises. Invariants are numbered; later services add theirs.

CRASH-1  an acknowledged send is received in the end, unless its delete was asked for
CRASH-2  nothing is received that was not sent, and every body is byte for byte what was sent
CRASH-3  an acknowledged delete never comes back in a receive that was asked after the acknowledgement
CRASH-4  FIFO: a message is received only when each earlier acknowledged one of its group was asked to be deleted, or stands
         before it in the same receive
CRASH-5  FIFO: one deduplication id is one message: one message id, one sequence number
CRASH-6  after the drain every count is zero
CRASH-7  FIFO: within a group sequence numbers rise with the producer's order
"""
import collections

_counts = collections.Counter()


def summary():
    return ", ".join(f"{name} {count}" for name, count in sorted(_counts.items()))


def acknowledged(line):
    """The keys of a send or delete that the client was told went well."""
    said = line.get("said")
    if line.get("error") or said is None and line["op"] != "delete":
        return []
    if isinstance(said, dict):
        return [line["keys"][int(entry[0])] for entry in said["ok"]]
    return line["keys"] if line.get("done") and line["op"] == "send" else []


def receipts(history, drained):
    """Every receive, in order of asking: (asked, answered, queue, [(id, key, sequence)])."""
    for line in history:
        if line["op"] == "receive" and isinstance(line.get("said"), list):
            yield line["at"], line["done"], line["queue"], line["said"]
    for line in drained:
        if "key" in line:
            yield line["at"], line["at"], line["queue"], [[line["id"], line["key"], line["sequence"]]]


def group_of(key):
    return key[1:].rsplit("-", 1)[0]


def judge(history, drained):
    problems = []
    sent_asked, sent_ok, delete_asked, delete_ok = set(), {}, {}, {}
    for line in history:
        _counts[line["op"]] += 1
        _counts["unknown outcomes"] += line.get("done") is None
        if line["op"] == "send":
            sent_asked.update(line["keys"])
            for key in acknowledged(line):
                sent_ok.setdefault(key, line["done"])
        elif line["op"] == "delete":
            for key in line["keys"]:
                delete_asked[key] = min(line["at"], delete_asked.get(key, line["at"]))
            for key in acknowledged(line):
                delete_ok[key] = min(line["done"], delete_ok.get(key, line["done"]))
    _counts["acknowledged messages"] = len(sent_ok)
    _counts["acknowledged deletes"] = len(delete_ok)
    received, ids = set(), collections.defaultdict(set)
    by_group = collections.defaultdict(list)
    for key in sent_ok:
        if key[0] == "f":
            by_group[group_of(key)].append(key)
    for asked, _, queue, messages in sorted(receipts(history, drained), key=lambda r: r[0]):
        batch = []
        for identity, key, sequence in messages:
            if key is None or key not in sent_asked:
                problems.append(f"CRASH-2 {queue}: {identity} holds {key}")
                continue
            received.add(key)
            ids[key].add((identity, sequence))
            if key in delete_ok and asked > delete_ok[key]:
                problems.append(f"CRASH-3 {queue}: {key} came back {asked - delete_ok[key]:.3f} s after its delete")
            if key[0] == "f" and asked > 0:
                for earlier in by_group[group_of(key)]:
                    is_settled = earlier in delete_asked or earlier in batch
                    if earlier < key and sent_ok[earlier] < asked and not is_settled and not was_drained(drained, earlier, asked):
                        problems.append(f"CRASH-4 {queue}: {key} before {earlier}")
            batch.append(key)
    for key in sent_ok:
        if key not in received and key not in delete_asked:
            problems.append(f"CRASH-1 {key} was acknowledged and is lost")
    for key, seen in ids.items():
        if key[0] == "f" and len(seen) > 1:
            problems.append(f"CRASH-5 {key} is {sorted(seen)}")
    problems += judge_sequences(ids)
    for line in drained:
        if "counts" in line and line["counts"] != [0, 0, 0]:
            problems.append(f"CRASH-6 {line['queue']}: counts {line['counts']}")
    return problems


def was_drained(drained, key, before):
    return any(line.get("key") == key and line["at"] <= before for line in drained)


def judge_sequences(ids):
    problems, last = [], {}
    for key in sorted(k for k in ids if k[0] == "f"):
        sequence = int(min(ids[key])[1])
        group = group_of(key)
        if group in last and sequence <= last[group]:
            problems.append(f"CRASH-7 {key} has {sequence}, not above {last[group]}")
        last[group] = sequence
    return problems
