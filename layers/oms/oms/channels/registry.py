"""Adapters by the name of their kind. A module is imported when its kind is first asked for."""

from importlib import import_module

from oms.channels.protocol import Adapter
from oms.problems import Code, Problem

KINDS = (
    "generic",
    "shopify",
    "woocommerce",
    "magento",
    "bigcommerce",
    "amazon",
    "ebay",
    "square",
    "stripe",
    "paypal",
    "easypost",
    "aftership",
    "shippo",
    "shipengine",
    "shipstation",
    "sendcloud",
    "edi",
)
"""Kinds of channels: each is a module of this package with an `ADAPTER`."""


def adapter(kind: str) -> Adapter:
    """The adapter of a kind of channel.

    Raises:
        Problem: `channel_unknown`, there is no such kind.
    """
    if kind not in KINDS:
        raise Problem(Code.CHANNEL_UNKNOWN, f"{kind!r} is not one of {', '.join(KINDS)}", "kind")
    found: Adapter = import_module(f"oms.channels.{kind}").ADAPTER
    return found
