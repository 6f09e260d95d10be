"""The deployed local stack, on a port and in a folder of its own."""

from collections.abc import Iterator

import pytest

from infra.local.stack import Home, Stack
from tests.local_stack import deployed


@pytest.fixture(scope="session")
def stack(local_home: Home) -> Iterator[Stack]:
    """A freshly deployed stack without data; stopped after the tests."""
    with deployed(local_home) as stack:
        yield stack
