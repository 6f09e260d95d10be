"""Structured logs: one JSON line per invocation, with a correlation id, and no personal data.

Only ids, codes, counts and times are logged: of an exception its type, its code and where it was raised,
never its text, which may quote a customer's address.
"""

import functools
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from aws_lambda_powertools.logging import Logger

from oms.problems import Problem
from oms.runtime import metrics

type Field = str | int | float | bool | None | list[str] | dict[str, Field]


class _Stdout(logging.StreamHandler[TextIO]):
    """Writes to the standard output of the moment, which a test may have replaced."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stdout
        super().emit(record)


log = Logger(service="oms", logger_handler=_Stdout(), utc=True, use_rfc3339=True)
"""The process's logger; `invocation` gives it the function's name and the correlation id."""

_notes: dict[str, Field] = {}
_service = "oms"
_cold = True


def service() -> str:
    """Name of the function that runs, as its `invocation` gave it."""
    return _service


def note(**fields: Field) -> None:
    """Add fields to the line that is written at the end of this invocation: ids, codes and counts alone."""
    _notes.update(fields)


def correlation_id() -> str:
    """The id that ties together what follows from one request; send it on with every message."""
    return log.get_correlation_id() or ""


@contextmanager
def correlated(correlation_id: str) -> Iterator[None]:
    """Log under another correlation id within the block: that of the record being handled."""
    outer = log.get_correlation_id()
    log.set_correlation_id(correlation_id)
    try:
        yield
    finally:
        log.set_correlation_id(outer)


def describe(error: BaseException) -> dict[str, Field]:
    """What may be logged of an exception: type, code, innermost calls first; the text only of a `Problem`."""
    calls = [
        f"{'/'.join(Path(frame.f_code.co_filename).parts[-2:])}:{line} {frame.f_code.co_name}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    described: dict[str, Field] = {"type": type(error).__name__, "calls": calls[:-6:-1]}
    if isinstance(error, Problem):
        return described | {"code": str(error.code), "detail": error.detail, "field": error.field}
    response = getattr(error, "response", None)  # botocore's ClientError
    if isinstance(response, dict):
        described["code"] = str(response.get("Error", {}).get("Code"))
    return described


def invocation[Event, Answer](
    name: str,
) -> Callable[[Callable[[Event, object], Answer]], Callable[[Event, object], Answer]]:
    """Decorate a handler: a correlation id at its start, metrics and one line of log at its end.

    The line is written however the handler ends. It has the time in milliseconds, whether it was a cold
    start, the numbers of records and failures, the HTTP status, and what `note` was given.

    Args:
        name: the function's, which every line carries.
    """

    def decorate(handler: Callable[[Event, object], Answer]) -> Callable[[Event, object], Answer]:
        @functools.wraps(handler)
        def wrapped(event: Event, context: object) -> Answer:
            global _service, _cold  # noqa: PLW0603 (a process runs one function and is cold once)
            started = time.perf_counter()
            _notes.clear()
            log.append_keys(service=name, cold_start=_cold)
            _service, _cold = name, False
            log.set_correlation_id(_correlation_id(event, context))
            write = log.info
            try:
                answer = handler(event, context)
                _notes.update(_figures(event, answer))
            except BaseException as error:
                write = log.error
                note(error=describe(error))
                raise
            else:
                return answer
            finally:
                metrics.flush()
                write("done", extra={**_notes, "ms": round((time.perf_counter() - started) * 1000, 1)})

        return wrapped

    return decorate


def _correlation_id(event: object, context: object) -> str:
    """The request's id as API Gateway's access log has it, else that of the invocation."""
    if isinstance(event, dict):
        request = event.get("requestContext")
        if isinstance(request, dict) and request.get("requestId"):
            return str(request["requestId"])
    return str(getattr(context, "aws_request_id", ""))


def _figures(event: object, answer: object) -> dict[str, Field]:
    """Figures that can be told from any event and answer."""
    figures: dict[str, Field] = {}
    if isinstance(event, dict) and "Records" in event:
        figures["records"] = len(event["Records"])
    if isinstance(answer, dict):
        if "statusCode" in answer:
            figures["status"] = answer["statusCode"]
        if "batchItemFailures" in answer:
            figures["failures"] = len(answer["batchItemFailures"])
    return figures
