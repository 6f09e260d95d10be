"""Records of the table's stream, as Lambda delivers them to `outbox`."""

import base64
from collections.abc import Iterable
from typing import Any

from oms.store.attributes import Item, encode

TABLE_ARN = "arn:aws:dynamodb:eu-south-2:123456789012:table/orders"
_FIRST_SECOND = 1795339800

type Record = dict[str, Any]
type Image = dict[str, Any]


def records(changes: Iterable[tuple[Item | None, Item]]) -> list[Record]:
    """The records of changes: items before, if they were there, and after."""
    return [
        record(number, lambda_form(encode(new)), lambda_form(encode(old)) if old else None)
        for number, (old, new) in enumerate(changes, 1)
    ]


def record(number: int, new: Image | None, old: Image | None = None) -> Record:
    """The `number`-th record of a stream; images in Lambda's form, no new one of an item that was deleted."""
    image = new or old or {}
    images = {"NewImage": new, "OldImage": old}
    return {
        "eventID": f"{number:032x}",
        "eventName": "REMOVE" if new is None else "INSERT" if old is None else "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-south-2",
        "dynamodb": {
            "ApproximateCreationDateTime": _FIRST_SECOND + number,
            "Keys": {key: image[key] for key in ("PK", "SK")},
            **{name: image for name, image in images.items() if image is not None},
            "SequenceNumber": f"1000000000000000000{number:05d}",
            "SizeBytes": len(str(image)),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": f"{TABLE_ARN}/stream/2026-11-22T00:00:00.000",
    }


def lambda_form(value: Any) -> Any:
    """An item in DynamoDB's form as Lambda has it in JSON: binary values are base64 text."""
    if isinstance(value, dict):
        return {name: lambda_form(member) for name, member in value.items()}
    if isinstance(value, list):
        return [lambda_form(member) for member in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value
