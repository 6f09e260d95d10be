"""The AsyncAPI 3.0 document of all public events: `python -m oms.events.asyncapi > events/asyncapi.v1.json`.

There are two ways to get them: from the event bus of the stack, and as signed webhooks. What an event says is
in the JSON Schema beside it, `event.v1.json`.
"""

import json

from oms.events.catalogue import CATALOGUE, Schema

_SIGNED = {
    "webhook-id": {"type": "string", "description": "Of the event; the same on every repetition."},
    "webhook-timestamp": {"type": "string", "description": "Of this try, Unix seconds."},
    "webhook-signature": {
        "type": "string",
        "description": "v1,<base64 of HMAC-SHA256(secret, id.timestamp.body)>; several, with a space "
        "between, while a secret is rotated.",
    },
}


def document() -> Schema:
    """One message for each public type of event, the two channels that carry them, and both operations."""
    public = [name for name, event in CATALOGUE.items() if event.public]
    messages = {_id(name): {"$ref": f"#/components/messages/{_id(name)}"} for name in public}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Events of the order management system",
            "version": "1.0.0",
            "description": "CloudEvents 1.0 documents. There is no order between them: ignore versions (`v`) "
            "that are lower than one that you know of the same subject, and ids that you know.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "bus": {
                "title": "Event bus",
                "description": "The EventBridge bus of the stack: source `oms`, the type as detail type, the "
                "event as detail.",
                "messages": messages,
            },
            "webhook": {
                "title": "Webhook of a subscriber",
                "address": "{url}",
                "description": "Posted as Standard Webhooks 1.0: the event with `timestamp` beside its "
                "`time`. Answer 2xx; anything else is tried again for 75 hours, 410 ends the subscription.",
                "parameters": {"url": {"description": "What the subscriber gave: PUT /subscribers/{id}."}},
                "messages": messages,
            },
        },
        "operations": {
            "publish": {"action": "send", "channel": {"$ref": "#/channels/bus"}},
            "deliver": {"action": "send", "channel": {"$ref": "#/channels/webhook"}},
        },
        "components": {
            "messages": {_id(name): _message(name) for name in public},
        },
    }


def _message(name: str) -> Schema:
    return {
        "name": name,
        "title": name,
        "summary": CATALOGUE[name].meaning,
        "headers": {"type": "object", "properties": _SIGNED},
        "payload": {
            "allOf": [
                {"$ref": "event.v1.json"},
                {"type": "object", "properties": {"type": {"const": name}}},
            ]
        },
    }


def _id(name: str) -> str:
    """The name of a type as a key: a dot is not taken in one."""
    return name.replace(".", "_")


if __name__ == "__main__":
    print(json.dumps(document(), indent=2))
