"""Where addresses are, by what is known of them; the tables and their importers."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.cli.main import main
from oms.orders.commands import Address
from oms.sourcing import places
from oms.sourcing.places import Place, Precision, city_key, code_key, distance_km, locate

POSTAL = """\
ES\t28013\tMadrid\tMadrid\tMD\tMadrid\tM\tMadrid\t28079\t40.4200\t-3.7100\t4
ES\t28013\tMadrid Centro\tMadrid\tMD\tMadrid\tM\tMadrid\t28079\t40.4400\t-3.6900\t4
ES\t28020\tMadrid\tMadrid\tMD\tMadrid\tM\tMadrid\t28079\t40.4500\t-3.6900\t4
PT\t1000-001\tLisboa\tLisboa\t11\tLisboa\t1106\tArroios\t110655\t38.7300\t-9.1400\t6
"""


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Tables of their own, with the codes of POSTAL and the cities of the layer."""
    (tmp_path / "cities.txt").write_bytes((places.FOLDER / "cities.txt").read_bytes())
    file = tmp_path / "ALL.txt"
    file.write_text(POSTAL)
    assert main(["sourcing", "import-postal", str(file), "--into", str(tmp_path)]) == 0
    monkeypatch.setattr(places, "FOLDER", tmp_path)
    _forget()
    yield tmp_path
    _forget()


def _forget() -> None:
    places._table.cache_clear()
    places._find.cache_clear()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no postal codes"),
        ("ES\t28013\tMadrid\n", "line 1: 3 columns"),
        (POSTAL.replace("40.4500", "north"), "line 3: could not convert"),
        (POSTAL.replace("40.4500", "nan"), "line 3: nan, -3.6900 is no place"),
        (POSTAL.replace("38.7300", "387300"), "line 4: 387300, -9.1400 is no place"),
        (POSTAL.replace("PT", "../PT"), "line 4: '../PT' is no country"),
    ],
)
def test_a_file_that_has_no_postal_codes_is_refused_by_its_line(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ES.txt"
    file.write_text(text)
    assert main(["sourcing", "import-postal", str(file), "--into", str(tmp_path)]) == 1
    assert said in json.loads(capsys.readouterr().err)["detail"]
    assert not (tmp_path / "postal").exists()


def test_a_zip_that_was_cut_off_is_refused(
    imported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, cut = tmp_path / "whole.zip", tmp_path / "ES.zip"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ES.txt", POSTAL)
    cut.write_bytes(whole.read_bytes()[:90])
    before = (imported / "postal/ES.txt").read_text()
    assert main(["sourcing", "import-postal", str(cut), "--into", str(imported)]) == 1
    assert "no whole ZIP" in json.loads(capsys.readouterr().err.splitlines()[-1])["detail"]
    assert (imported / "postal/ES.txt").read_text() == before


def test_cities_that_are_none_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cities.json"
    file.write_text('{"1": {"name": "Nowhere"}}')
    assert main(["sourcing", "import-cities", str(file), "--into", str(tmp_path)]) == 1
    assert "is not a table of cities" in json.loads(capsys.readouterr().err)["detail"]


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (None, None),
        (Address(), None),
        (Address(country="XX", city="Madrid"), None),
        (Address(country="España"), None),
        (Address(country="../etc"), None),
        (
            Address(country="ES", postal_code="28013", latitude="41.5", longitude="2.1"),
            Place((41.5, 2.1), Precision.ADDRESS),
        ),
        (Address(country="ES", postal_code="28013"), Place((40.43, -3.7), Precision.POSTAL_CODE)),
        (Address(country="pt", postal_code="1000 001"), Place((38.73, -9.14), Precision.POSTAL_CODE)),
        (Address(country="ES", postal_code="28999"), Place((40.44, -3.7), Precision.PREFIX)),
        (
            Address(country="ES", postal_code="08001", city="L’Hospitalet de  Llobregat"),
            Place((41.36, 2.1), Precision.CITY),
        ),
        (Address(country="ES", city="Atlantis"), Place((39.69, -2.91), Precision.COUNTRY)),
    ],
)
def test_an_address_is_found_by_the_most_precise_thing_known(
    address: Address | None, place: Place | None, imported: Path
) -> None:
    assert locate(address) == place


@pytest.mark.parametrize(
    ("city", "country"),
    [("München", "DE"), ("MUNICH", "DE"), ("Saint-Étienne", "FR"), ("saint etienne", "FR")],
)
def test_a_city_is_known_by_its_names_however_they_are_written(city: str, country: str) -> None:
    place = locate(Address(country=country, city=city))
    assert place is not None
    assert place.precision is Precision.CITY


def test_a_zip_of_postal_codes_is_imported_and_replaces_what_was_there(
    imported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = imported / "ES.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "about")
        archive.writestr("ES.txt", POSTAL.splitlines()[2] + "\n")
    assert main(["sourcing", "import-postal", str(file), "--into", str(imported)]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"countries": {"ES": 1}}
    assert (imported / "postal/ES.txt").read_text().splitlines() == [
        "ES28*\t40.45\t-3.69",
        "ES280*\t40.45\t-3.69",
        "ES2802*\t40.45\t-3.69",
        "ES28020\t40.45\t-3.69",
    ]


def test_of_two_cities_of_a_name_the_larger_counts(tmp_path: Path) -> None:
    cities = [
        {"countrycode": "US", "name": "Paris", "population": 24_000, "latitude": 33.66, "longitude": -95.56},
        {"countrycode": "US", "name": "Paris", "population": 26_000, "latitude": 36.3, "longitude": -88.33},
    ]
    file = tmp_path / "cities.json"
    named = {str(number): city | {"alternatenames": []} for number, city in enumerate(cities)}
    file.write_text(json.dumps(named))
    assert main(["sourcing", "import-cities", str(file), "--into", str(tmp_path)]) == 0
    assert (tmp_path / "cities.txt").read_text() == "US\t35.03\t-91.80\nUS=PARIS\t36.30\t-88.33\n"


def test_keys_leave_out_what_writers_disagree_on() -> None:
    assert code_key(" sw1a-1aa ") == "SW1A1AA"
    assert city_key("  L'Hospitalet de Llobregat ") == "L HOSPITALET DE LLOBREGAT"
    assert code_key(None) == city_key(None) == ""


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [("north", "2.1"), ("41.5", "1e999"), ("nan", "2.1"), ("91", "2.1"), ("41.5", "-180.5"), ("41.5", None)],
)
def test_coordinates_of_nowhere_are_left_aside(latitude: str, longitude: str | None) -> None:
    address = Address(country="ES", city="Madrid", latitude=latitude, longitude=longitude)
    assert locate(address) == locate(Address(country="ES", city="Madrid"))


def test_a_degree_of_latitude_is_111_km() -> None:
    assert distance_km((40.0, 3.0), (41.0, 3.0)) == pytest.approx(111.2, abs=0.05)
