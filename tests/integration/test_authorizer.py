"""The authorizer and the tokens that it knows, through the function and through `oms token`."""

import json
from contextlib import nullcontext
from datetime import datetime, timedelta, tzinfo
from types import SimpleNamespace
from typing import Any

import pytest

from functions.authorizer import handler as authorizer_function
from functions.authorizer.handler import handler
from infra.cli import token as token_command
from infra.cli.main import main
from oms.store import keys, process
from oms.store.table import Table
from oms.store.tokens import Scope, find, issue, issued, revoke
from tests.builders import NOW
from tests.conflicts import Faults
from tests.rest import event

DAY = timedelta(days=1)
STAGE = "arn:aws:execute-api:eu-west-1:123456789012:abcde12345/v1"
UNKNOWN = f"oms_{'0' * 43}"


class Clock(datetime):
    """A clock that stands at NOW, or later."""

    later = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Clock":
        return cls.fromtimestamp((NOW + cls.later).timestamp(), tz)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    monkeypatch.setattr(authorizer_function, "datetime", Clock)
    monkeypatch.setattr(Clock, "later", timedelta())
    return Clock


def authorize(token: str) -> dict[str, Any]:
    """The answer to a request with this Authorization header."""
    return handler(event("authorizer") | {"authorizationToken": token}, None)


def effect(answer: dict[str, Any]) -> str:
    """What its one statement says of the whole stage."""
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement["Action"] == "execute-api:Invoke"
    assert statement["Resource"] == f"{STAGE}/*"
    return str(statement["Effect"])


def token(table: Table, *scopes: Scope) -> str:
    text, _ = issue(table, "wms", scopes or (Scope.ORDERS_READ,), DAY, NOW)
    return text


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text,
        lambda text: f"Basic {text}",
        lambda text: "Bearer",
        lambda text: "Bearer ",
        lambda text: f"Bearer {text}x",
        lambda text: f"Bearer {text[:-1]}",
        lambda text: f"Bearer {text[:-1]}\n",
        lambda text: f"Bearer {text[:-1]}é",
        lambda text: f"Bearer {text.upper()}",
        lambda text: f"Bearer {text} {text}",
        lambda text: f"Bearer {UNKNOWN}",
    ],
)
def test_a_token_that_is_malformed_or_unknown_is_denied(table: Table, spoil: Any) -> None:
    answer = authorize(spoil(token(table)))
    assert effect(answer) == "Deny"
    assert answer["context"] == {}


def test_a_token_that_cannot_be_one_of_ours_costs_no_read(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults()
    with monkeypatch.context() as patched:
        patched.setattr(process, "table", lambda: Table(faults.wrap(table.client), table.name))
        authorize("Bearer ' OR 1=1")
        assert faults.calls == []
        authorize(f"Bearer {UNKNOWN}")
        assert faults.calls == ["get_item"]


def test_a_token_is_good_until_the_moment_that_it_expires(table: Table, clock: type[Clock]) -> None:
    text = token(table)
    clock.later = DAY - timedelta(milliseconds=1)
    assert effect(authorize(f"Bearer {text}")) == "Allow"
    clock.later = DAY
    assert effect(authorize(f"Bearer {text}")) == "Deny"


def test_a_revoked_token_is_denied(table: Table) -> None:
    text, made = issue(table, "wms", (Scope.ORDERS_READ,), DAY, NOW)
    revoke(table, made, NOW)
    assert effect(authorize(f"Bearer {text}")) == "Deny"


def test_a_good_token_may_call_the_stage_with_its_name_and_scopes_handed_on(table: Table) -> None:
    text = token(table, Scope.ORDERS_READ, Scope.STOCK_WRITE)
    answer = authorize(f"bearer {text}")
    assert effect(answer) == "Allow"
    assert answer["principalId"] == "wms"
    assert answer["context"] == {"name": "wms", "scopes": "orders:read stock:write"}


def test_the_sample_event_is_answered(table: Table) -> None:
    assert effect(handler(event("authorizer"), None)) == "Deny"


def test_neither_the_table_nor_the_log_has_what_opens_the_door(
    table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    text = token(table)
    capsys.readouterr()
    authorize(f"Bearer {text}")
    everything = json.dumps(table.client.scan(TableName=table.name)["Items"], default=str)
    logged = capsys.readouterr().out
    assert '"token":"wms"' in logged
    assert text.removeprefix("oms_") not in everything + logged


def test_an_ended_token_is_left_to_the_table_to_remove_a_month_later(table: Table) -> None:
    _, made = issue(table, "wms", (Scope.ORDERS_READ,), DAY, NOW)
    item = table.get(keys.token(made.digest))
    assert item is not None
    assert item["ttl"] == int((NOW + DAY + timedelta(days=30)).timestamp())


# ---- oms token ---------------------------------------------------------------------------------------------


@pytest.fixture
def local(table: Table, monkeypatch: pytest.MonkeyPatch) -> Table:
    """The table as the one of the local stack."""
    opened = nullcontext(SimpleNamespace(table=table))
    monkeypatch.setattr(token_command, "opened", lambda stack: opened)
    return table


@pytest.mark.parametrize(
    "arguments",
    [
        ["create"],
        ["create", "--scopes", "orders:destroy"],
        ["create", "--scopes", ""],
        ["create", "--scopes", "all", "--days", "0"],
        ["create", "--scopes", "all", "--days", "many"],
        ["revoke"],
        [],
    ],
)
def test_wrong_usage_of_the_command_is_exit_2(local: Table, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["token", *arguments])
    assert left.value.code == 2
    assert issued(local) == []


def test_revoking_needs_an_id_that_names_one_token(local: Table, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        token(local)
    assert main(["token", "revoke", "0" * 12]) == 1
    assert json.loads(capsys.readouterr().err)["code"] == "not_found"
    with pytest.raises(SystemExit) as wrong:
        main(["token", "revoke", ""])
    assert wrong.value.code == 2
    assert all(made.expires_at > NOW for made in issued(local))


def test_a_token_is_created_listed_and_revoked(local: Table, capsys: pytest.CaptureFixture[str]) -> None:
    scopes = "stock:read,orders:read,stock:read"
    assert main(["token", "create", "--scopes", scopes, "--name", "erp", "--days", "2"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["name"], made["scopes"]) == ("erp", ["stock:read", "orders:read"])
    now = datetime.fromisoformat(made["created_at"])
    assert datetime.fromisoformat(made["expires_at"]) - now == timedelta(days=2)
    assert find(local, made["token"], now) is not None
    assert main(["token", "create", "--scopes", "all"]) == 0
    assert json.loads(capsys.readouterr().out)["scopes"] == list(Scope)
    assert main(["token", "list"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [known["name"] for known in listed] == ["cli", "erp"]
    assert all("token" not in known for known in listed)
    assert main(["token", "revoke", made["id"]]) == 0
    ended = json.loads(capsys.readouterr().out)
    assert ended["expires_at"] < made["expires_at"]
    assert ended["id"] == made["id"]
    assert find(local, made["token"], datetime.fromisoformat(ended["expires_at"])) is None
