"""`oms channel verify` and `oms channel parse`: an adapter tried on its own, without a stack."""

import argparse
import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from infra.cli.arguments import moment
from oms.channels.canonical import to_document
from oms.channels.headers import Headers
from oms.channels.payload import Json, Node, loads
from oms.channels.protocol import Adapter, Inbound
from oms.channels.registry import KINDS, adapter
from oms.problems import Code, Problem


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `channel` group to the `oms` command."""
    group = subparsers.add_parser("channel", help="verify and parse what a channel sends")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    verify = commands.add_parser("verify", help="check a delivery's signature; exit status 0 = genuine")
    verify.set_defaults(run=run_verify, usage_error=verify.error)
    verify.add_argument("--channel", required=True, choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    verify.add_argument(
        "--secret", action="append", default=[], help="a secret that may sign; repeat while one is rotated"
    )
    verify.add_argument(
        "--public-key",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a key that verifies, PEM",
    )
    verify.add_argument("--headers", type=Path, metavar="H.json", help="header fields, JSON")
    verify.add_argument("--body", type=Path, metavar="B.bin", help="the body, byte for byte")
    verify.add_argument(
        "--capture", type=Path, metavar="C.json", help="both in one: {headers, body}, as events/ have them"
    )
    verify.add_argument("--url", default="", help="the address the channel was given, where it is signed")
    verify.add_argument(
        "--now", type=_time, default=None, metavar="TIME", help="Unix or ISO 8601 time to take for now"
    )

    parse = commands.add_parser("parse", help="print the canonical commands of a payload, one JSON line each")
    parse.set_defaults(run=run_parse)
    parse.add_argument("--channel", required=True, choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parse.add_argument(
        "--topic", help="the vendor's topic, or the name of a stored shape; by default as the headers say"
    )
    parse.add_argument("--channel-id", help="id of the channel in the commands; its kind by default")
    parse.add_argument(
        "payload", type=Path, metavar="PAYLOAD.json", help="a body, or a capture {headers, body}"
    )


def run_verify(args: argparse.Namespace) -> None:
    """Exit status 0 when the delivery is genuine; raises the problem otherwise."""
    keys = [*args.secret, *(path.read_text() for path in args.public_key)]
    headers, body = _delivery(args)
    adapter(args.channel).verify(headers, body, keys, url=args.url, now=args.now or datetime.now(UTC))
    print(json.dumps({"channel": args.channel, "genuine": True}))


def run_parse(args: argparse.Namespace) -> None:
    """Print what a payload means."""
    message = inbound(adapter(args.channel), args.topic, args.channel_id, args.payload.read_bytes())
    for command in adapter(args.channel).parse(message):
        print(json.dumps(to_document(command), ensure_ascii=False, separators=(",", ":")))


def inbound(kind: Adapter, topic: str | None, channel_id: str | None, content: bytes) -> Inbound:
    """The delivery that a file stands for.

    Args:
        kind: the adapter of the channel that sent it.
        topic: the vendor's topic, or the name of a stored shape; None for what the headers say.
        channel_id: id of the channel; None for its kind.
        content: a body, or a capture `{headers, body}`.
    """
    headers = Headers()
    capture = _capture(content)
    if capture is not None:
        headers, content = _opened(capture)
    return Inbound(
        channel=channel_id or kind.kind,
        adapter=kind.kind,
        topic=topic or kind.topic_of(headers, content),
        headers=headers,
        body=content,
        received_at=datetime.now(UTC),
    )


def _delivery(args: argparse.Namespace) -> tuple[Headers, bytes]:
    """What is to be verified: a capture, or header fields and a body each in a file of its own."""
    if args.capture is None:
        if args.headers is None or args.body is None:
            args.usage_error("--capture, or both of --headers and --body are required")
        return _headers(args.headers.read_bytes()), args.body.read_bytes()
    capture = _capture(args.capture.read_bytes())
    if capture is None:
        raise Problem(Code.BAD_REQUEST, "a capture is an object with headers and body", "capture")
    if not isinstance(capture.get("body"), str):
        raise Problem(Code.FIELD_INVALID, "only a body kept as text, or in base64, can be verified", "body")
    return _opened(capture)


def _opened(capture: Node) -> tuple[Headers, bytes]:
    """Header fields and body of a capture."""
    fields = capture.child("headers") or Node({})
    headers = Headers((name, fields.plain(name)) for name in fields.names())
    body = capture.get("body")
    text = body if isinstance(body, str) else _exactly(body)
    if not capture.flag("isBase64Encoded"):
        return headers, text.encode("utf-8", "surrogatepass")
    try:
        return headers, base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Problem(Code.BAD_REQUEST, "the body is not base64, as it claims to be", "body") from None


def _capture(content: bytes) -> Node | None:
    """A stored delivery, if that is what a file holds; a payload of any other form is left to its adapter."""
    try:
        document = Node(loads(content))
    except Problem:
        return None
    return document if isinstance(document.get("headers"), dict) and "body" in document.names() else None


def _exactly(value: Json) -> str:
    """JSON text of a decoded value, its numbers as they were read."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_exactly(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_exactly, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def _headers(content: bytes) -> Headers:
    """Header fields from an object (repeated names kept) of texts or lists of texts, or from pairs."""
    try:
        fields = json.loads(content, object_pairs_hook=list)
    except ValueError as error:
        raise Problem(Code.BAD_REQUEST, f"the headers are not JSON: {error}", "headers") from None
    if not isinstance(fields, list):
        raise Problem(Code.BAD_REQUEST, "the headers are not an object of header fields", "headers")
    return Headers((name, value) for name, values in map(_pair, fields) for value in values)


def _pair(field: object) -> tuple[str, Sequence[str]]:
    match field:
        case (str(name), str(value)) | [str(name), str(value)]:
            return name, [value]
        case (str(name), list(values)) | [str(name), list(values)] if all(isinstance(v, str) for v in values):
            return name, values
    raise Problem(Code.BAD_REQUEST, "a header field is not a name with a text or a list of texts", "headers")


def _time(text: str) -> datetime:
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except ValueError:
        return moment(text)
