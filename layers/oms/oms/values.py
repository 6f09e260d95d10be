"""Frozen values: their members, and copies with some of them changed.

What the standard library has for both looks at every field of a value in Python, each time: an order has 28,
and is replaced at every step of every use case.
"""

from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

_KNOWN: "dict[type, tuple[tuple[str, ...], attrgetter[tuple[object, ...]]]]" = {}


def members(value: Any) -> dict[str, Any]:
    """The fields of a dataclass's instance by name, as they are; it has at least two."""
    kind = type(value)
    known = _KNOWN.get(kind)
    if known is None:
        names = tuple(field.name for field in fields(kind))
        known = _KNOWN[kind] = names, attrgetter(*names)
    names, read = known
    return dict(zip(names, read(value), strict=True))


if TYPE_CHECKING:  # so that the changes are checked against the fields
    from dataclasses import replace
else:

    def replace(value, /, **changes):
        """A copy of a dataclass's instance with some of its fields changed.

        Raises:
            TypeError: there is no such field.
        """
        return type(value)(**(members(value) | changes))


__all__ = ["members", "replace"]
