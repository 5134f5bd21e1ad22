"""The administrators' console: who comes in, what they see and do, and what nobody gets."""

import html
import re
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from idp.flows.operate.editing import edit_person
from idp.flows.operate.finding import find_user
from idp.flows.operate.keys import list_keys
from idp.flows.operate.policies import policy_text
from idp.flows.operate.sending import STATES
from idp.model import AssuranceLevel, Notice, Role
from idp.model.links import LinkFor
from idp.sms import Delivery, Outcome
from idp.store.sql import Sql
from idp.web.console import tables, words
from tests.world.console import text_of
from tests.world.provider import ALICE_PHONE, BOB_PHONE, PASSWORD, Browser, Provider

ROLES = {"admins": Role.ADMIN, "desk": Role.HELPDESK, "audit": Role.AUDITOR}


async def give(provider: Provider, group: str | None, username: str = "alice") -> None:
    """Alice has this role from here on."""
    policy = provider.idp.policy
    provider.idp.policy = replace(
        policy,
        groups=MappingProxyType({**policy.groups, **dict.fromkeys(ROLES, AssuranceLevel.STRONG)}),
        roles=MappingProxyType(ROLES),
    )
    await edit_person(provider.idp, username, {"groups": [] if group is None else [group]})


async def come_in(provider: Provider, browser: Browser, path: str = "/admin/people") -> httpx.Response:
    """Sign in at the console with password and app."""
    await browser.get(path)
    await browser.submit("/password", username="alice", password=PASSWORD)
    return await browser.submit("/totp", code=provider.totp("alice"))


async def change(provider: Provider, browser: Browser, path: str, **typed: Any) -> httpx.Response:
    """Open the form of a change, with a new proof where it asks for one, and send it."""
    page = await browser.get(path)
    if "/i/" in str(page.url):
        page = await browser.submit("/totp", code=provider.totp("alice"))
    return await browser.submit(path, **typed)


async def of(provider: Provider, username: str) -> str:
    return f"/admin/people/{(await find_user(provider.idp, username)).account.id}"


async def test_an_administrator_signs_in_finds_somebody_and_keeps_them_out(provider: Provider) -> None:
    await give(provider, "admins")
    browser = provider.browser()
    page = await come_in(provider, browser)
    assert page.status_code == 200
    assert "alice" in page.text
    assert "bob" in page.text
    page = await browser.get("/admin/people?q=BO")
    assert page.text.count("/admin/people/") < 6
    bob = await of(provider, "bob")
    page = await browser.get(bob)
    assert f"{bob}/disable" in page.text
    page = await change(provider, browser, f"{bob}/disable")
    assert "disabled" in page.text
    assert (await find_user(provider.idp, "bob")).account.disabled
    await change(provider, browser, f"{bob}/enable")
    assert not (await find_user(provider.idp, "bob")).account.disabled


async def test_without_a_role_there_is_no_such_page(provider: Provider) -> None:
    await give(provider, None)
    browser = provider.browser()
    page = await come_in(provider, browser)
    assert page.status_code == 404
    strange = await browser.get("/admin/there/is/no/such/page")
    assert (page.status_code, _title(page)) == (strange.status_code, _title(strange))


def _title(page: httpx.Response) -> str:
    return str(re.findall("<h1>(.*?)</h1>", page.text)[0])


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/admin", 5),
        ("/admin/people", 2),
        ("/admin/applications", 2),
        ("/admin/applications/bank", 2),
        ("/admin/policy", 2),
        ("/admin/messages", 2),
        ("/admin/audit", 2),
    ],
)
async def test_a_page_costs_no_more_than_this_beside_its_room(provider: Provider, path: str, most: int) -> None:
    await give(provider, "admins")
    browser = provider.browser()
    await come_in(provider, browser, path)
    provider.count()
    page = await browser.get(path)
    assert page.status_code == 200, page.text[:3000]
    assert len(provider.statements) <= most + 1, provider.statements


async def test_a_proof_for_the_account_pages_does_not_open_the_console(provider: Provider) -> None:
    await give(provider, "admins")
    browser = provider.browser()
    await browser.get("/account/authenticators/new")
    await browser.submit("/password", username="alice", password=PASSWORD)
    page = await browser.submit("/totp", code=provider.totp("alice"))
    assert page.url.path == "/account/authenticators/new"
    page = await browser.get("/admin/people")
    assert "/i/" in page.url.path


async def test_a_role_that_is_taken_away_ends_at_the_next_request(provider: Provider) -> None:
    await give(provider, "admins")
    await edit_person(provider.idp, "bob", {"groups": ["admins"]})
    browser = provider.browser()
    assert (await come_in(provider, browser)).status_code == 200
    await give(provider, None)
    assert (await browser.get("/admin/people")).status_code == 404


@pytest.mark.parametrize(("group", "offered"), [("audit", False), ("desk", False), ("admins", True)])
async def test_what_a_role_may_not_do_is_neither_offered_nor_done(
    provider: Provider, group: str, offered: bool
) -> None:
    await give(provider, group)
    browser = provider.browser()
    await come_in(provider, browser)
    bob = await of(provider, "bob")
    page = await browser.get(bob)
    assert (f"{bob}/remove" in page.text) is offered
    page = await browser.get(f"{bob}/remove")
    if "/i/" in page.url.path:
        page = await browser.submit("/totp", code=provider.totp("alice"))
    assert page.status_code == (200 if offered else 403)


@pytest.mark.parametrize("typed", ["nobody of this name", "'\"", "acount", "a.b", "x:y", "account."])
async def test_a_search_of_the_trail_that_finds_nothing_says_so(provider: Provider, typed: str) -> None:
    await give(provider, "admins")
    browser = provider.browser()
    await come_in(provider, browser, "/admin/audit")
    page = await browser.get(f"/admin/audit?{urlencode({'q': typed})}")
    assert page.status_code == 200
    assert ("There is no user named" in html.unescape(page.text)) is (typed not in {"x:y", "account."})


async def test_why_the_last_administrator_is_not_removed_stands_on_the_page_that_would(provider: Provider) -> None:
    await give(provider, "admins")
    browser = provider.browser()
    await come_in(provider, browser)
    alice = await of(provider, "alice")
    page = await browser.get(f"{alice}/remove")
    if "/i/" in page.url.path:
        page = await browser.submit("/totp", code=provider.totp("alice"))
    assert page.status_code == 403
    assert "last administrator" in page.text
    assert f'href="{alice}"' in page.text, "there is a way back into the console"


async def test_a_form_that_outlived_its_proof_comes_back_as_it_was(provider: Provider) -> None:
    await give(provider, "admins")
    browser = provider.browser()
    await come_in(provider, browser)
    path = f"{await of(provider, 'bob')}/edit"
    await browser.get(path)
    if browser.page is not None and "/i/" in browser.page.url.path:
        await browser.submit("/totp", code=provider.totp("alice"))
    provider.clock.move(timedelta(minutes=6))
    page = await browser.submit(path, name="Robert Tables")
    assert "/i/" in page.url.path
    page = await browser.submit("/totp", code=provider.totp("alice"))
    assert 'value="Robert Tables"' in page.text
    assert (await find_user(provider.idp, "bob")).account.name != "Robert Tables", "nobody pressed the button again"
    await browser.submit(path)
    assert (await find_user(provider.idp, "bob")).account.name == "Robert Tables"


async def test_the_second_of_two_administrators_sees_what_the_first_changed(provider: Provider) -> None:
    await give(provider, "admins")
    browser = provider.browser()
    await come_in(provider, browser)
    path = f"{await of(provider, 'bob')}/edit"
    await browser.get(path)
    if browser.page is not None and "/i/" in browser.page.url.path:
        await browser.submit("/totp", code=provider.totp("alice"))
    await edit_person(provider.idp, "bob", {"name": "Bob the First"})
    page = await browser.submit(path, name="Bob the Second")
    assert page.status_code == 409
    assert "meanwhile" in page.text
    assert "Bob the First" in page.text
    assert 'value="Bob the Second"' in page.text
    assert (await find_user(provider.idp, "bob")).account.name == "Bob the First"


async def test_who_cancels_the_proof_for_a_change_is_where_it_was_offered(provider: Provider) -> None:
    await give(provider, "admins")
    browser = provider.browser()
    await come_in(provider, browser)
    bob = await of(provider, "bob")
    for path, offered in ((f"{bob}/edit", bob), ("/admin/people/invite", "/admin/people")):
        provider.clock.move(timedelta(minutes=6))
        page = await browser.get(path)
        assert "/i/" in page.url.path
        page = await browser.submit("/cancel")
        assert (page.status_code, page.url.path) == (200, offered)


async def test_who_cancels_the_proof_for_a_page_is_not_asked_again(provider: Provider) -> None:
    await give(provider, "admins")
    browser = provider.browser()
    await browser.get("/admin/people")
    page = await browser.submit("/cancel")
    assert page.url.path == "/account/cancelled"


async def test_a_group_is_offered_with_the_role_that_it_gives(provider: Provider) -> None:
    await give(provider, "admins")
    browser = provider.browser()
    await come_in(provider, browser)
    bob = await of(provider, "bob")
    for path in (f"{bob}/groups", "/admin/people/invite", "/admin/people/add"):
        page = await browser.get(path)
        labels = [
            re.sub(r"<[^>]+>|\s+", " ", each).split() for each in re.findall(r"<label class=\"tick\">.*", page.text)
        ]
        assert ["admins", "·", "Administrator"] in labels


async def test_whoever_is_invited_gets_a_link_that_is_shown_once(provider: Provider) -> None:
    await give(provider, "admins")
    browser = provider.browser()
    await come_in(provider, browser)
    page = await change(provider, browser, "/admin/people/invite", username="carol")
    assert "/invited" in page.text or "Copy this now" in page.text
    assert "Copy this now" not in (again := await browser.get(page.url.path)).text
    assert ">Invited<" in again.text
    assert re.search(r"Link that sets the account up, until \d+ \w+ \d{4}, \d\d:\d\d", again.text)
    assert ">Enabled<" not in again.text


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1"])
def test_a_table_holds_no_formula(value: str) -> None:
    assert tables.quoted(value) == f"'{value}"
    assert tables.line([value]).startswith("\"'")


async def test_the_list_of_people_comes_as_a_file(provider: Provider) -> None:
    await give(provider, "admins")
    await edit_person(provider.idp, "bob", {"name": "=HYPERLINK(1)"})
    browser = provider.browser()
    await come_in(provider, browser)
    page = await browser.get("/admin/people.csv")
    assert page.headers["content-type"].startswith("text/csv")
    assert '"\'=HYPERLINK(1)"' in page.text


async def test_messages_come_as_a_file(provider: Provider) -> None:
    await give(provider, "admins")
    browser = provider.browser()
    await come_in(provider, browser, "/admin/messages")
    await provider.half_way(provider.browser(), "bob")
    head, *rows = (await browser.get("/admin/messages.csv")).text.splitlines()
    assert head == '"at","person","to","kind","state","gateway","result"'
    assert len(rows) == (await browser.get("/admin/messages")).text.count("<tr><td") > 0
    assert all(number not in row for row in rows for number in (ALICE_PHONE, BOB_PHONE))


async def test_messages_are_searched_by_person_and_state_and_so_is_their_file(provider: Provider) -> None:
    await give(provider, "admins")
    browser = provider.browser()
    await come_in(provider, browser, "/admin/messages")
    await provider.half_way(provider.browser(), "bob")
    await provider.deliver()
    for typed, found in (("BOB ", {"bob"}), ("Sent", {"bob"}), ("denied", set()), ("alice", set()), ("nobody", set())):
        page = await browser.get(f"/admin/messages?{urlencode({'q': typed})}")
        assert set(re.findall(r'people/[0-9a-f-]{36}"><bdi>(\w+)', page.text)) == found, typed
        _, *rows = (await browser.get(f"/admin/messages.csv?{urlencode({'q': typed})}")).text.splitlines()
        assert {row.split('","')[1] for row in rows} == found, typed
    page = await browser.get("/admin/messages?q=bob")
    assert "A code" in page.text
    assert "Taken by the provider" in page.text
    assert ">sent<" not in page.text


def test_every_message_its_state_and_its_result_have_words() -> None:
    assert {"code", *Notice, *LinkFor} <= words.MESSAGES.keys()
    assert words.STATES.keys() == set(STATES)
    assert {*Outcome, *Delivery} <= words.RESULTS.keys()


async def test_a_gateway_that_is_left_alone_is_said(provider: Provider) -> None:
    await give(provider, "admins")
    until = provider.clock.now() + timedelta(minutes=5)
    for region in ("*", "EE"):
        await provider.idp.db.one(
            Sql("INSERT INTO gateway_breaker (gateway, region, open_until) VALUES ('fake', :region, :until)"),
            region=region,
            until=until,
        )
    page = await come_in(provider, provider.browser(), "/admin")
    assert "The gateway fake failed and is left alone until" in page.text
    assert "The gateway fake failed and is left alone in EE until" in page.text


async def test_a_text_is_tried_and_says_what_it_would_change_and_changes_nothing(provider: Provider) -> None:
    await give(provider, "audit")
    browser = provider.browser()
    await come_in(provider, browser, "/admin/policy")
    before, text = provider.idp.policy, (await policy_text(provider.idp)).text
    await browser.get("/admin/policy/try")
    page = await browser.submit("/admin/policy/try", text=text.replace("attempts = 3", "attempts = 2"))
    assert page.status_code == 200
    assert "attempts: 3 → 2" in text_of(page)
    assert provider.idp.policy is before


@pytest.mark.parametrize("text", ["[levels", "x = 1", "", "\x01", "[scopes]\nopenid = 3", "<b>"])
async def test_mistakes_of_a_text_are_said_beside_it(provider: Provider, text: str) -> None:
    await give(provider, "admins")
    browser = provider.browser()
    await come_in(provider, browser, "/admin/policy/try")
    page = await browser.submit("/admin/policy/try", text=text)
    assert page.status_code in {400, 422}
    assert "There is a problem" in page.text or page.status_code == 400
    assert "<b>" not in page.text


async def test_the_next_keys_sign_when_applications_know_them_or_at_once_if_an_administrator_says_so(
    provider: Provider,
) -> None:
    await give(provider, "admins")
    browser = provider.browser()
    await come_in(provider, browser, "/admin/policy")
    signs = {key.kid for key in await list_keys(provider.idp) if key.state == "current"}
    page = await change(provider, browser, "/admin/policy/keys")
    assert page.status_code == 422
    assert signs == {key.kid for key in await list_keys(provider.idp) if key.state == "current"}
    page = await browser.submit("/admin/policy/keys", early="on")
    assert page.url.path == "/admin/policy"
    assert "from now on" in page.text
    # keys stay from test to test, so others may have retired before
    assert signs <= {key.kid for key in await list_keys(provider.idp) if key.state == "retired"}


@pytest.mark.parametrize("group", ["audit", "desk"])
async def test_only_administrators_are_offered_the_next_keys(provider: Provider, group: str) -> None:
    await give(provider, group)
    browser = provider.browser()
    page = await come_in(provider, browser, "/admin/policy")
    assert "/admin/policy/keys" not in page.text
    provider.clock.move(timedelta(seconds=31))
    page = await browser.get("/admin/policy/keys")
    if "/i/" in page.url.path:
        page = await browser.submit("/totp", code=provider.totp("alice"))
    assert page.status_code == 403
