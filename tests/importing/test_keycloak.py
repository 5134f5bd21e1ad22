"""A realm of Keycloak's: its people sign in here with what they had there, and what does not come over is said."""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest

from idp.factors import password as passwords
from idp.flows.operate import importing
from idp.flows.operate.arriving import Terms
from idp.flows.operate.authenticators import totp_ticket
from idp.flows.operate.importing import Imported
from idp.flows.operate.people import set_user_disabled
from idp.importing import keycloak
from idp.importing.incoming import Left, Person, Unreadable
from idp.policy import load_policy
from idp.store.people import accounts
from idp.store.sql import Sql
from idp.store.tokens import clients
from tests.world.policies import OURS
from tests.world.provider import Browser, Provider, claims, parameters

REALM = Path(__file__).with_name("harbour.json")
PASSWORDS = {
    "anna": "Harbour-Anna-1",
    "bruno": "Harbour-Bruno-2",
    "carla": "Harbour-Carla-3",
    "dario": "Harbour-Dario-4",
    "elena": "Harbour-Elena-5",
    "farid": "Harbour-Farid-6ü",
}
ANNA, BRUNO = "OBQTK4LDJZQXOTTSMVCW2V3UJVUGGMLW", "MJDTGRRYMJCVI4TUGNIXC5BUNRTW4R2J"
GROUPS = '[groups]\nCustomers = { level = "two_factor" }\ntreasury = { level = "strong" }\n'
POLICY = load_policy(OURS.replace("[groups]\n", GROUPS))
STORED = Sql("SELECT username, password_hash FROM account ORDER BY username")
AUDITED = Sql("SELECT name, fields FROM audit_event WHERE name IN ('account.imported', 'client.changed') ORDER BY id")


def realm(change: Callable[[dict[str, Any]], object] = lambda _: None) -> bytes:
    found = json.loads(REALM.read_bytes())
    change(found)
    return json.dumps(found).encode()


async def bring(provider: Provider, content: bytes = REALM.read_bytes(), **said: Any) -> Imported:
    dry_run = said.pop("dry_run", False)
    return await importing.bring(provider.idp, list(keycloak.read(content)), Terms("keycloak", **said), dry_run=dry_run)


def left_of(done: Imported, who: str) -> dict[str, str]:
    return {each.what: each.why for each in done.left if each.who == who}


async def typed(provider: Provider, browser: Browser, who: str, password: str | None = None) -> httpx.Response:
    await browser.get(provider.authorize_url())
    return await browser.submit("/password", username=who, password=password or PASSWORDS[who])


async def hashes(provider: Provider) -> dict[str, str]:
    return dict(await provider.rows(STORED))


async def test_everybody_signs_in_with_the_password_they_had(provider: Provider) -> None:
    done = await bring(provider, vouch_phones=True, vouch_totp=True)
    assert done.people == tuple(PASSWORDS)
    await set_user_disabled(provider.idp, "dario", disabled=False)
    apps = {"anna": pyotp.TOTP(ANNA), "bruno": pyotp.TOTP(BRUNO, digits=8, digest=hashlib.sha256, interval=60)}
    for who in sorted(set(PASSWORDS) - set(apps)):  # an operator's ticket, for who has nothing that comes over
        apps[who] = pyotp.TOTP((await totp_ticket(provider.idp, who)).secret.replace(" ", ""))
    for who in PASSWORDS:
        browser = provider.browser()
        await typed(provider, browser, who)
        answer = await browser.submit("/totp", code=apps[who].at(provider.clock.now()))
        if who == "dario":  # whose password an administrator knew
            assert answer.status_code == 200
            answer = await browser.submit(
                "/new-password", password="violet hammock 41 rain", repeat="violet hammock 41 rain"
            )
        found = claims((await provider.redeem(parameters(answer)["code"])).json()["id_token"])
        assert found["amr"] == ["pwd", "otp", "mfa"]


@pytest.mark.parametrize("who", ["anna", "bruno", "carla", "farid"])
async def test_a_hash_is_made_anew_by_the_first_right_password_and_by_no_other(provider: Provider, who: str) -> None:
    await bring(provider, vouch_phones=True)
    if who != "anna":
        await totp_ticket(provider.idp, who)
    before = (await hashes(provider))[who]
    await typed(provider, provider.browser(), who, "Harbour-Nobody-1")
    assert (await hashes(provider))[who] == before
    await typed(provider, provider.browser(), who)
    after = (await hashes(provider))[who]
    assert passwords.needs_rehash(passwords.Password(PASSWORDS[who]), hashed=before)
    assert not passwords.needs_rehash(passwords.Password(PASSWORDS[who]), hashed=after)
    await typed(provider, provider.browser(), who)
    assert (await hashes(provider))[who] == after


async def test_people_keep_the_id_that_applications_know_them_by(provider: Provider) -> None:
    await bring(provider)
    found = await accounts.by_username(provider.idp.db, username="anna")
    assert found is not None
    assert str(found[0].id) == "02c459f9-2c7e-44b4-b32a-287d8a0812ca"
    assert (found[0].name, found[0].email, found[0].email_verified) == ("Anna Tamm", "anna@example.com", True)
    assert found[0].locale == "et"
    assert found[0].claims == {"given_name": "Anna", "family_name": "Tamm"}


async def test_an_app_is_on_hold_unless_the_operator_vouches(provider: Provider) -> None:
    done = await bring(provider)
    assert done.held == 2
    browser = provider.browser()
    await typed(provider, browser, "anna")
    await browser.submit("/totp", code=pyotp.TOTP(ANNA).at(provider.clock.now()))
    page = await browser.get(provider.authorize_url(scope="openid transfers:write"))
    assert parameters(page)["error"] == "unmet_authentication_requirements"


async def test_an_app_that_the_operator_vouches_for_opens_what_is_strong(provider: Provider) -> None:
    assert (await bring(provider, vouch_totp=True)).held == 0
    browser = provider.browser()
    await typed(provider, browser, "anna")
    await browser.submit("/totp", code=pyotp.TOTP(ANNA).at(provider.clock.now()))
    provider.clock.move(timedelta(seconds=30))
    await browser.get(provider.authorize_url(scope="openid transfers:write"))
    answer = await browser.submit("/totp", code=pyotp.TOTP(ANNA).at(provider.clock.now()))
    assert "code" in parameters(answer)


async def test_an_app_of_eight_digits_is_asked_for_eight_and_once(provider: Provider) -> None:
    assert (await bring(provider, vouch_totp=True)).held == 0
    app = pyotp.TOTP(BRUNO, digits=8, digest=hashlib.sha256, interval=60)
    browser = provider.browser()
    page = await typed(provider, browser, "bruno")
    assert "8 numbers from the app “<bdi>Bruno app</bdi>”. They change every 60 seconds." in page.text
    for wrong in (app.at(provider.clock.now())[2:], ""):
        page = await browser.submit("/totp", code=wrong)
        assert "Enter all the numbers that your authenticator app shows" in page.text
        assert "tries left" not in page.text
    answer = await browser.submit("/totp", code=app.at(provider.clock.now() - timedelta(seconds=60)))
    assert "code" in parameters(answer)
    other = provider.browser()
    await typed(provider, other, "bruno")
    page = await other.submit("/totp", code=app.at(provider.clock.now() - timedelta(seconds=60)))
    assert page.status_code == 400
    assert "code" in parameters(await other.submit("/totp", code=app.at(provider.clock.now())))


async def test_a_number_that_nobody_vouches_for_is_no_second_factor(provider: Provider) -> None:
    done = await bring(provider)
    assert "code came back" in left_of(done, "bruno")["phone"]
    found = await accounts.by_username(provider.idp.db, username="bruno")
    assert found is not None
    assert [each.factor for each in found[1] if each.factor == "sms"] == []


async def test_only_groups_of_the_policy_come_and_none_by_its_last_name(provider: Provider) -> None:
    provider.idp.policy = POLICY
    done = await bring(provider)
    assert done.groups == (("Customers", 2),)
    assert '"Staff/Treasury" = { level = "two_factor" }' in left_of(done, "anna")["group /Staff/Treasury"]
    await provider.idp.db.one(Sql("DELETE FROM account WHERE username = 'anna'"))
    done = await bring(provider, groups={"/Staff/Treasury": "treasury"})
    assert done.groups == (("treasury", 1),)


async def test_a_path_that_two_groups_have_puts_nobody_anywhere(provider: Provider) -> None:
    def two(found: dict[str, Any]) -> None:
        found["groups"].append({"name": "Staff/Treasury", "subGroups": []})

    provider.idp.policy = POLICY
    done = await bring(provider, realm(two), groups={"/Staff/Treasury": "treasury"})
    assert "two groups" in left_of(done, "anna")["group /Staff/Treasury"]
    assert done.groups == (("Customers", 2),)


async def test_clients_come_with_their_secrets_and_what_can_be_registered_byte_for_byte(provider: Provider) -> None:
    done = await bring(provider)
    assert done.clients == ("robot", "shop", "wild")
    left = left_of(done, "client wild")
    assert {what for what in left if what.startswith("redirect URI")} == {
        "redirect URI https://wild.example.com/*",
        "redirect URI http://localhost/*",
    }
    provider.idp.clients = {each.id: each for each in await clients.all_clients(provider.idp.db)}
    assert left["redirect URI https://wild.example.com/*"].endswith("with `idp client set --redirect-uri`")
    assert left["post-logout URI https://other.example.com/*"].endswith("with `idp client set --post-logout-uri`")
    never = left_of(done, "client spa")["redirect URI http://localhost:5173/*"]
    assert never.endswith("with `idp client add --redirect-uri`"), "there is no such client to set"
    shop, wild = provider.idp.clients["shop"], provider.idp.clients["wild"]
    assert shop.redirect_uris == ("https://shop.example.com/cb",)
    assert shop.post_logout_redirect_uris == ("https://shop.example.com/cb",)
    assert wild.post_logout_redirect_uris == ("https://wild.example.com/bye",)
    assert (wild.signing_alg, wild.native) == ("ES256", True)
    assert set(wild.origins) == {
        "https://wild.example.com",
        "https://other.example.com",
        "https://extra.example.com",
    }
    assert "groups" in shop.scopes  # there a mapper put them into every token
    assert {"mapper groups", "mapper amr"} <= set(left_of(done, "client shop"))
    provider.secrets |= {"shop": "shop-secret-invented-0001", "wild": "shop-secret-invented-0001"}
    assert (await provider.token("shop", grant_type="authorization_code", code="x")).json()["error"] == "invalid_grant"
    assert (await provider.token("wild", grant_type="authorization_code", code="x")).json()["error"] == "invalid_client"


async def test_what_was_there_is_left_alone_and_twice_is_once(provider: Provider) -> None:
    await provider.add_person("anna", number="+37256789047")
    mine = (await hashes(provider))["anna"]
    first = await bring(provider)
    assert first.people_there == ("anna",)
    assert left_of(first, "anna") == {}
    again = await bring(provider)
    assert again.people == ()
    assert set(again.people_there) == set(PASSWORDS)
    assert again.clients == ()
    assert (await hashes(provider))["anna"] == mine


async def test_a_dry_run_says_the_same_and_stores_nothing(provider: Provider) -> None:
    before = await hashes(provider)
    dry = await bring(provider, dry_run=True)
    assert await hashes(provider) == before
    assert await provider.rows(AUDITED) == []
    assert await bring(provider) == dry


async def test_each_person_and_client_is_in_the_audit_trail(provider: Provider) -> None:
    await bring(provider, vouch_totp=True)
    rows = await provider.rows(AUDITED)
    people = [fields for name, fields in rows if name == "account.imported"]
    assert len(people) == len(PASSWORDS)
    anna = {"source": "keycloak", "password": True, "factors": ["totp"], "held": [], "groups": [], "by": "operator"}
    assert anna in people
    assert sum(name == "client.changed" for name, _ in rows) == 3


async def test_who_has_proved_an_address_here_keeps_it_and_the_dry_run_knows(provider: Provider) -> None:
    await provider.add_person("other", email="ANNA@example.com", email_verified=True)
    dry = await bring(provider, dry_run=True)
    assert "somebody here" in left_of(dry, "anna")["proved e-mail address"]
    assert await bring(provider) == dry
    found = await accounts.by_username(provider.idp.db, username="anna")
    assert found is not None
    assert (found[0].email, found[0].email_verified) == ("anna@example.com", False)


async def test_a_client_of_a_name_that_is_taken_is_left_and_the_dry_run_knows(provider: Provider) -> None:
    await provider.add_client("other", "https://other.example.com/cb", name="Shop")
    dry = await bring(provider, dry_run=True)
    assert "exists already" in left_of(dry, "client shop")["the client"]
    assert await bring(provider) == dry


async def test_a_group_that_gives_a_role_is_said_to(provider: Provider) -> None:
    admins = '[groups]\nCustomers = { level = "strong", role = "admin" }\n'
    provider.idp.policy = load_policy(OURS.replace("[groups]\n", admins))
    assert (await bring(provider, dry_run=True)).roles == {"Customers": "admin"}


async def test_no_scope_for_operators_work_comes_with_a_file(provider: Provider) -> None:
    def ask(found: dict[str, Any]) -> None:
        for client in found["clients"]:
            client["defaultClientScopes"] = ["stile:people:write", "profile"]

    await bring(provider, realm(ask))
    every = {scope for each in await clients.all_clients(provider.idp.db) for scope in each.scopes}
    assert "profile" in every
    assert [scope for scope in every if scope.startswith("stile:")] == []


async def test_hostile_texts_are_judged_and_never_an_error_of_the_database(provider: Provider) -> None:
    def places(value: Any, path: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        match value:
            case dict():
                return [found for name, each in value.items() for found in places(each, (*path, name))]
            case list():
                return [found for at, each in enumerate(value) for found in places(each, (*path, at))]
            case _:
                return [path] if isinstance(value, str) else []

    start = json.loads(REALM.read_bytes())
    start["users"], start["clients"] = start["users"][:1], start["clients"][10:]
    before, said = await hashes(provider), set[str]()
    for path in places(start["users"], ("users",)) + places(start["clients"], ("clients",)):
        for hostile in ("\x1b[2J\x07", "a" * 70_000, "\u202ex", "\U0001f600", "9" * 30):
            found = json.loads(json.dumps(start))
            holder = found
            for step in path[:-1]:
                holder = holder[step]
            holder[path[-1]] = hostile
            try:
                entries = list(keycloak.read(json.dumps(found).encode()))
            except Unreadable as error:
                said.add(str(error))
                continue
            await importing.bring(provider.idp, entries, Terms("keycloak", vouch_phones=True))
    assert set(before) < set(await hashes(provider))
    assert [each for each in said if not each.isprintable() or len(each) > 300] == []


def test_a_secret_of_asterisks_is_none() -> None:
    def hide(found: dict[str, Any]) -> None:
        for client in found["clients"]:
            client["secret"] = "**********"

    left = [each for each in keycloak.read(realm(hide)) if isinstance(each, Left)]
    assert {each.who for each in left if "asterisks" in each.why} == {"client shop", "client wild", "client robot"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "cannot be read", id="empty"),
        pytest.param(b"\xff\xfe{\x00}\x00", "cannot be read", id="UTF-16"),
        pytest.param(b"[" * 100_000, "cannot be read", id="deep"),
        pytest.param(b'{"realm": "a", "users": [{"username": "a\\u0000b"}]}', "NUL", id="NUL"),
        pytest.param(b'{"realm": "a", "users": [{"username": "\\ud800"}]}', "half a character", id="lone surrogate"),
        pytest.param(b'{"realm": "a", "users": [], "users": []}', "twice", id="a member twice"),
        pytest.param(b'{"realm": "a", "users": 1e999}', "too large", id="infinity"),
        pytest.param(b'{"realm": "a", "users": {}}', "users is not a list", id="no list"),
        pytest.param(b'{"realm": "a", "users": [7]}', "users[0] is not an object", id="no object"),
        pytest.param(b'{"realm": "a", "users": [{"username": 7}]}', "users[0].username is not a text", id="no text"),
        pytest.param(b'{"realm": "a", "users": [{}]}', "users[0].username is missing", id="no name"),
        pytest.param(b'{"users": []}', "no realm export", id="another file"),
        pytest.param(
            b'{"realm": "a", "users": [{"username": "a", "attributes": {"phoneNumber": {}}}]}',
            "users[0].attributes.phoneNumber is not a list",
            id="attribute without a list",
        ),
    ],
)
def test_a_file_that_is_none_is_refused_by_a_sentence(content: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=re.escape(said)):
        list(keycloak.read(content))


def test_a_password_in_clear_does_not_come_and_is_not_said() -> None:
    def by_hand(found: dict[str, Any]) -> None:
        found["users"][0]["credentials"] = [{"type": "password", "value": "in-clear-1", "temporary": False}]

    (anna,) = [each for each in keycloak.read(realm(by_hand)) if isinstance(each, Person) and each.username == "anna"]
    assert anna.password is None
    assert anna.unlike is not None
    assert "in-clear-1" not in repr(anna)


def test_every_value_may_be_of_the_wrong_type() -> None:
    """Whatever stands where: a sentence or something read, and nothing else."""
    said: set[str] = set()

    def everywhere(value: Any, put: Callable[[Any], None]) -> None:
        wrongs: tuple[Any, ...] = (None, 7, 1.5, True, "x", [], [[]], {}, [{}], [7])
        for wrong in wrongs:
            put(wrong)
            try:
                read = list(keycloak.read(json.dumps(found).encode()))
            except Unreadable as error:
                said.add(str(error))
            else:
                whys = [each.why if isinstance(each, Left) else getattr(each, "unlike", None) for each in read]
                said.update(why for why in whys if why is not None and "cannot be read" in why)
        put(value)
        match value:
            case dict():
                for name in list(value):
                    everywhere(value[name], lambda new, at=name: value.__setitem__(at, new))  # type: ignore[misc] # bound
            case list() if value:
                everywhere(value[0], lambda new: value.__setitem__(0, new))

    found = json.loads(REALM.read_bytes())
    found["users"], found["clients"] = found["users"][:2], found["clients"][4:9]
    for name in ("users", "clients", "groups"):
        everywhere(found[name], lambda new, at=name: found.__setitem__(at, new))  # type: ignore[misc] # bound
    assert len(said) > 40
    assert [each for each in said if "Harbour" in each or "invented" in each] == []


def test_no_secret_of_the_file_is_said() -> None:
    said = " ".join(repr(each) for each in keycloak.read(REALM.read_bytes()))
    for secret in ("shop-secret-invented-0001", "pa5qcNawNreEmWtMhc1v", "uEXOXWpPhiXY061", "7700 900101"):
        assert secret not in said
