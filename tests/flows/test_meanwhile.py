"""Between an operator's look and the change, the person or the application becomes one that they may not touch."""

import ast
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from idp.errors import NotThere
from idp.flows.operate import (
    authenticators,
    client_changes,
    clients,
    editing,
    invitations,
    leaving,
    logos,
    people,
    recovering,
    resets,
    secrets,
    unlocking,
)
from idp.flows.operate.finding import find_client, find_user
from idp.flows.operate.permitting import NotPermitted
from idp.flows.operate.trail import Search, audit_page
from idp.model import OPERATOR, SHELL, Operator
from idp.policy import OPERATING
from idp.store.engine import Connection
from tests.world.api import with_roles
from tests.world.parallel import at_once
from tests.world.provider import Provider

_OPERATE = Path(__file__).parent.parent.parent / "idp" / "flows" / "operate"
Does = Callable[[Any], Awaitable[object]]


async def _an_authenticator(idp: Any) -> object:
    return await authenticators.remove_authenticator(idp, "alice", str((await _alice(idp)).authenticators[0].id))


async def _alice(idp: Any) -> Any:
    asked = OPERATOR.set(SHELL)
    try:
        return await find_user(idp, "alice")
    finally:
        OPERATOR.reset(asked)


# Everything that changes a person, and everything that changes a client; a test says when one is missing.
ON_PEOPLE: dict[str, Does] = {
    "totp_ticket": lambda idp: authenticators.totp_ticket(idp, "alice", replace=True),
    "add_phone": lambda idp: authenticators.add_phone(idp, "alice", "+37256000001", replace=True),
    "new_recovery_codes": lambda idp: authenticators.new_recovery_codes(idp, "alice"),
    "remove_authenticator": _an_authenticator,
    "edit_person": lambda idp: editing.edit_person(idp, "alice", {"name": "Mallory"}),
    "set_claims": lambda idp: editing.set_claims(idp, "alice", ["nickname=Mallory"]),
    "set_email": lambda idp: editing.set_email(idp, "alice", "mallory@example.com", verified=True),
    "invite": lambda idp: invitations.invite(idp, username="ivy", mail=False),
    "end_sessions": lambda idp: leaving.end_sessions(idp, "alice"),
    "forget_devices": lambda idp: leaving.forget_devices(idp, "alice"),
    "remove_person": lambda idp: leaving.remove_person(idp, "alice"),
    "set_password": lambda idp: people.set_password(idp, "alice", "glubber-fozzle-17-x"),
    "freeze_user": lambda idp: people.freeze_user(idp, "alice"),
    "set_user_disabled": lambda idp: people.set_user_disabled(idp, "alice", disabled=True),
    "recover": lambda idp: recovering.recover(idp, "alice", reason="She called."),
    "confirm": lambda idp: recovering.confirm(idp, "alice"),
    "give_link": lambda idp: resets.give_link(idp, "alice", mail=False),
    "unlock_user": lambda idp: unlocking.unlock_user(idp, "alice"),
}
ON_CLIENTS: dict[str, Does] = {
    "edit_client": lambda idp: client_changes.edit_client(idp, "notes", {"name": "Mallory"}),
    "set_client_disabled": lambda idp: clients.set_client_disabled(idp, "notes", disabled=True),
    "remove_client": lambda idp: clients.remove_client(idp, "notes"),
    "new_client_secret": lambda idp: secrets.new_client_secret(idp, "notes", keep_old=timedelta(hours=1)),
    "end_old_secret": lambda idp: secrets.end_old_secret(idp, "notes"),
    "set_logo": lambda idp: logos.set_logo(idp, "notes", None),
}
# These touch no person and no client who was there before, or change nothing.
_OTHERS = {"add_user", "add_client", "invite_many", "open_block", "sent_to", "secret_consequences", "waiting"}


def _changing() -> Iterator[str]:
    """Each public operation that opens a transaction, or finds somebody or something to do it `to`."""
    for module in sorted(_OPERATE.glob("*.py")):
        for node in ast.parse(module.read_text()).body:
            if not isinstance(node, ast.AsyncFunctionDef) or node.name.startswith("_"):
                continue
            for call in (each for each in ast.walk(node) if isinstance(each, ast.Call)):
                called, named = ast.unparse(call.func), {each.arg for each in call.keywords}
                if called == "idp.db.transaction" or (called in {"find_user", "find_client"} and "to" in named):
                    yield node.name


def test_every_change_is_tried_here() -> None:
    missing = set(_changing()) - ON_PEOPLE.keys() - ON_CLIENTS.keys() - _OTHERS
    assert not missing


@pytest.fixture
async def house(provider: Provider) -> Provider:
    """Roles, and somebody who was invited."""
    with_roles(provider)
    await invitations.invite(provider.idp, username="ivy", mail=False)
    return provider


def _before_the_change(provider: Provider, monkeypatch: pytest.MonkeyPatch, happens: Does) -> None:
    """Let this happen, and be committed, when the next transaction is about to begin."""
    begin = provider.idp.db.transaction
    waiting = [happens]

    @asynccontextmanager
    async def transaction() -> AsyncIterator[Connection]:
        if waiting:
            asked = OPERATOR.set(SHELL)
            try:
                await waiting.pop()(provider.idp)
            finally:
                OPERATOR.reset(asked)
        async with begin() as conn:
            yield conn

    monkeypatch.setattr(provider.idp.db, "transaction", transaction)


@asynccontextmanager
async def _as_a_machine() -> AsyncIterator[None]:
    """May do everything but touch who has a role, and an application that may ask for operators' scopes."""
    asked = OPERATOR.set(Operator("client:reports", None, None, "reports", OPERATING))
    try:
        yield
    finally:
        OPERATOR.reset(asked)


@pytest.mark.parametrize("name", ON_PEOPLE)
async def test_nobody_who_was_given_a_role_meanwhile_is_changed(
    house: Provider, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = "ivy" if name == "invite" else "alice"

    async def promoted(idp: Any) -> None:
        await editing.edit_person(idp, who, {"groups": ["admins"]})

    _before_the_change(house, monkeypatch, promoted)
    async with _as_a_machine():
        with pytest.raises(NotPermitted, match="Only an administrator"):
            await ON_PEOPLE[name](house.idp)
    rows = (await audit_page(house.idp, Search(person=who, operator="any"))).entries
    assert [row for row in rows if row.fields["operator"] == "client:reports"] == []


@pytest.mark.parametrize("name", ON_PEOPLE)
async def test_who_was_removed_meanwhile_is_not_there(
    house: Provider, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = "ivy" if name == "invite" else "alice"

    async def removed(idp: Any) -> None:
        await leaving.remove_person(idp, who)

    _before_the_change(house, monkeypatch, removed)
    async with _as_a_machine():
        with pytest.raises(NotThere):
            await ON_PEOPLE[name](house.idp)


@pytest.mark.parametrize("name", ON_CLIENTS)
async def test_no_machine_changes_an_application_that_may_administrate_by_now(
    house: Provider, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def raised(idp: Any) -> None:
        await client_changes.edit_client(idp, "notes", {"scopes": ("openid", "stile:people:read")})

    _before_the_change(house, monkeypatch, raised)
    async with _as_a_machine():
        with pytest.raises(NotPermitted, match="No machine may"):
            await ON_CLIENTS[name](house.idp)
    assert (await find_client(house.idp, "notes")).scopes == {"openid", "stile:people:read"}


async def test_of_a_promotion_and_a_recovery_at_once_no_recovery_comes_second(house: Provider) -> None:
    for number in range(8):
        who = f"p{number}"
        await house.add_person(who, app=True)

        async def both(which: int, who: str = who) -> bool:
            if which:
                await editing.edit_person(house.idp, who, {"groups": ["admins"]})
                return True
            async with _as_a_machine():
                try:
                    await recovering.recover(house.idp, who, reason="They called.")
                except NotPermitted:
                    return False
            return True

        recovered, _ = await at_once(2, both)
        rows = (await audit_page(house.idp, Search(person=who, event="account."))).entries
        kinds = [row.name for row in reversed(rows)]
        assert kinds == (["account.recovered", "account.changed"] if recovered else ["account.changed"])
