"""Codes of goods: those that cannot be are refused, those that mean the same are found by each other."""

import pytest

from oms.inventory.codes import CodeKind, SkuCode, canonical, check_code
from oms.problems import Problem


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (CodeKind.EAN, "4006381333932"),
        (CodeKind.EAN, "400638133393"),
        (CodeKind.EAN, "40063813339311"),
        (CodeKind.EAN, "400638133393X"),
        (CodeKind.EAN, "４００６３８１３３３９３１"),
        (CodeKind.EAN, "73513538"),
        (CodeKind.UPC, "036000291453"),
        (CodeKind.UPC, "0036000291452"),
        (CodeKind.UPC, ""),
    ],
)
def test_a_code_that_cannot_be_is_refused_by_its_field(kind: CodeKind, value: str) -> None:
    with pytest.raises(Problem) as refused:
        check_code(SkuCode(kind, value), "codes[0].value")
    assert (refused.value.code, refused.value.field) == ("field_invalid", "codes[0].value")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (CodeKind.EAN, "4006381333931"),
        (CodeKind.EAN, "73513537"),
        (CodeKind.UPC, "036000291452"),
        (CodeKind.VENDOR, "4006381333932"),
        (CodeKind.VENDOR, "MUG / red #2"),
    ],
)
def test_codes_with_the_right_check_digit_and_all_of_vendors_are_taken(kind: CodeKind, value: str) -> None:
    check_code(SkuCode(kind, value), "codes[0].value")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("036000291452", "0036000291452", True),
        ("036000291452", "00036000291452", True),
        ("73513537", "0000073513537", True),
        ("36000291452", "036000291452", False),
        ("MUG-1", "mug-1", False),
    ],
)
def test_a_upc_is_the_ean_with_a_0_before_it(one: str, other: str, same: bool) -> None:
    assert (canonical(one) == canonical(other)) is same
