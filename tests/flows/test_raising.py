"""Who is given a role: what another operator chose for them before opens nothing any more."""

import pytest

from idp.flows.idp import CONSOLE
from idp.flows.operate import passwords
from idp.flows.operate.authenticators import totp_ticket
from idp.flows.operate.editing import edit_person
from idp.flows.operate.finding import find_user
from idp.flows.operate.people import add_user
from idp.model import OPERATOR, Factor, Operator, Role
from idp.policy import OPERATING
from idp.store.people import accounts
from idp.store.sql import Sql
from tests.world.api import add_operator, with_roles
from tests.world.provider import Provider

WORD = "seven green lanterns above the quay"


async def _as(provider: Provider, username: str, role: Role) -> None:
    account = (await find_user(provider.idp, username)).account
    OPERATOR.set(Operator(f"person:{username}", role=role, account_id=account.id, client_id=CONSOLE, scopes=OPERATING))


@pytest.fixture
async def staff(provider: Provider) -> None:
    """Ada administrates, hal is at the desk and has added carol."""
    with_roles(provider)
    await add_operator(provider, "ada", "admins")
    await add_operator(provider, "hal", "desk")
    await _as(provider, "hal", Role.HELPDESK)
    await add_user(provider.idp, username="carol", password=WORD, phone="+37256789012")
    await _as(provider, "ada", Role.ADMIN)


@pytest.mark.usefixtures("staff")
async def test_what_the_helpdesk_chose_is_no_way_in_for_who_gets_a_role(provider: Provider) -> None:
    ticket = await totp_ticket(provider.idp, "carol")
    would = await edit_person(provider.idp, "carol", {"groups": ["admins"]}, dry_run=True)
    assert "Another operator chose their password: they have to change it when they sign in next." in would.consequences
    assert "1 authenticator that another operator gave them is closed." in would.consequences
    assert (await find_user(provider.idp, "carol")).account.password_until is None
    done = await edit_person(provider.idp, "carol", {"groups": ["admins"]})
    assert done.consequences == would.consequences
    carol = await find_user(provider.idp, "carol")
    assert carol.account.password_until == provider.clock.now() + provider.idp.policy.links.ticket
    assert [one.id for one in carol.authenticators] == [ticket.authenticator.id], "what ada gave herself stays"
    again = await edit_person(provider.idp, "carol", {"groups": ["admins"]})
    assert again.consequences == ()


@pytest.mark.usefixtures("staff")
async def test_what_they_chose_themselves_stays(provider: Provider) -> None:
    await _as(provider, "hal", Role.HELPDESK)
    await edit_person(provider.idp, "alice", {"name": "Alice A."})
    await _as(provider, "ada", Role.ADMIN)
    before = await find_user(provider.idp, "alice")
    done = await edit_person(provider.idp, "alice", {"groups": ["desk"]})
    after = await find_user(provider.idp, "alice")
    assert after.account.password_until is None
    assert after.authenticators == before.authenticators
    assert not [each for each in done.consequences if "another operator" in each.lower()]


@pytest.mark.usefixtures("staff")
async def test_what_was_chosen_at_a_shell_stays(provider: Provider) -> None:
    OPERATOR.set(Operator("shell:root", scopes=None))
    await add_user(provider.idp, username="dora", password=WORD, phone="+37256789013")
    await _as(provider, "ada", Role.ADMIN)
    await edit_person(provider.idp, "dora", {"groups": ["desk"]})
    dora = await find_user(provider.idp, "dora")
    assert dora.account.password_until is None
    assert [one.factor for one in dora.authenticators] == [Factor.SMS]


@pytest.mark.usefixtures("staff")
async def test_groups_without_a_role_take_nothing_away(provider: Provider) -> None:
    await edit_person(provider.idp, "carol", {"groups": ["treasury"]})
    carol = await find_user(provider.idp, "carol")
    assert carol.account.password_until is None
    assert len(carol.authenticators) == 1


@pytest.mark.usefixtures("staff")
async def test_who_prunes_the_trail_keeps_no_way_in(provider: Provider) -> None:
    await provider.idp.db.one(Sql("DELETE FROM audit_event"))
    await edit_person(provider.idp, "carol", {"groups": ["admins"]})
    carol = await find_user(provider.idp, "carol")
    assert carol.account.password_until is not None
    assert carol.authenticators == ()


@pytest.mark.usefixtures("staff")
async def test_another_operator_of_the_same_name_is_another(provider: Provider) -> None:
    OPERATOR.set(Operator("shell:root", scopes=None))
    await edit_person(provider.idp, "hal", {"username": "harold"})
    await edit_person(provider.idp, "ada", {"username": "hal"})
    await _as(provider, "hal", Role.ADMIN)
    await edit_person(provider.idp, "carol", {"groups": ["admins"]})
    carol = await find_user(provider.idp, "carol")
    assert carol.account.password_until is not None
    assert carol.authenticators == ()


@pytest.mark.usefixtures("staff")
async def test_an_operator_who_was_renamed_is_the_same(provider: Provider) -> None:
    ticket = await totp_ticket(provider.idp, "carol")
    OPERATOR.set(Operator("shell:root", scopes=None))
    await edit_person(provider.idp, "ada", {"username": "adele"})
    await _as(provider, "adele", Role.ADMIN)
    await edit_person(provider.idp, "carol", {"groups": ["admins"]})
    assert [one.id for one in (await find_user(provider.idp, "carol")).authenticators] == [ticket.authenticator.id]


@pytest.mark.usefixtures("staff")
async def test_a_password_that_they_chose_afterwards_is_theirs(provider: Provider) -> None:
    await passwords.set_password(provider.idp, "carol", WORD, temporary=True)
    carol = (await find_user(provider.idp, "carol")).account
    held = await accounts.password_hash(provider.idp.db, account_id=carol.id)
    assert await accounts.set_own_password(
        provider.idp.db, account_id=carol.id, old_hash=held, password_hash="own", now=provider.clock.now()
    )
    await edit_person(provider.idp, "carol", {"groups": ["admins"]})
    assert (await find_user(provider.idp, "carol")).account.password_until is None
