"""Q22: the quarantines of AWS, on a server that is asked to keep them."""

import os

import pytest

import server
import support
from support import prefixed, refused


@pytest.fixture(scope="module")
def strict():
    binary = os.environ.get("MILLRACE")
    if not binary:
        pytest.skip("needs MILLRACE, the program, to start a second server")
    with server.running(binary, extra_env={"MILLRACE_QUOTAS": "aws"}) as running:
        yield support.connect(running.url)


def test_q22_purge_once_a_minute(strict, name):
    url = strict.create_queue(QueueName=name)["QueueUrl"]
    strict.purge_queue(QueueUrl=url)
    with refused(strict, prefixed("PurgeQueueInProgress"),
                 f"Only one PurgeQueue operation on {name} is allowed every 60 seconds.", status=403):
        strict.purge_queue(QueueUrl=url)


def test_q22_a_name_rests_a_minute(strict, name):
    url = strict.create_queue(QueueName=name)["QueueUrl"]
    strict.delete_queue(QueueUrl=url)
    with refused(strict, prefixed("QueueDeletedRecently"),
                 "You must wait 60 seconds after deleting a queue before you can create another with the same name."):
        strict.create_queue(QueueName=name)
