"""The credentials file: what it may hold, whom it lets in, and its reload."""

import os

from process import is_sanitized, resident_bytes

FILE = """# key           secret        account       who
AKIAROOT        root-secret   111122223333
AKIAUSER        user-secret   111122223333  user/reader

AKIAOTHER       other-secret  444455556666  role/worker
"""


def who(client):
    reply = client.query({"Action": "GetCallerIdentity", "Version": "2011-06-15"}, service="sts")
    return reply.status, reply.body.decode()


def test_who_is_let_in(t):
    s = t.server("--accounts", t.write("accounts", FILE)).ready()
    assert "Credentials for development" not in s.text()
    status, text = who(s.client(key="AKIAROOT", secret="root-secret"))
    assert status == 200 and "<Arn>arn:aws:iam::111122223333:root</Arn>" in text and "<Account>111122223333</Account>" in text, text
    status, text = who(s.client(key="AKIAUSER", secret="user-secret"))
    assert status == 200 and ":user/reader</Arn>" in text, text
    assert who(s.client(key="AKIAROOT", secret="user-secret"))[0] == 403
    assert who(s.client(key="AKIANOBODY", secret="root-secret"))[0] == 403
    assert "InvalidClientTokenId" in who(s.client())[1]  # the development key is gone
    assert who(s.client(key="111122223333"))[0] == 403
    root = s.client(key="AKIAROOT", secret="root-secret")
    assert root.call("CreateQueue", {"QueueName": "q"})["QueueUrl"].endswith("/111122223333/q")
    other = s.client(key="AKIAOTHER", secret="other-secret")
    assert other.json("GetQueueUrl", {"QueueName": "q", "QueueOwnerAWSAccountId": "111122223333"}).status != 200
    text = s.stop()
    for secret in ("root-secret", "user-secret", "other-secret"):
        assert secret not in text


def test_refused_files(t):
    t.refused(64, "--accounts", t.write("open", FILE, 0o644), words=["open", "0600"])
    t.refused(64, "--accounts", t.write("group", FILE, 0o640), words=["0600"])
    t.refused(64, "--accounts", t.write("empty", "# nobody\n"), words=["no credential"])
    t.refused(64, "--accounts", t.write("short", "AKIA secret\n"), words=["short"])
    t.refused(64, "--accounts", t.write("account", "AKIA secret 12345\n"), words=["account"])
    t.refused(64, "--accounts", t.write("twice", "AKIA a 111122223333\nAKIA b 111122223333\n"), words=["AKIA", "twice"])
    t.refused(64, "--accounts", t.path("nothing"), words=["nothing"])


def test_reload(t):
    check_reload(t, t.server("--accounts", t.write("accounts", FILE)).ready())


def test_reload_with_data_in_memory(t):
    """The data directory is then in memory, the credentials are not."""
    check_reload(t, t.server("--durability", "memory", "--accounts", t.write("accounts", FILE)).ready())


def check_reload(t, s):
    old, new = s.client(key="AKIAROOT", secret="root-secret"), s.client(key="AKIANEW", secret="new-secret")
    old.call("CreateQueue", {"QueueName": "q"})
    assert who(new)[0] == 403
    t.write("accounts", "AKIANEW new-secret 111122223333\n")
    s.reload("credentials_reloaded")
    assert who(new)[0] == 200 and who(old)[0] == 403  # on a connection that was open before
    assert new.call("GetQueueUrl", {"QueueName": "q"})["QueueUrl"].endswith("/111122223333/q")
    t.write("accounts", "nonsense\n")
    s.reload("credentials_reload_failed")
    assert who(new)[0] == 200
    t.write("accounts", FILE)
    os.chmod(t.path("accounts"), 0o644)
    s.reload("credentials_reload_failed")
    assert "0600" in s.text()
    assert who(new)[0] == 200
    os.remove(t.path("accounts"))
    s.reload("credentials_reload_failed")
    t.write("accounts", FILE)
    s.reload("credentials_reloaded")
    assert who(old)[0] == 200 and who(new)[0] == 403
    assert "new-secret" not in s.stop()


def test_many_reloads_under_load(t):
    """Sets come and go while requests look into them."""
    import threading
    s = t.server("--accounts", t.write("accounts", FILE)).ready()
    ended, failures = threading.Event(), []

    def ask():
        c = s.client(key="AKIAROOT", secret="root-secret")
        while not ended.is_set():
            if who(c)[0] != 200:
                failures.append(who(c))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(30):
        t.write("next", FILE + "".join("AKIA%d s%d 111122223333\n" % (n, i) for n in range(2000)))
        os.rename(t.path("next"), t.path("accounts"))
        s.reload("credentials_reloaded")
    ended.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    resident = resident_bytes(s.process.pid)
    assert resident < 100 * 1024 * 1024 or is_sanitized(s.process.pid), "%d bytes after 30 reloads" % resident
    s.stop()


def test_development_accounts(t):
    s = t.server().ready()
    assert "<Account>000000000000</Account>" in who(s.client())[1]
    assert "<Account>123456789012</Account>" in who(s.client(key="123456789012"))[1]
    assert who(s.client(key="123456789012", secret="other"))[0] == 403
    assert who(s.client(key="12345678901"))[0] == 403
    s.stop()
