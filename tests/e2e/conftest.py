"""The deployed local stack, on a port and in a folder of its own."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from infra.local.stack import Home, Stack, load_stack


@pytest.fixture(scope="session")
def stack(local_home: Home) -> Iterator[Stack]:
    """A freshly deployed stack without data; stopped after the tests."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    environment = {**os.environ, "OMS_LOCAL": str(local_home.folder), "OMS_LOCAL_PORT": str(port)}
    try:
        _local("up", environment)
        yield load_stack(local_home)
    finally:
        _local("down", environment)


def _local(command: str, environment: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-m", "infra.local", command], env=environment, check=True)
