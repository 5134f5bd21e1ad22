"""An old form of the console, sent once more when things have gone on: it makes nothing twice, and lies to nobody."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from idp.crypto import digest
from idp.flows.operate.authenticators import remove_authenticator
from idp.flows.operate.finding import find_user
from idp.flows.operate.passwords import set_password
from idp.flows.operate.recovering import confirm
from idp.flows.operate.trail import Search, audit_page
from idp.flows.sealed import SEED, bound
from idp.model import Factor
from idp.store.people import authenticators
from idp.store.sql import Sql
from tests.world.console import opened, page_of, signed_in, text_of
from tests.world.parallel import at_once
from tests.world.provider import Browser, Provider

OWN = "seven green lanterns above the quay"
OVER = "What this page made before works no more"
_NOTICES = Sql("SELECT kind FROM message WHERE account_id = :account_id AND kind = 'password_changed'")


async def _form(provider: Provider, browser: Browser, change: str) -> tuple[str, dict[str, Any]]:
    """Where bob's form is sent, and what is in it."""
    path = f"{await page_of(provider, 'bob')}/{change}"
    provider.clock.move(timedelta(seconds=31))
    await opened(provider, browser, path)
    fields = browser.form(path).fields
    return path, {each.name: each.value for each in fields if each.name and each.kind != "checkbox"}


async def _bob(provider: Provider) -> UUID:
    return (await find_user(provider.idp, "bob")).account.id


async def _events(provider: Provider) -> list[str]:
    """What the operator of the console caused, newest first."""
    found = await audit_page(provider.idp, Search(person="bob", operator="person:ada"), limit=500)
    return [one.name for one in found.entries]


def _is_refused(answer: httpx.Response) -> None:
    assert answer.status_code == 409
    assert OVER in text_of(answer)
    assert '<p class="secret">' not in answer.text


@pytest.mark.parametrize("first", [{"replace": "on"}, {}], ids=["replacing first", "replacing then"])
async def test_no_two_apps_have_one_key(provider: Provider, first: dict[str, str]) -> None:
    """Back, and the box: each of two apps with one key would take every code, so that it counted twice (promise 5)."""
    browser = await signed_in(provider)
    path, sent = await _form(provider, browser, "app")
    await browser.http.post(path, data=sent | first)
    await browser.http.post(path, data=sent | ({} if first else {"replace": "on"}))
    who = await _bob(provider)
    seeds = [
        provider.idp.secrets.unseal(sealed, purpose=SEED, bound_to=bound(who, which))
        for which, sealed, _ in await authenticators.sealed(provider.idp.db, account_id=who, factor=Factor.TOTP)
    ]
    assert len({digest(seed.hex()) for seed in seeds}) == len(seeds) == (2 if first else 1)


@pytest.mark.parametrize("change", ["app", "phone", "codes"])
async def test_what_was_closed_since_is_not_shown_as_good(provider: Provider, change: str) -> None:
    browser = await signed_in(provider)
    path, sent = await _form(provider, browser, change)
    sent |= {"phone": "+37256789012"} if change == "phone" else {}
    before = {one.id for one in (await find_user(provider.idp, "bob")).authenticators}
    assert (await browser.http.post(path, data=sent)).status_code == 200
    (given,) = {one.id for one in (await find_user(provider.idp, "bob")).authenticators} - before
    await remove_authenticator(provider.idp, "bob", str(given))
    happened = await _events(provider)
    _is_refused(await browser.http.post(path, data=sent))
    assert await _events(provider) == happened
    assert {one.id for one in (await find_user(provider.idp, "bob")).authenticators} == before


@pytest.mark.parametrize("change", ["reset", "recover"])
async def test_a_link_that_was_replaced_since_is_not_shown_as_good(provider: Provider, change: str) -> None:
    browser = await signed_in(provider)
    typed = {"reason": "Seen in person."} if change == "recover" else {}
    path, sent = await _form(provider, browser, change)
    assert (await browser.http.post(path, data=sent | typed)).status_code == 200
    _, newer = await _form(provider, browser, change)
    assert (await browser.http.post(path, data=newer | typed)).status_code == 200
    happened = await _events(provider)
    _is_refused(await browser.http.post(path, data=sent | typed))
    assert await _events(provider) == happened


async def test_a_recovery_that_was_confirmed_since_waits_no_more(provider: Provider) -> None:
    browser = await signed_in(provider)
    policy = provider.idp.policy
    provider.idp.policy = replace(policy, recovery=replace(policy.recovery, second_operator=True))
    path, sent = await _form(provider, browser, "recover")
    sent |= {"reason": "Seen in person."}
    assert "A second operator" in text_of(await browser.http.post(path, data=sent))
    await confirm(provider.idp, "bob", by="shell:eve")
    _is_refused(await browser.http.post(path, data=sent))


async def test_a_temporary_password_is_set_once_by_two_presses(provider: Provider) -> None:
    browser = await signed_in(provider)
    for number in range(1, 5):
        path, sent = await _form(provider, browser, "password")

        async def press(_: int, path: str = path, sent: Any = sent) -> httpx.Response:
            return await browser.http.post(path, data=sent)

        for answer in await at_once(2, press):
            assert "The password is set" in text_of(answer)
        assert (await _events(provider)).count("password.changed") == number
        assert len(await provider.rows(_NOTICES, account_id=await _bob(provider))) == number


async def test_a_temporary_password_never_replaces_what_somebody_chose_since(provider: Provider) -> None:
    browser = await signed_in(provider)
    path, sent = await _form(provider, browser, "password")
    assert (await browser.http.post(path, data=sent)).status_code == 200
    await set_password(provider.idp, "bob", OWN)
    happened = await _events(provider)
    answer = await browser.http.post(path, data=sent)
    assert answer.status_code == 409
    assert "changed bob meanwhile" in text_of(answer)
    assert await _events(provider) == happened
    await provider.sign_in(provider.browser(), "bob", password=OWN)


@pytest.mark.parametrize("change", ["disable", "enable"])
async def test_who_is_kept_out_already_is_kept_out_once(provider: Provider, change: str) -> None:
    browser = await signed_in(provider)
    path, sent = await _form(provider, browser, "disable")
    assert (await browser.http.post(path, data=sent)).status_code == 200
    if change == "enable":
        path, sent = await _form(provider, browser, "enable")
    for _ in range(2):
        assert (await browser.http.post(path, data=sent)).status_code == 200
    assert (await _events(provider)).count("account.changed") == (1 if change == "disable" else 2)
