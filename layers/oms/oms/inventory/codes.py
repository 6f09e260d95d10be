"""Codes that stand on goods: EAN and UPC with their check digits, and vendors' own."""

from enum import StrEnum

from oms.problems import Code, Problem
from oms.values import frozen


class CodeKind(StrEnum):
    """Whose code it is."""

    EAN = "ean"
    UPC = "upc"
    VENDOR = "vendor"


@frozen
class SkuCode:
    """A code of a sku. Several skus may share one: vendors use the same for other goods."""

    kind: CodeKind
    value: str


_DIGITS = {CodeKind.EAN: (8, 13), CodeKind.UPC: (12,)}
_GTIN_DIGITS = (8, 12, 13, 14)
_GTIN = 14


def check_code(code: SkuCode, field: str) -> None:
    """Refuse an EAN or UPC that cannot be one.

    The last digit makes the sum of all, those at odd places from the right once and the others three times, a
    multiple of ten: https://www.gs1.org/services/how-calculate-check-digit-manually

    Args:
        code: the code.
        field: path of its value.

    Raises:
        Problem: `field_invalid`.
    """
    lengths = _DIGITS.get(code.kind)
    if lengths is None:
        return
    if not (code.value.isascii() and code.value.isdecimal() and len(code.value) in lengths):
        wanted = " or ".join(map(str, lengths))
        detail = f"{code.value[:40]!r} does not have the {wanted} digits of an {str(code.kind).upper()}"
        raise Problem(Code.FIELD_INVALID, detail, field)
    digits = [int(digit) for digit in reversed(code.value)]
    if (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10:
        raise Problem(Code.FIELD_INVALID, f"the check digit of {code.value} is wrong", field)


def canonical(value: str) -> str:
    """The form in which a code is looked up: all 14 digits of a GTIN, as a UPC is the EAN with a 0 before."""
    gtin = value.isascii() and value.isdecimal() and len(value) in _GTIN_DIGITS
    return value.zfill(_GTIN) if gtin else value
