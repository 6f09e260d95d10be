"""Money of a payload: decimal amounts of a currency to integer minor units, exactly."""

import re
from decimal import Decimal

from oms.problems import Code, Problem

_CURRENCIES = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS = {code: exponent for exponent, codes in _CURRENCIES.items() for code in codes.split()}
"""Decimals of the minor unit by ISO 4217 (list one), where they are not 2."""


def require_currency(code: str, path: str) -> str:
    """Return `code` if it has the form of an ISO 4217 code.

    Raises:
        Problem: it has not; names the field at `path`.
    """
    if not re.fullmatch("[A-Z]{3}", code):
        raise Problem(Code.FIELD_INVALID, f"{code!r} is not a currency code", path)
    return code


def scaled(amount: Decimal, currency: str) -> Decimal:
    """`amount` in minor units of `currency`, fractions kept."""
    return amount.scaleb(EXPONENTS.get(currency, 2))


def unscaled(units: int, currency: str) -> Decimal:
    """Minor units of `currency` as the amount that they are."""
    return Decimal(units).scaleb(-EXPONENTS.get(currency, 2))


def minor(amount: Decimal, currency: str, path: str) -> int:
    """`amount` of `currency` in whole minor units.

    Raises:
        Problem: it has more decimals than the currency; names the field at `path`.
    """
    units = scaled(amount, currency)
    if units != units.to_integral_value():
        raise Problem(Code.FIELD_INVALID, f"{amount} has more decimals than {currency} has", path)
    return int(units)
