"""Clients and queues for the boto3 and botocore suites."""

import pytest

import support


@pytest.fixture(scope="session")
def sqs(endpoint):
    return support.connect(endpoint)


@pytest.fixture(scope="session")
def loose(endpoint):
    """A client that lets the server judge missing parameters."""
    return support.connect(endpoint, parameter_validation=False)


@pytest.fixture(scope="session")
def other(endpoint):
    """A client of another account."""
    return support.connect(endpoint, key=support.OTHER)


@pytest.fixture(scope="session")
def wire(sqs):
    return support.wire_of(sqs)


@pytest.fixture(autouse=True)
def _needs_json(request, wire):
    if request.node.get_closest_marker("json_only") and wire != "json":
        pytest.skip("only in the JSON protocol client")


@pytest.fixture
def make_queue(sqs, name):
    """make_queue(suffix, Attribute=value...) -> url; all deleted after the test."""
    made = []

    def make(suffix="", **attributes):
        full = name + suffix + (".fifo" if attributes.get("FifoQueue") else "")
        url = sqs.create_queue(QueueName=full, Attributes=attributes)["QueueUrl"]
        made.append(url)
        return url

    yield make
    for url in made:
        try:
            sqs.delete_queue(QueueUrl=url)
        except sqs.exceptions.QueueDoesNotExist:
            pass


@pytest.fixture
def queue(make_queue):
    return make_queue()


@pytest.fixture
def fifo(make_queue):
    return make_queue(FifoQueue="true", ContentBasedDeduplication="true")
