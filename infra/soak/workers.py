"""The processes in which the local stack runs functions: who is there, how large they are, and their end."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_PROC = Path("/proc")
_LOOK_S = 0.05
"""Who has used a processor for so long between two looks is in the middle of something."""

_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclass(frozen=True, slots=True)
class Worker:
    """One process of a function."""

    pid: int
    function: str

    @property
    def memory_mb(self) -> float:
        """What it keeps in memory."""
        return int((_PROC / str(self.pid) / "statm").read_text().split()[1]) * _PAGE_MB

    @property
    def has_started(self) -> bool:
        """Whether it has called a service already: a connection is open."""
        for descriptor in (_PROC / str(self.pid) / "fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                if str(descriptor.readlink()).startswith("socket:"):
                    return True
        return False

    @property
    def ticks(self) -> int:
        """Processor time that it has used, in the kernel's ticks."""
        fields = _status(self.pid)
        return int(fields[11]) + int(fields[12])


def workers(parent: int) -> Iterator[Worker]:
    """The children of MiniStack that run a function of ours; /proc shows their parent and environment."""
    for folder in _PROC.iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):  # it has ended meanwhile
                if int(_status(int(folder.name))[1]) == parent and (name := _function(folder)):
                    yield Worker(int(folder.name), name)


def started(parent: int) -> Iterator[Worker]:
    """Those that have been called already."""
    for worker in workers(parent):
        with suppress(OSError):  # it has ended meanwhile
            if worker.has_started:
                yield worker


def _status(pid: int) -> list[str]:
    """Fields of a process after its name, which may hold anything: state, parent, .. (proc_pid_stat(5))."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _function(folder: Path) -> str | None:
    for variable in (folder / "environ").read_bytes().split(b"\0"):
        name, _, value = variable.partition(b"=")
        if name == b"AWS_LAMBDA_FUNCTION_NAME":
            return value.decode()
    return None


class Every:
    """Does something every so many seconds in the background, between `with` and the end of its block."""

    def __init__(self, seconds: float, work: Callable[[], None]) -> None:
        self._seconds = seconds
        self._work = work
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(self._seconds):
            self._work()


class Reaper:
    """Kills workers in the middle of what they do.

    Never one that is still starting: MiniStack then ends all workers of the function, those of other calls
    included, and where these are starting too none ever gets through.

    Args:
        parent: pid of the MiniStack whose workers they are.
        chooser: who is next.
    """

    def __init__(self, parent: int, chooser: random.Random) -> None:
        self._parent = parent
        self._chooser = chooser
        self.killed: Counter[str] = Counter()
        """How many of each function."""

    def kill_one(self) -> None:
        """Kill one that is at work, if any is: of a function at random, so that rare ones come up too."""
        before = dict(self._ticks())
        time.sleep(_LOOK_S)
        busy: dict[str, list[Worker]] = {}
        for worker, ticks in self._ticks():
            if ticks > before.get(worker, ticks):
                busy.setdefault(worker.function, []).append(worker)
        if busy:
            victim = self._chooser.choice(busy[self._chooser.choice(sorted(busy))])
            os.kill(victim.pid, signal.SIGKILL)
            self.killed[victim.function] += 1

    def _ticks(self) -> Iterator[tuple[Worker, int]]:
        for worker in started(self._parent):
            with suppress(OSError):  # it has ended meanwhile
                yield worker, worker.ticks


class Scales:
    """Weighs all workers again and again.

    Args:
        parent: pid of the MiniStack whose workers they are.
    """

    def __init__(self, parent: int) -> None:
        self._parent = parent
        self._samples: dict[str, list[tuple[float, float]]] = {}

    def weigh(self) -> None:
        """Take down what each worker that has started keeps in memory now."""
        now = time.monotonic()
        for worker in started(self._parent):
            with suppress(OSError):  # it has ended meanwhile
                self._samples.setdefault(worker.function, []).append((now, worker.memory_mb))

    def thirds(self) -> Iterator[tuple[str, list[float], list[float]]]:
        """What workers of each function weighed in the first and in the last third of the time, MB."""
        times = [moment for samples in self._samples.values() for moment, _ in samples]
        begin, third = min(times), (max(times) - min(times)) / 3
        for function, samples in sorted(self._samples.items()):
            first = [memory for moment, memory in samples if moment <= begin + third]
            last = [memory for moment, memory in samples if moment >= begin + 2 * third]
            yield function, first, last
