"""AWS clients: one session and one low-level client per service and process, made when first asked for."""

import threading
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.session import Session

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

READ_TIMEOUT_S = 5
TRIES = 3
"""Calls that hang: their tries together fit into the timeout of every function."""

# Keep-alive saves the TLS handshake after a pause; the pool fits the parallel queries of one order. To check
# parameters is a third of what a call costs; typed code builds them, and AWS refuses wrong ones all the same.
_CONFIG = Config(
    connect_timeout=1,
    read_timeout=READ_TIMEOUT_S,
    retries={"mode": "standard", "total_max_attempts": TRIES},
    tcp_keepalive=True,
    max_pool_connections=32,
    parameter_validation=False,
)

_lock = threading.Lock()
_clients: dict[str, Any] = {}
_session: Session | None = None


def dynamodb() -> "DynamoDBClient":
    """The process's DynamoDB client."""
    client: DynamoDBClient = _client("dynamodb")
    return client


def sqs() -> "SQSClient":
    """The process's SQS client."""
    client: SQSClient = _client("sqs")
    return client


def events() -> "EventBridgeClient":
    """The process's EventBridge client."""
    client: EventBridgeClient = _client("events")
    return client


def secrets() -> "SecretsManagerClient":
    """The process's Secrets Manager client."""
    client: SecretsManagerClient = _client("secretsmanager")
    return client


def reset() -> None:
    """Forget the session and its clients, so that the next ones see the environment as it is then."""
    global _session  # noqa: PLW0603 (the session is the process's)
    with _lock:
        _clients.clear()
        _session = None


def _client(service: str) -> Any:
    global _session  # noqa: PLW0603 (the session is the process's)
    with _lock:  # a session cannot make clients in two threads at once
        if service not in _clients:
            _session = _session or Session()
            _clients[service] = _session.create_client(service, config=_CONFIG)
        return _clients[service]
