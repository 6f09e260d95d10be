"""Ids of lines: all that is said of an order later goes by them, so no two lines may have one."""

from oms.orders.commands import PlaceOrder
from oms.values import replace


def told_apart(command: PlaceOrder) -> PlaceOrder:
    """The order with an id of its own for each line: the first keeps the channel's, the next gets `#2` to it.

    No vendor means to give two lines one id. Ids stay the same while the channel keeps its lines in order.
    """
    taken = {line.channel_line_id for line in command.lines}
    if len(taken) == len(command.lines):
        return command
    seen: set[str] = set()
    lines = []
    for line in command.lines:
        name, number = line.channel_line_id, 1
        while name in seen or (number > 1 and name in taken):
            number += 1
            name = f"{line.channel_line_id}#{number}"
        seen.add(name)
        lines.append(replace(line, channel_line_id=name))
    return replace(command, lines=tuple(lines))
