"""Logs: one line per invocation whatever happens, the id that ties requests together, nothing personal."""

import json

import pytest
from botocore.exceptions import ClientError

from oms.problems import Code, Problem
from oms.runtime import logger, metrics
from oms.runtime.metrics import Metric


class Context:
    aws_request_id = "invocation-1"


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    """Use cases that other tests call without a handler leave what they have counted."""
    metrics.flush()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_crash_is_logged_without_its_text_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    @logger.invocation("intake")
    def handler(event: dict[str, object], context: object) -> None:
        metrics.add(Metric.ORDERS_RELEASED)
        raise ValueError("no such address: 12 Elm Street")

    with pytest.raises(ValueError):
        handler({}, Context())
    emitted, line = lines(capsys)
    assert emitted["OrdersReleased"] == 1
    assert (line["level"], line["message"], line["service"]) == ("ERROR", "done", "intake")
    assert line["error"] == {"type": "ValueError", "calls": line["error"]["calls"]}  # type: ignore[index]
    assert "runtime/test_logger.py" in str(line["error"])
    assert "Elm" not in str(line)


@pytest.mark.parametrize(
    ("error", "described"),
    [
        (
            Problem(Code.FIELD_INVALID, "quantity must be positive", "lines[0].quantity"),
            {
                "type": "Problem",
                "code": "field_invalid",
                "detail": "quantity must be positive",
                "field": "lines[0].quantity",
            },
        ),
        (
            ClientError({"Error": {"Code": "ThrottlingException", "Message": "for user X"}}, "PutItem"),
            {"type": "ClientError", "code": "ThrottlingException"},
        ),
        (KeyError("mail@example.org"), {"type": "KeyError"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_told_by_type_and_code(error: Exception, described: dict[str, str]) -> None:
    assert logger.describe(error) == described | {"calls": []}


def test_the_calls_of_an_error_are_the_innermost_first() -> None:
    def fail(depth: int) -> None:
        if depth:
            fail(depth - 1)
        raise KeyError

    with pytest.raises(KeyError) as caught:
        fail(9)
    calls = logger.describe(caught.value)["calls"]
    assert isinstance(calls, list)
    assert len(calls) == 5
    assert all(call.startswith("runtime/test_logger.py:") and call.endswith(" fail") for call in calls)


def test_notes_are_of_their_invocation_alone(capsys: pytest.CaptureFixture[str]) -> None:
    @logger.invocation("intake")
    def handler(event: dict[str, object], context: object) -> None:
        logger.note(**event)  # type: ignore[arg-type]

    handler({"order_id": "o1"}, Context())
    handler({"channel": "shop-es"}, Context())
    first, second = lines(capsys)
    assert first["order_id"] == "o1"
    assert second["channel"] == "shop-es"
    assert "order_id" not in second


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"requestContext": {"requestId": "request-1"}}, "request-1"),
        ({"requestContext": {}}, "invocation-1"),
        ({"Records": []}, "invocation-1"),
        ({}, "invocation-1"),
    ],
)
def test_the_correlation_id_is_the_one_of_the_access_log(
    event: dict[str, object], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @logger.invocation("api")
    def handler(event: dict[str, object], context: object) -> str:
        return logger.correlation_id()

    assert handler(event, Context()) == expected
    (line,) = lines(capsys)
    assert line["correlation_id"] == expected


def test_the_line_counts_records_and_failures_and_tells_the_status(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @logger.invocation("api")
    def handler(event: dict[str, object], context: object) -> dict[str, object]:
        return {"statusCode": 201, "batchItemFailures": [{"itemIdentifier": "a"}]}

    handler({"Records": [1, 2]}, Context())
    (line,) = lines(capsys)
    assert (line["records"], line["failures"], line["status"]) == (2, 1, 201)


def test_a_record_has_its_own_correlation_id_for_as_long_as_it_is_handled(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger.log.set_correlation_id("outer")
    with pytest.raises(KeyError), logger.correlated("inner"):
        logger.log.info("handling")
        raise KeyError
    (line,) = lines(capsys)
    assert line["correlation_id"] == "inner"
    assert logger.correlation_id() == "outer"
