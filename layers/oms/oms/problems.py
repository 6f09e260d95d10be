"""The one catalogue of problems: every stable error code, its HTTP status and its title.

A `Problem` is what the domain and the use cases raise for bad input or a refused request; the edges turn
it into `application/problem+json` (RFC 9457), a line on stderr, or a dead-lettered message.
"""

from enum import StrEnum


class Code(StrEnum):
    """Stable machine-readable names of problems; clients may switch on them."""

    ADDRESS_REFUSED = "address_refused"
    BAD_REQUEST = "bad_request"
    BODY_TOO_LARGE = "body_too_large"
    CHANNEL_REFUSED = "channel_refused"
    CHANNEL_UNKNOWN = "channel_unknown"
    CONFLICT = "conflict"
    CURSOR_INVALID = "cursor_invalid"
    FIELD_INVALID = "field_invalid"
    FIELD_MISSING = "field_missing"
    INTERNAL = "internal"
    MESSAGE_INVALID = "message_invalid"
    NOT_FOUND = "not_found"
    ROUTE_UNKNOWN = "route_unknown"
    SCOPE_MISSING = "scope_missing"
    SIGNATURE_INVALID = "signature_invalid"
    STATE_REFUSED = "state_refused"
    STOCK_SHORT = "stock_short"
    THROTTLED = "throttled"
    TOKEN_INVALID = "token_invalid"
    TOPIC_UNKNOWN = "topic_unknown"
    UNAVAILABLE = "unavailable"
    UNSUPPORTED = "unsupported"
    VERSION_MISMATCH = "version_mismatch"


STATUSES: dict[Code, tuple[int, str]] = {
    Code.ADDRESS_REFUSED: (422, "Nothing is sent to such an address"),
    Code.BAD_REQUEST: (400, "The request cannot be understood"),
    Code.BODY_TOO_LARGE: (413, "The body is larger than a message may be"),
    Code.CHANNEL_REFUSED: (502, "The channel did not do what it was asked"),
    Code.CHANNEL_UNKNOWN: (404, "No such channel"),
    Code.CONFLICT: (409, "The same thing is already there with other content"),
    Code.CURSOR_INVALID: (400, "The cursor is not one of ours"),
    Code.FIELD_INVALID: (422, "A field has a value that is not allowed"),
    Code.FIELD_MISSING: (422, "A required field is missing"),
    Code.INTERNAL: (500, "Something failed on our side"),
    Code.MESSAGE_INVALID: (422, "The message does not follow its schema"),
    Code.NOT_FOUND: (404, "No such thing"),
    Code.ROUTE_UNKNOWN: (404, "No such route"),
    Code.SCOPE_MISSING: (403, "The token lacks the scope for this"),
    Code.SIGNATURE_INVALID: (401, "The signature is missing or wrong"),
    Code.STATE_REFUSED: (409, "The current state does not allow this"),
    Code.STOCK_SHORT: (409, "There is less of it than asked for"),
    Code.THROTTLED: (429, "Too many requests"),
    Code.TOKEN_INVALID: (401, "The token is missing, unknown or expired"),
    Code.TOPIC_UNKNOWN: (422, "The topic is not one of this kind of channel"),
    Code.UNAVAILABLE: (503, "Busy: try again"),
    Code.UNSUPPORTED: (422, "This version does not act on that"),
    Code.VERSION_MISMATCH: (412, "The thing has changed since it was read"),
}
"""HTTP status and title of every code."""


class Problem(Exception):
    """Bad input or a refused request.

    Args:
        code: which problem.
        detail: one sentence for a person, naming the values concerned (never personal data).
        field: path of the field at fault, as `lines[0].quantity`; None when no single field is.
        state: name of the state that refused a request; None otherwise.
    """

    def __init__(self, code: Code, detail: str, field: str | None = None, state: str | None = None) -> None:
        super().__init__(f"{code}: {detail}" + (f" ({field})" if field else ""))
        self.code = code
        self.detail = detail
        self.field = field
        self.state = state

    @property
    def status(self) -> int:
        """The HTTP status of this problem."""
        return STATUSES[self.code][0]

    def body(self) -> dict[str, str | int]:
        """The members of the problem document (RFC 9457), without those that are empty."""
        status, title = STATUSES[self.code]
        document: dict[str, str | int] = {
            "type": f"urn:oms:problem:{self.code}",
            "title": title,
            "status": status,
            "code": str(self.code),
            "detail": self.detail,
        }
        if self.field is not None:
            document["field"] = self.field
        if self.state is not None:
            document["state"] = self.state
        return document
