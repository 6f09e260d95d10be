"""What each use case asks of DynamoDB, and what that costs: the table of access patterns as figures."""

from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO

from tests import access_patterns

type Row = dict[str, str | int | float]


def measure() -> Iterator[Row]:
    """Requests, read units and write units (those of indexes among them) by use case and lines of its order.

    Those that read the stock of several skus go out together; each other one is a round trip of its own.
    """
    with redirect_stdout(StringIO()):  # log lines of the API
        measurements = access_patterns.measure()
    for (by, what), sizes in measurements.items():
        for lines, measured in sizes.items():
            writes = measured.bill.by("part")
            yield {
                "by": by,
                "what": what,
                "lines": lines,
                "requests": measured.requests,
                "read_units": measured.bill.reads,
                "write_units": measured.bill.writes,
                "of_indexes": writes.get("GSI1", 0.0) + writes.get("GSI2", 0.0),
            }
