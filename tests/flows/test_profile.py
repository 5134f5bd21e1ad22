"""What people say of themselves: kept as OIDC Core 5.1 has it, checked, and nothing typed is lost."""

from typing import Any

import pytest
from sqlalchemy import select

from idp.flows.operate.editing import set_claims
from idp.policy.profile import FIELDS, amiss, tidy, zones
from idp.store.schema.people import account
from idp.store.schema.records import audit_event
from tests.world.account_pages import come_in, forged
from tests.world.composed import Statement
from tests.world.provider import Provider
from tests.world.stage import own_token

ROOM = "/account/profile"
ROWS = Statement(select(account.c.name, account.c.locale, account.c.claims).where(account.c.username == "bob"))
EVENTS = Statement(select(audit_event.c.fields).where(audit_event.c.name == "account.changed"))
SAID = {
    "name": "Bob  Builder ",
    "given_name": "Bob",
    "family_name": "Builder",
    "nickname": "Bobby",
    "website": "https://bob.example.com/me",
    "zoneinfo": "Europe/Tallinn",
    "locale": "es",
}


async def kept(provider: Provider) -> tuple[Any, ...]:
    return (await provider.rows(ROWS))[0]


async def test_what_is_said_is_kept_shown_and_told_to_applications(provider: Provider) -> None:
    await set_claims(provider.idp, "bob", ["birthdate=1980-01-01", "address.locality=Tartu"])
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(ROOM)
    page = await browser.post(ROOM, {**own_token(provider, browser, ROOM), **SAID})
    assert "was saved" in page.text or "se guardó" in page.text
    name, locale, claims = await kept(provider)
    assert (name, locale) == ("Bob Builder", "es")
    assert claims == {
        "given_name": "Bob",
        "family_name": "Builder",
        "nickname": "Bobby",
        "website": "https://bob.example.com/me",
        "zoneinfo": "Europe/Tallinn",
        "birthdate": "1980-01-01",
        "address": {"locality": "Tartu"},
    }
    page = await browser.get(ROOM)
    for value in ("Bob Builder", "https://bob.example.com/me"):
        assert f'value="{value}"' in page.text
    assert '<option value="Europe/Tallinn" selected>' in page.text
    assert "EET" in (await browser.get("/account")).text, "times are in their zone"
    assert [fields["change"] for (fields,) in await provider.rows(EVENTS)][-1] == "profile"


async def test_what_is_emptied_is_forgotten_and_the_same_again_changes_nothing(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    for said, lines in ((SAID, 1), (SAID, 1), (dict.fromkeys(SAID, ""), 2)):
        answer = await forged(provider, browser, ROOM, said)
        assert answer.headers["location"].startswith("/account?done=")
        assert len(await provider.rows(EVENTS)) == lines
    assert await kept(provider) == (None, None, {})


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("name", "x" * 201),
        ("given_name", "x" * 3000),
        ("family_name", "é" * 250),
        ("nickname", "x" * 201),
        ("website", "javascript:alert(1)"),
        ("website", "https://user:secret@example.com"),
        ("website", "https://"),
        ("website", "http://[::1"),
        ("website", "https://example.com/" + "x" * 600),
        ("zoneinfo", "Mars/Olympus"),
        ("zoneinfo", "../../etc/passwd"),
        ("locale", "tlh"),
        ("locale", "<script>"),
    ],
)
async def test_what_cannot_be_kept_is_told_at_its_field_and_the_rest_is_not_lost(
    provider: Provider, field: str, typed: str
) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(ROOM)
    other = "nickname" if field != "nickname" else "given_name"
    page = await browser.post(ROOM, {**own_token(provider, browser, ROOM), field: typed, other: "Kept"})
    assert page.status_code == 400
    assert f'href="#{field}"' in page.text
    assert 'value="Kept"' in page.text or len(typed) > 1000
    assert await kept(provider) == ("Bob Berg", None, {})


async def test_a_zone_that_is_offered_no_more_may_stay(provider: Provider) -> None:
    await set_claims(provider.idp, "bob", ["zoneinfo=US/Eastern"])
    browser = provider.browser()
    await come_in(provider, browser)
    page = await browser.get(ROOM)
    assert '<option value="US/Eastern" selected>' in page.text
    await browser.submit(ROOM, nickname="B", zoneinfo="US/Eastern")
    assert (await kept(provider))[2] == {"zoneinfo": "US/Eastern", "nickname": "B"}


async def test_the_page_takes_one_statement_and_a_stranger_signs_in_first(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    provider.count()
    assert (await browser.get(ROOM, follow=False)).status_code == 200
    assert len(provider.statements) == 1
    assert "/sign-in" in (await provider.browser().get(ROOM, follow=False)).headers["location"]


def test_hostile_characters_are_not_kept() -> None:
    fields = tidy({"name": "Ada\u202e\x00\r\n Lovelace\u2066", "nickname": "\u200b"})
    assert fields["name"] == "Ada Lovelace"
    assert set(fields) == set(FIELDS)
    assert amiss(fields, languages=("en",), zones=zones()) == {}
