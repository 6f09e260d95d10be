"""`oms seed`: a believable retailer on the local stack."""

import argparse
import json
from datetime import UTC, datetime, timedelta

import boto3

from infra.demo.client import Api
from infra.demo.retailer import CHANNEL, CHANNEL_SECRET
from infra.demo.seeding import seed
from infra.local.stack import Stack, load_stack
from oms.store.table import Table
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
    stack = load_stack()
    connect_channel(stack)
    print(json.dumps(seed(open_api(stack, "seed", *Scope))))


def connect_channel(stack: Stack) -> None:
    """Give the demo's channel its signing secret."""
    secrets = boto3.client("secretsmanager", **stack.client_settings())
    name = f"{stack.outputs['ChannelSecretPrefix']}{CHANNEL}"
    value = json.dumps({"kind": "shopify", "secrets": [CHANNEL_SECRET]})
    try:
        secrets.create_secret(Name=name, SecretString=value)
    except secrets.exceptions.ResourceExistsException:
        secrets.put_secret_value(SecretId=name, SecretString=value)


def open_api(stack: Stack, name: str, *scopes: Scope) -> Api:
    """The API under a new token of the given scopes."""
    table = Table(boto3.client("dynamodb", **stack.client_settings()), stack.outputs["TableName"])
    text, _ = issue(table, name, scopes, _VALID, datetime.now(UTC))
    return Api(stack.api_url, text)
