"""What an import says: each thing once, and nothing of what it did not do."""

import json
from typing import Any

from idp.flows.operate import importing
from idp.flows.operate.arriving import Terms
from idp.flows.operate.exporting import export
from idp.importing import envelope, stile
from idp.importing.envelope import Secrets
from idp.importing.incoming import App, Left, Person
from idp.importing.sources import READERS
from idp.store.sql import Sql
from tests.world.authenticator import Key, keep
from tests.world.provider import Provider

SEED = b"12345678901234567890"
IMPORTED = Sql("SELECT fields FROM audit_event WHERE name = 'account.imported' ORDER BY id")
THEIRS = Sql("""
SELECT t.factor FROM authenticator t JOIN account a ON a.id = t.account_id WHERE a.username = :username
ORDER BY t.factor""")


async def test_a_username_that_is_in_a_table_several_times_is_listed_once(provider: Provider) -> None:
    table = b"username,groups,totp\nAda,nobody,no secret\nada,nobody,no secret\nADA,else,no secret\n"
    done = await importing.bring(provider.idp, list(READERS["csv"](table)), Terms("csv"))
    assert done.people == ("ada",)
    assert [each for each in done.left if each.what == "the person"] == [
        Left("ada", "the person", "the file has this username twice")
    ]
    of_the_first = {(each.who, each.what) for each in done.left} - {("ada", "the person")}
    assert of_the_first == {
        ("ada", what) for what in ("group nobody", "authenticator app", "password", "second factor")
    }
    assert len(done.left) == 5


async def test_of_who_was_there_nothing_was_left_behind_however_it_is_written(provider: Provider) -> None:
    table = b"username,groups,totp\nALICE,nobody,no secret\n"
    done = await importing.bring(provider.idp, list(READERS["csv"](table)), Terms("csv"))
    assert (done.people_there, done.left) == (("alice",), ())


async def test_an_agreement_that_does_not_come_is_said(provider: Provider) -> None:
    agreed = Person("carol", apps=(App(SEED),), consents={"bank": ("openid", "salaries"), "gone": ("openid",)})
    done = await importing.bring(provider.idp, [agreed], Terms("keycloak"))
    what = {each.what for each in done.left}
    assert {"consent for gone", "consent for bank: salaries"} <= what


async def written(provider: Provider) -> list[dict[str, Any]]:
    return [json.loads(line) async for line in export(provider.idp, envelope.new(Secrets.CLEAR, None))]


async def test_an_authenticator_that_somebody_has_already_is_listed_and_not_said_to_have_come(
    provider: Provider,
) -> None:
    await keep(provider, Key())
    found = await written(provider)
    for line in found:
        if (person := line.get("person")) is not None:
            person["id"] = str(person["id"]).replace(person["id"][:4], "0000")
            person["username"] += "-again"
            person["email_verified"] = False
    renamed = "".join(json.dumps(line) + "\n" for line in found).encode()
    for dry_run in (True, False):
        rp_id, kept = stile.read(renamed, passphrase=None, now=provider.clock.now())
        done = await importing.bring(provider.idp, kept, Terms("stile"), rp_id=rp_id, dry_run=dry_run)
        assert done.people == ("alice-again", "bob-again")
        lost = sorted(each.what for each in done.left if "somebody has it already" in each.why)
        assert lost == ["passkey", "recovery", "sms", "sms", "totp"]
    assert [(row["factors"], row["held"]) for (row,) in await provider.rows(IMPORTED)] == [([], []), ([], [])]
    assert await provider.rows(THEIRS, username="alice-again") == []


async def test_a_passkey_that_is_in_a_file_twice_comes_once(provider: Provider) -> None:
    await keep(provider, Key())
    found = await written(provider)
    (alice,) = [line for line in found if line.get("person", {}).get("username") == "alice"]
    alice["person"]["authenticators"] = [a for a in alice["person"]["authenticators"] if a["factor"] == "passkey"]
    alice.pop("secrets")
    other = json.loads(json.dumps(alice).replace(alice["person"]["id"], "00000000-0000-4000-8000-000000000001"))
    other["person"]["username"] = "other"
    other["person"]["authenticators"][0]["id"] = "00000000-0000-4000-8000-000000000002"
    lines = [found[0], alice, other, {"end": {"people": 2, "clients": 0}}]
    await provider.idp.db.one(Sql("DELETE FROM account"))
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    rp_id, kept = stile.read(content, passphrase=None, now=provider.clock.now())
    done = await importing.bring(provider.idp, kept, Terms("stile"), rp_id=rp_id)
    assert done.people == ("alice", "other")
    assert ("other", "passkey") in {(each.who, each.what) for each in done.left}
    assert await provider.rows(THEIRS, username="other") == []
