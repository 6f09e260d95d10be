"""`oms seed`: a believable retailer on the local stack."""

import argparse
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.cli.target import Target, opened
from infra.demo.client import Api
from infra.demo.retailer import CHANNEL, CHANNEL_SECRET
from infra.demo.seeding import seed
from oms.store.tokens import Scope, issue

_VALID = timedelta(hours=2)


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `seed` to the `oms` command."""
    parser = subparsers.add_parser(
        "seed", help="configure a believable retailer with stock on the local stack"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Seed the local stack and print what there is."""
    with opened() as stack:
        connect_channel(stack)
        print(json.dumps(seed(open_api(stack, "seed", *Scope))))


def connect_channel(
    stack: Target, channel: str = CHANNEL, kind: str = "shopify", secret: str = CHANNEL_SECRET
) -> None:
    """Give a channel its signing secret; the demo's by default."""
    connect(stack, channel, {"kind": kind, "secrets": [secret]})


def connect(stack: Target, channel: str, secret: Mapping[str, Any]) -> None:
    """Write the secret of a channel."""
    name = f"{stack.outputs['ChannelSecretPrefix']}{channel}"
    value = json.dumps(secret)
    try:
        stack.secrets.create_secret(Name=name, SecretString=value)
    except stack.secrets.exceptions.ResourceExistsException:
        stack.secrets.put_secret_value(SecretId=name, SecretString=value)


def open_api(stack: Target, name: str, *scopes: Scope) -> Api:
    """The API under a new token of the given scopes."""
    text, _ = issue(stack.table, name, scopes, _VALID, datetime.now(UTC))
    return Api(stack.api_url, text)
