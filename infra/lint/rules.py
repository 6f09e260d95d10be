"""House rules of the template. A rule yields a line for each thing that breaks it, its logical id first."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from infra.lint.metrics import metrics_are_known, metrics_are_seen
from infra.lint.template import Template
from oms.problems import STATUSES, Code
from oms.runtime import clients, settings

DAYS_14 = 14 * 24 * 3600
API_GATEWAY_TIMEOUT_S = 29
STREAM_READERS = 2
"""More readers of one shard are throttled."""

READS = frozenset({"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"})
WRITES = frozenset(
    f"dynamodb:{action}Item" for action in ("Put", "Update", "Delete", "ConditionCheck", "BatchWrite")
)
"""The only actions on the table that a function may have; transactions are made of them."""

_OF_QUEUE = frozenset({"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"})
_OF_STREAM = frozenset(
    f"dynamodb:{action}" for action in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
)
_IMPLIED = _OF_QUEUE | _OF_STREAM | {"logs:PutLogEvents"}
"""What a role needs for the event source and the logs of its function."""

FUNCTION = "AWS::Lambda::Function"
QUEUE = "AWS::SQS::Queue"
SOURCE = "AWS::Lambda::EventSourceMapping"
ALARM = "AWS::CloudWatch::Alarm"


def _logical_id(reference: str) -> str:
    return reference.partition(".")[0]


def _last_resorts(template: Template) -> set[str]:
    """The dead-letter queues and failure destinations: nothing of ours consumes them."""
    redriven = {
        _logical_id(queue["RedrivePolicy"]["deadLetterTargetArn"])
        for _, queue in template.of(QUEUE)
        if "RedrivePolicy" in queue
    }
    return redriven | {_on_failure(source) for _, source in template.of(SOURCE)} - {""}


def _on_failure(source: dict[str, Any]) -> str:
    """Logical id of an event source's failure destination, empty when it has none."""
    return _logical_id(source.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", ""))


def queues_have_dead_letters(template: Template) -> Iterator[str]:
    """Every queue gives up into one of its own kind, which keeps messages for as long as SQS can."""
    last_resorts = _last_resorts(template)
    for name, queue in template.of(QUEUE):
        if not queue.get("SqsManagedSseEnabled"):
            yield f"{name}: is not encrypted"
        if queue.get("ContentBasedDeduplication"):
            yield f"{name}: deduplicates by content; senders must name what they send"
        redrive = queue.get("RedrivePolicy")
        if redrive is None:
            if name not in last_resorts:
                yield f"{name}: has no dead-letter queue"
            elif queue.get("MessageRetentionPeriod") != DAYS_14:
                yield f"{name}: does not keep messages for 14 days"
            continue
        dead_letters = template.properties(redrive["deadLetterTargetArn"])
        if queue.get("FifoQueue") != dead_letters.get("FifoQueue"):
            yield f"{name}: its dead-letter queue is of the other kind"
        if queue.get("MaximumMessageSize") != dead_letters.get("MaximumMessageSize"):
            yield f"{name}: its dead-letter queue takes messages of another size"
        if redrive["maxReceiveCount"] < 3:  # noqa: PLR2004
            yield f"{name}: gives up after less than 3 tries"


def sources_fail_in_parts(template: Template) -> Iterator[str]:
    """Every event source takes partial failures, tries again within bounds, and then puts the rest aside."""
    for name, source in template.of(SOURCE):
        if source.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: does not take partial failures"
        if source["EventSourceArn"].endswith(".StreamArn"):
            yield from _stream_gives_up(name, source)
            continue
        queue = template.properties(source["EventSourceArn"])
        timeout = template.properties(source["FunctionName"])["Timeout"]
        if "RedrivePolicy" not in queue:
            yield f"{name}: its queue has no dead-letter queue"
        if queue.get("VisibilityTimeout", 30) < 6 * timeout:
            yield f"{name}: its queue hides messages for less than six timeouts of {source['FunctionName']}"
        if "ScalingConfig" not in source:
            yield f"{name}: has no maximum concurrency"


def _stream_gives_up(name: str, source: dict[str, Any]) -> Iterator[str]:
    if not 0 < source.get("MaximumRetryAttempts", -1) <= 100:  # noqa: PLR2004
        yield f"{name}: has no bounded retries"
    if not 0 < source.get("MaximumRecordAgeInSeconds", -1) <= 24 * 3600:
        yield f"{name}: has no record age limit"
    if not source.get("BisectBatchOnFunctionError"):
        yield f"{name}: does not bisect a failing batch"
    if not _on_failure(source):
        yield f"{name}: has no failure destination"


def streams_are_filtered(template: Template) -> Iterator[str]:
    """At most two functions read the stream, each only the prefixes it names, and none that it writes."""
    readers = {name: s for name, s in template.of(SOURCE) if s["EventSourceArn"].endswith(".StreamArn")}
    if len(readers) > STREAM_READERS:
        yield f"{', '.join(sorted(readers))}: more than {STREAM_READERS} readers of the stream"
    for name, source in readers.items():
        filters = source.get("FilterCriteria", {}).get("Filters", [])
        seen = {prefix for pattern in filters for prefix in _prefixes(json.loads(pattern["Pattern"]))}
        if not seen:
            yield f"{name}: does not filter by key prefix"
        written = {
            key.rstrip("*")
            for statement in _statements(template, template.properties(source["FunctionName"]))
            if WRITES & set(_actions(statement))
            for key in _leading_keys(statement)
        }
        if seen & written:
            yield f"{name}: reads what its function writes: {', '.join(sorted(seen & written))}"


def _prefixes(pattern: dict[str, Any]) -> Iterator[str]:
    for condition in pattern.get("dynamodb", {}).get("Keys", {}).get("PK", {}).get("S", []):
        yield condition["prefix"]


def functions_are_called_through_queues(template: Template) -> Iterator[str]:
    """Nothing but API Gateway calls a function itself; a rule has retries and a dead-letter queue."""
    for name, permission in template.of("AWS::Lambda::Permission"):
        if permission["Principal"] != "apigateway.amazonaws.com":
            yield f"{name}: {permission['Principal']} calls {permission['FunctionName']} itself"
    queues = {name for name, _ in template.of(QUEUE)}
    for name, rule in template.of("AWS::Events::Rule"):
        for target in rule["Targets"]:
            if _logical_id(target["Arn"]) not in queues:
                yield f"{name}: target {target['Id']} is not a queue"
            if "RetryPolicy" not in target:
                yield f"{name}: target {target['Id']} has no bounded retries"
            if "DeadLetterConfig" not in target:
                yield f"{name}: target {target['Id']} has no dead-letter queue"


def functions_have_limits(template: Template) -> Iterator[str]:
    """Every function has memory, kept logs, and time for all tries of a call, but no more than its caller."""
    integrations = json.dumps([api["Body"] for _, api in template.of("AWS::ApiGateway::RestApi")])
    for name, function in template.of(FUNCTION):
        timeout = function["Timeout"]
        if timeout <= clients.TRIES * clients.READ_TIMEOUT_S:
            yield f"{name}: times out before all tries of a call that hangs"
        if f"functions/{name}.Arn/" in integrations and timeout > API_GATEWAY_TIMEOUT_S:
            yield f"{name}: goes on after API Gateway has given up"
        if "MemorySize" not in function:
            yield f"{name}: has no memory size"
        logs = template.properties(function["LoggingConfig"]["LogGroup"])
        if "RetentionInDays" not in logs:
            yield f"{name}: keeps its logs for ever"


def functions_get_what_their_settings_read(template: Template) -> Iterator[str]:
    """The environment of a function is exactly what its settings read."""
    for name, function in template.of(FUNCTION):
        kind = settings.FUNCTIONS[function["Handler"].split(".")[1]]
        read = settings.variables(kind) | settings.variables(settings.Process)
        given = set(function["Environment"]["Variables"])
        for variable in sorted(read - given):
            yield f"{name}: {variable} is not given"
        for variable in sorted(given - read):
            yield f"{name}: {variable} is given but not read"


def roles_belong_to_one_function(template: Template) -> Iterator[str]:
    """Every function has a role of its own, with nothing in it but the statements written here."""
    roles = Counter(function["Role"] for _, function in template.of(FUNCTION))
    for name, function in template.of(FUNCTION):
        if roles[function["Role"]] > 1:
            yield f"{name}: shares {function['Role']}"
        if "ManagedPolicyArns" in template.properties(function["Role"]):
            yield f"{name}: its role has managed policies"


def roles_allow_no_more_than_named(template: Template) -> Iterator[str]:
    """No wildcard actions or resources; on the table only items by key prefix."""
    for name, function in template.of(FUNCTION):
        for statement in _statements(template, function):
            actions = _actions(statement)
            for action in actions:
                if "*" in action:
                    yield f"{name}: may {action}"
            for resource in _resources(statement):
                if resource == "*":
                    yield f"{name}: may {', '.join(actions)} on everything"
                if re.match(r"Table\.Arn", resource):
                    yield from _items_by_prefix(name, actions, statement)


def _items_by_prefix(name: str, actions: list[str], statement: dict[str, Any]) -> Iterator[str]:
    for action in sorted(set(actions) - READS - WRITES):
        yield f"{name}: may {action} on the table"
    keys = _leading_keys(statement)
    if not keys:
        yield f"{name}: may {', '.join(actions)} whatever the key"
    for key in keys:
        if not re.fullmatch(r"[A-Z0-9]+#\*", key):
            yield f"{name}: may {', '.join(actions)} for keys like {key}"


def roles_allow_what_the_environment_names(template: Template) -> Iterator[str]:
    """A function may use exactly the resources that it is told of, beside its event source and its logs."""
    everything = set(template.resources)
    for name, function in template.of(FUNCTION):
        told = _mentioned(everything, function["Environment"]["Variables"].values())
        uses = [s for s in _statements(template, function) if not _IMPLIED & set(_actions(s))]
        allowed = _mentioned(everything, (resource for use in uses for resource in _resources(use)))
        allowed -= {
            _on_failure(source) for _, source in template.of(SOURCE) if source["FunctionName"] == name
        }
        for resource in sorted(told - allowed):
            yield f"{name}: is told of {resource} but may not use it"
        for resource in sorted(allowed - told):
            yield f"{name}: may use {resource} but is not told of it"


def _mentioned(names: set[str], texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in re.findall(r"\w+", text)} & names


def roles_allow_their_event_sources(template: Template) -> Iterator[str]:
    """The role of a function may do what Lambda does with it to read the function's event source."""
    for name, source in template.of(SOURCE):
        arn = source["EventSourceArn"]
        needed = {(action, arn) for action in (_OF_STREAM if arn.endswith(".StreamArn") else _OF_QUEUE)}
        if _on_failure(source):
            needed.add(("sqs:SendMessage", f"{_on_failure(source)}.Arn"))
        allowed = {
            (action, resource)
            for statement in _statements(template, template.properties(source["FunctionName"]))
            for action in _actions(statement)
            for resource in _resources(statement)
        }
        for action, resource in sorted(needed - allowed):
            yield f"{name}: {source['FunctionName']} may not {action} on {resource}"


def _statements(template: Template, function: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for policy in template.properties(function["Role"])["Policies"]:
        yield from policy["PolicyDocument"]["Statement"]


def _actions(statement: dict[str, Any]) -> list[str]:
    return _listed(statement["Action"])


def _resources(statement: dict[str, Any]) -> list[str]:
    return _listed(statement["Resource"])


def _leading_keys(statement: dict[str, Any]) -> list[str]:
    condition = statement.get("Condition", {}).get("ForAllValues:StringLike", {})
    return _listed(condition.get("dynamodb:LeadingKeys", []))


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def data_outlives_the_stack(template: Template) -> Iterator[str]:
    """Tables and the secrets that they are keyed with are kept; tables can be restored, and are encrypted."""
    for name, table in template.of("AWS::DynamoDB::Table"):
        if not table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]:
            yield f"{name}: cannot be restored"
        if not table["SSESpecification"]["SSEEnabled"]:
            yield f"{name}: is not encrypted with a key of the account"
    for name, resource in template.resources.items():
        if resource["Type"] in {"AWS::DynamoDB::Table", "AWS::SecretsManager::Secret"}:
            for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
                if resource.get(policy) != "Retain":
                    yield f"{name}: {policy} is not Retain"


def failures_raise_alarms(template: Template) -> Iterator[str]:
    """Every last resort, function and stream reader has its alarm, and every alarm tells somebody."""
    watched = set()
    for name, alarm in template.of(ALARM):
        if not alarm.get("AlarmActions"):
            yield f"{name}: tells nobody"
        watched |= {(alarm["MetricName"], _logical_id(d["Value"])) for d in alarm.get("Dimensions", [])}
    for name in sorted(_last_resorts(template)):
        if ("ApproximateNumberOfMessagesVisible", name) not in watched:
            yield f"{name}: no alarm on its depth"
    for name, _ in template.of(FUNCTION):
        if ("Errors", name) not in watched:
            yield f"{name}: no alarm on its errors"
    for _, source in template.of(SOURCE):
        reader = source["FunctionName"]
        if source["EventSourceArn"].endswith(".StreamArn") and ("IteratorAge", reader) not in watched:
            yield f"{reader}: no alarm on its iterator age"


def gateway_answers_are_problems(template: Template) -> Iterator[str]:
    """What API Gateway answers itself is a problem document of the catalogue."""
    for name, api in template.of("AWS::ApiGateway::RestApi"):
        for kind, answer in api["Body"]["x-amazon-apigateway-gateway-responses"].items():
            headers = answer["responseParameters"]
            if headers.get("gatewayresponse.header.Content-Type") != "'application/problem+json'":
                yield f"{name}: {kind} is not application/problem+json"
            template_ = answer["responseTemplates"]["application/json"]
            document = json.loads(template_.replace("$context.error.messageString", '"why"'))
            status, title = STATUSES[Code(document["code"])]
            expected = {
                "type": f"urn:oms:problem:{document['code']}",
                "title": title,
                "code": document["code"],
                "detail": document["detail"],
            }
            if document != expected | ({} if kind.startswith("DEFAULT_") else {"status": status}):
                yield f"{name}: {kind} differs from the problem {document['code']}"
            if not kind.startswith("DEFAULT_") and answer.get("statusCode") != str(status):
                yield f"{name}: {kind} is answered with {answer.get('statusCode')}, not {status}"


RULES: tuple[Callable[[Template], Iterator[str]], ...] = (
    queues_have_dead_letters,
    sources_fail_in_parts,
    streams_are_filtered,
    functions_are_called_through_queues,
    functions_have_limits,
    functions_get_what_their_settings_read,
    roles_belong_to_one_function,
    roles_allow_no_more_than_named,
    roles_allow_what_the_environment_names,
    roles_allow_their_event_sources,
    data_outlives_the_stack,
    failures_raise_alarms,
    gateway_answers_are_problems,
    metrics_are_known,
    metrics_are_seen,
)
