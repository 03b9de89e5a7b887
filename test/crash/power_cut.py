"""Takes back what a power cut could have taken, from the log of power_loss.c. For a directory no process uses.

Of every file: each sector written since its last sync is kept or goes back to any content it had since then; the size is the
durable one, the present one or between. Of the names: a prefix of the changes since the directory's last sync stays, as
journaling file systems keep their order. What is left is durable, and the log begins anew.
"""
import collections
import os
import struct

SECTOR = 512
ENTRY = struct.Struct("<8sQQQQQQQ")


def read_log(path):
    entries = []
    if not os.path.exists(path):
        return entries
    with open(path, "rb") as log:
        while len(head := log.read(ENTRY.size)) == ENTRY.size:
            kind, sequence, inode, offset, old_size, upto, keep, size = ENTRY.unpack(head)
            data = log.read(size)
            if len(data) < size:
                break
            entries.append((kind[:1].decode(), sequence, inode, offset, old_size, upto, keep, data))
    return entries


class Cut:
    def __init__(self, data_dir, log, keep, chance):
        self.data_dir, self.log, self.keep, self.chance = data_dir, log, keep, chance
        self.counts = collections.Counter()
        self.share = chance.choice([0.0, 0.0, 0.5, 0.5, 0.9, 1.0])

    def run(self):
        entries = read_log(self.log)
        synced = {}
        for kind, _, inode, _, _, upto, _, _ in entries:
            if kind in "SD":
                synced[inode] = max(upto, synced.get(inode, 0))
        pending = collections.defaultdict(list)
        for e in entries:
            if e[0] in "WT" and e[1] > synced.get(e[2], 0):
                pending[e[2]].append(e)
        paths = {os.stat(p).st_ino: p for d in (self.keep, self.data_dir) if os.path.isdir(d)
                 for p in (os.path.join(d, n) for n in os.listdir(d))}
        for inode, writes in pending.items():
            if inode in paths:
                self.undo_bytes(paths[inode], writes)
        self.undo_names(entries, synced)
        open(self.log, "w").close()
        for name in os.listdir(self.keep):
            os.unlink(os.path.join(self.keep, name))
        return self.counts

    def undo_bytes(self, path, writes):
        with open(path, "r+b") as f:
            now = os.fstat(f.fileno()).st_size
            versions = collections.defaultdict(list)
            for _, _, _, offset, old_size, end, _, data in writes:
                for at in range(offset, end, SECTOR):
                    old = data[at - offset:at - offset + SECTOR]
                    versions[at].append(old.ljust(SECTOR, b"\0"))
            in_order = self.chance.random() < 0.3  # a prefix reached the disk
            left = int(len(versions) * self.chance.random())
            for index, at in enumerate(sorted(versions)):
                is_kept = index < left if in_order else self.chance.random() < self.share
                self.counts["sectors kept" if is_kept else "sectors lost"] += 1
                if not is_kept:
                    f.seek(at)
                    f.write(self.chance.choice(versions[at]))
            durable = writes[0][4]
            size = self.chance.choice([durable, now, self.chance.randint(min(durable, now), max(durable, now))])
            f.truncate(max(size, min(durable, now)))

    def undo_names(self, entries, synced):
        changes = collections.defaultdict(list)
        for e in entries:
            if e[0] in "CRU":
                name, _, to = e[7].decode().partition("\0")
                folder = os.path.dirname(name)
                inode = os.stat(folder).st_ino if os.path.isdir(folder) else 0
                if e[1] > synced.get(inode, 0):
                    changes[folder].append((e[0], name, to, e[6]))
        # inner names first: if the directory itself goes, they go with it
        for folder in sorted(changes, reverse=True):
            kept = self.chance.randint(0, len(changes[folder]))
            self.counts["names kept"] += kept
            for kind, name, to, keep in reversed(changes[folder][kept:]):
                self.counts["names lost"] += 1
                self.undo_name(kind, name, to, keep)

    def undo_name(self, kind, name, to, keep):
        if kind == "C" and os.path.isdir(name):
            for inner in os.listdir(name):
                os.unlink(os.path.join(name, inner))
            os.rmdir(name)
            self.counts["directories lost"] += 1
        elif kind == "C" and os.path.exists(name):
            os.unlink(name)
        elif kind == "R" and os.path.exists(to):
            os.rename(to, name)
            if keep:
                os.link(os.path.join(self.keep, str(keep)), to)
        elif kind == "U" and keep and not os.path.exists(name):
            os.link(os.path.join(self.keep, str(keep)), name)
