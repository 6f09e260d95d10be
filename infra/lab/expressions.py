"""DynamoDB's expressions: conditions, key conditions and filters, and updates, of top-level attributes.

Grammar and meaning are those of the Developer Guide ("Condition and filter expressions, operators, and
functions", "Update expressions"). What is left out is refused, never guessed: paths into documents,
`attribute_type`, and `DELETE` of set members.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, NoReturn

type Value = Mapping[str, Any]
"""An attribute value as the low-level client has it: `{"S": "text"}`."""

type Image = Mapping[str, Value]
"""An item as the low-level client has it."""

type Values = Mapping[str, Value]
"""Values by placeholder."""

type Operand = Callable[[Image, Values], Value | None]
type Condition = Callable[[Image, Values], bool]
type Change = Callable[[Image, Values], Value | None]

_TOKEN = re.compile(r"\s*(<>|<=|>=|[=<>(),+]|-(?!\w)|[#:]?[A-Za-z_][A-Za-z0-9_]*)")
_CLAUSES = ("SET", "ADD", "REMOVE")
_NUMERIC = frozenset({"N"})
_ORDERED = frozenset({"S", "N", "B"})


class ExpressionError(Exception):
    """DynamoDB answers ValidationException: the expression is wrong, or not one for this item."""


@dataclass(frozen=True, slots=True)
class Parsed[T]:
    """A parsed expression with the placeholders that it uses."""

    run: T
    names: frozenset[str]
    values: frozenset[str]


def condition(expression: str, names: Iterable[tuple[str, str]]) -> Parsed[Condition]:
    """A condition, key condition or filter.

    Args:
        expression: its text.
        names: placeholders with their attribute names.

    Raises:
        ExpressionError: it does not parse, or uses a name that is not given.
    """
    parser = _Parser(expression, dict(names))
    run = parser.any_of()
    parser.end()
    return Parsed(run, frozenset(parser.used_names), frozenset(parser.used_values))


def update(expression: str, names: Iterable[tuple[str, str]]) -> Parsed[dict[str, Change]]:
    """An update: what becomes of each attribute that it names, None for one that is removed.

    Raises:
        ExpressionError: as for `condition`; also when it names an attribute twice.
    """
    parser = _Parser(expression, dict(names))
    run = parser.clauses()
    parser.end()
    return Parsed(run, frozenset(parser.used_names), frozenset(parser.used_values))


def equal(expression: str, names: Mapping[str, str], attribute: str) -> str | None:
    """The placeholder of the value that a key condition sets an attribute equal to; None when it does not."""
    return next((value for name, value in _pairs(expression) if names.get(name, name) == attribute), None)


def number(value: Value) -> int | Decimal:
    """The number in a value of type N."""
    text = value["N"]
    try:
        return int(text)
    except ValueError:
        return Decimal(text)


@lru_cache(maxsize=4096)
def _pairs(expression: str) -> list[tuple[str, str]]:
    return re.findall(r"(#?\w+)\s*=\s*(:\w+)", expression)


class _Parser:
    """A recursive descent over the tokens; every rule returns what runs it."""

    def __init__(self, expression: str, names: Mapping[str, str]) -> None:
        self._text = expression
        self._names = names
        self._tokens = self._split(expression)
        self._at = 0
        self.used_names: set[str] = set()
        self.used_values: set[str] = set()

    def _split(self, text: str) -> list[str]:
        tokens, at = [], 0
        text = text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                self._fail(f"unexpected {text[at:]!r}")
            tokens.append(match[1])
            at = match.end()
        return tokens

    def _fail(self, why: str) -> NoReturn:
        raise ExpressionError(f"{why} in {self._text!r}")

    def _peek(self, ahead: int = 0) -> str:
        place = self._at + ahead
        return self._tokens[place] if place < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _take(self, token: str) -> bool:
        found = self._peek().upper() == token
        self._at += found
        return found

    def _need(self, token: str) -> None:
        if not self._take(token):
            self._fail(f"{token} expected, not {self._peek()!r}")

    def end(self) -> None:
        if self._peek():
            self._fail(f"unexpected {self._peek()!r}")

    # ---- conditions

    def any_of(self) -> Condition:
        """`a OR b`, which binds weakest."""
        parts = [self._all_of()]
        while self._take("OR"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else lambda item, values: any(p(item, values) for p in parts)

    def _all_of(self) -> Condition:
        parts = [self._negated()]
        while self._take("AND"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else lambda item, values: all(p(item, values) for p in parts)

    def _negated(self) -> Condition:
        if self._take("NOT"):
            inner = self._negated()
            return lambda item, values: not inner(item, values)
        if self._take("("):
            inner = self.any_of()
            self._need(")")
            return inner
        if self._peek(1) == "(" and self._peek().lower() in _FUNCTIONS:
            return self._function()
        return self._comparison()

    def _function(self) -> Condition:
        name = self._next().lower()
        self._need("(")
        if name in _PRESENCE:
            path, wanted = self._path(), _PRESENCE[name]
            self._need(")")
            return lambda item, values: (path in item) is wanted
        left = self._operand()
        self._need(",")
        right = self._operand()
        self._need(")")
        holds = _TESTS[name]

        def test(item: Image, values: Values) -> bool:
            one, other = left(item, values), right(item, values)
            return one is not None and other is not None and holds(one, other)

        return test

    def _comparison(self) -> Condition:
        left = self._operand()
        if self._take("BETWEEN"):
            low = self._operand()
            self._need("AND")
            high = self._operand()
            return lambda item, values: (
                _compare(">=", left(item, values), low(item, values))
                and _compare("<=", left(item, values), high(item, values))
            )
        if self._take("IN"):
            self._need("(")
            choices = [self._operand()]
            while self._take(","):
                choices.append(self._operand())
            self._need(")")
            return lambda item, values: any(
                _compare("=", left(item, values), choice(item, values)) for choice in choices
            )
        comparator = self._next()
        if comparator not in _COMPARATORS:
            self._fail(f"a comparator expected, not {comparator!r}")
        right = self._operand()
        return lambda item, values: _compare(comparator, left(item, values), right(item, values))

    def _operand(self) -> Operand:
        token = self._peek()
        if token.startswith(":"):
            self._at += 1
            self.used_values.add(token)
            return lambda item, values: values[token]
        if token.lower() == "size" and self._peek(1) == "(":
            self._at += 2
            path = self._path()
            self._need(")")
            return lambda item, values: _size(item.get(path))
        path = self._path()
        return lambda item, values: item.get(path)

    def _path(self) -> str:
        token = self._next()
        if token.startswith("#"):
            if token not in self._names:
                self._fail(f"{token} is not defined")
            self.used_names.add(token)
            return self._names[token]
        if not re.fullmatch(r"\w+", token):
            self._fail(f"an attribute expected, not {token!r}")
        return token

    # ---- updates

    def clauses(self) -> dict[str, Change]:
        """Clauses in any order, each kind once."""
        changes: dict[str, Change] = {}
        seen: set[str] = set()
        while self._peek():
            clause = self._next().upper()
            if clause not in _CLAUSES or clause in seen:
                self._fail(f"{clause} is no clause, or comes twice")
            seen.add(clause)
            while True:
                path, change = self._change(clause)
                if path in changes:
                    self._fail(f"{path} is named twice")
                changes[path] = change
                if not self._take(","):
                    break
        if not changes:
            self._fail("nothing to update")
        return changes

    def _change(self, clause: str) -> tuple[str, Change]:
        path = self._path()
        if clause == "REMOVE":
            return path, lambda item, values: None
        if clause == "ADD":
            operand = self._operand()
            return path, lambda item, values: _add(item.get(path), _there(operand(item, values)))
        self._need("=")
        left = self._term()
        if self._peek() not in {"+", "-"}:
            return path, lambda item, values: _there(left(item, values))
        sign = 1 if self._next() == "+" else -1
        right = self._term()
        return path, lambda item, values: _sum(_there(left(item, values)), _there(right(item, values)), sign)

    def _term(self) -> Operand:
        name = self._peek().lower()
        if name not in {"if_not_exists", "list_append"} or self._peek(1) != "(":
            return self._operand()
        self._at += 2
        if name == "if_not_exists":
            path = self._path()
            self._need(",")
            default = self._term()
            self._need(")")
            return lambda item, values: item[path] if path in item else default(item, values)
        one = self._term()
        self._need(",")
        other = self._term()
        self._need(")")
        return lambda item, values: _joined(one(item, values), other(item, values))


def _there(value: Value | None) -> Value:
    if value is None:
        raise ExpressionError("an attribute that is used in the update does not exist in the item")
    return value


def _type(value: Value) -> str:
    (kind,) = value
    return kind


def _compare(comparator: str, one: Value | None, other: Value | None) -> bool:
    """Whether two values compare so; what is missing or of another type is only unequal."""
    if one is None or other is None:
        return comparator == "<>"
    kind = _type(one)
    if kind != _type(other):
        return comparator == "<>"
    if kind == "N":
        return _COMPARATORS[comparator](number(one), number(other))
    if comparator not in {"=", "<>"} and kind not in _ORDERED:
        raise ExpressionError(f"values of type {kind} have no order")
    return _COMPARATORS[comparator](one[kind], other[kind])


def _size(value: Value | None) -> Value | None:
    if value is None or _type(value) in {"N", "BOOL", "NULL"}:
        return None
    (content,) = value.values()
    return {"N": str(len(content.encode() if isinstance(content, str) else content))}


def _begins(one: Value, other: Value) -> bool:
    kind = _type(one)
    return kind == _type(other) and kind in {"S", "B"} and one[kind].startswith(other[kind])


def _contains(one: Value, other: Value) -> bool:
    kind, sought = _type(one), _type(other)
    if kind == "L":
        return other in one["L"]
    if kind in {"SS", "NS", "BS"}:
        return sought == kind[0] and other[sought] in one[kind]
    return kind == sought and kind in {"S", "B"} and other[kind] in one[kind]


def _add(old: Value | None, amount: Value) -> Value:
    if _type(amount) != "N":
        raise ExpressionError("ADD takes numbers; of sets this table knows nothing")
    if old is None:
        return amount
    return _sum(old, amount, 1)


def _sum(one: Value, other: Value, sign: int) -> Value:
    if not {_type(one), _type(other)} <= _NUMERIC:
        raise ExpressionError("an operand in the update expression has an incorrect data type")
    return {"N": str(number(one) + sign * number(other))}


def _joined(one: Value | None, other: Value | None) -> Value:
    one, other = _there(one), _there(other)
    if {_type(one), _type(other)} != {"L"}:
        raise ExpressionError("list_append takes lists")
    return {"L": [*one["L"], *other["L"]]}


_COMPARATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda one, other: one == other,
    "<>": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}
_PRESENCE = {"attribute_exists": True, "attribute_not_exists": False}
_TESTS = {"begins_with": _begins, "contains": _contains}
_FUNCTIONS = frozenset({*_PRESENCE, *_TESTS})
