"""An export brought back: everybody signs in as before, nothing is lifted, and what is sealed stays sealed."""

import hashlib
import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pyotp
import pytest

from idp.crypto import KeyChain, SecretKey, random_bytes
from idp.flows.operate import exporting, importing
from idp.flows.operate.arriving import Terms
from idp.flows.operate.client_changes import edit_client
from idp.flows.operate.exporting import export
from idp.flows.operate.importing import Imported
from idp.flows.operate.people import freeze_user
from idp.flows.operate.permitting import NotPermitted
from idp.flows.operate.secrets import new_client_secret
from idp.importing import envelope, keycloak, stile
from idp.importing.document import Object
from idp.importing.envelope import Secrets
from idp.importing.incoming import Unreadable
from idp.importing.written import Kept, person_line, read_person
from idp.model import NOBODY, OPERATOR, Account, AppCodes, Authenticator, Factor, Passkey, Registration
from idp.store.people import accounts
from idp.store.sql import Sql
from idp.store.tokens import clients
from tests.world import databases
from tests.world.authenticator import Key, keep, options_in
from tests.world.provider import PASSWORD, Provider, parameters

REALM = Path(__file__).with_name("harbour.json")
PASSPHRASE = "seven boats in a row"
PASSWORDS = {"anna": "Harbour-Anna-1", "bruno": "Harbour-Bruno-2"}
APPS = {
    "anna": pyotp.TOTP("OBQTK4LDJZQXOTTSMVCW2V3UJVUGGMLW"),
    "bruno": pyotp.TOTP("MJDTGRRYMJCVI4TUGNIXC5BUNRTW4R2J", digits=8, digest=hashlib.sha256, interval=60),
}
AGREED = Sql(
    "INSERT INTO consent (account_id, client_id, scopes, granted_at) SELECT id, 'notes', '{openid}', now() FROM account"
)
RENAMED = Sql("UPDATE account SET username = CASE WHEN username < 'c' THEN 'z-' ELSE 'a-' END || username")
AUDITED = Sql("SELECT fields FROM audit_event WHERE name = 'everything.exported'")


async def lines(provider: Provider, secrets: Secrets = Secrets.CLEAR) -> list[dict[str, Any]]:
    way = envelope.new(secrets, PASSPHRASE if secrets is Secrets.SEALED else None)
    return [json.loads(line) async for line in export(provider.idp, way)]


def text(found: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in found).encode()


async def bring_back(provider: Provider, content: bytes, passphrase: str | None = None) -> Imported:
    """Into an empty provider with other keys."""
    await databases.empty(provider.idp.db._url)
    provider.idp.secrets = KeyChain([SecretKey("other", random_bytes(32))])
    rp_id, kept = stile.read(content, passphrase=passphrase, now=provider.clock.now())
    done = await importing.bring(provider.idp, list(kept), Terms("stile"), rp_id=rp_id)
    provider.idp.clients = {each.id: each for each in await clients.all_clients(provider.idp.db)}
    return done


def same(found: list[dict[str, Any]]) -> list[Any]:
    """But for when it was made."""
    return [found[0] | {"made_at": None}, *found[1:]]


@pytest.fixture
async def full(provider: Provider) -> Provider:
    """People with everything there is."""
    await importing.bring(provider.idp, list(keycloak.read(REALM.read_bytes())), Terms("keycloak"))
    await provider.idp.db.one(AGREED)
    await edit_client(provider.idp, "notes", {"level": "strong"})
    await new_client_secret(provider.idp, "notes", keep_old=timedelta(days=7))
    return provider


@pytest.mark.parametrize("secrets", [Secrets.CLEAR, Secrets.SEALED])
async def test_everything_comes_back_as_it_was(full: Provider, secrets: Secrets) -> None:
    before, sealed = await lines(full), await lines(full, secrets)
    assert before[-1] == {"end": {"people": 8, "clients": 5, "unopened": 0}}
    done = await bring_back(full, text(sealed), PASSPHRASE if secrets is Secrets.SEALED else None)
    assert done.left == ()
    assert len(done.people) == 8
    assert same(await lines(full)) == same(before)
    (notes,) = [line for line in before if line.get("client", {}).get("id") == "notes"]
    assert notes["client"]["level"] == "strong"
    assert notes["client"]["old_secret_until"]
    assert len(notes["secrets"]["old_secret_hash"]) == 64


def test_whatever_is_added_to_a_person_is_written_or_left_out_on_purpose() -> None:
    """A freeze, a hold or a doubt that an export forgot would be lifted by bringing it back."""
    at = datetime(2026, 1, 15, 12, tzinfo=UTC)
    app = Authenticator(UUID(int=2), UUID(int=1), Factor.TOTP, "a", "b", at, at)
    account = Account(UUID(int=1), "ada", at, at)
    for whole, left_out in (
        (account, {"created_at", "updated_at", "provisional_until", "invited"}),  # the last follows from the password
        (
            app,
            # anew with the import, of somebody else, sealed for other keys, or of no use elsewhere
            {"account_id", "created_at", "confirmed_at", "enrolled_in", "last_used_at", "closed_at", "remaining"}
            | {"number_key", "seed", "checked_at"},
        ),
    ):
        given = {each.name: _something(each.name, at) for each in fields(whole) if each.name not in left_out}
        filled = replace(whole, **{name: value for name, value in given.items() if value is not None})
        kept = Kept(filled) if isinstance(filled, Account) else Kept(account, (filled,))
        line, secrets = person_line(kept)
        read = read_person(Object(json.loads(json.dumps(line))), Object(secrets), now=at)
        back = read.account if isinstance(filled, Account) else read.authenticators[0]
        assert {name: getattr(back, name) for name in given} == {name: getattr(filled, name) for name in given}


def _something(name: str, at: datetime) -> Any:
    """A value that is not the usual, of the type that the field has."""
    return {
        "name": "Ada",
        "email": "ada@example.com",
        "email_verified": True,
        "groups": frozenset({"treasury"}),
        "claims": {"nickname": "a"},
        "locale": "et",
        "prefers": Factor.TOTP,
        "disabled": True,
        "label": "Pixel",
        "hint": "old",
        "last_step": 5,
        "hold": None,
        "codes": AppCodes("SHA256", 8),
        "passkey": Passkey(b"a", b"b", 1, eligible=True, copied=True, attested=True, transports=("usb",), aaguid="x"),
    }.get(name, None if name in {"id", "username", "factor"} else at + timedelta(days=len(name)))


async def test_who_is_given_another_username_meanwhile_is_in_it_once(
    full: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "BATCH", 2)
    found: list[str] = []
    async for line in export(full.idp, envelope.new(Secrets.NONE, None)):
        if (person := json.loads(line).get("person")) is not None:
            found.append(person["id"])
        if len(found) == 1:
            await full.idp.db.one(RENAMED)
    assert sorted(found) == sorted(str(row[0]) for row in await full.rows(Sql("SELECT id FROM account")))


async def test_people_and_applications_go_on_as_before(full: Provider) -> None:
    await bring_back(full, text(await lines(full, Secrets.SEALED)), PASSPHRASE)
    browser = full.browser()
    await full.half_way(browser)
    await browser.submit("/totp", code=full.totp())
    page = await browser.get(full.authorize_url(scope="openid transfers:write"))
    assert "authenticator app" in page.text  # it is trusted, as it was
    other = full.browser()
    await other.get(full.authorize_url())
    await other.submit("/password", username="alice", password=PASSWORD)
    await other.get(f"{other.page.url.path}/recovery" if other.page else "")
    answer = await other.submit("/recovery", code=full.saved["alice"][0])
    assert (await full.redeem(parameters(answer)["code"])).status_code == 200
    text_message = full.browser()
    assert "code" in parameters(await full.sign_in(text_message, "bob"))


async def test_two_moves_carry_everybody_and_nothing_is_good_twice(full: Provider) -> None:
    """What was used up before a move is used up after it, what was issued before is good nowhere, and the rest goes on.

    Sealed, to other keys and on to others, before anybody from Keycloak signed in: with the hashes that Keycloak made.
    """
    first = full.browser()
    await first.get(full.authorize_url(scope="openid"))
    await first.submit("/password", username="alice", password=PASSWORD)
    app_code = full.totp()
    given = (await full.redeem(parameters(await first.submit("/totp", code=app_code))["code"])).json()
    used, *unused = full.saved["alice"]
    assert "code" in parameters(await with_saved(full, used))
    for _ in range(2):
        done = await bring_back(full, text(await lines(full, Secrets.SEALED)), PASSPHRASE)
        assert (done.left, len(done.people)) == ((), 8)
    # Nothing that was there is good here.
    assert "/password" in (await first.get(full.authorize_url())).text
    assert await full.introspect(given["access_token"]) == {"active": False}
    replayed = full.browser()
    await full.half_way(replayed)
    assert "used already" in (await replayed.submit("/totp", code=app_code)).text
    assert (await with_saved(full, used)).status_code == 400
    # All that is theirs is.
    assert "code" in parameters(await replayed.submit("/totp", code=full.totp(after=timedelta(seconds=30))))
    assert "code" in parameters(await with_saved(full, unused[0]))
    for who, app in APPS.items():
        browser = full.browser()
        await browser.get(full.authorize_url())
        await browser.submit("/password", username=who, password="Harbour-Nobody-0")
        await browser.submit("/password", username=who, password=PASSWORDS[who])
        code = parameters(await browser.submit("/totp", code=app.at(full.clock.now())))["code"]
        assert (await full.redeem(code)).status_code == 200  # with the secret that the application had
    assert (await full.token("bank", grant_type="authorization_code", code="x")).json()["error"] == "invalid_grant"
    full.secrets["bank"] += "x"
    assert (await full.token("bank", grant_type="authorization_code", code="x")).status_code == 401


async def with_saved(provider: Provider, code: str) -> httpx.Response:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    await browser.submit("/password", username="alice", password=PASSWORD)
    await browser.get(f"{browser.page.url.path}/recovery" if browser.page else "")
    return await browser.submit("/recovery", code=code)


async def test_an_app_of_eight_digits_and_its_hold_come_back(full: Provider) -> None:
    await bring_back(full, text(await lines(full)))
    found = await accounts.by_username(full.idp.db, username="bruno")
    assert found is not None
    (app,) = found[1]
    assert (app.codes, app.hold) == (AppCodes("SHA256", 8, timedelta(seconds=60)), timedelta(days=1))


async def test_a_passkey_comes_back_where_it_works_and_nowhere_else(provider: Provider) -> None:
    key = Key()
    await keep(provider, key)
    found = await lines(provider)
    elsewhere = await bring_back(provider, text([found[0] | {"rp_id": "other.example.com"}, *found[1:]]))
    assert [each.why for each in elsewhere.left if each.what == "passkey"] != []
    here = await bring_back(provider, text(found))
    assert here.left == ()
    browser = provider.browser()
    options = options_in((await browser.get(provider.authorize_url())).text)
    answer = await browser.submit("/with-passkey", code=json.dumps(key.answer(options)))
    assert "code" in parameters(answer)


async def test_a_frozen_account_comes_back_frozen(full: Provider) -> None:
    await freeze_user(full.idp, "alice")
    await bring_back(full, text(await lines(full)))
    found = await accounts.by_username(full.idp.db, username="alice")
    assert found is not None
    assert found[0].frozen_at == full.clock.now()


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_time_that_could_not_be_read_again_is_none(full: Provider, at: str) -> None:
    (alice,) = [line["person"] for line in await lines(full) if line.get("person", {}).get("username") == "alice"]
    with pytest.raises(Unreadable, match="strong_from is no time"):
        read_person(Object(alice | {"strong_from": at}, "person"), Object({}), now=full.clock.now())


@pytest.mark.parametrize("secrets", [Secrets.NONE, Secrets.SEALED])
async def test_no_secret_is_in_it_unless_in_clear(full: Provider, secrets: Secrets) -> None:
    clear, found = text(await lines(full)).decode(), text(await lines(full, secrets)).decode()
    for secret in ("$argon2", "$pbkdf2", full.seeds["alice"].hex(), b"pa5qcNawNreEmWtMhc1v".hex()):
        assert secret in clear
        assert secret not in found


async def test_without_secrets_people_come_without_password(full: Provider) -> None:
    done = await bring_back(full, text(await lines(full, Secrets.NONE)))
    assert len(done.people) == 8
    what = {each.what for each in done.left if each.who == "alice"}
    assert what == {"password", "totp", "recovery", "consent for notes"}
    assert [each.why for each in done.left if each.who == "client bank"] != []


async def test_a_group_that_the_policy_lost_is_said_and_closes_no_client(provider: Provider) -> None:
    bank = provider.idp.clients["bank"]
    await clients.change(provider.idp.db, replace(bank, groups=frozenset({"gone"})))
    done = await bring_back(provider, text(await lines(provider)))
    assert done.clients == ("notes",)
    assert "anybody could use it" in next(each.why for each in done.left if each.who == "client bank")


async def test_an_export_is_in_the_audit_trail_before_anything_is_given_out(provider: Provider) -> None:
    way = envelope.new(Secrets.CLEAR, None)
    async for _ in export(provider.idp, way):
        break
    assert await provider.rows(AUDITED) == [({"secrets": "clear", "by": "operator"},)]


async def test_nobody_from_outside_exports_or_imports(provider: Provider) -> None:
    token = OPERATOR.set(NOBODY)
    try:
        with pytest.raises(NotPermitted):
            await lines(provider)
        with pytest.raises(NotPermitted):
            await importing.bring(provider.idp, [], Terms("csv"))
    finally:
        OPERATOR.reset(token)


async def test_a_wrong_passphrase_and_what_was_changed_are_refused(full: Provider) -> None:
    sealed = await lines(full, Secrets.SEALED)
    for passphrase, said in ((None, "sealed"), ("another passphrase", "not the one")):
        with pytest.raises(Unreadable, match=said):
            stile.read(text(sealed), passphrase=passphrase, now=full.clock.now())
    with pytest.raises(Unreadable, match="how the secrets were sealed"):
        stile.read(text([sealed[0] | {"salt": "00"}, *sealed[1:]]), passphrase=PASSPHRASE, now=full.clock.now())


def _promoted(line: dict[str, Any]) -> None:
    line["person"]["groups"] = ["treasury"]


def _readdressed(line: dict[str, Any]) -> None:
    line["person"]["email"] = "mallory@example.com"


def _with_another_hash(line: dict[str, Any]) -> None:
    line["secrets"] = {"password_hash": "$argon2id$of-somebody-else"}


@pytest.mark.parametrize("change", [_promoted, _readdressed, _with_another_hash])
async def test_a_line_that_was_changed_is_noticed_before_anything_is_stored(full: Provider, change: Any) -> None:
    sealed = await lines(full, Secrets.SEALED)
    change(next(line for line in sealed if line.get("person", {}).get("username") == "bob"))
    with pytest.raises(Unreadable, match="changed after it was made"):
        await bring_back(full, text(sealed), PASSPHRASE)
    assert await full.rows(Sql("SELECT id FROM account")) == []


async def test_nothing_is_moved_added_taken_away_or_unsealed_unnoticed(full: Provider) -> None:
    sealed, clear = await lines(full, Secrets.SEALED), await lines(full)
    people = [place for place, line in enumerate(sealed) if "person" in line]
    one, two = people[:2]
    moved = [*sealed]
    moved[one], moved[two] = moved[two], moved[one]
    counted = sealed[-1] | {"end": sealed[-1]["end"] | {"people": 7}}
    swapped = [*sealed]
    swapped[one] = sealed[one] | {"sealed": sealed[two]["sealed"]}
    changed = (
        moved,
        swapped,
        [*sealed[:one], *sealed[one + 1 : -1], counted],
        [*sealed[:one], sealed[one], sealed[one], *sealed[one + 2 :]],
        [sealed[0] | {"rp_id": "other.example.com"}, *sealed[1:]],
        [*sealed[:-1], {"end": sealed[-1]["end"]}],
        [*sealed[:-1], sealed[-1] | {"mac": "é"}],
        clear,  # and so the seal was taken off
    )
    for found in changed:
        with pytest.raises(Unreadable):
            stile.read(text(found), passphrase=PASSPHRASE, now=full.clock.now())


@pytest.mark.parametrize("secrets", [Secrets.CLEAR, Secrets.SEALED])
@pytest.mark.parametrize("what", ["person", "client", "name"])
async def test_the_last_line_vouches_and_brings_nobody(full: Provider, secrets: Secrets, what: str) -> None:
    """It is the one line for which nothing vouches: whoever came in it would be anybody's."""
    found, passphrase = await lines(full, secrets), PASSPHRASE if secrets is Secrets.SEALED else None
    brought: dict[str, Any] = {
        "person": {"id": str(UUID(int=7)), "username": "mallory", "groups": ["treasury"], "email_verified": True},
        "client": next(line for line in found if "client" in line)["client"] | {"id": "mallory", "name": "Mallory"},
        "name": "mallory",
    }
    end = found[-1]["end"]
    counts = end | {"people": end["people"] + (what == "person"), "clients": end["clients"] + (what == "client")}
    with pytest.raises(Unreadable, match="more than counts"):
        await bring_back(full, text([*found[:-1], found[-1] | {"end": counts, what: brought[what]}]), passphrase)
    assert await full.rows(Sql("SELECT id FROM account")) == []


async def test_an_export_that_is_not_whole_is_refused(full: Provider) -> None:
    found = await lines(full)
    for cut in (found[:-1], [*found[:3], found[-1]], found[1:], [found[0] | {"version": 3}, *found[1:]], []):
        with pytest.raises(Unreadable):
            stile.read(text(cut), passphrase=None, now=full.clock.now())


@pytest.mark.parametrize("secrets", [Secrets.CLEAR, Secrets.SEALED])
async def test_where_an_export_was_cut_off_is_said(full: Provider, secrets: Secrets) -> None:
    whole, passphrase = text(await lines(full, secrets)), PASSPHRASE if secrets is Secrets.SEALED else None
    ends = [place for place, byte in enumerate(whole) if byte == ord("\n")]
    for line, end in enumerate(ends[:-1], 1):
        for content, said in (
            (whole[: end + 1], f"it ends at line {line},"),
            (whole[: end + 30], f"Line {line + 1} cannot be read"),
        ):
            with pytest.raises(Unreadable, match=said):
                stile.read(content, passphrase=passphrase, now=full.clock.now())
    with pytest.raises(Unreadable, match="goes on after its last line"):
        stile.read(whole + b"{}\n", passphrase=passphrase, now=full.clock.now())


async def test_every_value_may_be_of_the_wrong_type(full: Provider) -> None:
    """A sentence, or something that is judged: nothing of it is stored but whole people."""
    found = [line for line in await lines(full) if "client" in line or "person" in line]
    wrongs: tuple[Any, ...] = (None, 7, -1.5, 10**18, 10**30, True, "x", [], [7], {}, {"x": 7})
    for line in found[:1] + [each for each in found if "bruno" in str(each) or "alice" in str(each)]:
        for part in line.values():
            for holder in (part, *part.get("authenticators", []), part.get("codes", {})):
                for name in list(holder):
                    kept = holder[name]
                    for wrong in wrongs:
                        holder[name] = wrong
                        await _try(full, line)
                    holder[name] = kept


async def _try(provider: Provider, line: dict[str, Any]) -> None:
    head = {"stile": "export", "version": 2, "secrets": "clear"}
    end = {"end": {"people": int("person" in line), "clients": int("client" in line)}}
    try:
        kept: list[Kept | Registration] = list(
            stile.read(text([head, line, end]), passphrase=None, now=provider.clock.now())[1]
        )
    except Unreadable:
        return
    await importing.bring(provider.idp, kept, Terms("stile"))
