"""Code that was compiled at build time is used where it is right, and nothing depends on it."""

import dataclasses
import marshal
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Any

import pytest

from oms import precompiled

TEXT = "def __create_fn__():\n def answer(self):\n  return 'compiled now'\n return (answer,)"
BUILT = compile(TEXT.replace("compiled now", "compiled before"), "<dataclass>", "exec")


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only this folder is on the path, and what `install` does is undone."""
    monkeypatch.setattr("sys.path", [str(tmp_path / "missing"), str(tmp_path)])
    monkeypatch.setattr(dataclasses, "exec", exec, raising=False)


def answer() -> str:
    """What the function says that `dataclasses` makes of the text."""
    results: dict[str, Any] = {}
    dataclasses.exec(TEXT, {}, results)  # type: ignore[attr-defined]  # see `oms.precompiled`
    (function,) = results["__create_fn__"]()
    said: str = function(None)
    return said


def keep(folder: Path, magic: bytes, text: str = TEXT) -> None:
    (folder / precompiled.FILE).write_bytes(marshal.dumps((magic, {text: marshal.dumps(BUILT)})))


def test_text_that_was_compiled_is_not_compiled_again(tmp_path: Path) -> None:
    keep(tmp_path, MAGIC_NUMBER)
    precompiled.install()
    assert answer() == "compiled before"


def test_other_text_is_compiled_as_ever(tmp_path: Path) -> None:
    keep(tmp_path, MAGIC_NUMBER, text="something else")
    precompiled.install()
    assert answer() == "compiled now"


def test_code_of_another_python_is_left_alone(tmp_path: Path) -> None:
    keep(tmp_path, b"\0\0\r\n")
    precompiled.install()
    assert answer() == "compiled now"


def test_without_a_file_nothing_changes() -> None:
    precompiled.install()
    assert answer() == "compiled now"
