"""Between an operator's look and the change, whom they change becomes one that they may not touch, or they nobody."""

import ast
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from idp.errors import NotThere
from idp.flows.idp import CONSOLE
from idp.flows.operate import (
    authenticators,
    batches,
    client_changes,
    clients,
    deliveries,
    editing,
    invitations,
    keys,
    leaving,
    logos,
    passwords,
    people,
    recovering,
    resets,
    secrets,
    sending,
    unlocking,
)
from idp.flows.operate.finding import find_client, find_user
from idp.flows.operate.permitting import NotPermitted
from idp.flows.operate.registrations import NewClient
from idp.flows.operate.trail import Search, audit_page
from idp.model import OPERATOR, SHELL, Operator, Role
from idp.policy import OPERATING
from idp.sms import phone as phones
from idp.sms.phone import Phone
from idp.store.engine import Connection
from idp.store.people import accounts
from idp.store.sql import Sql
from tests.world.api import add_operator, with_roles
from tests.world.parallel import at_once
from tests.world.provider import NOTES_URI, Provider
from tests.world.waiting import NEVER

_OPERATE = Path(__file__).parent.parent.parent / "idp" / "flows" / "operate"
Does = Callable[[Any], Awaitable[object]]
_WAITING = Sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


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
    "set_password": lambda idp: passwords.set_password(idp, "alice", "glubber-fozzle-17-x"),
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
# These touch no person and no client who was there before.
ON_NOBODY: dict[str, Does] = {
    "add_user": lambda idp: people.add_user(idp, username="nora", password="glubber-fozzle-17-x", phone="+37256000002"),
    "add_client": lambda idp: clients.add_client(idp, NewClient(name="Nora", grant_types=("client_credentials",))),
    "invite_many": lambda idp: batches.invite_many(idp, b"username\nnora\n", mail=False),
    "open_block": lambda idp: sending.open_block(idp, b"x"),
    "unblock_number": lambda idp: deliveries.unblock_number(idp, _number()),
    "rotate_keys": lambda idp: keys.rotate_keys(idp, early=True),
}
EVERYTHING = {**ON_PEOPLE, **ON_CLIENTS, **ON_NOBODY}
# These change nothing.
_OTHERS = {"sent_to", "secret_consequences", "waiting"}


def _number() -> Phone:
    found = phones.parse("+37256000003", default_region=None)
    assert isinstance(found, Phone)
    return found


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
    missing = set(_changing()) - EVERYTHING.keys() - _OTHERS
    assert not missing


@pytest.fixture
async def house(provider: Provider) -> Provider:
    """Roles, a machine, and somebody who was invited."""
    with_roles(provider)
    machine = frozenset({"client_credentials"})
    await provider.add_client("reports", NOTES_URI, grant_types=machine, redirect_uris=(), scopes=OPERATING)
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


@asynccontextmanager
async def _as(provider: Provider, username: str) -> AsyncIterator[None]:
    """An administrator of the console, who has proved everything."""
    asked = OPERATOR.set(SHELL)
    account = (await find_user(provider.idp, username)).account
    OPERATOR.set(Operator(f"person:{username}", Role.ADMIN, account.id, CONSOLE, OPERATING))
    try:
        yield
    finally:
        OPERATOR.reset(asked)


async def _written_by(provider: Provider, operator: str) -> list[str]:
    return [row.name for row in (await audit_page(provider.idp, Search(operator=operator))).entries]


@pytest.mark.parametrize("name", EVERYTHING)
async def test_who_lost_their_role_meanwhile_changes_nothing(
    house: Provider, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_operator(house, "olga", "admins")

    async def demoted(idp: Any) -> None:
        await editing.edit_person(idp, "olga", {"groups": ["desk"]})

    if name == "confirm":
        await _asked_to_recover(house)
    _before_the_change(house, monkeypatch, demoted)
    async with _as(house, "olga"):
        with pytest.raises(NotPermitted, match="less by now"):
            await EVERYTHING[name](house.idp)
    assert await _written_by(house, "person:olga") == []


async def _asked_to_recover(provider: Provider) -> None:
    recovery = replace(provider.idp.policy.recovery, second_operator=True)
    provider.idp.policy = replace(provider.idp.policy, recovery=recovery)
    await recovering.recover(provider.idp, "alice", reason="She called.", by="ben")


@pytest.mark.parametrize("name", EVERYTHING)
async def test_a_machine_that_was_disabled_meanwhile_changes_nothing(
    house: Provider, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def disabled(idp: Any) -> None:
        await clients.set_client_disabled(idp, "reports", disabled=True)

    if name == "confirm":
        await _asked_to_recover(house)
    _before_the_change(house, monkeypatch, disabled)
    async with _as_a_machine():
        with pytest.raises(NotPermitted, match="less by now"):
            await EVERYTHING[name](house.idp)
    assert await _written_by(house, "client:reports") == []


_LOST: dict[str, Does] = {
    "disabled": lambda idp: people.set_user_disabled(idp, "olga", disabled=True),
    "frozen": lambda idp: people.freeze_user(idp, "olga"),
    "removed": lambda idp: leaving.remove_person(idp, "olga"),
}
_LOST_BY_A_MACHINE: dict[str, Does] = {
    "removed": lambda idp: clients.remove_client(idp, "reports"),
    "narrowed": lambda idp: client_changes.edit_client(idp, "reports", {"scopes": ("stile:people:read",)}),
}


@pytest.mark.parametrize("how", _LOST)
async def test_whoever_is_kept_out_meanwhile_changes_nothing(
    house: Provider, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_operator(house, "olga", "admins")
    _before_the_change(house, monkeypatch, _LOST[how])
    async with _as(house, "olga"):
        with pytest.raises(NotPermitted, match="less by now"):
            await editing.edit_person(house.idp, "alice", {"name": "Mallory"})
    assert await _written_by(house, "person:olga") == []


@pytest.mark.parametrize("how", _LOST_BY_A_MACHINE)
async def test_a_machine_changes_nothing_with_what_it_lost_meanwhile(
    house: Provider, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _before_the_change(house, monkeypatch, _LOST_BY_A_MACHINE[how])
    async with _as_a_machine():
        with pytest.raises(NotPermitted, match="less by now"):
            await editing.edit_person(house.idp, "alice", {"name": "Mallory"})
    assert await _written_by(house, "client:reports") == []


async def test_who_is_given_more_meanwhile_goes_on(house: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    olga = await add_operator(house, "olga", "desk")

    async def promoted(idp: Any) -> None:
        await editing.edit_person(idp, "olga", {"groups": ["admins"]})

    _before_the_change(house, monkeypatch, promoted)
    asked = OPERATOR.set(Operator("person:olga", Role.HELPDESK, olga, CONSOLE, OPERATING))
    await editing.edit_person(house.idp, "alice", {"name": "Alice A."})
    OPERATOR.reset(asked)
    assert await _written_by(house, "person:olga") == ["account.changed"]


async def test_an_administrator_lays_down_their_own_role(house: Provider) -> None:
    await add_operator(house, "ann", "admins")
    await add_operator(house, "olga", "admins")
    async with _as(house, "olga"):
        await editing.edit_person(house.idp, "olga", {"groups": []})
        with pytest.raises(NotPermitted):
            await editing.edit_person(house.idp, "alice", {"name": "Mallory"})


async def test_who_waits_for_a_lock_while_they_are_demoted_changes_nothing(house: Provider) -> None:
    await add_operator(house, "olga", "admins")
    for number in range(8):
        await editing.edit_person(house.idp, "olga", {"groups": ["admins"]})
        alice = await _alice(house.idp)
        async with house.idp.db.transaction() as conn:
            await accounts.locked(conn, account_id=alice.account.id)

            async def work(number: int = number) -> None:
                async with _as(house, "olga"):
                    await editing.edit_person(house.idp, "alice", {"name": f"Mallory {number}"})

            waiting = asyncio.create_task(work())
            async with asyncio.timeout(NEVER):
                while not await conn.value(_WAITING):
                    pass
            await editing.edit_person(house.idp, "olga", {"groups": []})
        with pytest.raises(NotPermitted, match="less by now"):
            await waiting
    assert await _written_by(house, "person:olga") == []


async def test_of_two_administrators_who_demote_each_other_one_does_though_there_is_a_third(house: Provider) -> None:
    await add_operator(house, "third", "admins")
    for number in range(12):
        pair = [f"{name}{number}" for name in ("ann", "ben")]
        for each in pair:
            await add_operator(house, each, "admins")

        async def demote(which: int, pair: list[str] = pair, number: int = number) -> bool:
            async with _as(house, pair[1 - which]):
                try:
                    if number % 2:
                        await editing.edit_person(house.idp, pair[which], {"groups": []})
                    else:
                        await people.set_user_disabled(house.idp, pair[which], disabled=True)
                except NotPermitted:
                    return False
            return True

        assert sum(await at_once(2, demote)) == 1, number


async def test_a_change_and_its_operators_demotion_at_once_end_as_one_after_the_other(house: Provider) -> None:
    await add_operator(house, "third", "admins")
    await add_operator(house, "olga", "admins")
    for number in range(12):
        await editing.edit_person(house.idp, "olga", {"groups": ["admins"]})

        async def both(which: int, number: int = number) -> bool:
            async with _as(house, ("olga", "third")[which]):
                try:
                    if which:
                        await editing.edit_person(house.idp, "olga", {"groups": []})
                    else:
                        await editing.edit_person(house.idp, "alice", {"name": f"Alice {number}"})
                except NotPermitted:
                    return False
            return True

        changed, demoted = await at_once(2, both)
        assert demoted
        assert ((await _alice(house.idp)).account.name == f"Alice {number}") is changed


async def test_the_operator_is_looked_up_in_one_statement(house: Provider) -> None:
    await add_operator(house, "olga", "admins")
    house.count()
    await editing.edit_person(house.idp, "alice", {"name": "Alice B."})
    at_a_shell = len(house.statements)
    async with _as(house, "olga"):
        house.count()
        await editing.edit_person(house.idp, "alice", {"name": "Alice C."})
        assert len(house.statements) == at_a_shell + 1, house.statements
