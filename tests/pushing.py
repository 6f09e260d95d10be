"""`publisher` in a test: its queues are a receiver's, and the servers that it calls may be anywhere."""

import pytest

from functions.publisher import calls
from oms.runtime import clients
from tests.outlets import Receiver


def pushing_to(monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """Let `publisher` begin anew, and send to a receiver's queues; returns the receiver."""
    receiver = Receiver()
    for name, value in {
        "CHANNEL_SECRET_PREFIX": "oms/channels/",
        "INBOUND_QUEUE_URL": "https://sqs/inbound",
        "REACH": "any",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(clients, "sqs", lambda: receiver.queue)
    for cached in (calls.configured, calls.client, calls.apis):
        cached.cache_clear()
    return receiver
