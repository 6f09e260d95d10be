"""The JSON Schema (draft 2020-12) of every event: `python -m oms.events.schema > events/event.v1.json`."""

import json

from oms.events.catalogue import CATALOGUE, ENTITIES, SOURCE, Schema, an_object

_ATTRIBUTES: dict[str, Schema] = {
    "specversion": {"const": "1.0"},
    "id": {"type": "string", "description": "<subject>#<v>#<type>; the same on every repetition."},
    "source": {"const": SOURCE},
    "type": {"enum": list(CATALOGUE)},
    "subject": {"type": "string", "description": "Public id of the entity."},
    "time": {"type": "string", "format": "date-time", "description": "When it was recorded, UTC."},
    "v": {"type": "integer", "minimum": 1, "description": "Version of the entity; ignore lower ones."},
    "schemaversion": {"type": "integer", "description": "Version of the type's data."},
    "correlationid": {
        "type": "string",
        "description": "Id of the order, or reservation, that it belongs to.",
    },
    "data": {"type": "object"},
}


def schema() -> Schema:
    """One schema for all: the attributes as CloudEvents 1.0 has them, and the data of each type."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:oms:schema:event.v1",
        "title": "Domain event",
        "description": "A CloudEvents 1.0 document: what has happened to an order, its fulfillment orders, "
        "shipments, returns and refunds, or to a reservation. On the bus it is the detail, and its type the "
        "detail type; internal types stay off the bus. Ignore members of data that you do not know: some may "
        "be added.",
        **an_object(_ATTRIBUTES),
        "oneOf": [_branch(name) for name in CATALOGUE],
    }


def _branch(name: str) -> Schema:
    event = CATALOGUE[name]
    entity, _, _ = name.partition(".")
    return {
        "title": name,
        "description": event.meaning + ("" if event.public else " Internal."),
        "properties": {
            "type": {"const": name},
            "schemaversion": {"const": event.version},
            "data": an_object({**ENTITIES[entity].members, **event.members}),
        },
    }


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
