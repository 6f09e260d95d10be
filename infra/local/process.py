"""Programs that go on after the command that started them."""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from oms.problems import Code, Problem


@dataclass(frozen=True, slots=True)
class Background:
    """One program of ours, at most once.

    Its pid file is locked by the program itself, through a descriptor that it inherits: the lock ends with
    the process, however that ends, so a pid is only ever read while it is ours.

    Args:
        name: what messages call it.
        pid_file: its pid file, in a folder that exists.
    """

    name: str
    pid_file: Path

    def pid(self) -> int | None:
        """The process id, None when it does not run."""
        with self.pid_file.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                return int(file.read())
        return None

    def start(self, command: Sequence[str | Path], env: Mapping[str, str], log: Path) -> None:
        """Start it with exactly the environment `env`, its output going to the end of `log`.

        Raises:
            BlockingIOError: it runs already.
        """
        with self.pid_file.open("a+") as file, log.open("ab") as output:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            process = subprocess.Popen(
                command,
                env=env,
                cwd=self.pid_file.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[file.fileno()],
                start_new_session=True,
            )
            file.truncate(0)
            file.write(str(process.pid))

    def stop(self, seconds: float) -> bool:
        """Ask it to stop and wait until it has.

        Returns:
            Whether it ran.

        Raises:
            Problem: `unavailable` when it still runs after `seconds`. It is not killed: it may be saving.
        """
        pid = self.pid()
        if pid is None:
            return False
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while self.pid() is not None:
            if time.monotonic() > deadline:
                raise Problem(
                    Code.UNAVAILABLE, f"{self.name} (process {pid}) does not stop within {seconds:.0f} s"
                )
            time.sleep(0.05)
        return True
