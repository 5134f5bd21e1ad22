"""`idp user add --from`: everybody in a table, invited at once."""

import csv
import json
import stat
from pathlib import Path

import pytest

from idp.errors import IdpError
from idp.flows.operate.batches import Batch, invite_many
from idp.flows.operate.finding import find_user, people_page
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.trail import Search, audit_page
from idp.importing.incoming import Unreadable
from idp.store.people.pages import State
from idp.store.sql import Sql
from tests.world.commands import Run
from tests.world.mailing import can_mail
from tests.world.parallel import at_once
from tests.world.provider import ISSUER, Provider

HEAD = "username,name,email,phone,locale,given_name\n"


def table(count: int, prefix: str = "p") -> bytes:
    lines = (f"{prefix}{n},Person {n},{prefix}{n}@example.com,+37256{780000 + n},et,Given {n}\n" for n in range(count))
    return (HEAD + "".join(lines)).encode()


def test_everybody_gets_a_link_in_a_file_that_nobody_else_reads(idp: Run, tmp_path: Path, person: str) -> None:
    people, links = tmp_path / "people.csv", tmp_path / "links.csv"
    people.write_bytes(table(3, person))
    tried = idp("user", "add", "--from", str(people), "--dry-run")
    assert (tried.status, tried.out) == (0, "Would invite 3 people.\n")
    done = idp("user", "add", "--from", str(people), "--out", str(links))
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"Invited 3 people.\nThe links are in {links}, and work until ")
    assert "/link/" not in done.out
    assert stat.S_IMODE(links.stat().st_mode) == 0o600
    rows = list(csv.DictReader(links.read_text(encoding="utf-8").splitlines()))
    assert [row["username"] for row in rows] == [f"{person}{n}" for n in range(3)]
    assert all("/link/invite/" in row["link"] for row in rows)
    again = idp("user", "add", "--from", str(people), "--out", str(tmp_path / "again.csv"), "--json").json
    assert (again["invited"], again["there"]) == ([], [f"{person}{n}" for n in range(3)])
    assert not (tmp_path / "again.csv").exists()
    # What was written before may hold links that work: nothing of it is lost, and nobody is invited for nothing.
    people.write_bytes(table(4, person))
    refused = idp("user", "add", "--from", str(people), "--out", str(links))
    assert refused.status == 1
    assert "is there already" in refused.err
    assert list(csv.DictReader(links.read_text(encoding="utf-8").splitlines())) == rows
    assert idp("user", "show", f"{person}3").status == 1
    printed = idp("user", "add", "--from", "-", stdin=people.read_text()).out
    assert f"{person}3  http" in printed


def test_every_mistake_is_told_by_its_line_and_nobody_is_added(idp: Run, tmp_path: Path, person: str) -> None:
    people = tmp_path / "people.csv"
    good = f"{person}ok,Good,,,et,\n"
    people.write_text(
        HEAD
        + good
        + "a b,,nobody,+1,et!,\n"
        + f"\n{person}ok,Again,,,,\n"
        + ",No Name,,,,\n"
        + f"{person}x,,,,,,more\n"
    )
    refused = idp("user", "add", "--from", str(people))
    assert (refused.status, refused.out) == (1, "")
    told = refused.err.splitlines()
    assert told[0] == "Nobody was added. Mend these lines, or say --skip-wrong:"
    tried = idp("user", "add", "--from", str(people), "--dry-run")
    assert (tried.status, tried.out) == (1, "")
    assert tried.err.splitlines() == ["Nobody would be added. Mend these lines, or say --skip-wrong:", *told[1:]]
    assert [line.split(":")[0].strip() for line in told[1:]] == [*["Line 3"] * 4, "Line 5", "Line 6", "Line 7"]
    assert idp("user", "show", f"{person}ok").status == 1
    as_json = idp("user", "add", "--from", str(people), "--json")
    assert len(json.loads(as_json.err)["problems"]) == 7
    done = idp("user", "add", "--from", str(people), "--skip-wrong", "--json").json
    assert [each["username"] for each in done["invited"]] == [f"{person}ok"]
    assert {each["line"] for each in done["wrong"]} == {3, 5, 6, 7}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"name\nx\n", "no column username", id="no-username"),
        pytest.param(b"username,group\nx,y\n", "no column 'group'", id="unknown-column"),
        pytest.param(b"username,username\nx,y\n", "a column twice", id="twice"),
        pytest.param(b"username\n\xff\n", "not in UTF-8", id="bytes"),
        pytest.param(b"username\na\0b\n", "NUL", id="nul"),
        pytest.param(b'username,name\nx,"y\n', "no CSV", id="quote"),
        pytest.param(b"username\nx\n", "--password", id="beside"),
    ],
)
def test_a_table_that_is_none_is_told(idp: Run, tmp_path: Path, content: bytes, why: str) -> None:
    people = tmp_path / "people.csv"
    people.write_bytes(content)
    if why == "--password":
        for more in (("--phone", "+37256789045"), ("--password-stdin",), ("--mail", "--out", "x")):
            assert idp("user", "add", "--from", str(people), *more).status == 2
        assert idp("user", "add", "ada", "--from", str(people)).status == 2
        assert idp("user", "add", "--no-phone").status == 2
        assert idp("user", "add", "ada", "--no-phone", "--mail").status == 2
        return
    refused = idp("user", "add", "--from", str(people))
    assert refused.status == 1
    assert why in refused.err
    assert idp("user", "add", "--from", str(tmp_path / "nowhere.csv")).status == 1


def test_no_name_in_a_table_moves_the_cursor(idp: Run, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("username\na\x1b[2Jb c\n\u202eabc\n", encoding="utf-8")
    ran = idp("user", "add", "--from", str(people))
    assert ran.status == 1
    assert "Line 2: a?[2Jb c: " in ran.err
    assert "Line 3: ?abc: " in ran.err
    assert not any(each in ran.err for each in "\x1b\u202e")


def test_whose_phone_gets_no_code_is_told(idp: Run, settings: pytest.MonkeyPatch, tmp_path: Path, person: str) -> None:
    settings.setenv("IDP_SMS_COUNTRIES", "EE")
    people = tmp_path / "people.csv"
    people.write_text(f"username,phone\n{person}1,+12025550102\n{person}2,+37256780002\n{person}3,+12025550103\n")
    whose = f"{person}1, {person}3"
    told = f"No code will be sent to the phones of {whose}: US is closed. IDP_SMS_COUNTRIES opens a country."
    tried = idp("user", "add", "--from", str(people), "--dry-run")
    assert told in tried.out.splitlines()
    assert idp("user", "add", "--from", str(people), "--json").json["warnings"] == [told]
    # Of who was there nothing is changed, and nothing warned of.
    assert idp("user", "add", "--from", str(people), "--json").json["warnings"] == []


async def test_two_hundred_take_three_statements_and_one_commit(provider: Provider) -> None:
    statements: list[str] = []
    provider.idp.db.on_statement = statements.append
    done = await invite_many(provider.idp, table(200), mail=False)
    assert (len(done.invited), done.there, done.wrong) == (200, (), ())
    assert len(statements) == 3
    page = await people_page(provider.idp, state=State.INVITED, limit=500)
    assert page.count == 200
    person = await find_user(provider.idp, "p7")
    assert (person.account.locale, dict(person.account.claims)) == ("et", {"given_name": "Given 7"})
    assert [one.hint for one in person.authenticators] == ["ending 07"]
    trail = await audit_page(provider.idp, Search(person="p7"))
    assert sorted(each.name for each in trail.entries) == ["account.changed", "authenticator.added"]


async def test_a_printed_link_sets_the_account_up_once(provider: Provider) -> None:
    done = await invite_many(provider.idp, b"username\nnew\n", mail=False)
    address = done.invited[0].address
    assert address is not None
    assert address not in repr(done)
    browser = provider.browser()
    path = address.removeprefix(ISSUER)
    assert (await browser.get(path)).status_code == 200
    page = await browser.submit(path)
    assert page.status_code == 200
    assert "password" in page.text


async def test_links_are_mailed_each_to_its_own_address(provider: Provider) -> None:
    with pytest.raises(NotAcceptable, match="IDP_SMTP_URL"):
        await invite_many(provider.idp, table(2), mail=True)
    can_mail(provider)
    done = await invite_many(provider.idp, table(2) + b"nomail,,,,,\n", mail=True)
    assert [each.why for each in done.wrong] == ["There is no e-mail address that the link could go to."]
    done = await invite_many(provider.idp, table(2), mail=True)
    assert [each.address for each in done.invited] == [None, None]
    waiting = await provider.rows(
        Sql("SELECT p.username FROM message m JOIN account p ON p.id = m.account_id WHERE m.kind = 'invite'")
    )
    assert sorted(row[0] for row in waiting) == ["p0", "p1"]


async def test_nobody_is_invited_whose_link_could_not_be_kept(provider: Provider) -> None:
    def full(_: object) -> None:
        raise IdpError("No space left.")

    with pytest.raises(IdpError, match="No space"):
        await invite_many(provider.idp, table(5), mail=False, keep=full)
    assert (await people_page(provider.idp, containing="person")).count == 0


async def test_of_many_batches_at_once_each_person_is_invited_by_one(provider: Provider) -> None:
    for round_ in range(4):

        async def batch(_: int, round_: int = round_) -> Batch:
            return await invite_many(provider.idp, table(40, f"r{round_}x"), mail=False)

        done = await at_once(3, batch)
        invited = [each.account.username for one in done for each in one.invited]
        assert sorted(invited) == sorted({f"r{round_}x{n}" for n in range(40)})
        assert sum(len(one.there) for one in done) == 80
    links = await provider.rows(Sql("SELECT count(*) FROM link WHERE purpose = 'invite'"))
    assert links == [(160,)]


async def test_a_table_that_is_none_raises_before_anything(provider: Provider) -> None:
    with pytest.raises(Unreadable):
        await invite_many(provider.idp, b"username;nickname;sub\nx;y;z\n", mail=False)
    done = await invite_many(provider.idp, "\ufeffUsername;nickname\r\nx;Xi\r\n".encode(), mail=False)
    assert [dict(each.account.claims) for each in done.invited] == [{"nickname": "Xi"}]
