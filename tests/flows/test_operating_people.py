"""What an operator sees, changes and ends of people, whichever face calls."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from idp import limits
from idp.errors import AlreadyThere, NotThere, Outdated
from idp.flows.idp import CONSOLE
from idp.flows.operate.authenticators import remove_authenticator
from idp.flows.operate.editing import changed, edit_person, version_of
from idp.flows.operate.finding import find_user, people_page
from idp.flows.operate.leaving import end_sessions, forget_devices, remove_person
from idp.flows.operate.looking import list_devices, list_sessions, show_person
from idp.flows.operate.people import NotAcceptable, add_user, freeze_user, set_user_disabled
from idp.flows.operate.permitting import NotPermitted
from idp.flows.operate.recovering import recover
from idp.flows.operate.trail import Search, audit_page, export, follow
from idp.flows.operate.unlocking import unlock_user
from idp.flows.signin.destinations import mailbox_key, number_of
from idp.model import OPERATOR, Factor, Operator, Role
from idp.policy import load_policy
from idp.store import rate_limits
from idp.store.people.pages import State
from tests.world.account_pages import is_signed_in
from tests.world.parallel import at_once
from tests.world.policies import OURS
from tests.world.provider import Provider
from tests.world.stage import lasting, refresh
from tests.world.waiting import NEVER

GROUPS = """[groups]
admins = { level = "strong", role = "admin" }
owners = { level = "strong", role = "admin" }
desk = { level = "strong", role = "helpdesk" }
treasury = { level = "strong" }
"""
EVERY = frozenset({"stile:people:read", "stile:people:write", "stile:factors:write", "stile:audit:read"})


_OP: dict[str, UUID] = {}


@pytest.fixture
async def house(provider: Provider) -> Provider:
    """The provider with groups that give roles, and an administrator without an app, who cannot sign in."""
    provider.idp.policy = load_policy(OURS.replace("[groups]\n", GROUPS, 1))
    _OP["op"] = await provider.add_person("op", groups=frozenset({"admins"}))
    return provider


@contextmanager
def working_as(role: Role | None, scopes: frozenset[str] = EVERY, *, account_id: UUID | None = None) -> Iterator[None]:
    asked = OPERATOR.set(Operator("person:op", role, account_id or _OP["op"], CONSOLE, scopes))
    try:
        yield
    finally:
        OPERATOR.reset(asked)


async def test_people_come_by_page_and_none_twice(provider: Provider) -> None:
    for number in range(7):
        await provider.add_person(f"m{number}", name="Müller %_", email=f"m{number}@EXAMPLE.org")
    seen, after = [], None
    while True:
        page = await people_page(provider.idp, containing="MÜLLER %_", after=after, limit=3)
        assert page.count == 7
        seen += [one.username for one in page.people]
        after = page.after
        if after is None:
            break
    assert seen == [f"m{number}" for number in range(7)]
    assert [one.username for one in (await people_page(provider.idp, containing="5@example")).people] == ["m5"]
    assert (await people_page(provider.idp, containing="nobody\0")).count == 0
    assert (await people_page(provider.idp, containing="nobody")).people == []


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        pytest.param("İpek", "İpek", id="a letter that Python makes two of"),
        pytest.param("İpek", "ipek", id="a dot more"),
        pytest.param("Iş\u0131k", "\u0131ş\u0131k", id="a dot less"),
        pytest.param("Οδυσσεύς", "ΟΔΥΣΣΕΎΣ", id="a final sigma in capitals"),
        pytest.param("ΟΔΥΣΣΕΎΣ", "οδυσσεύς", id="a final sigma"),
        pytest.param("Anna Groß", "GROSS", id="a sharp s in capitals"),
        pytest.param("Anna GROẞ", "groß", id="a capital sharp s"),
    ],
)
async def test_whoever_has_letters_of_two_small_ones_is_found(provider: Provider, name: str, typed: str) -> None:
    await provider.add_person("somebody", name=name)
    assert [one.username for one in (await people_page(provider.idp, containing=typed)).people] == ["somebody"]


async def test_a_name_is_found_as_it_was_typed_when_it_was_given(provider: Provider) -> None:
    await add_user(provider.idp, username="Οδυσσεύς", password="seven green lanterns", phone=None)
    for typed in ("Οδυσσεύς", "ΟΔΥΣΣΕΎΣ", "οδυσσεύσ"):
        assert (await people_page(provider.idp, containing=typed)).count == 1
        assert (await find_user(provider.idp, typed)).account.username


async def test_people_are_found_by_group_and_by_how_they_stand(house: Provider) -> None:
    await edit_person(house.idp, "alice", {"groups": ["treasury"]})
    await set_user_disabled(house.idp, "bob", disabled=True)

    async def names(**which: object) -> list[str]:
        return [one.username for one in (await people_page(house.idp, **which)).people]  # type: ignore[arg-type]  # as given

    assert await names(group="treasury") == ["alice"]
    assert await names(state=State.DISABLED) == ["bob"]
    assert await names(state=State.ENABLED) == ["alice", "op"]
    await freeze_user(house.idp, "alice")
    assert await names(state=State.FROZEN) == ["alice"]
    assert await names(state=State.INVITED, containing="a") == []


async def test_a_person_is_renamed_and_keeps_sessions_and_subject(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    before = (await find_user(provider.idp, "alice")).account
    done = await edit_person(provider.idp, before.id, {"username": "Alina", "name": "  Alina   Ader "})
    assert (done.after.username, done.after.name, done.after.id) == ("alina", "Alina Ader", before.id)
    assert done.changed == ("username", "name")
    assert "They sign in as alina from now on" in done.consequences[0]
    assert await is_signed_in(browser)
    with pytest.raises(NotThere):
        await find_user(provider.idp, "alice")
    with pytest.raises(AlreadyThere, match="bob"):
        await edit_person(provider.idp, "alina", {"username": "bob"})
    trail = await audit_page(provider.idp, Search(person="alina", event="account.changed"))
    assert [each.fields["change"] for each in trail.entries] == ["username, name"]
    assert "alice" not in str(trail.entries[0].fields)


async def test_nothing_is_changed_by_who_saw_something_else(provider: Provider) -> None:
    seen = version_of((await find_user(provider.idp, "bob")).account)
    await edit_person(provider.idp, "bob", {"claims": {"nickname": "Bobby"}}, expected=seen)
    with pytest.raises(Outdated, match="meanwhile"):
        await edit_person(provider.idp, "bob", {"name": "Robert"}, expected=seen)
    with pytest.raises(Outdated):
        await remove_person(provider.idp, "bob", expected=seen)
    account = (await find_user(provider.idp, "bob")).account
    assert (account.name, dict(account.claims)) == ("Bob Berg", {"nickname": "Bobby"})
    await set_user_disabled(provider.idp, "bob", disabled=True)
    assert version_of((await find_user(provider.idp, "bob")).account) != version_of(account)


async def test_of_two_who_saw_the_same_one_changes_it(provider: Provider) -> None:
    for _ in range(8):
        seen = version_of((await find_user(provider.idp, "bob")).account)

        async def change(number: int, seen: str = seen) -> bool:
            try:
                await edit_person(provider.idp, "bob", {"name": f"Bob {uuid4()} {number}"}, expected=seen)
            except Outdated:
                return False
            return True

        assert sum(await at_once(4, change)) == 1


async def test_a_dry_run_says_what_follows_and_changes_nothing(house: Provider) -> None:
    before = (await find_user(house.idp, "alice")).account
    done = await edit_person(house.idp, "alice", {"email": "new@example.com", "groups": ["treasury"]}, dry_run=True)
    assert done.changed == ("email", "groups")
    assert any("new@example.com before they have proved" in each for each in done.consequences)
    assert any("need strong" in each for each in done.consequences)
    assert (await find_user(house.idp, "alice")).account == before


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"password": "x"}, "'password' cannot be changed", id="unknown"),
        pytest.param({"username": None}, "username must be a text", id="no-name"),
        pytest.param({"username": "a b"}, "no spaces", id="space"),
        pytest.param({"name": 5}, "name must be a text", id="number"),
        pytest.param({"groups": "treasury"}, "groups must be a list", id="text-for-list"),
        pytest.param({"groups": [None]}, "groups must be a text", id="none-in-list"),
        pytest.param({"groups": ["finanze"]}, "no row in the policy", id="no-row"),
        pytest.param({"claims": ["nickname"]}, "claims must be an object", id="list-for-object"),
        pytest.param({"claims": {"sub": "x"}}, "no claim that can be set", id="sub"),
        pytest.param({"claims": {"nickname": 7}}, "nickname must be a text", id="number-claim"),
        pytest.param({"claims": {"address": {"street": {}}}}, "address.street must be a text", id="deep"),
        pytest.param({"email": "nobody"}, "must look like", id="no-address"),
        pytest.param({"email_verified": "yes"}, "must be true or false", id="flag"),
        pytest.param({"email": "", "email_verified": True}, "There is no e-mail address", id="verified-nothing"),
        pytest.param({"locale": "et\n"}, "is no language", id="language"),
    ],
)
async def test_what_cannot_be_is_told_and_changes_nothing(
    provider: Provider, changes: dict[str, object], why: str
) -> None:
    account = (await find_user(provider.idp, "bob")).account
    with pytest.raises(NotAcceptable, match=why):
        changed(account, changes, provider.idp.policy)
    with pytest.raises(NotAcceptable, match=why):
        await edit_person(provider.idp, "bob", {"name": "Robert", **changes})
    assert (await find_user(provider.idp, "bob")).account == account


async def test_only_who_may_give_authenticators_says_that_an_address_is_theirs(house: Provider) -> None:
    with working_as(Role.HELPDESK):
        await edit_person(house.idp, "bob", {"email": "bob@example.com"})
        with pytest.raises(NotPermitted):
            await edit_person(house.idp, "bob", {"email_verified": True})
        with pytest.raises(NotPermitted):
            await edit_person(house.idp, "bob", {"groups": ["treasury"]})
    with working_as(Role.ADMIN, frozenset({"stile:people:write"})), pytest.raises(NotPermitted):
        await edit_person(house.idp, "bob", {"email": "thief@example.com", "email_verified": True})
    with working_as(Role.ADMIN):
        done = await edit_person(house.idp, "bob", {"email_verified": True})
    assert (done.after.email, done.after.email_verified) == ("bob@example.com", True)


async def _used_up(provider: Provider, *charged: tuple[limits.Limit, bytes]) -> None:
    """So much of each that nothing more is let through today."""
    for one in charged:
        while await rate_limits.spend(provider.idp.db, [one], now=provider.clock.now()) is None:
            pass


async def _has_room(provider: Provider, one: tuple[limits.Limit, bytes]) -> bool:
    return await rate_limits.spend(provider.idp.db, [one], now=provider.clock.now()) is None


async def test_an_unlock_sends_nobody_more_messages_in_a_day_but_from_a_shell(house: Provider) -> None:
    await edit_person(house.idp, "bob", {"email": "bob@example.com", "email_verified": True})
    bob = await find_user(house.idp, "bob")
    [phone] = [one for one in bob.authenticators if one.factor is Factor.SMS]
    places, days = [], []
    table = house.idp.limits
    for sending, to in ((table.sms, number_of(phone)), (table.email, mailbox_key(house.idp, "bob@example.com"))):
        places.append((sending.places, limits.subject(sending.places, to)))
        days.append((sending.day, limits.subject(sending.day, to)))
    await _used_up(house, *places, *days)
    with working_as(Role.HELPDESK):
        lifted = await unlock_user(house.idp, "bob")
        assert len([one for one in lifted if "text messages" in one or "e-mail" in one]) == 2
        assert await unlock_user(house.idp, "bob") == []
    assert [await _has_room(house, one) for one in places] == [True, True]
    assert [await _has_room(house, one) for one in days] == [False, False]
    assert len(await unlock_user(house.idp, "bob")) == 2
    assert [await _has_room(house, one) for one in days] == [True, True]


async def test_an_unlock_forgets_nothing_of_a_mailbox_that_may_be_somebody_elses(house: Provider) -> None:
    with working_as(Role.HELPDESK):
        await edit_person(house.idp, "bob", {"email": "victim@example.com"})
    sending, key = house.idp.limits.email, mailbox_key(house.idp, "victim@example.com")
    asked = house.idp.secrets.index("victim@example.com", purpose="username")
    links = house.idp.limits.reset_person
    charged = [(sending.places, limits.subject(sending.places, key)), (links, limits.subject(links, asked))]
    await _used_up(house, *charged)
    for whose in (working_as(Role.HELPDESK), nullcontext()):
        with whose:
            assert await unlock_user(house.idp, "bob") == []
    assert [await _has_room(house, one) for one in charged] == [False, False]
    await edit_person(house.idp, "bob", {"email_verified": True})
    assert len(await unlock_user(house.idp, "bob")) == 2


async def test_a_person_is_shown_with_all_that_is_theirs(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    statements: list[str] = []
    provider.idp.db.on_statement = statements.append
    shown = await show_person(provider.idp, "alice")
    assert len(statements) == 6
    assert [len(shown.sessions), len(shown.devices), shown.has_password] == [1, 1, True]
    assert {one.factor.value for one in shown.person.authenticators} == {"sms", "totp", "recovery"}
    assert shown.happened[0].name == "factor.verified"
    await browser.get(provider.authorize_url(prompt="login"))
    await browser.submit("/password", username="alice", password="wrong")
    assert (await show_person(provider.idp, "alice")).waits == [
        "wrong passwords in browsers used before",
        "text messages to the phone ending 45",
    ]


async def test_an_operator_signs_out_of_one_browser_or_everywhere(provider: Provider) -> None:
    first, second = provider.browser(), provider.browser()
    await provider.sign_in(first)
    await provider.sign_in(second)
    newest, _ = await list_sessions(provider.idp, "alice")
    assert await end_sessions(provider.idp, "alice", newest.session_id) == 1
    assert await is_signed_in(first)
    assert not await is_signed_in(second)
    with pytest.raises(NotThere):
        await end_sessions(provider.idp, "alice", newest.session_id)
    with pytest.raises(NotThere):
        await end_sessions(provider.idp, "bob", (await list_sessions(provider.idp, "alice"))[0].session_id)
    issued = await lasting(provider)
    assert await end_sessions(provider.idp, "alice") >= 1
    assert not await is_signed_in(first)
    assert (await refresh(provider, issued["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_forgotten_browser_is_signed_out(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    (known,) = await list_devices(provider.idp, "alice")
    with pytest.raises(NotThere):
        await forget_devices(provider.idp, "bob", known.key)
    assert await forget_devices(provider.idp, "alice") == 1
    assert not await is_signed_in(browser)
    assert await list_devices(provider.idp, "alice") == []
    assert await forget_devices(provider.idp, "alice") == 0


async def test_a_removed_person_is_gone_for_ever_but_not_from_the_trail(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    issued = await lasting(provider)
    account = (await find_user(provider.idp, "alice")).account
    said = await remove_person(provider.idp, "alice", dry_run=True)
    assert not said.done
    assert any("signed out of" in each for each in said.consequences)
    assert any("Acme Bank" in each for each in said.consequences)
    assert await is_signed_in(browser)
    assert (await remove_person(provider.idp, account.id)).consequences == said.consequences
    assert not await is_signed_in(browser)
    assert (await refresh(provider, issued["refresh_token"])).json()["error"] == "invalid_grant"
    with pytest.raises(NotThere):
        await remove_person(provider.idp, account.id)
    trail = await audit_page(provider.idp, Search(person="Alice"))
    assert trail.entries[0].name == "account.removed"
    assert {each.account_id for each in trail.entries} == {account.id}
    assert {each.username for each in trail.entries} == {None}
    assert "alice" not in str(trail.entries[0].fields)
    again = await provider.add_person("alice")
    assert again != account.id


async def test_exactly_one_of_many_removes_a_person(provider: Provider) -> None:
    for number in range(5):
        await provider.add_person(f"leaves{number}")

        async def remove(_: int, number: int = number) -> bool:
            try:
                return (await remove_person(provider.idp, f"leaves{number}")).done
            except NotThere:
                return False

        assert sum(await at_once(4, remove)) == 1


async def test_the_last_administrator_stays_but_for_a_shell(house: Provider) -> None:
    await edit_person(house.idp, "alice", {"groups": ["admins"]})
    with working_as(Role.ADMIN):
        for refused in (
            edit_person(house.idp, "alice", {"groups": ["desk"]}),
            remove_person(house.idp, "alice"),
            remove_person(house.idp, "alice", dry_run=True),
            set_user_disabled(house.idp, "alice", disabled=True),
            freeze_user(house.idp, "alice"),
        ):
            with pytest.raises(NotPermitted, match="the last administrator"):
                await refused
        # From one group with the role into another is no demotion.
        await edit_person(house.idp, "alice", {"groups": ["owners"], "name": "Alice"})
    await edit_person(house.idp, "bob", {"groups": ["admins"]})
    await house.add_person("ben", app=True, groups=frozenset({"admins"}))
    await set_user_disabled(house.idp, "ben", disabled=True)
    # Ben is kept out, and bob has no app: neither administrates.
    with working_as(Role.ADMIN), pytest.raises(NotPermitted, match="the last administrator"):
        await remove_person(house.idp, "alice")
    await set_user_disabled(house.idp, "ben", disabled=False)
    with working_as(Role.ADMIN):
        await remove_person(house.idp, "alice")
    await remove_person(house.idp, "ben")


async def test_two_administrators_do_not_take_each_other_away(house: Provider) -> None:
    for number in range(10):
        pair = [f"{name}{number}" for name in ("ann", "ben")]
        for name in pair:
            await house.add_person(name, app=True, groups=frozenset({"admins"}))

        async def take(which: int, pair: list[str] = pair, number: int = number) -> bool:
            with working_as(Role.ADMIN):
                try:
                    match number % 5:
                        case 0:
                            await remove_person(house.idp, pair[which])
                        case 1:
                            await set_user_disabled(house.idp, pair[which], disabled=True)
                        case 2:
                            await recover(house.idp, pair[which], reason="Lost all.")
                        case 3:
                            (app,) = (await find_user(house.idp, pair[which])).authenticators
                            await remove_authenticator(house.idp, pair[which], str(app.id))
                        case _:
                            await edit_person(house.idp, pair[which], {"groups": []})
                except NotPermitted:
                    return False
                return True

        assert sum(await at_once(2, take)) == 1, number
        for name in pair:
            try:
                await remove_person(house.idp, name)
            except NotThere:
                continue


async def test_the_trail_is_searched_and_paged(house: Provider) -> None:
    with working_as(Role.ADMIN):
        for name in ("A", "B", "C", "D", "E"):
            await edit_person(house.idp, "bob", {"name": name})
    await edit_person(house.idp, "bob", {"name": "F"})
    everything = Search(person="bob", event="account")
    seen, after = [], None
    while True:
        page = await audit_page(house.idp, everything, after=after, limit=2)
        seen += [each.id for each in page.entries]
        after = page.after
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 6
    assert [each.id async for each in export(house.idp, everything)] == seen
    by_op = await audit_page(house.idp, replace(everything, operator="person:op"))
    assert len(by_op.entries) == 5
    assert len((await audit_page(house.idp, replace(everything, operator="any"))).entries) == 5
    with pytest.raises(NotAcceptable, match="There is no event 'acc': there are account, "):
        await audit_page(house.idp, replace(everything, event="acc"))
    assert (await audit_page(house.idp, replace(everything, client_id="bank"))).entries == []
    assert (await audit_page(house.idp, replace(everything, since=house.clock.now()))).entries != []
    assert (await audit_page(house.idp, replace(everything, until=by_op.entries[0].at))).entries == []
    for wrong in ("", "x", "2026-01-01_5", "2026-01-01T00:00:00+00:00_", "9" * 400):
        with pytest.raises(NotAcceptable, match="begin again"):
            await audit_page(house.idp, everything, after=wrong)
    with pytest.raises(NotThere):
        await audit_page(house.idp, Search(person="nobody"))
    with working_as(Role.ADMIN, frozenset()), pytest.raises(NotPermitted):
        await audit_page(house.idp, everything)


async def test_a_page_of_the_trail_is_one_statement_that_asks_for_nothing_else(provider: Provider) -> None:
    statements: list[str] = []
    provider.idp.db.on_statement = statements.append
    await audit_page(provider.idp, Search(event="account"), limit=10**9)
    await audit_page(provider.idp, Search(), limit=0)
    # A plan is made once for all values: what is not asked for must not stand in it.
    assert len(statements) == 2
    assert not any("IS NULL" in statement for statement in statements)
    assert "WHERE true" in statements[1]


async def test_who_follows_the_trail_sees_each_row_once(provider: Provider) -> None:
    seen: list[str] = []

    async def watch() -> None:
        async for entry in follow(
            provider.idp, Search(event="account"), every=provider.idp.policy.sessions.forgiven * 0
        ):
            seen.append(entry.fields["change"])
            if len(seen) == 4:
                return

    await edit_person(provider.idp, "bob", {"name": "before"})
    provider.clock.move(provider.idp.policy.sessions.idle)
    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    for changes in ({"name": "N"}, {"locale": "et"}, {"claims": {"nickname": "N"}}, {"username": "robert"}):
        await edit_person(provider.idp, "bob", changes)
    async with asyncio.timeout(NEVER):
        await watching
    assert seen == ["name", "locale", "claims", "username"]
