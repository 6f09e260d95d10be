"""The single table as tests need it: the template's own definition, for moto and for DynamoDB Local."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # it ships no types

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TEMPLATE = Path(__file__).parent.parent / "template.yaml"

_properties: dict[str, Any] = yaml_parse(TEMPLATE.read_text())["Resources"]["Table"]["Properties"]


def _names(key_schema: list[dict[str, str]]) -> tuple[str, ...]:
    return tuple(element["AttributeName"] for element in key_schema)


KEY = _names(_properties["KeySchema"])
INDEXES = {index["IndexName"]: _names(index["KeySchema"]) for index in _properties["GlobalSecondaryIndexes"]}


def create_table(client: "DynamoDBClient", name: str, *, stream: bool = True) -> str:
    """Create an empty table with the keys, indexes and stream of the template's.

    Args:
        client: a low-level client of moto, DynamoDB Local or the local stack.
        name: table name, at least 3 characters.
        stream: False leaves the stream out, which triples the speed of DynamoDB Local.

    Returns:
        The name, ready for use.
    """
    same = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    on = _properties["StreamSpecification"] | {"StreamEnabled": True}  # implied in a template
    client.create_table(
        TableName=name,
        StreamSpecification=on if stream else {"StreamEnabled": False},
        **{part: _properties[part] for part in same},
    )
    return name
