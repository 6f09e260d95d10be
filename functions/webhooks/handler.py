"""Webhooks: proves where a delivery comes from and forwards it. Trigger: API `POST /webhooks/{channel}`.

The proof is over the bytes as received, before anything reads them. A delivery is acknowledged when the queue
has it; whatever keeps it from there is answered so that the channel sends it again. What a vendor sends is
kept whatever it says; who writes our own commands is told what is wrong with them. A vendor's handshake, by
`POST` or `GET`, is answered and leaves nothing.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

from botocore.exceptions import BotoCoreError, ClientError

from oms.channels.envelope import seal
from oms.channels.headers import Headers
from oms.channels.protocol import Adapter, Answering, Handshaking, Inbound
from oms.channels.registry import adapter
from oms.problems import Code, Problem
from oms.runtime import clients, logger, metrics, settings
from oms.runtime.metrics import Metric
from oms.runtime.secrets import ChannelSecret, ChannelSecrets

type Answer = dict[str, object]

_CHANNEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@cache
def _settings() -> settings.Webhooks:
    return settings.read(settings.Webhooks)


@cache
def _secrets() -> ChannelSecrets:
    return ChannelSecrets(_settings().channel_secret_prefix)


@logger.invocation("webhooks")
def handler(event: dict[str, Any], context: object) -> Answer:
    """Verify a delivery, queue it, answer 200; refuse it as a problem document otherwise."""
    try:
        return _receive(event)
    except Problem as problem:
        return _refuse(problem)
    except (BotoCoreError, ClientError) as error:
        logger.note(error=logger.describe(error))
        return _refuse(Problem(Code.UNAVAILABLE, "the delivery was not taken: send it again"))


def _receive(event: Mapping[str, Any]) -> Answer:
    """Answer a handshake, or verify and queue a delivery."""
    channel = (event.get("pathParameters") or {}).get("channel") or ""
    headers, body, method = _headers(event), _body(event), event.get("httpMethod") or "POST"
    query = event.get("queryStringParameters") or {}
    url = _url(event.get("requestContext") or {}, query)
    known = _secrets().get(channel) if _CHANNEL_ID.fullmatch(channel) else None
    if known is None:
        raise Problem(Code.CHANNEL_UNKNOWN, "no channel of that id is connected", "channel")
    kind = adapter(known.kind)
    logger.note(channel=channel, bytes=len(body))
    if isinstance(kind, Handshaking):
        reply = kind.handshake(method, query, headers, body, known.secrets, url=url)
        if reply is not None:
            logger.note(handshake=True)
            return {"statusCode": 200, "headers": {"Content-Type": reply.content_type}, "body": reply.body}
    if method != "POST":
        raise Problem(Code.ROUTE_UNKNOWN, f"{method} is no handshake of this kind of channel")
    _verify(channel, known, kind, headers, body, url)
    now = datetime.now(UTC)
    if isinstance(kind, Answering):
        kind.check(Inbound(channel, kind.kind, kind.topic_of(headers, body), headers, body, now))
    _send(seal(channel, kind, headers, body, now))
    metrics.add(Metric.WEBHOOKS_ACCEPTED, channel=channel)
    return {"statusCode": 200, "body": ""}


def _verify(
    channel: str, known: ChannelSecret, kind: Adapter, headers: Headers, body: bytes, url: str
) -> None:
    """Prove a delivery by the channel's secrets, or by those it has now if they have been rotated."""
    now = datetime.now(UTC)
    try:
        kind.verify(headers, body, known.secrets, url=url, now=now)
    except Problem:
        latest = _secrets().refreshed(channel)
        if latest is None or latest == known:
            raise
        kind.verify(headers, body, latest.secrets, url=url, now=now)


def _send(message: str) -> None:
    correlation_id = logger.correlation_id()
    attributes = len("correlation_id") + len("String") + len(correlation_id)
    limit = _settings().inbound_max_bytes
    if len(message) + attributes > limit:
        raise Problem(Code.BODY_TOO_LARGE, f"the body is more than a message of {limit} bytes can hold")
    clients.sqs().send_message(
        QueueUrl=_settings().inbound_queue_url,
        MessageBody=message,
        MessageAttributes={"correlation_id": {"DataType": "String", "StringValue": correlation_id}},
    )


def _url(request: Mapping[str, Any], query: Mapping[str, str]) -> str:
    """The address that was called: some vendors sign it, others were given one with a secret in its query."""
    address = f"https://{request.get('domainName', '')}{request.get('path', '')}"
    return f"{address}?{urlencode(query)}" if query else address


def _headers(event: Mapping[str, Any]) -> Headers:
    return Headers.of(event.get("multiValueHeaders") or event.get("headers") or {})


def _body(event: Mapping[str, Any]) -> bytes:
    body: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return body.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise Problem(Code.BAD_REQUEST, "the body is not base64, as it claims to be", "body") from None


def _refuse(problem: Problem) -> Answer:
    logger.note(code=str(problem.code))
    metrics.add(Metric.WEBHOOKS_REJECTED, reason=str(problem.code))
    return {
        "statusCode": problem.status,
        "headers": {"Content-Type": "application/problem+json"},
        "body": json.dumps(problem.body()),
    }
