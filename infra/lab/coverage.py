"""Which use cases a run has entered: seen, not claimed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType, ModuleType

from infra.lab.substitutes import modules

_PACKAGE = "oms.usecases."
_TOOL = sys.monitoring.OPTIMIZER_ID  # nobody else uses it


def use_cases() -> dict[str, tuple[FunctionType, ...]]:
    """The functions of each module of use cases, methods too, by the module's name without its package."""
    return {
        module.__name__.removeprefix(_PACKAGE): tuple(_functions(module))
        for module in modules()
        if module.__name__.startswith(_PACKAGE)
    }


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for value in vars(module).values():
        for held in vars(value).values() if isinstance(value, type) else (value,):
            if isinstance(held, FunctionType) and held.__module__ == module.__name__:
                yield held


@contextmanager
def watched() -> Iterator[set[str]]:
    """The names `module.function` of all use cases that are entered within the block."""
    names: dict[CodeType, str] = {
        function.__code__: f"{module}.{function.__name__}"
        for module, functions in use_cases().items()
        for function in functions
        if not function.__name__.startswith("__")
    }
    entered: set[str] = set()

    def note(code: CodeType, offset: int) -> object:
        entered.add(names[code])
        return sys.monitoring.DISABLE

    monitoring, started = sys.monitoring, sys.monitoring.events.PY_START
    monitoring.use_tool_id(_TOOL, "the lab")
    monitoring.register_callback(_TOOL, started, note)
    for code in names:
        monitoring.set_local_events(_TOOL, code, started)
    try:
        yield entered
    finally:
        for code in names:
            monitoring.set_local_events(_TOOL, code, 0)
        monitoring.register_callback(_TOOL, started, None)
        monitoring.free_tool_id(_TOOL)
