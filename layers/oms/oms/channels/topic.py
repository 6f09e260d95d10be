"""Topics of vendors that name them in the body."""

from oms.channels.payload import Node, loads
from oms.problems import Code, Problem


def topic_in(body: bytes, *paths: str) -> str:
    """The first of the fields at `paths` (names joined by dots) that is there.

    Raises:
        Problem: `topic_unknown`, the body is JSON but names no topic; or it is not JSON.
    """
    for path in paths:
        *holders, key = path.split(".")
        node = Node(loads(body))
        for holder in holders:
            node = Node(node.get(holder))
        topic = node.get(key)
        if isinstance(topic, str) and topic.strip():
            return topic
    raise Problem(Code.TOPIC_UNKNOWN, "the delivery names no topic", paths[0])
