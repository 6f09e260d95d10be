"""References: how what we have had a channel do is known when it comes back."""

import re

_REFUND = re.compile(r"(?:^|\s)([A-Z2-7]{26}-\S+)")


def refund_named(*texts: str | None) -> str | None:
    """The public id of the refund of ours that a channel's note on a refund names; None when it names none.

    We write it there when we have money given back (`push_refund` of each kind).
    """
    found = (_REFUND.search(text) for text in texts if text)
    return next((match[1] for match in found if match), None)
