"""Between plain Python values and DynamoDB's typed attribute values.

Numbers are integers only: quantities, money and times are, and a float would be a defect. Absent values are
absent attributes, so None is refused too.
"""

import base64
import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

type Value = str | int | bool | bytes | list["Value"] | dict[str, "Value"]
"""A value that an attribute may hold."""

type Item = dict[str, Value]
"""An item: attribute values by name."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# Texts and numbers are most of it: to call for each of them takes as long as all else.


def encode(item: Mapping[str, Value]) -> "dict[str, AttributeValueTypeDef]":
    """An item in DynamoDB's form.

    Raises:
        TypeError: a value is neither text, integer, boolean, bytes, list nor map.
    """
    return {
        name: {"S": value}
        if type(value) is str
        else {"N": str(value)}
        if type(value) is int
        else encode_value(value)
        for name, value in item.items()
    }


def decode(item: "Mapping[str, AttributeValueTypeDef]") -> Item:
    """A plain item from DynamoDB's form."""
    return {
        name: value["S"] if "S" in value else int(value["N"]) if "N" in value else decode_value(value)
        for name, value in item.items()
    }


def encode_value(value: Value) -> "AttributeValueTypeDef":
    """One value in DynamoDB's form; see `encode`."""
    match value:
        case dict():
            return {"M": encode(value)}
        case list() | tuple():
            return {
                "L": [
                    {"S": member}
                    if type(member) is str
                    else {"N": str(member)}
                    if type(member) is int
                    else encode_value(member)
                    for member in value
                ]
            }
        case str():
            return {"S": str(value)}  # of an enumeration, its value alone
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
    raise TypeError(f"{type(value).__name__} cannot be stored")


def decode_value(value: "AttributeValueTypeDef") -> Value:
    """One plain value from DynamoDB's form.

    Raises:
        TypeError: an attribute of a type that we never write.
    """
    kind: str
    content: Any
    ((kind, content),) = value.items()
    plain: Value = content
    match kind:
        case "L":
            return [
                member["S"] if "S" in member else int(member["N"]) if "N" in member else decode_value(member)
                for member in content
            ]
        case "M":
            return decode(content)
        case "N":
            return int(content)
        case "S" | "BOOL":
            return plain
        case "B":  # Lambda delivers the images of a stream with base64
            return base64.b64decode(content) if isinstance(content, str) else plain
    raise TypeError(f"unknown attribute value {value}")


_TEXT = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))


def packed(document: object) -> bytes:
    """A JSON document as an attribute that is only shown, never decided on: compressed."""
    text = _TEXT.encode(document)
    # A few KB: to clear the tables that larger windows need takes longer than to compress them.
    packer = zlib.compressobj(9, wbits=12, memLevel=6)
    return packer.compress(text.encode()) + packer.flush()


def unpacked(value: Value) -> Any:
    """The document of such an attribute."""
    return json.loads(zlib.decompress(cast(bytes, value)))


def millis(moment: datetime) -> int:
    """A time as stored inside an item: whole milliseconds since 1970, UTC, cut off as `keys.iso` does."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def moment(value: Value) -> datetime:
    """The time of stored milliseconds."""
    return datetime.fromtimestamp(int(cast(int, value)) / 1000, UTC)
