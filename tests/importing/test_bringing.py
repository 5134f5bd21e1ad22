"""What happens to people who are brought: how fast, once, and what their owners are told."""

import asyncio
from datetime import timedelta

import pyotp
import pytest

from idp.flows.delivery import notices
from idp.flows.operate import importing
from idp.flows.operate.arriving import Terms
from idp.flows.operate.authenticators import totp_ticket
from idp.flows.operate.invitations import invite
from idp.importing.incoming import App, Left, Person, Phone
from idp.importing.secrets import stored
from idp.store.batches import BATCH
from idp.store.people import accounts
from idp.store.sql import Sql
from tests.world import hashing
from tests.world.mailing import can_mail
from tests.world.parallel import at_once
from tests.world.provider import PASSWORD, Provider, parameters
from tests.world.waiting import comes

SEED = b"12345678901234567890"
APP = pyotp.TOTP("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
REFUSED = Sql("SELECT fields FROM audit_event WHERE name = 'factor.refused'")
PROVED = Sql("SELECT id FROM account WHERE email_verified AND email = 'ada@example.com'")
FIRST = Sql("""
INSERT INTO account (id, username, created_at, updated_at) VALUES (gen_random_uuid(), 'aaa', now(), now())
RETURNING id""")
WAITING = Sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
COUNTS = Sql("""
SELECT (SELECT count(*) FROM account) AS people, (SELECT count(*) FROM authenticator) AS authenticators,
       (SELECT count(*) FROM audit_event WHERE name = 'account.imported') AS audited""")


def carol(**changes: object) -> Person:
    given: dict[str, object] = {
        "password": hashing.hashed(),
        "phones": (Phone("+37256789055", verified=True),),
        "apps": (App(SEED, "Pixel"),),
        **changes,
    }
    return Person("carol", **given)  # type: ignore[arg-type] # what a test says of her


async def moves_money(provider: Provider) -> bool:
    browser = provider.browser()
    await browser.get(provider.authorize_url(scope="openid transfers:write"))
    page = await browser.submit("/password", username="carol", password=PASSWORD)
    if page.status_code == 200:
        page = await browser.submit("/totp", code=APP.at(provider.clock.now()))
    return "code" in parameters(page)


async def test_an_app_opens_what_is_strong_when_its_owner_was_told_and_the_hold_is_over(provider: Provider) -> None:
    await importing.bring(provider.idp, [carol()], Terms("kratos"))
    provider.clock.move(timedelta(days=2))
    assert not await moves_money(provider)  # nobody was told
    await notices.tell_again(provider.idp)
    await provider.deliver()
    assert any("app" in sent.text for sent in provider.gateway.sent if "carol" not in sent.text)
    provider.clock.move(timedelta(hours=23, minutes=59))
    assert not await moves_money(provider)
    provider.clock.move(timedelta(minutes=2))
    assert await moves_money(provider)


async def test_who_cannot_be_told_of_a_hold_is_listed(provider: Provider) -> None:
    mailed = carol(phones=(), email="carol@example.com")
    for person, mail, listed in (
        (carol(phones=()), False, True),
        (carol(), False, False),
        (mailed, False, True),
        (mailed, True, False),
    ):
        if mail:
            can_mail(provider)
        done = await importing.bring(provider.idp, [person], Terms("kratos"), dry_run=True)
        assert ("end of the hold" in {each.what for each in done.left}) is listed


async def test_a_number_that_was_verified_there_is_a_second_factor_at_once(provider: Provider) -> None:
    await importing.bring(provider.idp, [carol(apps=())], Terms("kratos"))
    browser = provider.browser()
    assert "code" in parameters(await provider.sign_in(browser, "carol"))


async def test_a_number_in_a_closed_country_is_said_to_get_no_code(provider: Provider) -> None:
    far = carol(phones=(Phone("+12025550102", verified=True),))
    done = await importing.bring(provider.idp, [far], Terms("kratos"))
    assert [(each.what, "US is closed" in each.why) for each in done.left] == [("code by text message", True)]


async def test_many_imports_at_once_bring_everybody_once(provider: Provider) -> None:
    for _ in range(5):
        await provider.idp.db.one(Sql("DELETE FROM account"))
        await provider.idp.db.one(Sql("DELETE FROM audit_event"))
        people = [Person(f"p{number}", apps=(App(SEED),)) for number in range(BATCH + 20)]

        async def one(number: int, people: list[Person] = people) -> int:
            entries = people if number % 2 else people[::-1]
            return len((await importing.bring(provider.idp, entries, Terms("csv"))).people)

        assert sum(await at_once(4, one)) == len(people)
        row = await provider.idp.db.one(COUNTS)
        assert row is not None
        assert tuple(row) == (len(people), len(people), len(people))


async def test_of_many_who_come_at_once_with_one_address_one_has_proved_it(provider: Provider) -> None:
    """However they overlap: here each has begun while somebody else still has the first username of them all."""

    async def one(number: int) -> bool:
        ada = Person(f"p{number}", email="ada@example.com", email_verified=True)
        left = (await importing.bring(provider.idp, [Person("aaa"), ada], Terms("csv"))).left
        return "proved e-mail address" not in {each.what for each in left}

    async def wait() -> bool:
        return bool(await provider.idp.db.value(WAITING) == 4)

    async with provider.idp.db.transaction() as conn:
        await conn.one(FIRST)
        imports = asyncio.gather(*(one(number) for number in range(4)))
        await comes(wait)
    assert sum(await imports) == 1
    assert len(await provider.rows(PROVED)) == 1


async def test_addresses_are_one_by_the_case_of_ascii_letters_alone(provider: Provider) -> None:
    people = [
        Person("one", email="IVY@example.com", email_verified=True),
        Person("two", email="ivy@EXAMPLE.com", email_verified=True),
        Person("three", email="İVY@example.com", email_verified=True),
        Person("four", email="\u0131vy@example.com", email_verified=True),
    ]
    done = await importing.bring(provider.idp, people, Terms("csv"))
    lost = [each.who for each in done.left if each.what == "proved e-mail address"]
    assert lost == ["two"]
    later = [Person("five", email="ivy@example.com", email_verified=True)]
    for dry_run in (True, False):
        done = await importing.bring(provider.idp, later, Terms("csv"), dry_run=dry_run)
        assert [each.who for each in done.left if each.what == "proved e-mail address"] == ["five"]


async def test_many_people_are_few_statements(provider: Provider) -> None:
    people = [Person(f"p{number}", apps=(App(SEED),)) for number in range(3 * BATCH - 1)]
    provider.count()
    done = await importing.bring(provider.idp, people, Terms("csv"))
    assert len(done.people) == len(people)
    assert len(provider.statements) == 1 + 3  # the clients that are there, and one for each batch


async def test_who_comes_without_password_is_listed_and_signs_in_with_none(provider: Provider) -> None:
    done = await importing.bring(provider.idp, [Person("dora", unlike="{SSHA} is weak")], Terms("ldif"))
    assert Left("dora", "password", "{SSHA} is weak: invite them with `idp user invite`") in done.left
    await totp_ticket(provider.idp, "dora")
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    assert (await browser.submit("/password", username="dora", password=PASSWORD)).status_code == 400


async def test_one_person_twice_in_a_file_comes_once(provider: Provider) -> None:
    same_id = (await accounts.by_username(provider.idp.db, username="alice") or (None,))[0]
    assert same_id is not None
    entries = [
        Person("Eve", email="eve@example.com", email_verified=True),
        Person("eve"),
        Person("fred", email="EVE@example.com", email_verified=True),
        Person("gina", id=same_id.id),
        Person("has space"),
    ]
    done = await importing.bring(provider.idp, entries, Terms("csv"))
    assert done.people == ("eve", "fred")
    assert done.people_there == ("gina",)
    why = {(each.who, each.what) for each in done.left}
    assert {("eve", "the person"), ("fred", "proved e-mail address"), ("has space", "the person")} <= why


def test_hashes_of_django_are_read_by_their_inside() -> None:
    argon2, bcrypt = "argon2id$v=19$m=64,t=1,p=1$c2FsdA$aGFzaA", "2b$12$" + "a" * 53
    assert stored(f"argon2${argon2}") == f"${argon2}"
    assert stored(f"bcrypt$${bcrypt}") == f"${bcrypt}"


async def test_people_may_go_on_typing_their_address(provider: Provider) -> None:
    people = [carol(email="Carol@example.com"), Person("dora")]
    done = await importing.bring(provider.idp, people, Terms("keycloak", email_as_username=True))
    assert done.people == ("carol@example.com", "dora")
    browser = provider.browser()
    assert "code" in parameters(await provider.sign_in(browser, "CAROL@example.com"))


async def test_who_came_without_password_sets_one_by_an_invitation(provider: Provider) -> None:
    person = carol(password=None, phones=(), apps=(), email="carol@example.com")
    await importing.bring(provider.idp, [person], Terms("ldif"))
    invited = await invite(provider.idp, username="carol", mail=False, email="carol@example.com")
    assert invited.address is not None
    browser = provider.browser()
    path = invited.address.removeprefix(provider.idp.issuer)
    await browser.get(path)
    await browser.submit(path)
    await browser.get("/welcome/password")
    await browser.submit("/welcome/password", password="violet hammock 41 rain", repeat="violet hammock 41 rain")
    found = await accounts.by_username(provider.idp.db, username="carol")
    assert found is not None
    assert await accounts.password_hash(provider.idp.db, account_id=found[0].id) is not None


@pytest.mark.parametrize(
    ("changes", "typed", "kept_out"),
    [
        ({"phones": (), "apps": ()}, PASSWORD, "no_second_factor"),
        ({"disabled": True}, PASSWORD, "disabled"),
        ({"temporary": True}, PASSWORD, "expired"),
        ({"phones": (), "apps": ()}, "violet hammock 41 rain", None),
        ({}, "violet hammock 41 rain", None),
    ],
)
async def test_the_audit_trail_tells_a_right_password_from_a_wrong_one_and_the_page_does_not(
    provider: Provider, changes: dict[str, object], typed: str, kept_out: str | None
) -> None:
    await importing.bring(provider.idp, [carol(**changes)], Terms("kratos"))
    provider.clock.move(timedelta(days=30))
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    page = await browser.submit("/password", username="carol", password=typed)
    assert page.status_code == 400
    ((fields,),) = await provider.rows(REFUSED)
    assert fields.get("kept_out") == kept_out
