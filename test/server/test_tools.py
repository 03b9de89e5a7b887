"""doctor, log dump, log verify, backup: on directories at rest, in use, damaged and absent."""

import os
import pathlib
import threading

from toolbox import until


def fill(client, count=200, queue="q"):
    client.call("CreateQueue", {"QueueName": queue})
    for start in range(0, count, 10):
        entries = [{"Id": str(i), "MessageBody": "body-%d" % (start + i)} for i in range(10)]
        assert not client.call("SendMessageBatch", {"QueueUrl": queue, "Entries": entries}).get("Failed")


def bodies(client, queue="q"):
    found = set()
    while True:
        got = client.call("ReceiveMessage", {"QueueUrl": queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": 600}).get("Messages")
        if not got:
            return found
        found |= {m["Body"] for m in got}


def stopped_server(t, count=200):
    s = t.server().ready()
    fill(s.client(), count)
    s.stop()
    return s.directory


def damage(directory, word):
    """Flips a bit of the first place where word stands in a segment; returns what puts it back."""
    for segment in sorted(pathlib.Path(directory).glob("journal-*.seg")):
        content = bytearray(segment.read_bytes())
        at = content.find(word)
        if at >= 0:
            content[at] ^= 4
            segment.write_bytes(content)
            content[at] ^= 4
            return lambda: segment.write_bytes(content)
    raise AssertionError("%r is in no segment" % word)


def test_doctor(t):
    for absent in (t.path("new"), t.path("new") + "//", "new"):
        before = sorted(os.listdir(t.directory))
        out, _ = t.run("doctor", "--data-dir", absent)
        for line in ("does not exist yet", "disk space", "disk syncs", "open files", "cores, memory", "clock", "All is well."):
            assert line in out, out
        assert sorted(os.listdir(t.directory)) == before, "it made something"
    out, _ = t.run("doctor", "--data-dir", t.path("no/new"), code=1)
    assert "BAD  data directory" in out and "neither does " + t.path("no") in out and not os.path.exists(t.path("no")), out
    os.mkdir(t.path("empty"))
    assert "is new" in t.run("doctor", "--data-dir", t.path("empty"))[0] and os.listdir(t.path("empty")) == []
    pathlib.Path(t.path("data")).mkdir()
    t.write("data/millrace-doctor.tmp", "of one that was killed")
    directory = stopped_server(t)
    assert "every frame and snapshot matches" in t.run("doctor", "--data-dir", directory)[0]
    assert not pathlib.Path(directory, "millrace-doctor.tmp").exists()
    s = t.server().ready()
    out, _ = t.run("doctor", "--data-dir", directory)
    assert "ok   data " in out and "a server uses it" in out and "All is well." in out, out
    s.stop()
    put_back = damage(directory, b"body-3")
    out, _ = t.run("doctor", "--data-dir", directory, code=1)
    assert "BAD  data" in out and "Something above needs attention." in out, out
    put_back()
    t.run("doctor", "--data-dir", directory)
    t.write("file", "")
    out, _ = t.run("doctor", "--data-dir", t.path("file/below"), code=1)
    assert "BAD  data directory" in out, out


def test_log(t):
    directory = stopped_server(t, 30)
    out, _ = t.run("log", "dump", directory)
    assert out.count("QUEUE_CREATED") == 1 and "name=q" in out, out
    lines = out.splitlines()
    assert all("type=" in line and "version=" in line for line in lines), out
    t.run("log", "verify", directory)
    put_back = damage(directory, b"body-7")
    out, err = t.run("log", "verify", directory, code=65)
    assert out and err.startswith("millrace: "), (out, err)
    put_back()
    t.run("log", "verify", directory)
    assert t.run("log", "verify", t.path("nothing"), code=74)[1].startswith("millrace: ")
    s = t.server().ready()
    assert "another process uses it" in t.run("log", "verify", directory, code=69)[1]
    s.stop()


def test_backup_at_rest(t):
    directory = stopped_server(t)
    out, _ = t.run("backup", t.path("copy"), "--data-dir", directory)
    assert "verified copy" in out, out
    s = t.server(data="copy").ready()
    assert bodies(s.client()) == {"body-%d" % i for i in range(200)}
    s.stop()
    _, err = t.run("backup", t.path("copy"), "--data-dir", directory, code=74)  # never over something
    assert t.path("copy") in err, err
    t.run("backup", t.path("copy2"), "--data-dir", t.path("nothing"), code=74)
    t.run("backup", "relative", "--data-dir", directory)
    assert pathlib.Path(t.directory, "relative", "format").exists()


class Load:
    """A client that sends, and deletes every third message, until it is stopped: what was acknowledged, in order."""

    def __init__(self, server):
        self.client, self.sent, self.deleted = server.client(), [], []
        self.is_ended, self.error = threading.Event(), None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            self.client.call("CreateQueue", {"QueueName": "load"})
            while not self.is_ended.is_set():
                body = "load-%d" % len(self.sent)
                self.client.call("SendMessage", {"QueueUrl": "load", "MessageBody": body + "x" * 20000})
                self.sent.append(body)
                if len(self.sent) % 3 == 0:
                    self.delete_one()
        except Exception as e:  # told by stop()
            self.error = e

    def delete_one(self):
        for m in self.client.call("ReceiveMessage", {"QueueUrl": "load", "VisibilityTimeout": 0}).get("Messages", []):
            self.client.call("DeleteMessage", {"QueueUrl": "load", "ReceiptHandle": m["ReceiptHandle"]})
            self.deleted.append(m["Body"].rstrip("x"))

    def stop(self):
        self.is_ended.set()
        self.thread.join()
        assert not self.error, self.error


def test_backup_of_a_running_server(t):
    """Under load, several times: each copy is sound, starts, and holds what was acknowledged before it began: every message sent
    and not deleted, none that was deleted."""
    s = t.server("--segment-mib", "4", "--snapshot-mib", "2").ready()
    fill(s.client(), 100)
    load, copies = Load(s), []
    for i in range(4):
        until(lambda: len(load.sent) > 150 * (i + 1) or load.error, "there is load")
        deleted, sent = len(load.deleted), len(load.sent)
        out, _ = t.run("backup", "copy-%d" % i, "--data-dir", s.directory)
        assert "verified copy" in out
        copies.append((t.path("copy-%d" % i), load.sent[:sent], load.deleted[:deleted]))
    load.stop()
    assert s.text().count("backup_made") == 4
    _, err = t.run("backup", "copy-0", "--data-dir", s.directory, code=74)
    assert "says: it is there already" in err, err
    s.stop()
    assert not os.path.exists(os.path.join(s.directory, "control"))
    for path, sent, deleted in copies:
        t.run("log", "verify", path)
        restored = t.server(data=os.path.basename(path)).ready()
        found = {body.rstrip("x") for body in bodies(restored.client(), "load")}
        assert {"body-%d" % i for i in range(100)} == bodies(restored.client())
        lost = set(sent) - found - set(load.deleted)
        assert not lost, "%d of %d sent before, e.g. %s" % (len(lost), len(sent), sorted(lost)[:3])
        assert not found & set(deleted), "%d deleted ones are back" % len(found & set(deleted))
        assert found <= set(load.sent)
        restored.stop()


def test_a_data_directory_with_a_long_path(t):
    """Longer than what a socket's address has room for."""
    os.mkdir(t.path("d" * 120))
    s = t.server(data="d" * 120 + "/data").ready()
    fill(s.client(), 10)
    assert "verified copy" in t.run("backup", "copy", "--data-dir", s.directory)[0]
    assert "no_control_socket" not in s.stop()


def test_a_killed_server_leaves_no_door(t):
    s = t.server().ready()
    fill(s.client(), 10)
    s.process.kill()
    s.wait()
    assert os.path.exists(os.path.join(s.directory, "control"))
    t.run("backup", "copy", "--data-dir", s.directory)  # nobody uses it: by ourselves
    s = t.server().ready()
    t.run("backup", "copy2", "--data-dir", s.directory)
    s.stop()
