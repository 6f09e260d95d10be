"""The stack that a command works on: the local one, or one in the user's AWS account."""

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from boto3 import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.local.deployment import STACK_NAME
from infra.local.ministack import running_stack
from infra.local.stack import Home
from oms.events.publish import NotTakenError
from oms.problems import Code, Problem
from oms.store.errors import Busy
from oms.store.table import Table

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

# Imports and checks call from many threads. Checking parameters is a third of what a call costs.
_MANY_CALLS = Config(max_pool_connections=64, parameter_validation=False)


@dataclass(frozen=True)
class Target:
    """A deployed stack.

    Attributes:
        name: of the CloudFormation stack.
        api_url: base of the REST API, with the stage, without a slash at the end.
        outputs: of the template, by name.
        session: credentials and region.
        endpoint_url: where its AWS services answer; None for AWS itself.
    """

    name: str
    api_url: str
    outputs: Mapping[str, str]
    session: Session
    endpoint_url: str | None = None

    def queue_name(self, url: str) -> str:
        """Name of one of its queues, without the stack's name before it."""
        return url.rpartition("/")[2].removeprefix(f"{self.name}-")

    @cached_property
    def table(self) -> Table:
        """Its table."""
        return Table(self.dynamodb, self.outputs["TableName"])

    @cached_property
    def cloudwatch(self) -> "CloudWatchClient":
        """A client for its metrics."""
        return self.session.client("cloudwatch", endpoint_url=self.endpoint_url)

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """A client for its table."""
        return self.session.client("dynamodb", endpoint_url=self.endpoint_url, config=_MANY_CALLS)

    @cached_property
    def events(self) -> "EventBridgeClient":
        """A client for its bus."""
        return self.session.client("events", endpoint_url=self.endpoint_url)

    @cached_property
    def secrets(self) -> "SecretsManagerClient":
        """A client for the secrets of its channels."""
        return self.session.client("secretsmanager", endpoint_url=self.endpoint_url)

    @cached_property
    def sqs(self) -> "SQSClient":
        """A client for its queues."""
        return self.session.client("sqs", endpoint_url=self.endpoint_url)

    @cached_property
    def streams(self) -> Any:
        """A client for the stream of its table."""
        return self.session.client("dynamodbstreams", endpoint_url=self.endpoint_url)


def add_stack_argument(parser: argparse.ArgumentParser) -> None:
    """Let a command take `--stack`."""
    parser.add_argument(
        "--stack", metavar="NAME", help="CloudFormation stack in your AWS account; the local one by default"
    )


@contextmanager
def opened(name: str | None = None, home: Home | None = None) -> Iterator[Target]:
    """The stack that `--stack` names, the local one for None; what AWS refuses meanwhile is a problem.

    Args:
        name: of the stack.
        home: of the local one; the project's own by default.

    Raises:
        Problem: `unavailable`: there is no such stack, or AWS has refused a call or does not answer.
    """
    try:
        yield _local(home) if name is None else _remote(name)
    except (BotoCoreError, ClientError, NotTakenError, Busy) as error:
        raise Problem(Code.UNAVAILABLE, f"stack {name or STACK_NAME}: {error}") from error


def _local(home: Home | None) -> Target:
    local = running_stack(home)
    settings = local.client_settings()
    session = Session(
        aws_access_key_id=settings["aws_access_key_id"],
        aws_secret_access_key=settings["aws_secret_access_key"],
        region_name=settings["region_name"],
    )
    return Target(STACK_NAME, local.api_url, local.outputs, session, local.endpoint_url)


def _remote(name: str) -> Target:
    session = Session()
    description = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", ())}
    if "TableName" not in outputs:
        raise Problem(Code.UNAVAILABLE, f"stack {name} is not one of ours, or not deployed yet", "stack")
    return Target(name, outputs["ApiUrl"], outputs, session)
