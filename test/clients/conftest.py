"""Fixtures shared by every pytest suite: one server for the session, clients by account.

The server is the one at AWS_ENDPOINT_URL (what run.py gives), or one started
here from the binary in MILLRACE.
"""

import os
import uuid

import pytest

import server


@pytest.fixture(scope="session")
def endpoint():
    given = os.environ.get("AWS_ENDPOINT_URL")
    if given:
        yield given.rstrip("/")
        return
    binary = os.environ.get("MILLRACE")
    if not binary:
        pytest.exit("set AWS_ENDPOINT_URL to a running server, or MILLRACE to the program", returncode=2)
    with server.running(binary) as running:
        os.environ.update(server.client_environment(running.url))
        yield running.url


@pytest.fixture
def name():
    """A queue name no other test uses."""
    return "t-" + uuid.uuid4().hex[:20]
