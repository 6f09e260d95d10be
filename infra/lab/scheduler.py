"""Virtual time: workers that take turns, one at a time, in an order that only their delays decide.

A worker is a thread that runs only while it holds the baton; it gives the baton up whenever it waits. So the
same delays make the same history, exactly, and a worker can stop in the middle of a use case.
"""

import heapq
import itertools
import threading
from collections.abc import Callable

type Action = Callable[[], None]


class Stopped(BaseException):
    """The simulation is over: a worker that still waits ends. Not an Exception: nothing may survive it."""


def _taken() -> threading.Lock:
    """A lock that somebody else has to release first."""
    lock = threading.Lock()
    lock.acquire()
    return lock


class Restless(BaseException):
    """More happened than ever should: it would go on for ever. Not an Exception: no worker survives it."""


class Worker:
    """A thread that runs one piece of work after another; `data` belongs to the work at hand."""

    def __init__(self) -> None:
        self.data: object = None
        self.work: Action | None = None
        self.baton = _taken()
        self.stopping = False


class Scheduler:
    """Runs what is due, the earliest first; of what is due at one time, the first that was scheduled.

    Args:
        most_steps: how many actions and waits there may be, so that what goes on for ever is found.
    """

    def __init__(self, most_steps: float = float("inf")) -> None:
        self.now = 0.0
        self._steps_left = most_steps
        self._due: list[tuple[float, int, Action]] = []
        self._numbers = itertools.count()
        self._main = _taken()
        self._idle: list[Worker] = []
        self._workers: list[tuple[Worker, threading.Thread]] = []
        self._running: Worker | None = None
        self._failure: BaseException | None = None

    @property
    def current(self) -> Worker | None:
        """The worker that runs; None between workers."""
        return self._running

    @property
    def next_at(self) -> float | None:
        """When something is due next."""
        return self._due[0][0] if self._due else None

    def at(self, time: float, action: Action) -> None:
        """Let something happen at a time, between workers; a time that is past means now."""
        heapq.heappush(self._due, (max(time, self.now), next(self._numbers), action))

    def spawn(self, time: float, work: Action, data: object) -> None:
        """Let a worker do some work from a time on."""

        def start() -> None:
            worker = self._idle.pop() if self._idle else self._made()
            worker.work, worker.data = work, data
            self._switch_to(worker)

        self.at(time, start)

    def wait(self, seconds: float) -> None:
        """Let time pass for the worker that calls.

        Raises:
            Restless: there were more steps than there may be.
        """
        worker = self._running
        assert worker is not None, "only workers wait"
        self._step()
        until = self.now + seconds
        if not self._due or self._due[0][0] > until:  # nobody else comes first: keep the baton
            self.now = until
            return
        self.at(until, lambda: self._switch_to(worker))
        self._running = None
        self._main.release()
        worker.baton.acquire()
        if worker.stopping:
            raise Stopped

    def run(self, until: float = float("inf")) -> None:
        """Run everything that is due until a time, and what follows from it.

        Raises:
            Restless: there were more steps than there may be.
            BaseException: whatever a worker has let through.
        """
        while self._due and self._due[0][0] <= until:
            self._step()
            self.now, _, action = heapq.heappop(self._due)
            action()
            if self._failure is not None:
                raise self._failure
        if until != float("inf"):
            self.now = max(self.now, until)

    def stop(self) -> None:
        """End all threads."""
        for worker, thread in self._workers:
            worker.stopping = True
            worker.baton.release()
            thread.join()

    def _step(self) -> None:
        self._steps_left -= 1
        if self._steps_left < 0:
            raise Restless

    def _switch_to(self, worker: Worker) -> None:
        self._running = worker
        worker.baton.release()
        self._main.acquire()

    def _made(self) -> Worker:
        worker = Worker()
        thread = threading.Thread(target=self._loop, args=(worker,), daemon=True)
        self._workers.append((worker, thread))
        thread.start()
        return worker

    def _loop(self, worker: Worker) -> None:
        while True:
            worker.baton.acquire()
            if worker.stopping:
                return
            assert worker.work is not None, "a worker is woken to work"
            try:
                worker.work()
            except Stopped:
                return
            except BaseException as failure:  # noqa: BLE001 (the caller of `run` gets it)
                self._failure = failure
            worker.work = worker.data = None
            self._idle.append(worker)
            self._running = None
            self._main.release()
