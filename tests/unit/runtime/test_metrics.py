"""Metrics: the catalogue decides the dimensions, a flush writes what was added and nothing else."""

import json
from collections.abc import Iterator

import pytest

from oms.runtime import metrics
from oms.runtime.metrics import CATALOGUE, Metric


@pytest.fixture(autouse=True)
def nothing_pending(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("METRICS_NAMESPACE", "oms/test")
    metrics.flush()
    capsys.readouterr()
    yield
    metrics.flush()


def flushed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    metrics.flush()
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("metric", "dimensions"),
    [
        (Metric.ORDERS_PLACED, {}),
        (Metric.ORDERS_PLACED, {"service": "intake"}),
        (Metric.ORDERS_PLACED, {"channel": "shop-es", "service": "intake"}),
        (Metric.ORDERS_RELEASED, {"channel": "shop-es"}),
    ],
)
def test_other_dimensions_than_the_catalogue_names_are_refused(
    metric: Metric, dimensions: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match=f"{metric} takes the dimensions"):
        metrics.add(metric, 1, **dimensions)
    assert flushed(capsys) == []


def test_nothing_added_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.add(Metric.ORDERS_RELEASED, 0)
    assert flushed(capsys) == []


def test_a_flush_forgets_what_it_wrote(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.add(Metric.ORDERS_RELEASED)
    assert len(flushed(capsys)) == 1
    assert flushed(capsys) == []


def test_a_line_says_where_and_how_each_of_its_metrics_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.add(Metric.REFUND_AMOUNT_DUE, 1999, currency="EUR")
    (line,) = flushed(capsys)
    header = line.pop("_aws")
    assert line == {"currency": "EUR", "RefundAmountDue": 1999}
    assert isinstance(header, dict)
    assert header["CloudWatchMetrics"] == [
        {
            "Namespace": "oms/test",
            "Dimensions": [["currency"]],
            "Metrics": [{"Name": "RefundAmountDue", "Unit": "None"}],
        }
    ]


def test_values_are_summed_for_each_combination_of_dimensions(capsys: pytest.CaptureFixture[str]) -> None:
    for channel in ("shop-es", "shop-fr", "shop-es"):
        metrics.add(Metric.ORDERS_PLACED, channel=channel)
    metrics.add(Metric.UNITS_ALLOCATED, 3)
    metrics.add(Metric.UNITS_ALLOCATED, 4)
    lines = [{name: value for name, value in line.items() if name != "_aws"} for line in flushed(capsys)]
    assert lines == [
        {"channel": "shop-es", "OrdersPlaced": 2},
        {"channel": "shop-fr", "OrdersPlaced": 1},
        {"UnitsAllocated": 7},
    ]


def test_every_metric_is_in_the_catalogue() -> None:
    assert set(CATALOGUE) == set(Metric)
