"""What becomes of a payload by its topic: adapters list their topics in rules, which are data."""

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from oms.channels.payload import Node, loads
from oms.channels.protocol import Command, Inbound
from oms.orders.commands import Ignore

type Reading = Callable[[Inbound, Node], Iterator[Command]]
"""Reads the body of a payload; yields nothing when it concerns none of what we keep."""

type Rules = tuple[tuple[str, Reading | str], ...]
"""Patterns of topics, each with how they are read or why they are ignored; the last one is `*`.

Topics are compared in lower case, with _ for / and dots; stored REST answers are named `rest_<resource>`,
stored webhooks `webhook_<topic>`.
"""


def read(message: Inbound, rules: Rules) -> tuple[Command, ...]:
    """See `Adapter.parse`: the first of the rules whose pattern matches the topic decides."""
    topic = message.topic.lower().removeprefix("webhook_").replace("/", "_").replace(".", "_")
    reading = next(reading for pattern, reading in rules if fnmatchcase(topic, pattern))
    if isinstance(reading, str):
        return (Ignore(f"{message.topic}: {reading}"),)
    commands = tuple(reading(message, Node(loads(message.body))))
    return commands or (Ignore(f"{message.topic}: the payload names nothing that concerns an order"),)
