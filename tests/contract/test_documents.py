"""The documents say what is so: alarms, commands, routes, names, and examples that follow their schemas."""

import contextlib
import io
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import jsonschema
import pytest
from botocore import xform_name

from functions.api.routes import ROUTES
from functions.api.routing import find
from infra.cli.main import build_parser
from infra.lint.template import Template, load
from oms.runtime.metrics import Metric
from oms.usecases.messages import parse_fulfillment_event, parse_return_event

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "infra/docs"
RUNBOOK = (DOCS / "runbook.md").read_text()
LOCATIONS = (DOCS / "connecting-locations.md").read_text()
IMPORTING = (DOCS / "importing.md").read_text()
OPENAPI: dict[str, Any] = json.loads((DOCS / "openapi.json").read_text())

_EXAMPLE = re.compile(r"(?:<!-- follows: (.*?) -->\n)?```json\n(.*?)```", re.DOTALL)
_ROUTE = re.compile(r"(?:`| follows: body of | follows: answer of )(GET|PUT|POST|DELETE) (/[^\s`?]*)")
_SH = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_QUERY = re.compile(r"```text\n(.*?)```", re.DOTALL)
_FIELDS_OF_LAMBDA = {"@timestamp", "@message", "@log"}


@pytest.fixture(scope="module")
def template() -> Template:
    return load(Environment="prod")


def commands(program: str) -> list[str]:
    """The commands of a program that the documents show."""
    lines = (
        line.strip()
        for text in (RUNBOOK, LOCATIONS, IMPORTING)
        for block in _SH.findall(text)
        for line in block.splitlines()
    )
    return [line for line in lines if line.split()[:1] == [program]]


# ---- The runbook -------------------------------------------------------------------------------------------


def test_every_alarm_has_a_section_and_no_other_has(template: Template) -> None:
    alarms = [name for name, _ in template.of("AWS::CloudWatch::Alarm")]
    assert sorted(re.findall(r"^### (\w+Alarm)$", RUNBOOK, re.MULTILINE)) == sorted(alarms)


def test_links_within_the_runbook_lead_to_a_section() -> None:
    titles = re.findall(r"^#+ (.*)$", RUNBOOK, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]*)\)", RUNBOOK)) <= anchors


def test_metrics_that_the_runbook_names_are_ours() -> None:
    ours = {str(metric) for metric in Metric}
    named = set(re.findall(r"`([A-Z][a-z]+[A-Z]\w+)`", RUNBOOK))
    known = {"DashboardName", "KeysSecret", "RestoredTable", "Table"}
    assert named - known - ours == set()


def test_log_groups_that_the_runbook_names_are_those_of_the_stack(template: Template) -> None:
    groups = {logs["LogGroupName"] for _, logs in template.of("AWS::Logs::LogGroup")}
    functions = {function["FunctionName"] for _, function in template.of("AWS::Lambda::Function")}
    assert groups == {"/aws/apigateway/oms"} | {f"/aws/lambda/{name}" for name in functions}
    named = {"/aws/apigateway/<stack>", "/aws/lambda/<stack>-<function>"}
    assert set(re.findall(r"`(/aws/[^`]*)`", RUNBOOK)) == named


def test_queues_that_the_runbook_names_are_those_of_the_stack(template: Template) -> None:
    queues = {queue["QueueName"].removeprefix("oms-") for _, queue in template.of("AWS::SQS::Queue")}
    assert set(re.findall(r"--queue (\S+)", RUNBOOK)) <= queues
    assert set(re.findall(r"`([\w-]+-dead(?:\.fifo)?)`", RUNBOOK)) <= queues


@pytest.mark.parametrize("query", _QUERY.findall(RUNBOOK))
def test_fields_of_the_queries_are_logged(query: str) -> None:
    sources = [ROOT / "layers/oms/oms/runtime", ROOT / "functions"]
    code = "\n".join(path.read_text() for source in sources for path in source.rglob("*.py"))
    fields = re.findall(r"^(?:fields )(.*)$", query, re.MULTILINE)
    fields += re.findall(r"(\S+) (?:=|like|>=) ", query)
    for name in {name.strip() for names in fields for name in names.split(",")} - _FIELDS_OF_LAMBDA:
        for part in name.removesuffix(".0").split("."):
            assert re.search(rf"\b{part}\b", code), name


# ---- Commands ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", commands(".venv/bin/oms"))
def test_our_commands_are_understood(command: str) -> None:
    arguments = shlex.split(command)[1:]
    with contextlib.redirect_stderr(io.StringIO()) as complaint:
        try:
            build_parser(arguments).parse_args(arguments)
        except SystemExit:
            pytest.fail(complaint.getvalue())


@pytest.mark.parametrize("command", commands("aws"))
def test_commands_of_aws_have_the_options_that_they_need(command: str) -> None:
    _, service, operation, *rest = shlex.split(command)
    session = botocore.session.get_session()
    model = session.get_service_model(service)
    (name,) = [name for name in model.operation_names if xform_name(name, "-") == operation]
    shape = model.operation_model(name).input_shape
    assert shape is not None
    given = {word.removeprefix("--").removeprefix("no-") for word in rest if word.startswith("--")}
    assert given <= {xform_name(member, "-") for member in shape.members}
    assert given >= {xform_name(member, "-") for member in shape.required_members}


# ---- Connecting a location ---------------------------------------------------------------------------------


def examples() -> Iterator[tuple[str, Any]]:
    for follows, text in _EXAMPLE.findall(LOCATIONS):
        yield follows, json.loads(text)


def schema_of(follows: str) -> dict[str, Any]:
    """The schema that a document says an example follows."""
    match follows.split(" of "):
        case [path] if path.startswith("events/"):
            schema: dict[str, Any] = json.loads((ROOT / path).read_text())
            return schema
        case [name]:
            return {"$ref": f"#/components/schemas/{name}", "components": OPENAPI["components"]}
        case ["body", route]:
            method, path = route.split()
            content = OPENAPI["paths"][path][method.lower()]["requestBody"]["content"]
        case ["answer", route]:
            method, path = route.split()
            content = OPENAPI["paths"][path][method.lower()]["responses"]["200"]["content"]
        case _:
            raise AssertionError(f"{follows} is no schema")
    return {**content["application/json"]["schema"], "components": OPENAPI["components"]}


@pytest.mark.parametrize(("follows", "example"), [pair for pair in examples() if pair[0] != "IAM policy"])
def test_examples_follow_their_schemas(follows: str, example: Any) -> None:
    jsonschema.validate(example, schema_of(follows))


def test_examples_of_messages_are_understood() -> None:
    readers = {
        "events/fulfillment_event.v1.json": parse_fulfillment_event,
        "events/return_event.v1.json": parse_return_event,
    }
    read = [readers[follows](example) for follows, example in examples() if follows in readers]
    assert {str(getattr(message, "kind", "")) for message in read} >= {
        "accepted",
        "shipped",
        "delivered",
        "cancelled",
        "rejected",
    }
    assert len(read) == 8


def test_the_policy_names_queues_of_the_stack(template: Template) -> None:
    (policy,) = [example for follows, example in examples() if follows == "IAM policy"]
    queues = {queue["QueueName"] for _, queue in template.of("AWS::SQS::Queue")}
    for statement in policy["Statement"]:
        resources = statement["Resource"]
        for arn in [resources] if isinstance(resources, str) else resources:
            assert arn.rpartition(":")[2] in queues


@pytest.mark.parametrize(
    "document", [RUNBOOK, LOCATIONS, IMPORTING], ids=["runbook", "connecting-locations", "importing"]
)
def test_routes_that_the_documents_name_are_there(document: str) -> None:
    named = _ROUTE.findall(document)
    assert named
    for method, path in named:
        find(ROUTES, method, path)
