"""Virtual time: workers that take turns, one at a time, in an order that only their delays decide.

A worker is a greenlet, which runs until it waits. So the same delays make the same history, exactly, and a
worker can stop in the middle of a use case. One that has done its work does the next: the stack of a new one
has to be asked for, and given back, which took a twentieth of a run's time.
"""

import heapq
import itertools
from collections.abc import Callable
from contextlib import suppress

from greenlet import getcurrent, greenlet

type Action = Callable[[], None]


class Stopped(BaseException):
    """The simulation is over: a worker that still waits ends. Not an Exception: nothing may survive it."""


class Restless(BaseException):
    """Something goes on for ever: more happened than ever should. Not an Exception, as above."""


class Worker(greenlet):
    """Does one piece of work after the other; what it lets through is raised where the scheduler runs.

    Attributes:
        work: what it does now; None while it has nothing to do.
        data: belongs to the work.
    """

    work: Action | None = None
    data: object = None


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
        self._main = getcurrent()
        self._waiting: set[Worker] = set()
        self._idle: list[Worker] = []
        self._running: Worker | None = None

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
        self.at(time, lambda: self._start(work, data))

    def wait(self, seconds: float) -> None:
        """Let time pass for the worker that calls.

        Raises:
            Restless: there were more steps than there may be.
        """
        worker = self._running
        assert worker is not None, "only workers wait"
        self._step()
        until = self.now + seconds
        if not self._due or self._due[0][0] > until:  # nobody else comes first
            self.now = until
            return
        self.at(until, lambda: self._switch_to(worker))
        self._waiting.add(worker)
        self._main.switch()
        self._waiting.remove(worker)

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
        if until != float("inf"):
            self.now = max(self.now, until)

    def stop(self) -> None:
        """End all workers, those that still wait in the middle of their work."""
        for worker in (*self._waiting, *self._idle):
            worker.parent = getcurrent()
            with suppress(Stopped):
                worker.throw(Stopped)

    def _step(self) -> None:
        self._steps_left -= 1
        if self._steps_left < 0:
            raise Restless

    def _start(self, work: Action, data: object) -> None:
        worker = self._idle.pop() if self._idle else Worker(self._serve)
        worker.work, worker.data = work, data
        self._switch_to(worker)

    def _serve(self) -> None:
        """What a worker does, all its life."""
        worker = self._running
        assert worker is not None, "workers alone serve"
        while worker.work:
            worker.work()
            worker.work = worker.data = None
            self._idle.append(worker)
            self._main.switch()

    def _switch_to(self, worker: Worker) -> None:
        self._running = worker
        try:
            worker.switch()
        finally:
            self._running = None
