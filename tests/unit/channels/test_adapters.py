"""What holds for the adapter of every kind of channel."""

import subprocess
import sys

import pytest

from oms.channels.headers import Headers
from oms.channels.registry import KINDS, adapter
from oms.problems import Code, Problem
from tests.unit.channels.signing import BODY, NOW, URL

WITHOUT_TOPICS = {"magento", "generic", "edi"}
"""Kinds whose payloads say themselves what they are."""


def loaded(kind: str) -> set[str]:
    """Names of the modules that a fresh interpreter has once it can verify deliveries of a kind."""
    script = f"import sys; from oms.channels.registry import adapter; adapter({kind!r}); print(*sys.modules)"
    command = [sys.executable, "-c", script]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize("kind", KINDS)
def test_what_verifies_starts_without_what_only_parses_or_a_few_kinds_need(kind: str) -> None:
    heavy = {"cryptography", "oms.orders.commands", "oms.orders.records", "oms.fulfillment.model"}
    assert loaded(kind) & heavy == set()


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_is_found_by_its_own_name(kind: str) -> None:
    found = adapter(kind)
    assert found.kind == kind
    assert all(prefix == prefix.lower() for prefix in found.header_prefixes)


@pytest.mark.parametrize("secrets", [(), ("",), (" ", "\n")])
@pytest.mark.parametrize("kind", KINDS)
def test_without_a_secret_nothing_is_genuine(kind: str, secrets: tuple[str, ...]) -> None:
    with pytest.raises(Problem) as refused:
        adapter(kind).verify(Headers(), BODY, secrets, url=URL, now=NOW)
    assert refused.value.code is Code.SIGNATURE_INVALID


@pytest.mark.parametrize(
    "body", [b"", b"not JSON", b"[]", b"7", b"{}", b'{"type": 7, "event": [], "data": 7}']
)
@pytest.mark.parametrize("kind", sorted(set(KINDS) - WITHOUT_TOPICS))
def test_a_delivery_that_names_no_topic_is_a_problem(kind: str, body: bytes) -> None:
    with pytest.raises(Problem) as problem:
        adapter(kind).topic_of(Headers(), body)
    assert problem.value.code in (Code.TOPIC_UNKNOWN, Code.BAD_REQUEST)
