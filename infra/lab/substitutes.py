"""The world that a simulation gives to the code under test in place of the real one: time, chance, clients.

Modules hold what they import under names of their own, and functions hold it as defaults; both are exchanged,
by identity, in every module of the project. Nothing else of it is touched: what runs is what production runs.
"""

import importlib
import os
import pkgutil
import random
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from types import FunctionType, ModuleType, SimpleNamespace, TracebackType
from typing import Any, Self

import oms
from infra.lab.cloud import Cloud, stack
from infra.lint.template import ROOT
from oms.channels import credentials, polling
from oms.channels.generic import documents
from oms.channels.protocol import Inbound
from oms.events import derive
from oms.orders import identity
from oms.runtime import clients, http, logger, metrics
from oms.store import attributes, fulfillment, orders, returns, stock

START = datetime(2026, 11, 22, 8, tzinfo=UTC)
"""When every run begins."""

_SERVICES = ("dynamodb", "sqs", "events", "secretsmanager")
_WORLD: dict[str, Any] = {}
"""The cloud, scheduler and generator of the run at hand."""


def instant(now: float) -> datetime:
    """A time of a run as a date."""
    return START + timedelta(seconds=now)


class _Kind(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)


class _Datetime(datetime, metaclass=_Kind):
    """`datetime` whose now is that of the run, by the clock of the invocation."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # it is a plain datetime
        cloud: Cloud = _WORLD["cloud"]
        invocation = cloud.invocation
        skew = invocation.skew if invocation else 0.0
        return (START + timedelta(seconds=_WORLD["scheduler"].now + skew)).astimezone(tz or UTC)


class _InTurn:
    """An executor that does one thing after the other: what is parallel in a Lambda is in any order here."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def submit[**P, R](self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """What the work gives, at once."""
        future: Future[R] = Future()
        try:
            future.set_result(work(*args, **kwargs))
        except BaseException as error:  # a crash too is told to whoever asks for the result
            future.set_exception(error)
        return future

    def map[T, R](self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """The answers in the order of the items, whatever the order of the work."""
        numbered = list(enumerate(items))
        _WORLD["random"].shuffle(numbered)
        done = {number: work(item) for number, item in numbered}
        return [done[number] for number in range(len(numbered))]


def _sleep(seconds: float) -> None:
    scheduler = _WORLD["scheduler"]
    if scheduler.current is not None:
        scheduler.wait(seconds)


def _monotonic() -> float:
    now: float = _WORLD["scheduler"].now
    return now


def _uuid4() -> uuid.UUID:
    return uuid.UUID(int=_WORLD["random"].getrandbits(128), version=4)


class _Random:
    """The module `random`, drawing from the generator of the run."""

    Random = random.Random

    def __getattr__(self, name: str) -> Any:
        return getattr(_WORLD["random"], name)


class _Client:
    """A client of a service whose calls go through the cloud of the run."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        if operation.startswith("_"):
            raise AttributeError(operation)
        service = self._service

        def call(**request: Any) -> Any:
            return _WORLD["cloud"].call(service, operation, request)

        setattr(self, operation, call)  # the next time it is found at once
        return call


class _Log:
    """A logger that writes nothing, and keeps the correlation id, which messages carry on."""

    def __init__(self) -> None:
        self._correlation_id: str | None = None

    def set_correlation_id(self, value: str | None) -> None:
        self._correlation_id = value

    def get_correlation_id(self) -> str | None:
        return self._correlation_id

    def append_keys(self, **keys: object) -> None:
        pass

    def info(self, message: str, extra: Mapping[str, object]) -> None:
        pass

    error = warning = info


def _describe(error: BaseException) -> dict[str, object]:
    _WORLD["cloud"].told_of(error)
    return {}


_given: list[dict[object, tuple[object, object]]] = []
"""What each function that gives the same again has given so far in this run."""


def _content(message: Inbound) -> object:
    return message.channel, message.adapter, message.body


def _once(function: Callable[..., Any], name: Callable[..., object] | None = None) -> Callable[..., Any]:
    """A function that gives for things of one name what it gave before: nobody changes either of them.

    Args:
        function: gives the same for the same.
        name: of things; None when each is the same as itself alone.
    """
    known: dict[object, tuple[object, object]] = {}
    _given.append(known)

    def given(*things: object) -> object:
        if name is not None:
            named = name(*things)
        else:
            named = id(things[0]) if len(things) == 1 else tuple(map(id, things))
        found = known.get(named)
        if found is None:
            found = known[named] = things, function(*things)  # kept, so that no other thing gets its id
        return found[1]

    return given


_PURE: tuple[Callable[..., Any], ...] = (
    *(attributes.decode, derive.events, fulfillment.decode_fulfillment_order, fulfillment.decode_shipment),
    *(orders.decode_order, orders.decode_body, returns.decode_refund, returns.decode_return),
    identity.digest,
    *(stock.decode_position, stock.decode_demand, stock.decode_sku),
)
"""What takes the most time, and reads the same images over and over."""

_SUBSTITUTES: tuple[tuple[object, object], ...] = (
    *((function, _once(function)) for function in _PURE),
    (documents.commands, _once(documents.commands, _content)),
    (time.sleep, _sleep),
    (time.monotonic, _monotonic),
    (time.perf_counter, _monotonic),
    (time.thread_time, _monotonic),
    (uuid.uuid4, _uuid4),
    (ThreadPoolExecutor, _InTurn),
    (random, _Random()),
    (
        time,
        SimpleNamespace(
            sleep=_sleep,
            monotonic=_monotonic,
            perf_counter=_monotonic,
            thread_time=_monotonic,
            process_time=_monotonic,
            time=lambda: START.timestamp() + _monotonic(),
            time_ns=lambda: int((START.timestamp() + _monotonic()) * 1e9),
        ),
    ),
    (uuid, SimpleNamespace(uuid4=_uuid4, UUID=uuid.UUID)),
    (datetime, _Datetime),
    (logger.log, _Log()),
    (logger.describe, _describe),
    (http.resolve, lambda host, port: {"93.184.215.14"}),
    (metrics.flush, metrics._pending.clear),  # noqa: SLF001 (nobody reads them here)
)


@contextmanager
def substituted() -> Iterator[None]:
    """Exchange time, chance and clients in all modules of the project; `enter` says for which run."""
    undo: list[Callable[[], None]] = []
    kept = dict(os.environ)
    os.environ.update(stack().environment)
    for module in modules():
        _exchange(module, undo)
    _set(http.Client, "_once", lambda client, request, pool, limit: _WORLD["cloud"].ask(request), undo)
    _set(http.Client, "_pinned", lambda client, address: SimpleNamespace(close=lambda: None), undo)
    _set(credentials, "AUTHORIZATIONS", {"generic": lambda values: {}}, undo)
    _set(polling, "POLLINGS", {"generic": polling.POLLINGS["woocommerce"]}, undo)
    clients._clients.clear()  # noqa: SLF001 (there is no other door)
    clients._clients.update({service: _Client(service) for service in _SERVICES})  # noqa: SLF001
    try:
        yield
    finally:
        clients.reset()
        for step in reversed(undo):
            step()
        os.environ.clear()
        os.environ.update(kept)
        forget()


def enter(world: Mapping[str, Any]) -> None:
    """Begin a run: `cloud`, `scheduler` and `random` are its own, and nothing is remembered from the last."""
    _WORLD.clear()
    _WORLD.update(world)
    forget()


def forget() -> None:
    """Empty every cache of the functions and of the process, as a new process has none."""
    for cached in _caches():
        cached.cache_clear()
    for known in _given:
        known.clear()


_KEPT = ("functions.api.validation._adapter",)
"""Caches that no run can tell from empty ones, and that take long to fill."""

_found: list[Any] = []


def _caches() -> list[Any]:
    if not _found:
        for module in modules():
            stateful = module.__name__.startswith("functions.") or module.__name__ == "oms.store.process"
            cached = [value for value in vars(module).values() if hasattr(value, "cache_clear")]
            own = [value for value in cached if stateful and value.__module__ == module.__name__]
            _found.extend(value for value in own if f"{value.__module__}.{value.__name__}" not in _KEPT)
    return _found


_imported: list[ModuleType] = []


def modules() -> list[ModuleType]:
    """Every module of the project that functions may use."""
    if not _imported:
        kept = dict(os.environ)
        os.environ.update(stack().environment)
        for found in pkgutil.walk_packages(oms.__path__, "oms."):
            importlib.import_module(found.name)
        for file in sorted((ROOT / "functions").glob("*/*.py")):
            importlib.import_module(f"functions.{file.parent.name}.{file.stem}")
        os.environ.clear()
        os.environ.update(kept)
        _imported.extend(
            module
            for name, module in sorted(sys.modules.items())
            if name.partition(".")[0] in {"oms", "functions"}
        )
    return _imported


def _exchange(module: ModuleType, undo: list[Callable[[], None]]) -> None:
    for name, value in list(vars(module).items()):
        substitute = _substitute(value)
        # Only the functions ask the time; elsewhere `datetime` is a type.
        asks_time = value is not datetime or module.__name__.startswith("functions.")
        if substitute is not None and asks_time:
            _set(module, name, substitute, undo)
        held = vars(value).values() if isinstance(value, type) else (value,)
        for function in held:
            if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                _exchange_defaults(function, undo)


def _exchange_defaults(function: FunctionType, undo: list[Callable[[], None]]) -> None:
    defaults = function.__defaults__ or ()
    found = tuple(_substitute(value) or value for value in defaults)
    if found != defaults:
        _set(function, "__defaults__", found, undo)
    named = function.__kwdefaults__ or {}
    known = {name: _substitute(value) or value for name, value in named.items()}
    if known != named:
        _set(function, "__kwdefaults__", known, undo)


def _substitute(value: object) -> object | None:
    return next((other for original, other in _SUBSTITUTES if value is original), None)


def _set(holder: Any, name: str, value: object, undo: list[Callable[[], None]]) -> None:
    missing = object()
    before = getattr(holder, name, missing)
    setattr(holder, name, value)
    undo.append(lambda: setattr(holder, name, before) if before is not missing else delattr(holder, name))
