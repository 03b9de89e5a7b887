"""quotas = aws: what the real service limits is limited then, and only then."""

from wire import Refused


def refused(client, operation, arguments):
    try:
        client.call(operation, arguments)
    except Refused as e:
        return e.code
    return None


def test_off(t):
    s = t.server().ready()
    c = s.client()
    c.call("CreateQueue", {"QueueName": "q"})
    assert refused(c, "PurgeQueue", {"QueueUrl": "q"}) is None
    assert refused(c, "PurgeQueue", {"QueueUrl": "q"}) is None
    c.call("DeleteQueue", {"QueueUrl": "q"})
    assert refused(c, "CreateQueue", {"QueueName": "q"}) is None
    s.stop()


def test_aws(t):
    s = t.server("--quotas", "aws").ready()
    c = s.client()
    c.call("CreateQueue", {"QueueName": "q"})
    assert refused(c, "PurgeQueue", {"QueueUrl": "q"}) is None
    assert refused(c, "PurgeQueue", {"QueueUrl": "q"}) == "PurgeQueueInProgress"
    c.call("DeleteQueue", {"QueueUrl": "q"})
    assert refused(c, "CreateQueue", {"QueueName": "q"}) == "QueueDeletedRecently"
    s.stop()
