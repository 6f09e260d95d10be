"""The stack's table, queues and bus on moto, with the outputs that name them: what `oms --stack` works on."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto import mock_aws
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # it ships no types

from infra.cli.target import Target, opened
from tests.tables import TEMPLATE

NAME = "shop"
_KEPT = ("AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::Events::EventBus")
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-south-2",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",  # else moto does not find its streams
    "MOTO_SQS_ENFORCE_STRICT_QUEUE_PURGE_BEHAVIOUR": "false",  # else a queue is emptied once a minute
}

_template: dict[str, Any] = yaml_parse(TEMPLATE.read_text())

QUEUES = frozenset(
    name for name, resource in _template["Resources"].items() if resource["Type"] == "AWS::SQS::Queue"
)
"""Logical ids of all queues."""


@contextmanager
def deployed() -> Iterator[Target]:
    """The stack `NAME`, as `oms --stack` finds it; it takes a second."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in _ENVIRONMENT.items():
            patch.setenv(name, value)
        session = boto3.Session()
        patch.setattr("infra.cli.target.Session", lambda: session)  # a new one reads everything anew
        session.client("cloudformation").create_stack(StackName=NAME, TemplateBody=json.dumps(_kept()))
        with opened(NAME) as target:
            yield target


def _kept() -> dict[str, Any]:
    """What moto knows of the template."""
    resources = {
        name: resource for name, resource in _template["Resources"].items() if resource["Type"] in _KEPT
    }
    outputs = {
        name: output
        for name, output in _template["Outputs"].items()
        if output["Value"].get("Ref") in resources
    }
    outputs["ApiUrl"] = {"Value": "https://api.example.test/v1"}
    outputs["BusName"] = {"Value": f"{NAME}-events"}  # moto refers to a bus by an address in memory
    parameters = {name: _template[name] for name in ("Parameters", "Conditions")}
    return parameters | {"Resources": resources, "Outputs": outputs}
