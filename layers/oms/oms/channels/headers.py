"""HTTP header fields of a delivery: names in any case, and repeated fields kept."""

from collections.abc import Iterable, Mapping


class Headers:
    """Header fields by name, whatever the case of the name.

    Args:
        fields: pairs of name and value, in the order received; a name may occur several times.
    """

    __slots__ = ("_values",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in fields:
            self._values.setdefault(name.lower(), []).append(value)

    @classmethod
    def of(cls, fields: Mapping[str, str | Iterable[str]]) -> "Headers":
        """Headers from a mapping of names to a value or to several values."""
        return cls(
            (name, value)
            for name, values in fields.items()
            for value in ([values] if isinstance(values, str) else values)
        )

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a header field, in the order received."""
        return tuple(self._values.get(name.lower(), ()))

    def get(self, name: str) -> str | None:
        """The first value of a header field, or None when it is absent."""
        values = self._values.get(name.lower())
        return values[0] if values else None

    def starting(self, *prefixes: str) -> dict[str, str]:
        """First values of the fields whose lower-case names start with one of `prefixes`."""
        return {name: values[0] for name, values in self._values.items() if name.startswith(prefixes)}
