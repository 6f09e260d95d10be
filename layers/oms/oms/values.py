"""Frozen values with other fields: `dataclasses.replace`, for what is replaced all the time.

The one of the standard library looks at every field of the value in Python, each time: an order has 28, and
is replaced at every step of every use case.
"""

from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # so that the changes are checked against the fields
    from dataclasses import replace
else:
    _FIELDS = {}

    def replace(value, /, **changes):
        """A copy of a dataclass's instance, of at least two fields, with some of them changed.

        Raises:
            TypeError: there is no such field.
        """
        kind = type(value)
        known = _FIELDS.get(kind)
        if known is None:
            names = tuple(field.name for field in fields(kind))
            known = _FIELDS[kind] = names, attrgetter(*names)
        names, read = known
        return kind(**(dict(zip(names, read(value), strict=True)) | changes))


__all__ = ["replace"]
