"""A bus and queues that refuse what a test wants them to refuse, and keep what they have taken."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

type Refuse = Callable[[Mapping[str, Any]], bool]
"""Whether to refuse an entry, each time that it comes."""


def nothing(entry: Mapping[str, Any]) -> bool:
    """Refuses no entry."""
    return False


class Receiver:
    """The clients of EventBridge and SQS in one.

    Args:
        refuse: decides for each entry of a call.
        down: answers every call with an error.
    """

    def __init__(self, refuse: Refuse = nothing, *, down: bool = False) -> None:
        self.refuse = refuse
        self.down = down
        self.calls: list[list[Mapping[str, Any]]] = []
        self.taken: list[Mapping[str, Any]] = []

    @property
    def bus(self) -> "EventBridgeClient":
        """This receiver as a client of EventBridge."""
        return cast("EventBridgeClient", self)

    @property
    def queue(self) -> "SQSClient":
        """This receiver as a client of SQS."""
        return cast("SQSClient", self)

    def put_events(self, *, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803 (boto3's)
        refused = self._receive(Entries)
        answers = [{"ErrorCode": "InternalFailure"} if no else {"EventId": "1"} for no in refused]
        return {"FailedEntryCount": sum(refused), "Entries": answers}

    def send_message_batch(
        self,
        *,
        QueueUrl: str,  # noqa: N803 (boto3's)
        Entries: Sequence[Mapping[str, Any]],  # noqa: N803 (boto3's)
    ) -> dict[str, Any]:
        refused = self._receive([{**entry, "QueueUrl": QueueUrl} for entry in Entries])
        failed = [
            {"Id": entry["Id"], "Code": "InternalError", "SenderFault": False}
            for entry, no in zip(Entries, refused, strict=True)
            if no
        ]
        return {"Successful": [], "Failed": failed} if failed else {"Successful": []}

    def _receive(self, entries: Sequence[Mapping[str, Any]]) -> list[bool]:
        self.calls.append(list(entries))
        if self.down:
            raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": "no"}}, "Call")
        refused = [self.refuse(entry) for entry in entries]
        self.taken += [entry for entry, no in zip(entries, refused, strict=True) if not no]
        return refused
