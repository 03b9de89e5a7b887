"""quotas = aws: what the real service limits is limited then, and only then."""

import json
import threading

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


ARN = "arn:aws:sqs:us-east-1:%s:%s"


def dead_letter_queues(client, account, count):
    """Queues of dead letters with a hundred messages each: a task that moves one a second is active until the test is over."""
    names = ["dead%d" % i for i in range(count)]
    client.call("CreateQueue", {"QueueName": "target"})
    for i, name in enumerate(names):
        client.call("CreateQueue", {"QueueName": name})
        policy = {"deadLetterTargetArn": ARN % (account, name), "maxReceiveCount": 1}
        client.call("CreateQueue", {"QueueName": "q%d" % i, "Attributes": {"RedrivePolicy": json.dumps(policy)}})
        entries = [{"Id": str(k), "MessageBody": "x"} for k in range(10)]
        for _ in range(10):
            client.call("SendMessageBatch", {"QueueUrl": name, "Entries": entries})
    return names


def start(client, account, name):
    return refused(client, "StartMessageMoveTask", {"SourceArn": ARN % (account, name), "MaxNumberOfMessagesPerSecond": 1,
                                                    "DestinationArn": ARN % (account, "target")})


def test_move_tasks_of_an_account(t):
    """Started by four at the same time, on queues that four threads decide for: no more than 100 of them run."""
    s = t.server("--quotas", "aws", "--threads", "4").ready()
    account, other = "000000000000", "111122223333"
    names = dead_letter_queues(s.client(), account, 104)
    answers = []

    def some(mine):
        client = s.client()
        for name in mine:
            answers.append(start(client, account, name))

    threads = [threading.Thread(target=some, args=(names[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(str(a) for a in answers) == ["None"] * 100 + ["OverLimit"] * 4, answers
    stranger = s.client(key=other)
    assert start(stranger, other, dead_letter_queues(stranger, other, 1)[0]) is None
    s.stop()
    s = t.server("--quotas", "aws").ready()
    answers = [start(s.client(), account, name) for name in names]
    assert sorted(answers) == ["InvalidParameterValueException"] * 100 + ["OverLimit"] * 4, answers  # they still run
    s.stop()
    s = t.server().ready()
    assert "OverLimit" not in [start(s.client(), account, name) for name in names]
    s.stop()
