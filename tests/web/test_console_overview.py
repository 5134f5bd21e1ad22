"""The console's overview: its figures are those of the database, and it says what a check-up found."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from idp.flows.checks.findings import FAIL, OK, Finding, Seen
from idp.flows.operate import checkup as checkups
from idp.flows.operate.checkup import checkup
from idp.flows.operate.editing import edit_person
from idp.sentences import as_it_is
from idp.store.delivery import denials
from idp.store.sql import Sql
from idp.store.summaries import hours
from idp.web.middleware import LIMIT
from tests.world.console import signed_in, text_of
from tests.world.provider import Browser, Provider

_EVENT = Sql("INSERT INTO audit_event (at, name, fields) VALUES (:at, :name, :fields)")


PATIENCE = checkups.PATIENCE


@pytest.fixture
async def browser(provider: Provider) -> Browser:
    """Ada's, signed in at the overview: an auditor."""
    return await signed_in(provider, "audit", path="/admin")


def totals(page: str) -> Mapping[str, int]:
    """The number above each chart."""
    return {title: int(count) for title, count in re.findall(r"<figcaption><h2>(.*?): (\d+)</h2>", page)}


def table(page: str, title: str) -> Sequence[tuple[str, str]]:
    """What the table below one chart says."""
    [figure] = [each for each in page.split("<figure") if f"<h2>{title}:" in each]
    return [
        (re.sub("<.*?>", "", label), count) for label, count in re.findall("<tr><td>(.*?)</td><td>(.*?)</td>", figure)
    ]


async def happened(provider: Provider, name: str, at: datetime, **fields: str) -> None:
    await provider.idp.db.one(_EVENT, at=at, name=name, fields=fields)


async def test_the_figures_are_those_of_the_database(provider: Provider, browser: Browser) -> None:
    await provider.redeem(await provider.code(provider.browser(), "bob"))
    provider.clock.move(timedelta(minutes=2))
    other = provider.browser()
    await provider.half_way(other, "bob")
    await other.submit("/sms", code="000000")
    page = (await browser.get("/admin")).text
    for title, name, only in (
        ("Sign-ins to applications", "authorization.granted", ()),
        ("Refused answers", "factor.refused", ()),
        ("Codes asked for", "code.sent", ()),
        ("Codes that were right", "factor.verified", ("sms", "email")),
    ):
        rows = await provider.idp.db.all(
            Sql("SELECT fields ->> 'factor' AS factor FROM audit_event WHERE name = :name"), name=name
        )
        counted = [row["factor"] for row in rows if not only or row["factor"] in only]
        assert totals(page)[title] == len(counted) > 0, title
    assert table(page, "Text messages whose code was right") == [("EE", "1")]
    assert table(page, "Text messages sent") == [("EE", "1")], "the second still waits"
    spent = (await denials.spent(provider.idp.db, now=provider.clock.now())).values()
    for amount in spent:
        assert f"{amount:.2f} of " in page
    assert max(spent) > Decimal(0)


async def test_an_hour_is_one_of_utc_wherever_the_database_is(provider: Provider) -> None:
    now = provider.clock.now()
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    first, before = this_hour - timedelta(hours=23), this_hour - timedelta(hours=23, microseconds=1)
    for at in (this_hour, first, first, before):
        await happened(provider, "factor.refused", at, factor="password")
    async with provider.idp.db.transaction() as conn:
        await conn.one(Sql("SET LOCAL TIME ZONE 'Asia/Kathmandu'"))  # 5:45 before UTC
        counts = await hours(conn, ["factor.refused"], since=first)
    assert {one.hour: one.count for one in counts} == {this_hour: 1, first: 2}


async def test_what_happened_a_day_ago_is_no_more_on_the_page(provider: Provider, browser: Browser) -> None:
    now = provider.clock.now()
    seen = totals((await browser.get("/admin")).text)["Refused answers"]
    await happened(provider, "factor.refused", now - timedelta(hours=22), factor="password")
    await happened(provider, "factor.refused", now - timedelta(hours=24), factor="password")
    page = (await browser.get("/admin")).text
    assert totals(page)["Refused answers"] == seen + 1
    assert (f"{now - timedelta(hours=22):%H}:00", "1") in table(page, "Refused answers")


@pytest.mark.parametrize("interaction", ["", "nonsense", "0199f3a2-6c1e-7d4b-9a51-3f0c2b7e8d10", "\U0001f600"])
async def test_a_right_code_whose_message_is_gone_counts_in_no_country(
    provider: Provider, browser: Browser, interaction: str
) -> None:
    now = provider.clock.now()
    await happened(provider, "factor.verified", now, factor="sms", interaction=interaction)
    page = (await browser.get("/admin")).text
    assert totals(page)["Codes that were right"] == 1
    assert totals(page)["Text messages whose code was right"] == 0


async def test_where_nothing_happened_the_page_says_so(provider: Provider, browser: Browser) -> None:
    await provider.idp.db.one(Sql("DELETE FROM audit_event"))
    page = (await browser.get("/admin")).text
    assert set(totals(page).values()) == {0}
    assert page.count("None.") == len(totals(page)) == 7


async def test_what_a_checkup_found_wrong_stands_on_the_overview_and_all_of_it_on_its_page(
    provider: Provider, browser: Browser
) -> None:
    page = text_of(await browser.get("/admin"))
    found = await checkup(provider.idp)
    assert found.troubles
    for one in found.findings:
        assert (one.found in page) is (one.state != OK)
    page = text_of(await browser.get("/admin/doctor"))
    for one in found.findings:
        assert one.found in page
        assert one.advice in page


async def test_what_a_checkup_found_is_said_in_the_language_of_who_looks(provider: Provider, browser: Browser) -> None:
    await provider.idp.db.one(Sql("UPDATE signing_key SET created_at = created_at - interval '400 days'"))
    provider.idp.at_hand = Seen()
    await edit_person(provider.idp, "ada", {"locale": "et"})
    page = text_of(await browser.get("/admin"))
    await provider.idp.db.one(Sql("UPDATE signing_key SET created_at = created_at + interval '400 days'"))
    assert "kehtiv võti on" in page
    assert "käivitage `idp keys rotate`" in page


async def test_others_are_asked_when_somebody_presses_the_button_and_at_no_other_time(
    provider: Provider, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def outside(_: object) -> list[Finding]:
        nonlocal asked
        asked += 1
        return [Finding("issuer", FAIL, as_it_is("a <stranger> is there"), as_it_is("look at the proxy"))]

    monkeypatch.setattr(checkups, "outside", outside)
    for path in ("/admin", "/admin/doctor"):
        assert "stranger" not in (await browser.get(path)).text
    assert asked == 0
    page = await browser.submit("/admin/doctor")
    assert page.status_code == 200
    assert "a &lt;stranger&gt; is there" in page.text
    assert page.text.index("stranger") < page.text.index("All right")
    await browser.submit("/admin/doctor")
    assert asked == 1, "of a double click one asks"
    provider.clock.move(checkups.AGAIN)
    await browser.submit("/admin/doctor")
    assert asked == 2


async def test_a_checkup_that_takes_too_long_is_told_of_later_and_given_up_in_the_end(
    provider: Provider, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = asyncio.Event()

    async def outside(_: object) -> list[Finding]:
        await answer.wait()
        return [Finding("issuer", FAIL, as_it_is("a <stranger> is there"))]

    await browser.get("/admin/doctor")
    assert provider.idp.at_hand.look is not None
    await provider.idp.at_hand.look
    monkeypatch.setattr(checkups, "outside", outside)
    monkeypatch.setattr(checkups, "PATIENCE", timedelta(milliseconds=20))
    await browser.get("/admin/doctor")
    page = await browser.submit("/admin/doctor")
    assert "Load this page again" in page.text
    look = provider.idp.outside.look
    assert look is not None
    answer.set()
    await look
    assert "stranger" in (await browser.get("/admin/doctor")).text
    answer.clear()
    provider.clock.move(checkups.AGAIN)
    monkeypatch.setattr(checkups, "LONGEST", timedelta(milliseconds=1))
    await checkup(provider.idp, ask=True)
    assert provider.idp.outside.look is not None
    await provider.idp.outside.look
    assert [one.found for one in provider.idp.outside.findings] == ["looking was given up after 0 s"]


async def test_what_nobody_has_looked_at_yet_is_not_said_to_be_all_right(
    provider: Provider, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = asyncio.Event()

    async def at_hand(_: object) -> list[Finding]:
        await answer.wait()
        return [Finding("settings", FAIL, as_it_is("something is wrong"))]

    monkeypatch.setattr(checkups, "at_hand", at_hand)
    monkeypatch.setattr(checkups, "PATIENCE", timedelta(milliseconds=20))
    provider.idp.at_hand = Seen()
    for path in ("/admin", "/admin/doctor"):
        assert "is all right." not in (await browser.get(path)).text
    answer.set()
    assert provider.idp.at_hand.look is not None
    await provider.idp.at_hand.look
    assert "something is wrong" in (await browser.get("/admin")).text


async def test_a_page_does_not_wait_longer_than_an_answer_may_take() -> None:
    assert LIMIT - timedelta(seconds=1) > PATIENCE


async def test_of_many_who_look_at_once_one_does(provider: Provider, browser: Browser) -> None:
    provider.idp.at_hand.at = None
    provider.count()
    await asyncio.gather(*(checkup(provider.idp) for _ in range(20)))
    looked = len(provider.statements)
    assert looked < 30
    provider.count()
    await browser.get("/admin")
    assert len(provider.statements) <= 6, "five, and the room; a check-up of the last minute costs nothing"
