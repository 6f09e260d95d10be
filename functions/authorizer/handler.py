"""Authorizer: tells which scopes a token has. Trigger: API Gateway, TOKEN authorizer.

The answer holds for the whole stage, so that API Gateway can cache it by token (60 s): `api` checks the scope
of each route. A token that is not good is denied, which is cached too; the template answers it with 401.
(Raising would count as an error of the function, and anybody could set off its alarm.)
"""

from datetime import UTC, datetime
from typing import Any

from oms.runtime import logger
from oms.store import process
from oms.store.tokens import Token, find


@logger.invocation("authorizer")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Allow every method of the stage to a token that is known and has not expired."""
    scheme, _, text = str(event.get("authorizationToken", "")).partition(" ")
    token = find(process.table(), text.strip(), datetime.now(UTC)) if scheme.lower() == "bearer" else None
    logger.note(token=token.name if token else None)
    return _answer(event["methodArn"], token)


def _answer(method: str, token: Token | None) -> dict[str, Any]:
    """What API Gateway expects: a policy, and what it hands on to `api`.

    Args:
        method: ARN of the method called, `arn:..:execute-api:..:<api>/<stage>/<method>/<path>`.
        token: whose, None when it is not good.
    """
    api, stage, *_ = method.split("/")
    statement = {
        "Action": "execute-api:Invoke",
        "Effect": "Allow" if token else "Deny",
        "Resource": f"{api}/{stage}/*",
    }
    return {
        "principalId": token.name if token else "unknown",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"name": token.name, "scopes": " ".join(token.scopes)} if token else {},
    }
