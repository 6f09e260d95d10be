"""The document of access patterns says what is measured, and leaves nothing out that the code can do."""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from types import CodeType

import pytest

import oms.store
import oms.usecases
from functions.api.routes import ROUTES
from tests import access_patterns
from tests.access_patterns import Measurements

TOOL = 4
"""An id that no profiler or debugger claims."""


def functions() -> dict[CodeType, str]:
    """Every public function of the store and the use cases that is given the table."""
    modules = [
        importlib.import_module(module.name)
        for package in (oms.store, oms.usecases)
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    ]
    return {
        function.__code__: f"{module.__name__}.{name}"
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
        if next(iter(inspect.signature(function).parameters), None) == "table"
    }


@pytest.fixture(scope="module")
def called() -> set[str]:
    """The functions that were called while everything was measured."""
    return set()


@pytest.fixture(scope="module")
def measured(called: set[str]) -> Iterator[Measurements]:
    names, monitoring = functions(), sys.monitoring
    monitoring.use_tool_id(TOOL, "access patterns")
    monitoring.register_callback(
        TOOL, monitoring.events.PY_START, lambda code, offset: called.add(names[code])
    )
    for code in names:
        monitoring.set_local_events(TOOL, code, monitoring.events.PY_START)
    yield access_patterns.measure()
    monitoring.free_tool_id(TOOL)


def test_every_route_is_measured(measured: Measurements) -> None:
    routes = {f"{route.method} {route.path}" for route in ROUTES if route.scope}
    assert routes - {by.partition("?")[0] for by, _ in measured} == set()


def test_every_function_that_is_given_the_table_is_measured(measured: Measurements, called: set[str]) -> None:
    assert set(functions().values()) - called == set()


def test_the_document_is_what_is_measured(measured: Measurements) -> None:
    document = access_patterns.DOCUMENT.read_text()
    assert document == access_patterns.written(document, access_patterns.render(measured)), (
        "run `.venv/bin/python -m tests.access_patterns`"
    )
