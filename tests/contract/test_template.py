"""The template keeps the house rules, each rule sees what breaks it, and every metric named is emitted."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from infra.lint import metrics, rules
from infra.lint.template import ROOT, Template, load
from oms.runtime.metrics import CATALOGUE, Metric

type Rule = Callable[[Template], Iterator[str]]

ENVIRONMENTS = ("prod", "dev", "local")
ABSENT = object()


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def template(request: pytest.FixtureRequest) -> Template:
    return load(Environment=request.param)


@pytest.fixture(scope="module")
def production() -> Template:
    return load(Environment="prod")


def changed(template: Template, way: str, value: object) -> Template:
    """A copy in which one property of a resource has another value, or is ABSENT."""
    copy = deepcopy(template)
    resource, *steps, last = [int(step) if step.isdigit() else step for step in way.split("/")]
    place: Any = copy.properties(str(resource))
    for step in steps:
        place = place[step]
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return copy


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_template_keeps_every_rule_in_every_environment(rule: Rule, template: Template) -> None:
    assert list(rule(template)) == []


BREAKS: dict[Rule, list[tuple[str, object, list[str]]]] = {
    rules.queues_have_dead_letters: [
        (
            "SourcingQueue/RedrivePolicy",
            ABSENT,
            ["SourcingQueue: has no dead-letter queue", "SourcingDeadLetters: has no dead-letter queue"],
        ),
        (
            "RequestsWmsQueue/RedrivePolicy/deadLetterTargetArn",
            "ClockDeadLetters.Arn",
            [
                "RequestsWmsQueue: its dead-letter queue is of the other kind",
                "RequestsWmsDeadLetters: has no dead-letter queue",
            ],
        ),
        (
            "InboundDeadLetters/MaximumMessageSize",
            262144,
            ["InboundQueue: its dead-letter queue takes messages of another size"],
        ),
        (
            "InboundDeadLetters/MessageRetentionPeriod",
            345600,
            ["InboundDeadLetters: does not keep messages for 14 days"],
        ),
        (
            "RequestsWmsQueue/ContentBasedDeduplication",
            True,
            ["RequestsWmsQueue: deduplicates by content; senders must name what they send"],
        ),
        ("ClockQueue/RedrivePolicy/maxReceiveCount", 1, ["ClockQueue: gives up after less than 3 tries"]),
        ("OutboxFailures/SqsManagedSseEnabled", False, ["OutboxFailures: is not encrypted"]),
    ],
    rules.sources_fail_in_parts: [
        (
            "IntakeFunctionMessages/FunctionResponseTypes",
            ABSENT,
            ["IntakeFunctionMessages: does not take partial failures"],
        ),
        (
            "IntakeFunctionMessages/ScalingConfig",
            ABSENT,
            ["IntakeFunctionMessages: has no maximum concurrency"],
        ),
        (
            "ReturnEventsQueue/RedrivePolicy",
            ABSENT,
            ["ReturnsFunctionMessages: its queue has no dead-letter queue"],
        ),
        (
            "IntakeFunction/Timeout",
            21,
            ["IntakeFunctionMessages: its queue hides messages for less than six timeouts of IntakeFunction"],
        ),
        ("OutboxFunctionChanges/MaximumRetryAttempts", -1, ["OutboxFunctionChanges: has no bounded retries"]),
        (
            "OutboxFunctionChanges/MaximumRecordAgeInSeconds",
            ABSENT,
            ["OutboxFunctionChanges: has no record age limit"],
        ),
        (
            "OutboxFunctionChanges/BisectBatchOnFunctionError",
            False,
            ["OutboxFunctionChanges: does not bisect a failing batch"],
        ),
        (
            "OutboxFunctionChanges/DestinationConfig",
            ABSENT,
            ["OutboxFunctionChanges: has no failure destination"],
        ),
    ],
    rules.streams_are_filtered: [
        (
            "OutboxFunctionChanges/FilterCriteria",
            ABSENT,
            ["OutboxFunctionChanges: does not filter by key prefix"],
        ),
        (
            "OutboxFunction/Role",
            "IntakeRole.Arn",
            ["OutboxFunctionChanges: reads what its function writes: H#, O#"],
        ),
    ],
    rules.functions_are_called_through_queues: [
        ("ClockRule/Targets/0/Arn", "ClockFunction.Arn", ["ClockRule: target clock is not a queue"]),
        ("ClockRule/Targets/0/RetryPolicy", ABSENT, ["ClockRule: target clock has no bounded retries"]),
        (
            "ClockRule/Targets/0/DeadLetterConfig",
            ABSENT,
            ["ClockRule: target clock has no dead-letter queue"],
        ),
        (
            "ApiFunctionGetPermissionv1/Principal",
            "events.amazonaws.com",
            ["ApiFunctionGetPermissionv1: events.amazonaws.com calls ApiFunction itself"],
        ),
    ],
    rules.functions_have_limits: [
        (
            "AuthorizerFunction/Timeout",
            15,
            ["AuthorizerFunction: times out before all tries of a call that hangs"],
        ),
        ("ApiFunction/Timeout", 30, ["ApiFunction: goes on after API Gateway has given up"]),
        ("ClockFunction/MemorySize", ABSENT, ["ClockFunction: has no memory size"]),
        ("ClockLogs/RetentionInDays", ABSENT, ["ClockFunction: keeps its logs for ever"]),
    ],
    rules.functions_get_what_their_settings_read: [
        ("OutboxFunction/Environment/Variables/BUS_NAME", ABSENT, ["OutboxFunction: BUS_NAME is not given"]),
        (
            "IntakeFunction/Environment/Variables/BUS_NAME",
            "Bus",
            ["IntakeFunction: BUS_NAME is given but not read"],
        ),
    ],
    rules.roles_belong_to_one_function: [
        (
            "ReturnsFunction/Role",
            "FulfillmentRole.Arn",
            [
                "FulfillmentFunction: shares FulfillmentRole.Arn",
                "ReturnsFunction: shares FulfillmentRole.Arn",
            ],
        ),
        (
            "ClockRole/ManagedPolicyArns",
            ["arn:aws:iam::aws:policy/AmazonSQSFullAccess"],
            ["ClockFunction: its role has managed policies"],
        ),
    ],
    rules.roles_allow_no_more_than_named: [
        (
            "AuthorizerRole/Policies/0/PolicyDocument/Statement/1/Action",
            "dynamodb:*",
            ["AuthorizerFunction: may dynamodb:*", "AuthorizerFunction: may dynamodb:* on the table"],
        ),
        (
            "AuthorizerRole/Policies/0/PolicyDocument/Statement/1/Action",
            "dynamodb:Scan",
            ["AuthorizerFunction: may dynamodb:Scan on the table"],
        ),
        (
            "AuthorizerRole/Policies/0/PolicyDocument/Statement/1/Condition",
            ABSENT,
            ["AuthorizerFunction: may dynamodb:GetItem whatever the key"],
        ),
        (
            "AuthorizerRole/Policies/0/PolicyDocument/Statement/1/Condition/ForAllValues:StringLike/dynamodb:LeadingKeys",
            ["*"],
            ["AuthorizerFunction: may dynamodb:GetItem for keys like *"],
        ),
        (
            "WebhooksRole/Policies/0/PolicyDocument/Statement/2/Resource",
            "*",
            ["WebhooksFunction: may sqs:SendMessage on everything"],
        ),
    ],
    rules.roles_allow_what_the_environment_names: [
        (
            "WebhooksRole/Policies/0/PolicyDocument/Statement/2/Resource",
            "SourcingQueue.Arn",
            [
                "WebhooksFunction: is told of InboundQueue but may not use it",
                "WebhooksFunction: may use SourcingQueue but is not told of it",
            ],
        ),
    ],
    rules.roles_allow_their_event_sources: [
        (
            "IntakeFunctionMessages/EventSourceArn",
            "ClockQueue.Arn",
            [
                "IntakeFunctionMessages: IntakeFunction may not sqs:DeleteMessage on ClockQueue.Arn",
                "IntakeFunctionMessages: IntakeFunction may not sqs:GetQueueAttributes on ClockQueue.Arn",
                "IntakeFunctionMessages: IntakeFunction may not sqs:ReceiveMessage on ClockQueue.Arn",
            ],
        ),
        (
            "OutboxFunctionChanges/DestinationConfig/OnFailure/Destination",
            "InboundDeadLetters.Arn",
            ["OutboxFunctionChanges: OutboxFunction may not sqs:SendMessage on InboundDeadLetters.Arn"],
        ),
    ],
    rules.data_outlives_the_stack: [
        (
            "Table/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled",
            False,
            ["Table: cannot be restored"],
        ),
        ("Table/SSESpecification/SSEEnabled", False, ["Table: is not encrypted with a key of the account"]),
    ],
    rules.failures_raise_alarms: [
        (
            "ClockDeadLettersAlarm/Dimensions/0/Value",
            "ClockQueue.QueueName",
            ["ClockDeadLetters: no alarm on its depth"],
        ),
        ("ClockErrorsAlarm/MetricName", "Invocations", ["ClockFunction: no alarm on its errors"]),
        ("OutboxAgeAlarm/MetricName", "Duration", ["OutboxFunction: no alarm on its iterator age"]),
        ("ClockStoppedAlarm/AlarmActions", [], ["ClockStoppedAlarm: tells nobody"]),
    ],
    rules.gateway_answers_are_problems: [
        (
            "Api/Body/x-amazon-apigateway-gateway-responses/THROTTLED/responseParameters",
            {},
            ["Api: THROTTLED is not application/problem+json"],
        ),
        (
            "Api/Body/x-amazon-apigateway-gateway-responses/THROTTLED/statusCode",
            "503",
            ["Api: THROTTLED is answered with 503, not 429"],
        ),
        (
            "Api/Body/x-amazon-apigateway-gateway-responses/THROTTLED/responseTemplates",
            {"application/json": '{"code":"throttled","detail":$context.error.messageString}'},
            ["Api: THROTTLED differs from the problem throttled"],
        ),
    ],
    metrics.metrics_are_known: [
        (
            "RecordsFailedAlarm/MetricName",
            "RecordsLost",
            ["RecordsFailedAlarm: oms/oms RecordsLost by () is emitted by nothing"],
        ),
        (
            "RecordsFailedAlarm/Dimensions",
            [{"Name": "queue", "Value": "inbound"}],
            ["RecordsFailedAlarm: oms/oms RecordsFailed by (queue) is emitted by nothing"],
        ),
        (
            "OutboxAgeAlarm/Dimensions/0/Name",
            "QueueName",
            ["OutboxAgeAlarm: AWS/Lambda IteratorAge by (QueueName) is emitted by nothing"],
        ),
        (
            "OutboxAgeAlarm/MetricName",
            "IteratorAges",
            ["OutboxAgeAlarm: AWS/Lambda IteratorAges by (FunctionName) is emitted by nothing"],
        ),
    ],
}
"""What breaks a rule: the way to a property, its wrong value, and everything that the rule says then."""


@pytest.mark.parametrize(
    ("rule", "way", "value", "complaints"),
    [(rule, *row) for rule, rows in BREAKS.items() for row in rows],
)
def test_a_rule_sees_what_breaks_it(
    rule: Rule, way: str, value: object, complaints: list[str], production: Template
) -> None:
    assert sorted(rule(changed(production, way, value))) == sorted(complaints)


def test_every_rule_is_seen_to_fail() -> None:
    assert {*BREAKS, metrics.metrics_are_seen} == set(rules.RULES)


@pytest.mark.parametrize("policy", ["DeletionPolicy", "UpdateReplacePolicy"])
@pytest.mark.parametrize("resource", ["Table", "KeysSecret"])
def test_data_that_would_go_with_the_stack_is_seen(resource: str, policy: str, production: Template) -> None:
    copy = deepcopy(production)
    copy.resources[resource][policy] = "Delete"
    assert list(rules.data_outlives_the_stack(copy)) == [f"{resource}: {policy} is not Retain"]


def test_a_third_reader_of_the_stream_is_seen(production: Template) -> None:
    copy = deepcopy(production)
    copy.resources["Third"] = deepcopy(copy.resources["OutboxFunctionChanges"])
    assert list(rules.streams_are_filtered(copy)) == [
        "AvailabilityFunctionChanges, OutboxFunctionChanges, Third: more than 2 readers of the stream"
    ]


def test_a_metric_without_a_place_on_the_dashboard_is_seen(production: Template) -> None:
    body = json.loads(production.properties("Dashboard")["DashboardBody"])
    body["widgets"] = [w for w in body["widgets"] if "currency" not in w["properties"]["title"]]
    copy = changed(production, "Dashboard/DashboardBody", json.dumps(body))
    assert list(metrics.metrics_are_seen(copy)) == [
        "Dashboard: oms/oms RefundAmountDue by (currency) is not on it"
    ]


def test_an_expression_that_cannot_be_checked_is_refused(production: Template) -> None:
    body = json.loads(production.properties("Dashboard")["DashboardBody"])
    body["widgets"][0]["properties"]["metrics"] = [[{"expression": "SUM(METRICS())"}]]
    copy = changed(production, "Dashboard/DashboardBody", json.dumps(body))
    with pytest.raises(ValueError, match="not a search for one metric"):
        list(metrics.named(copy))


def test_every_metric_of_the_catalogue_is_emitted_somewhere() -> None:
    emitted = {
        node.attr
        for folder in ("functions", "layers/oms/oms")
        for file in (ROOT / folder).rglob("*.py")
        if file.name != "metrics.py"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Metric"
    }
    assert emitted == {metric.name for metric in CATALOGUE} == set(Metric.__members__)


@pytest.mark.parametrize(("environment", "protected"), [("prod", True), ("dev", False), ("local", False)])
def test_only_production_protects_the_table_from_deletion(environment: str, protected: bool) -> None:
    assert load(Environment=environment).properties("Table")["DeletionProtectionEnabled"] is protected


@pytest.mark.parametrize(("environment", "how"), [("prod", "report"), ("dev", "report"), ("local", "raise")])
@pytest.mark.parametrize("function", ["OutboxFunction", "AvailabilityFunction"])
def test_a_stream_consumer_raises_only_where_reports_are_ignored(
    function: str, environment: str, how: str
) -> None:
    variables = load(Environment=environment).properties(function)["Environment"]["Variables"]
    assert variables["STREAM_FAILURES"] == how


@pytest.mark.parametrize(
    ("method", "path", "authorizer"),
    [
        ("post", "/webhooks/{channel}", "NONE"),
        ("get", "/webhooks/{channel}", "NONE"),
        ("get", "/docs", "NONE"),
        ("get", "/openapi.json", "NONE"),
        *((method, "/{proxy+}", "Token") for method in ("get", "post", "put", "patch", "delete")),
    ],
)
def test_every_route_but_those_of_webhooks_and_documents_needs_a_token(
    method: str, path: str, authorizer: str, production: Template
) -> None:
    body = production.properties("Api")["Body"]
    assert body["paths"][path][method]["security"] == [{authorizer: []}]
    assert {f"{m} {p}" for p, methods in body["paths"].items() for m in methods} == {
        "post /webhooks/{channel}",
        "get /webhooks/{channel}",
        "get /docs",
        "get /openapi.json",
        *(f"{m} /{{proxy+}}" for m in ("get", "post", "put", "patch", "delete")),
    }


def test_a_token_is_trusted_for_a_minute(production: Template) -> None:
    (authorizer,) = (
        scheme["x-amazon-apigateway-authorizer"]
        for scheme in production.properties("Api")["Body"]["components"]["securitySchemes"].values()
    )
    assert authorizer["type"] == "token"
    assert authorizer["authorizerResultTtlInSeconds"] == 60


def test_cfn_lint_has_nothing_to_say() -> None:
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--template", "template.yaml"]
    result = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
