"""Judges the histories of clients against what a durable queue promises. Invariants are numbered; later services add theirs.

CRASH-1  an acknowledged send is received in the end, from its queue or the dead-letter queue, unless its delete was asked for
CRASH-2  nothing is received that was not sent, and every body is byte for byte what was sent
CRASH-3  an acknowledged delete never comes back in a receive that was asked after the acknowledgement
CRASH-4  FIFO: a message is received only when the delete of each earlier one of its group was asked, or it stands before it in
         the same receive, or it went to the dead-letter queue
CRASH-5  a message has one message id, also in the dead-letter queue; on a FIFO queue one sequence number
CRASH-6  after the drain every count is zero, also after a clean stop and a start
CRASH-7  FIFO: within a group sequence numbers rise with the producer's order
CRASH-8  no message is received before its delay is over
CRASH-9  FIFO: no second delivery while a lease lasts, also over a crash. Standard: the same where no crash lies between
CRASH-10 FIFO: receive counts rise, and are no less than the receives known and no more than those possible. Standard: they
         rise where no crash lies between
CRASH-11 what is in the dead-letter queue was received as often as the policy says
CRASH-12 what was received from the dead-letter queue is not received from the source any more; FIFO: never more often than the
         policy says
Each is O(n log n) in the number of lines.
"""
import bisect
import collections

SLACK_S = 0.05  # the server's clock is slewed, and in milliseconds
NEVER = float("inf")


def is_fifo(queue):
    return queue.endswith(".fifo")


def group_of(key):
    return key.rsplit("-", 1)[0]


class Receipt:
    def __init__(self, line, place, said):
        self.at, self.done, self.queue, self.place = line["at"], line["done"], line["queue"], place
        self.lease_s = line["visibility"]
        self.identity, self.key, self.sequence, self.count = said


class Judge:
    def __init__(self, history, kills, dead, max_receives):
        self.kills, self.dead, self.max_receives = sorted(kills), dead, max_receives
        self.sources = {v: k for k, v in dead.items()}
        self.problems, self.counts = [], collections.Counter()
        self.sent, self.acknowledged, self.identities = {}, {}, collections.defaultdict(set)
        self.delete_asked, self.delete_done = {}, {}
        self.changes, self.by_key = collections.defaultdict(list), collections.defaultdict(list)
        self.receives, self.unknown_receives = [], collections.defaultdict(list)
        history.sort(key=lambda line: (line["op"] != "send", line["at"]))  # a receive may be asked before what it got was sent
        for line in history:
            self.counts[line["op"]] += line["op"] != "counts"
            self.counts["unknown outcomes"] += line.get("done", 0) is None
            getattr(self, "see_" + line["op"])(line)
        for times in self.unknown_receives.values():
            times.sort()

    def broken(self, number, text):
        self.problems.append(f"CRASH-{number} {text}")

    # ---- what was asked and said

    @staticmethod
    def told(line):
        """(key, message id) of what the client was told went well."""
        said = line.get("said")
        if line.get("error") or line.get("done") is None:
            return []
        if isinstance(said, dict):
            return [(line["keys"][int(index)], identity) for index, identity in said["ok"]]
        return [(key, said) for key in line["keys"]]

    def see_send(self, line):
        for key in line["keys"]:
            self.sent.setdefault(key, line)
        for key, identity in self.told(line):
            self.acknowledged.setdefault(key, line["done"])
            self.identities[key].add(identity)

    def see_delete(self, line):
        for key in line["keys"]:
            self.delete_asked.setdefault(key, line["at"])
        for key, _ in self.told(line):
            self.delete_done[key] = min(line["done"], self.delete_done.get(key, NEVER))

    def see_change(self, line):
        self.changes[line["keys"][0]].append(line)

    def see_counts(self, line):
        if line["counts"] != [0, 0, 0]:
            self.broken(6, f"{line['queue']}: counts {line['counts']}")

    def see_receive(self, line):
        if line.get("done") is None:
            self.unknown_receives[line["queue"]].append(line["at"])
            return
        batch = [Receipt(line, place, said) for place, said in enumerate(line.get("said") or [])]
        self.receives.append((line, batch))
        for r in batch:
            if r.key not in self.sent:
                self.broken(2, f"{r.queue}: {r.identity} holds {r.key}")
            else:
                self.by_key[r.key].append(r)
                self.identities[r.key].add(r.identity)

    # ---- the judgement

    def judge(self):
        for key in self.acknowledged:
            if key not in self.by_key and key not in self.delete_asked:
                self.broken(1, f"{key} was acknowledged and is lost")
        for key, receipts in self.by_key.items():
            receipts.sort(key=lambda r: r.done)
            self.judge_message(key, receipts)
        self.judge_order()
        self.judge_sequences()
        self.counts["acknowledged messages"] = len(self.acknowledged)
        self.counts["acknowledged deletes"] = len(self.delete_done)
        self.counts["dead letters"] = sum(any(r.queue in self.sources for r in rs) for rs in self.by_key.values())
        return self.problems

    def judge_message(self, key, receipts):
        send = self.sent[key]
        if len(self.identities[key]) > 1:
            self.broken(5, f"{key} is {sorted(self.identities[key])}")
        if is_fifo(send["queue"]) and len({r.sequence for r in receipts if r.queue == send["queue"]}) > 1:
            self.broken(5, f"{key} has the sequence numbers {sorted({r.sequence for r in receipts})}")
        deleted = self.delete_done.get(key, NEVER)
        for r in receipts:
            if r.at > deleted:
                self.broken(3, f"{r.queue}: {key} came back {r.at - deleted:.3f} s after its delete")
            if send.get("delay") and r.done < send["at"] + send["delay"] - SLACK_S:
                self.broken(8, f"{r.queue}: {key} came {send['at'] + send['delay'] - r.done:.3f} s too early")
        for i, (before, after) in enumerate(zip(receipts, receipts[1:])):
            is_exact = is_fifo(before.queue) or not self.was_killed(before.at, after.done)
            if is_exact and after.at > before.done:
                self.judge_lease(key, before, after)
                if before.queue == after.queue and after.count <= before.count:
                    self.broken(10, f"{key}: receive count {after.count} after {before.count}")
            if before.queue in self.sources and after.queue not in self.sources and after.at > before.done:
                self.broken(12, f"{key} came from {after.queue} after {before.queue}")
        self.judge_counts(key, receipts)

    def was_killed(self, since, until):
        return bisect.bisect_left(self.kills, since) < bisect.bisect_right(self.kills, until)

    def judge_lease(self, key, before, after):
        end = before.at + before.lease_s
        for change in self.changes[key]:
            done = change["done"] if change.get("done") is not None else NEVER
            if change["at"] > after.done or done < before.at:
                continue
            new = change["at"] + change["visibility"]
            is_longer = new > end and done < end and not change.get("error") and change["at"] > before.done
            end = new if is_longer else min(end, new)
        if after.done < end - SLACK_S:
            self.broken(9, f"{after.queue}: {key} came {end - after.done:.3f} s before its lease was over")

    def judge_counts(self, key, receipts):
        source = [r for r in receipts if r.queue not in self.sources]
        queue = self.sent[key]["queue"]
        unknown = self.unknown_receives[queue]
        dones = [r.done for r in source]
        starts = sorted(r.at for r in source)
        for r in source if is_fifo(queue) else []:
            least = 1 + bisect.bisect_left(dones, r.at)
            most = bisect.bisect_right(starts, r.done) + bisect.bisect_right(unknown, r.done)
            if not least <= r.count <= most:
                self.broken(10, f"{key}: receive count {r.count}, expected {least} to {most}")
        if queue not in self.dead:
            return
        first_dead = min((r.done for r in receipts if r.queue in self.sources), default=None)
        if first_dead is not None and len(source) + bisect.bisect_right(unknown, first_dead) < self.max_receives:
            self.broken(11, f"{key} is a dead letter after {len(source)} receives")
        if is_fifo(queue) and len(source) > self.max_receives:
            self.broken(12, f"{key} was received {len(source)} times")

    def judge_order(self):
        """Of each group: the latest `delete asked` of all messages up to an index, so that one look judges a receipt."""
        groups = collections.defaultdict(list)
        dead_letters = {r.key for receipts in self.by_key.values() for r in receipts if r.queue in self.sources}
        for key in self.acknowledged:
            if is_fifo(self.sent[key]["queue"]) and key not in dead_letters:
                groups[group_of(key)].append(key)
        settled = {}
        for group, keys in groups.items():
            keys.sort()
            latest, rows = (-1.0, None), []
            for key in keys:
                latest = max(latest, (self.delete_asked.get(key, NEVER), key))
                rows.append(latest)
            settled[group] = (keys, rows)
        for line, batch in self.receives:
            if is_fifo(line["queue"]) and line["queue"] not in self.sources:
                self.judge_batch(batch, settled)

    def judge_batch(self, batch, settled):
        last = {}  # of the group in this batch: how many of its messages are before or in it
        for r in batch:
            if r.key is None or group_of(r.key) not in settled:
                continue
            keys, rows = settled[group_of(r.key)]
            index = bisect.bisect_left(keys, r.key)
            known = last.get(group_of(r.key))
            if known is None:
                asked, earlier = rows[index - 1] if index else (0, None)
                if asked > r.done:
                    self.broken(4, f"{r.queue}: {r.key} before {earlier}")
            else:
                for earlier in keys[known:index]:
                    if self.delete_asked.get(earlier, NEVER) > r.done:
                        self.broken(4, f"{r.queue}: {r.key} before {earlier}")
                if index < known:
                    self.broken(4, f"{r.queue}: {r.key} after a later one in the same receive")
            last[group_of(r.key)] = index + (index < len(keys) and keys[index] == r.key)

    def judge_sequences(self):
        last = {}
        for key in sorted(k for k in self.by_key if is_fifo(self.sent[k]["queue"])):
            numbers = [int(r.sequence) for r in self.by_key[key] if r.queue not in self.sources]
            if not numbers:
                continue
            group = group_of(key)
            if group in last and numbers[0] <= last[group][0]:
                self.broken(7, f"{key} has {numbers[0]}, not above {last[group][0]} of {last[group][1]}")
            last[group] = (numbers[0], key)

    def summary(self):
        return ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items()))
