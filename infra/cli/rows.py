"""Rows of files that people export: CSV and JSON lines, read so that a bad row costs no other."""

import csv
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from functions.api import validation
from oms.problems import Code, Problem

_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = ",;\t"
_MOST_LINES = 20
"""Lines of a value in quotes: one that was opened by mistake takes no more along, and gives them back."""

_NEVER_CLOSED = "unexpected end of data"
"""What `csv` says of a quote without an end."""


@dataclass(frozen=True, slots=True)
class Row[T]:
    """A row of a file: the number of its first line, where in the file it ends, and what it says.

    `said` is a problem when it cannot be read.
    """

    line: int
    end: int
    said: T | Problem


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    end: int
    data: bytes


type Split = Mapping[str, Callable[[str], Any]]
"""How texts of CSV are made what JSON has in their place, by column."""


def read_rows[T](path: Path, kind: type[T], split: Split) -> Iterator[Row[T]]:
    """The rows of a file, in the type of their documents.

    Args:
        path: ends with .csv, .jsonl or .ndjson.
        kind: a dataclass; its fields are the columns, those without a default are required.
        split: for columns of CSV whose values are more than a text.

    Raises:
        Problem: the file as a whole cannot be read: another form or encoding, empty, columns that are unknown
            or missing.
        OSError: there is no such file.
    """
    formats: Mapping[str, Callable[[Iterator[_Line]], Iterator[Row[T]]]] = {
        ".csv": lambda lines: _csv_rows(lines, kind, split),
        ".jsonl": lambda lines: _json_rows(lines, kind),
        ".ndjson": lambda lines: _json_rows(lines, kind),
    }
    form = formats.get(path.suffix.lower())
    if form is None:
        raise Problem(Code.UNSUPPORTED, f"{path.name} ends with none of {', '.join(formats)}", "file")
    with path.open("rb") as file:
        if file.peek(2)[:2] in _WIDE_BOMS:
            raise Problem(Code.UNSUPPORTED, f"{path.name} is in UTF-16: save it as UTF-8", "file")
        empty = True
        for row in form(_lines(file)):
            empty = False
            yield row
        if empty:
            raise Problem(Code.FIELD_INVALID, f"{path.name} has no rows", "file")


def _lines(file: Iterator[bytes]) -> Iterator[_Line]:
    end = 0
    for number, data in enumerate(file, 1):
        end += len(data)
        yield _Line(number, end, data.removeprefix(_BOM) if number == 1 else data)


def _json_rows[T](lines: Iterator[_Line], kind: type[T]) -> Iterator[Row[T]]:
    for line in lines:
        if line.data.strip():
            yield Row(line.number, line.end, _tried(lambda data: validation.body(kind, data), line.data))


def _csv_rows[T](lines: Iterator[_Line], kind: type[T], split: Split) -> Iterator[Row[T]]:
    header = next(lines, None)
    if header is None:
        return
    names, delimiter = _columns(header, kind)

    def read(values: Sequence[str]) -> T:
        if len(values) != len(names):
            raise Problem(Code.FIELD_INVALID, f"{len(values)} values for {len(names)} columns", "row")
        given = {name: value.strip() for name, value in zip(names, values, strict=True) if value.strip()}
        read: T = validation.row(
            kind, {name: split[name](text) if name in split else text for name, text in given.items()}
        )
        return read

    for first, last, values in _records(lines, delimiter):
        said = values if isinstance(values, Problem) else _tried(read, values)
        yield Row(first.number, last.end, said)


def _columns(header: _Line, kind: type) -> tuple[list[str], str]:
    """The names of the columns, and what stands between them.

    Raises:
        Problem: one is unknown, there twice or missing.
    """
    text = _decoded(header)
    delimiter = max(_DELIMITERS, key=text.count)
    values = _values([text], delimiter)
    if values is None:
        raise Problem(Code.FIELD_INVALID, "the names of the columns have a quote without an end", "header")
    names = [name.strip() for name in values]
    columns = {
        field.name: field.default is MISSING and field.default_factory is MISSING
        for field in fields(kind)  # the dataclasses of rows
    }
    for name in names:
        if name not in columns:
            raise Problem(
                Code.FIELD_INVALID, f"there is no column {name!r}; there are {', '.join(columns)}", name
            )
        if names.count(name) > 1:
            raise Problem(Code.FIELD_INVALID, f"column {name} is there twice", name)
    for name, required in columns.items():
        if required and name not in names:
            raise Problem(Code.FIELD_MISSING, f"column {name} is required", name)
    return names, delimiter


def _records(
    lines: Iterator[_Line], delimiter: str
) -> Iterator[tuple[_Line, _Line, Sequence[str] | Problem]]:
    """The records of CSV with their first and last lines; of one that cannot be read the first line alone."""
    given_back: deque[_Line] = deque()

    def following() -> _Line | None:
        return given_back.popleft() if given_back else next(lines, None)

    while first := following():
        held = [first]
        values: Sequence[str] | Problem | None
        try:
            texts = [_decoded(first)]
            while (values := _values(texts, delimiter)) is None and len(held) < _MOST_LINES:
                more = following()
                if more is None:
                    break
                held.append(more)
                texts.append(_decoded(more))
            if values is None:
                values = Problem(Code.FIELD_INVALID, "a quote is opened and never closed", "row")
        except Problem as problem:
            values = problem
        if isinstance(values, Problem):
            given_back.extendleft(reversed(held[1:]))
            del held[1:]
        if values:
            yield first, held[-1], values


def _values(texts: Sequence[str], delimiter: str) -> list[str] | None:
    """The values of a record in some lines; None when it goes on in the next.

    Raises:
        Problem: they are no record.
    """
    try:
        return next(csv.reader(texts, delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        if str(error) == _NEVER_CLOSED:
            return None
        raise Problem(Code.FIELD_INVALID, f"not CSV: {error}", "row") from None


def _decoded(line: _Line) -> str:
    try:
        return line.data.decode()
    except UnicodeDecodeError as error:
        detail = f"byte {error.start + 1} of the line is not UTF-8: save the file as UTF-8"
        raise Problem(Code.FIELD_INVALID, detail, "row") from None


def _tried[Given, T](read: Callable[[Given], T], given: Given) -> T | Problem:
    try:
        return read(given)
    except Problem as problem:
        return problem
