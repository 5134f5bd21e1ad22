"""Holes that attacks on the console found, and that were mended: none of them opens again."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from idp.errors import NotThere, Outdated
from idp.flows.operate.clients import removals, remove_client
from idp.flows.operate.editing import edit_person
from idp.flows.operate.finding import ClientId, find_client, find_user
from idp.flows.operate.invitations import invite
from idp.flows.operate.leaving import remove_person
from idp.flows.operate.recovering import recover
from idp.flows.operate.trail import Search, audit_page
from idp.model import Account
from idp.store import sweep
from idp.store.sql import Sql
from idp.typed import username_of
from idp.web.notes import LIFE
from tests.world.api import add_operator
from tests.world.console import opened, page_of, signed_in
from tests.world.parallel import at_once
from tests.world.provider import PASSWORD, Provider

NEW, SECRETS = "/admin/applications/-new", "applications/bank/secret"
SECRET = '<p class="secret"><code>(.*?)</code>'
CHOSEN: dict[str, Any] = {"id": "", "secret": "chosen", "codes": "1 2 3", "seed": "00", "password": "Chosen-by-me-1234"}
MAKING = ("people/add", "people/invite", *(f"bob/{each}" for each in ("app", "phone", "codes", "password")), SECRETS)
LOOKS_THE_SAME = ("\u034f", "\u115f", "\u2800", "\u3164", "\ufe0f", "\uffa0", "\U000e0100")


def secret_on(page: httpx.Response) -> str:
    (secret,) = re.findall(SECRET, page.text)
    return str(secret)


def note_of(page: httpx.Response) -> str:
    (note,) = parse_qs(urlsplit(str(page.url)).query)["note"]
    return note


@pytest.mark.parametrize("path", MAKING)
async def test_what_a_page_was_told_is_not_taken_for_what_a_form_made(provider: Provider, path: str) -> None:
    """Both were sealed alike, so an operator chose a secret of an application by themselves; others broke the page."""
    browser = await signed_in(provider)
    address = f"/admin/{path}".replace("/admin/bob", await page_of(provider, "bob"))
    assert (await opened(provider, browser, address)).status_code == 200
    before = await find_client(provider.idp, ClientId("bank"))
    typed: dict[str, Any] = {"username": "carol", "phone": "+37256789012"}
    told = await browser.submit(address, made="", **typed)
    page = await browser.submit(address, **typed, **CHOSEN | {"made": note_of(told)})
    assert page.status_code == 422
    assert re.findall(SECRET, page.text) == []
    assert await find_client(provider.idp, ClientId("bank")) == before


@pytest.mark.parametrize("unseen", LOOKS_THE_SAME)
async def test_nobody_and_nothing_is_named_so_that_it_looks_like_another(provider: Provider, unseen: str) -> None:
    """A sign that is printable and not seen made a second alice, and a second Acme Bank, beside the first."""
    browser = await signed_in(provider)
    for name in (f"alice{unseen}", f"{unseen}alice", f"al{unseen}ice"):
        await opened(provider, browser, "/admin/people/add")
        page = await browser.submit("/add", username=name)
        assert page.status_code == 422, name
        assert username_of(name) is None, "nor by who comes by themselves"
    await opened(provider, browser, f"{NEW}?kind=web")
    page = await browser.submit("/-new", name=f"Acme Bank{unseen}", redirect_uris="https://shop.example/cb")
    assert page.status_code == 422
    assert 'href="#name"' in page.text


async def test_a_symbol_may_be_in_two_colours(provider: Provider) -> None:
    browser = await signed_in(provider)
    await opened(provider, browser, f"{NEW}?kind=web")
    page = await browser.submit("/-new", name="\u2764\ufe0f Club", redirect_uris="https://club.example/cb")
    assert (page.status_code, "The application is registered." in page.text) == (200, True)
    page = await opened(provider, browser, f"{NEW}?kind=web")
    page = await browser.submit("/-new", name="\u2764\ufe0f\ufe0f Club", redirect_uris="https://club.example/cb")
    assert page.status_code == 422


async def test_a_form_filled_in_again_for_another_application_makes_another_secret(provider: Provider) -> None:
    """Who went back and registered the next one gave it the secret of the first, which others knew by then."""
    browser = await signed_in(provider)
    form = await opened(provider, browser, f"{NEW}?kind=web")
    secrets, places = set(), set()
    for name, client_id in (("A", "a"), ("B", "b"), ("C", ""), ("D", "")):
        for _ in range(2):
            browser.page = form
            page = await browser.submit("/-new", name=name, client_id=client_id, redirect_uris="https://a.example/cb")
            assert page.status_code == 200, page.text
            secrets |= {secret_on(page)}
            places |= {page.url.path}
    assert (len(secrets), len(places)) == (4, 4)


async def test_what_one_administrator_was_shown_is_in_no_history_of_the_next_one(provider: Provider) -> None:
    browser = await signed_in(provider)
    await add_operator(provider, "eve", "admins")
    form = await opened(provider, browser, f"{NEW}?kind=web")
    typed: dict[str, Any] = {"name": "A", "client_id": "a", "redirect_uris": "https://a.example/cb"}
    page = await browser.submit("/-new", **typed)
    secret, address = secret_on(page), str(page.url)
    assert secret in (await browser.get(address)).text
    await browser.submit("/sign-out")
    await browser.get(address)
    await browser.submit("/password", username="eve", password=PASSWORD)
    page = await browser.submit("/totp", code=provider.totp("eve"))
    assert (page.status_code, page.url.path) == (200, "/admin/applications/a")
    assert secret not in page.text
    assert secret not in (await browser.get(address)).text
    page = await opened(provider, browser, f"{NEW}?kind=web", "eve")
    word = re.findall('name="made" value="(.*?)"', form.text)[0]
    for made in (word, "", "x"):
        browser.page = page
        answer = await browser.submit("/-new", **typed, made=made)
        assert (answer.status_code, secret in answer.text) == (422, False)
    browser.page = page
    answer = await browser.submit("/-new", **typed)
    assert (answer.status_code, secret in answer.text) == (409, False)


async def test_a_form_filled_in_again_for_somebody_else_makes_another_password(provider: Provider) -> None:
    """Who went back and added the next one gave them the password of the first, who could sign in before them."""
    browser = await signed_in(provider)
    form = await opened(provider, browser, "/admin/people/add")
    passwords = set()
    for name in ("carol", "dave"):
        for _ in range(2):
            browser.page = form
            page = await browser.submit("/add", username=name)
            assert page.status_code == 200, page.text
            passwords |= {secret_on(page)}
    assert len(passwords) == 2


async def test_nobodys_name_covers_the_lines_of_others(provider: Provider) -> None:
    """Marks may be heaped upon a letter; sixty of them hid whoever stood above in the list."""
    heaped = "Zoe\u0308" + "\u0301" * 60
    await provider.add_person("zoe", name=heaped)
    browser = await signed_in(provider)
    for path in ("/admin/people", await page_of(provider, "zoe")):
        page = await browser.get(path)
        assert "<bdi>Zoe\u0308\u0301\u0301\u0301</bdi>" in page.text
        assert "\u0301" * 4 not in re.sub("<title>.*?</title>", "", page.text)


async def test_a_recovery_is_confirmed_as_it_was_seen(provider: Provider) -> None:
    """Asked for anew by somebody else, for another reason, it was confirmed as what stood on an older page."""
    browser = await signed_in(provider)
    policy = provider.idp.policy
    provider.idp.policy = replace(policy, recovery=replace(policy.recovery, second_operator=True))
    bob = await page_of(provider, "bob")
    await recover(provider.idp, "bob", reason="Seen in person.", by="olga")
    page = await opened(provider, browser, f"{bob}/confirm")
    assert "Seen in person." in page.text
    await recover(provider.idp, "bob", reason="They called.", by="pavel")
    page = await browser.submit("/confirm")
    assert page.status_code == 409
    assert "They called." in page.text
    assert (await find_user(provider.idp, "bob")).authenticators
    page = await browser.submit("/confirm")
    assert (page.status_code, "/link/invite/" in secret_on(page)) == (200, True)


async def test_who_is_renamed_is_no_second_operator(provider: Provider) -> None:
    """An administrator asked for a recovery, took another username, and confirmed it as somebody else."""
    browser = await signed_in(provider)
    policy = provider.idp.policy
    provider.idp.policy = replace(policy, recovery=replace(policy.recovery, second_operator=True))
    bob = await page_of(provider, "bob")
    await opened(provider, browser, f"{bob}/recover")
    await browser.submit("/recover", reason="Seen in person.")
    ada = await page_of(provider, "ada")
    await opened(provider, browser, f"{ada}/edit")
    assert "is saved" in (await browser.submit("/edit", username="grace")).text
    assert f'href="{bob}/confirm"' not in (await browser.get(bob)).text
    await opened(provider, browser, f"{bob}/confirm")
    page = await browser.submit("/confirm")
    assert page.status_code == 422
    assert "so somebody else has to confirm it" in page.text
    assert (await find_user(provider.idp, "bob")).authenticators


@pytest.mark.parametrize("change", ["renamed", "removed"])
async def test_who_is_invited_again_is_nobody_else(provider: Provider, change: str) -> None:
    """Renamed or removed in the same moment, they came to be a second time, as whoever now has a link to the name."""
    invited = (await invite(provider.idp, username="carol", mail=False)).account
    if change == "removed":
        await remove_person(provider.idp, invited.id)
    else:
        await edit_person(provider.idp, invited.id, {"username": "caroline"})
    with pytest.raises(Outdated):
        await invite(provider.idp, username="carol", mail=False, again=invited.id)
    with pytest.raises(NotThere):
        await find_user(provider.idp, "carol")
    browser = await signed_in(provider)
    for number in range(8):
        guest = (await invite(provider.idp, username=f"guest-{number}", mail=False)).account
        path = f"/admin/people/{guest.id}/invite-again"
        await opened(provider, browser, path)
        sent = {"csrf": next(each.value for each in browser.form(path).fields if each.name == "csrf")}

        async def either(caller: int, guest: Account = guest, sent: Any = sent) -> None:
            if caller == 0:
                await browser.http.post(f"/admin/people/{guest.id}/invite-again", data=sent)
            elif change == "removed":
                await remove_person(provider.idp, guest.id)
            else:
                await edit_person(provider.idp, guest.id, {"username": f"renamed-{guest.id.hex[:8]}"})

        await at_once(2, either)
        with pytest.raises(NotThere):
            await find_user(provider.idp, guest.username)


@pytest.mark.parametrize("change", ["reset", "recover", "invite-again", "invite"])
async def test_a_double_click_makes_one_link_and_both_answers_show_it(provider: Provider, change: str) -> None:
    """The second press ended the link of the first, and whichever answer came last was on the screen."""
    browser = await signed_in(provider)
    for number in range(6):
        name = f"guest-{number}"
        if change == "invite-again":
            await invite(provider.idp, username=name, mail=False)
        elif change != "invite":
            await provider.add_person(name)
        path = "/admin/people/invite" if change == "invite" else f"{await page_of(provider, name)}/{change}"
        provider.clock.move(timedelta(seconds=31))
        await opened(provider, browser, path)
        sent = {each.name: each.value for each in browser.form(path).fields if each.name and each.kind != "checkbox"}
        before = len((await audit_page(provider.idp, Search(operator="person:ada"), limit=999)).entries)
        sent |= {"reason": "Seen in person."} if change == "recover" else {}
        sent |= {"username": name} if change == "invite" else {}
        answers: list[httpx.Response] = []

        async def press(_: int, path: str = path, sent: Any = sent, answers: Any = answers) -> None:
            answers.append(await browser.http.post(path, data=sent))

        await at_once(2, press)
        (link,) = {secret_on(answer) for answer in answers}
        assert (await provider.browser().get(link)).status_code == 200
        trail = (await audit_page(provider.idp, Search(operator="person:ada"), limit=999)).entries
        assert len({each.name for each in trail[: len(trail) - before]}) == len(trail) - before, "each thing once"


@pytest.mark.parametrize("where", ["add", "invite"])
async def test_who_was_removed_comes_back_as_somebody_else(provider: Provider, where: str) -> None:
    """The form that they were made with made them once more, with the subject that nobody was to have again."""
    browser = await signed_in(provider)
    form = await opened(provider, browser, f"/admin/people/{where}")
    await browser.submit(f"/{where}", username="carol")
    before = (await find_user(provider.idp, "carol")).account
    await remove_person(provider.idp, before.id)
    browser.page = form
    page = await browser.submit(f"/{where}", username="carol")
    assert page.status_code == 409
    assert 'value="carol"' in page.text
    await browser.submit(f"/{where}")
    assert (await find_user(provider.idp, "carol")).account.id != before.id


async def test_an_application_that_was_removed_comes_back_with_another_secret(provider: Provider) -> None:
    browser = await signed_in(provider)
    form = await opened(provider, browser, f"{NEW}?kind=web")
    secrets = set()
    for _ in range(2):
        for _ in range(2):
            browser.page = form
            page = await browser.submit("/-new", name="A", client_id="a", redirect_uris="https://a.example/cb")
            secrets |= {secret_on(page)}
        await remove_client(provider.idp, "a")
    assert len(secrets) == 2
    # No form is older than this, so it need not be known for longer.
    assert await removals(provider.idp, "a") == 2
    assert "removal" not in await sweep.sweep(provider.idp.db, idle=LIFE, now=provider.clock.now() + LIFE)
    swept = await sweep.sweep(provider.idp.db, idle=timedelta(days=30), now=provider.clock.now() + timedelta(days=2))
    assert swept["removal"] == 1
    assert await removals(provider.idp, "a") == 0


async def test_what_was_removed_comes_back_no_sooner_when_the_trail_is_pruned(provider: Provider) -> None:
    browser = await signed_in(provider)
    form = await opened(provider, browser, "/admin/people/add")
    await browser.submit("/add", username="carol")
    before = (await find_user(provider.idp, "carol")).account
    await remove_person(provider.idp, before.id)
    await provider.idp.db.one(Sql("DELETE FROM audit_event"))
    browser.page = form
    assert (await browser.submit("/add", username="carol")).status_code == 409
