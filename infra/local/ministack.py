"""MiniStack, the AWS of the local stack: one process on the loopback interface."""

import hashlib
import json
import os
import shutil
import socket
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from infra.local.process import Background
from infra.local.stack import ROOT, Home, Stack, default_home, load_stack
from oms.problems import Code, Problem

PREFERRED_PORT = 4566
START_SECONDS = 60.0
STOP_SECONDS = 120.0
"""Saving takes a while after long runs."""

MEMORY_NEEDED = 4 * 1024**3
"""Room in bytes that a memory file system must have to be used for temporary files. Every worker unpacks
the layers into 1,700 files, which is up to five times faster there."""


@dataclass(frozen=True, slots=True)
class MiniStack:
    """The MiniStack of one local stack.

    Args:
        home: the folder it lives in.
    """

    home: Home

    @property
    def process(self) -> Background:
        """Its process."""
        return Background("MiniStack", self.home.folder / "ministack.pid")

    def start(self, port: int) -> None:
        """Start it with the state that it saved, on a port of the loopback interface, until it answers.

        Raises:
            Problem: `unavailable` when the port is taken or it does not answer in time.
        """
        if not _is_free(port):
            raise Problem(
                Code.UNAVAILABLE,
                f"Port {port}, where this stack lives, is taken by another program: stop that one,"
                " or `make clean` and set OMS_LOCAL_PORT",
            )
        self._clear()
        temporary = self._in_memory if _has_room(self._in_memory.parent) else self.home.temporary
        for folder in (temporary, self.home.state):
            folder.mkdir(parents=True, exist_ok=True)
        self.rewind_streams()
        log = self.home.log("ministack")
        log.write_bytes(b"")
        self.process.start(
            [ROOT / ".tools/ministack/bin/python", "-m", "ministack"],
            env=self._environment(port, temporary),
            log=log,
        )
        self._await_answer(port)

    def stop(self) -> None:
        """Let it save its state and end.

        Raises:
            Problem: `unavailable` when it does not end in time.
        """
        self.process.stop(STOP_SECONDS)
        self._clear()

    @property
    def _in_memory(self) -> Path:
        name = hashlib.sha256(bytes(self.home.folder)).hexdigest()[:12]
        return Path("/dev/shm") / f"oms-local-{name}"

    def _clear(self) -> None:
        """Remove the folders that workers leave behind."""
        for folder in (self._in_memory, self.home.temporary):
            shutil.rmtree(folder, ignore_errors=True)

    def _environment(self, port: int, temporary: Path) -> dict[str, str]:
        # The functions inherit this, so it is all that they see: nothing of the developer's shell.
        return {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "TMPDIR": str(temporary),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.home.state),
            "S3_DATA_DIR": str(temporary / "s3"),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # It removes containers of every MiniStack on the machine; ours has none.
            "DOCKER_HOST": f"unix://{os.devnull}/none",
            "AUTH": os.environ.get("OMS_LOCAL_AUTH", "false"),
        }

    def rewind_streams(self) -> None:
        """Put the saved positions of stream readers to the start.

        Streams are numbered from 0 again after a restart; with the old positions the readers would skip as
        many new records as they had read before.
        """
        file = self.home.state / "lambda.json"
        if file.exists():
            document = json.loads(file.read_text())
            positions = document["payload"]["dynamodb_stream_positions"]["data"]
            positions.update(dict.fromkeys(positions, 0))
            file.write_text(json.dumps(document))

    def _await_answer(self, port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.pid() is not None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/ready", timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        raise Problem(Code.UNAVAILABLE, f"MiniStack does not answer: see {self.home.log('ministack')}")


def running_stack(home: Home | None = None) -> Stack:
    """The deployed local stack, which runs.

    Raises:
        Problem: `unavailable` when none has been deployed, or it has been stopped.
    """
    home = home or default_home()
    stack = load_stack(home)
    if MiniStack(home).process.pid() is None:
        raise Problem(Code.UNAVAILABLE, f"The local stack in {home.folder} does not run: run `make up` first")
    return stack


def choose_port(home: Home) -> int:
    """The port of a stack for good: OMS_LOCAL_PORT at first, else the preferred or any free one."""
    file = home.folder / "port"
    if not file.exists():
        file.write_text(os.environ.get("OMS_LOCAL_PORT") or str(_free_port()))
    return int(file.read_text())


def _free_port() -> int:
    if _is_free(PREFERRED_PORT):
        return PREFERRED_PORT
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _has_room(folder: Path) -> bool:
    return folder.is_dir() and shutil.disk_usage(folder).free > MEMORY_NEEDED


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False
