"""Batches: what failed comes back, what succeeded does not, and order is kept where there is one."""

import json

import pytest

from oms.runtime import batch, metrics
from oms.runtime.batch import RecordFailedError
from oms.runtime.logger import correlation_id
from oms.runtime.settings import StreamFailures


def messages(*names: str, **attributes: str) -> dict[str, object]:
    """An event of a queue; of a name like `g:a` the first part is the message group."""
    return {
        "Records": [
            {
                "messageId": name,
                "body": "{}",
                "attributes": {"MessageGroupId": name.partition(":")[0]},
                "messageAttributes": {key: {"stringValue": text} for key, text in attributes.items()},
            }
            for name in names
        ]
    }


def changes(*names: str) -> dict[str, object]:
    return {"Records": [{"eventID": name, "dynamodb": {"SequenceNumber": f"seq-{name}"}} for name in names]}


class Handler:
    """Handles everything except what it is told to fail."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.handled: list[str] = []

    def __call__(self, record: batch.Record) -> None:
        name = record.get("messageId") or record["eventID"]
        self.handled.append(name)
        if name in self.failing:
            raise ValueError("12 Elm Street")


def failed(answer: batch.Failures) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


@pytest.mark.parametrize(
    ("failing", "expected"),
    [((), []), (("b",), ["b"]), (("a", "c"), ["a", "c"]), (("a", "b", "c"), [*"abc"])],
)
def test_a_queue_gets_back_exactly_what_failed(failing: tuple[str, ...], expected: list[str]) -> None:
    handler = Handler(*failing)
    assert failed(batch.queue(messages("a", "b", "c"), handler)) == expected
    assert handler.handled == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("failing", "handled", "expected"),
    [
        ((), ["x:1", "y:1", "x:2", "y:2", "x:3"], []),
        (("x:1",), ["x:1", "y:1", "y:2"], ["x:1", "x:2", "x:3"]),
        (("x:2",), ["x:1", "y:1", "x:2", "y:2"], ["x:2", "x:3"]),
        (("x:1", "y:2"), ["x:1", "y:1", "y:2"], ["x:1", "x:2", "y:2", "x:3"]),
    ],
)
def test_a_group_stops_at_its_first_failure_and_the_others_go_on(
    failing: tuple[str, ...], handled: list[str], expected: list[str]
) -> None:
    handler = Handler(*failing)
    assert failed(batch.fifo(messages("x:1", "y:1", "x:2", "y:2", "x:3"), handler)) == expected
    assert handler.handled == handled


def test_a_stream_stops_at_the_first_failure_and_reports_it() -> None:
    handler = Handler("b", "c")
    assert failed(batch.stream(changes(*"abcd"), handler, StreamFailures.REPORT)) == ["seq-b"]
    assert handler.handled == ["a", "b"]


def test_a_stream_raises_where_reports_are_ignored_and_tells_nothing_of_the_content() -> None:
    handler = Handler("b")
    with pytest.raises(RecordFailedError, match="record seq-b failed") as caught:
        batch.stream(changes(*"abcd"), handler, StreamFailures.RAISE)
    assert handler.handled == ["a", "b"]
    assert caught.value.__context__ is None


@pytest.mark.parametrize("failures", StreamFailures)
def test_a_stream_that_succeeds_reports_nothing(failures: StreamFailures) -> None:
    assert failed(batch.stream(changes(*"ab"), Handler(), failures)) == []


def test_a_failure_is_counted_and_logged_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.flush()
    capsys.readouterr()
    batch.queue(messages("a", "b"), Handler("b"))
    metrics.flush()
    line, counted = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (line["message"], line["record"], line["error"]["type"]) == ("record failed", "b", "ValueError")
    assert "Elm" not in json.dumps(line)
    assert counted["RecordsFailed"] == 1


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (messages("a", correlation_id="request-1"), "request-1"),
        (messages("a", other="x"), "a"),
        (changes("a"), "a"),
    ],
)
def test_a_record_is_handled_under_the_id_of_what_caused_it(event: dict[str, object], expected: str) -> None:
    seen: list[str] = []
    batch.queue(event, lambda _: seen.append(correlation_id()))
    assert seen == [expected]
