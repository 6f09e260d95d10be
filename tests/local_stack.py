"""A local stack for tests and benchmarks: on a free port, without data, stopped afterwards."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from infra.local.stack import Home, Stack, load_stack


def forget(home: Home) -> None:
    """Remove what an earlier run has left but its build."""
    for path in (home.state, home.temporary):
        shutil.rmtree(path, ignore_errors=True)
    for path in (home.stack_file, home.folder / "port"):
        path.unlink(missing_ok=True)


@contextmanager
def deployed(home: Home) -> Iterator[Stack]:
    """The stack of this checkout, freshly deployed into a folder of its own, until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    environment = {**os.environ, "OMS_LOCAL": str(home.folder), "OMS_LOCAL_PORT": str(port)}

    def local(command: str) -> None:
        subprocess.run([sys.executable, "-m", "infra.local", command], env=environment, check=True)

    try:
        local("up")
        yield load_stack(home)
    finally:
        local("down")
