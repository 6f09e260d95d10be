"""Rows of files: whatever is wrong with one, it is told by its line, and no other is lost."""

from pathlib import Path

import pytest

from functions.api.fields import Closed
from infra.cli.rows import read_rows
from oms.problems import Problem
from oms.values import frozen


@frozen(kw_only=True)
class Thing(Closed):
    name: str
    units: int
    good: bool = True
    tags: tuple[str, ...] = ()


SPLIT = {"tags": lambda text: text.split("|")}

type Told = list[tuple[int, object]]


def told(tmp_path: Path, data: bytes | str, name: str = "things.csv") -> Told:
    """The rows of a file by line: what they say, or the code and field of what is wrong with them."""
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    rows: Told = []
    for row in read_rows(path, Thing, SPLIT):
        said = row.said
        rows.append((row.line, (said.code, said.field) if isinstance(said, Problem) else said.name))
    return rows


INVALID, MISSING = "field_invalid", "field_missing"


@pytest.mark.parametrize(
    ("name", "data", "refused"),
    [
        ("things.csv", b"", (INVALID, "file")),
        ("things.csv", b"name,units\n", (INVALID, "file")),
        ("things.jsonl", b"", (INVALID, "file")),
        ("things.jsonl", b"\n  \n", (INVALID, "file")),
        ("things.xlsx", b"PK", ("unsupported", "file")),
        ("things", b"name,units\nA,1\n", ("unsupported", "file")),
        ("things.csv", "name,units\nA,1\n".encode("utf-16"), ("unsupported", "file")),
        ("things.csv", b"name,units,colour\nA,1,red\n", (INVALID, "colour")),
        ("things.csv", b"name,units,name\nA,1,A\n", (INVALID, "name")),
        ("things.csv", b"name\nA\n", (MISSING, "units")),
        ("things.csv", b'name,"units\nA,1\n', (INVALID, "header")),
        ("things.csv", b"n\xe4me,units\nA,1\n", (INVALID, "row")),
    ],
)
def test_a_file_that_cannot_be_read_as_a_whole_is_refused(
    tmp_path: Path, name: str, data: bytes, refused: tuple[str, str]
) -> None:
    with pytest.raises(Problem) as problem:
        told(tmp_path, data, name)
    assert (problem.value.code, problem.value.field) == refused


@pytest.mark.parametrize(
    ("row", "refused"),
    [
        (b"B", (INVALID, "row")),
        (b"B,2,true,x,y", (INVALID, "row")),
        (b",2,,", (MISSING, "name")),
        (b"B,,,", (MISSING, "units")),
        (b"B,two,,", (INVALID, "units")),
        (b"B,1.5,,", (INVALID, "units")),
        (b"B,2,perhaps,", (INVALID, "good")),
        (b"B\xff,2,,", (INVALID, "row")),
        (b'"B"x,2,,', (INVALID, "row")),
        (b'"B,2,,', (INVALID, "row")),
        (b'B,2,,"', (INVALID, "row")),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_bad_row_of_csv_is_told_by_its_line_and_all_others_are_read(
    tmp_path: Path, row: bytes, refused: tuple[str, str], end: bytes
) -> None:
    lines = [b"name,units,good,tags", b"A,1,,", row, b'"C ""c""",3,true,x|y', b"D,4,,"]
    assert told(tmp_path, end.join(lines)) == [(2, "A"), (3, refused), (4, 'C "c"'), (5, "D")]


@pytest.mark.parametrize(
    ("row", "refused"),
    [
        (b"{", ("bad_request", None)),
        (b'{"name": "B"}', (MISSING, "units")),
        (b'{"name": "B", "units": "2"}', (INVALID, "units")),
        (b'{"name": "B", "units": 2, "colour": 1}', (INVALID, "colour")),
        (b'{"name": "B", "units": 2, "tags": ["x", 1]}', (INVALID, "tags[1]")),
        (b'{"name": "\xff", "units": 2}', ("bad_request", None)),
        (b"[1]", (INVALID, "body")),
        (b"null", (INVALID, "body")),
    ],
)
def test_a_bad_row_of_json_is_told_by_its_line_and_all_others_are_read(
    tmp_path: Path, row: bytes, refused: tuple[str, str | None]
) -> None:
    lines = [b'\xef\xbb\xbf{"name": "A", "units": 1}', row, b"", b'{"name": "C", "units": 3}']
    assert told(tmp_path, b"\n".join(lines), "things.ndjson") == [(1, "A"), (2, refused), (4, "C")]


def test_quotes_may_hold_what_else_would_end_a_value(tmp_path: Path) -> None:
    text = 'name,units\n"one, two",1\n"over\ntwo lines",2\nlast,3'
    assert told(tmp_path, text) == [(2, "one, two"), (3, "over\ntwo lines"), (5, "last")]


def test_a_quote_opened_by_mistake_takes_no_other_row_along(tmp_path: Path) -> None:
    plain = [f"N{number},1" for number in range(40)]
    rows = told(tmp_path, "\n".join(["name,units", '"broken,1', *plain]))
    assert rows == [(2, (INVALID, "row")), *((n + 3, f"N{n}") for n in range(40))]
    rows = told(tmp_path, "\n".join(["name,units", '"broken,1', '"fine",1', "X,1"]))
    assert rows == [(2, (INVALID, "row")), (3, "fine"), (4, "X")]


def test_a_line_in_another_encoding_is_not_taken_into_a_value_in_quotes(tmp_path: Path) -> None:
    rows = told(tmp_path, b'name,units\n"one\nt\xe4o",1\nX,1\n')
    assert rows == [(2, (INVALID, "row")), (3, (INVALID, "row")), (4, "X")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_files_of_any_spreadsheet_are_read(tmp_path: Path, delimiter: str, bom: bytes) -> None:
    text = "units,name\r\n1,ñandú\r\n\r\n2,B\r\n".replace(",", delimiter)
    assert told(tmp_path, bom + text.encode()) == [(2, "ñandú"), (4, "B")]


def test_where_a_row_ends_is_where_the_file_has_been_read_to(tmp_path: Path) -> None:
    path = tmp_path / "things.csv"
    path.write_text('name,units\nA,1\n"B\nb",2\n')
    assert [row.end for row in read_rows(path, Thing, SPLIT)] == [15, path.stat().st_size]
