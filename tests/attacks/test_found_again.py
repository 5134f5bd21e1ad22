"""Holes that attacks on forgiven repeats, refunds and changed registrations found: none of them opens again."""

from datetime import datetime, timedelta

import httpx
import pytest
from sqlalchemy import func, select

from idp.audit import FactorRefused
from idp.flows.operate.client_changes import edit_client
from idp.store.schema.records import audit_event
from idp.testing import FrozenClock
from tests.world.asking import count, forget_limits, wrong
from tests.world.composed import Statement
from tests.world.parallel import at_once
from tests.world.provider import NOTES_URI, PASSWORD, HtmlForm, Provider, parameters

REFUSED = Statement(select(func.count()).select_from(audit_event).where(audit_event.c.name == FactorRefused.name))


async def send(provider: Provider, cookie: str | None, form: HtmlForm, **typed: str) -> httpx.Response:
    data = {each.name: each.value for each in form.fields} | typed
    async with provider.browser().http as http:
        return await http.post(form.action, data=data, headers={"Cookie": f"stile={cookie}"})


async def refused(provider: Provider) -> int:
    return int((await provider.rows(REFUSED))[0][0])


@pytest.mark.parametrize("factor", ["sms", "totp"])
async def test_of_many_guesses_with_the_token_before_one_is_looked_at(provider: Provider, factor: str) -> None:
    """Each asked whether it was forgiven still, and all were compared before the first was found to be wrong."""
    for _ in range(4):
        await forget_limits(provider)
        browser = provider.browser()
        await provider.half_way(browser, "bob" if factor == "sms" else "alice")
        code = await provider.texted(browser) if factor == "sms" else provider.totp()
        form, old, before = browser.form(f"/{factor}"), browser.token, await refused(provider)
        assert "stile" in (await send(provider, old, form, code=code)).cookies

        async def guess(
            _: int, old: str | None = old, form: HtmlForm = form, code: str = wrong(code)
        ) -> httpx.Response:
            return await send(provider, old, form, code=code)

        assert not any("stile" in answer.cookies for answer in await at_once(9, guess))
        assert await refused(provider) == before + 1
        assert "stile" not in (await send(provider, old, form, code=code)).cookies
        provider.clock.move(timedelta(minutes=2))


async def test_a_code_gives_back_no_place_of_an_address_that_it_did_not_take(provider: Provider) -> None:
    """A browser that is known pays none, and the mark by which it is known can be left at home for the answer."""
    address = "192.0.2.77"
    own = provider.browser(address=address)
    await provider.sign_in(own, "bob")
    provider.clock.move(timedelta(hours=2))
    for n in range(6):
        await provider.add_person(f"victim{n}", number=f"+3725678906{n}")
    own.http.cookies.delete("stile")
    await provider.half_way(own, "bob")
    code = (await provider.deliver())[-1]
    for n in range(5):
        await provider.half_way(provider.browser(address=address), f"victim{n}")
    own.http.cookies.delete("stile-device")
    assert parameters(await own.submit("/sms", code=code))["code"]
    asked = await count(provider, "message")
    await provider.half_way(provider.browser(address=address), "victim5")
    assert await count(provider, "message") == asked


class Running(FrozenClock):
    """No two looks at it show the same time."""

    def now(self) -> datetime:
        return self.move(timedelta(milliseconds=1))


async def test_a_second_press_gives_back_its_place_although_time_went_by(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place was taken a moment before what was given back: with a clock that stands still nobody saw it."""
    monkeypatch.setattr(provider.idp, "clock", Running(provider.clock.time))
    browser, new = provider.browser(), "/account/authenticators/new"
    await browser.get(new)
    await browser.submit("/password", username="bob", password=PASSWORD)
    await browser.submit("/sms", code=(await provider.deliver())[-1])
    for _ in range(7):  # more than may be begun in an hour
        await browser.get(new)
        page = await browser.submit(new)
        assert (page.status_code, page.url.path) == (200, "/account/authenticators/confirm")


@pytest.mark.parametrize("ending", ["code", "cancel"])
async def test_a_sign_in_under_way_does_not_end_at_an_address_that_was_taken_away(
    provider: Provider, ending: str
) -> None:
    """`idp client set` says that sign-ins which name it are refused; those that had begun brought it their code."""
    leaking, name = NOTES_URI.replace("8002", "8019"), f"moving-{ending}"
    await provider.add_client(name, leaking)
    browser = provider.browser()
    await provider.half_way(browser, "bob", client_id=name, redirect_uri=leaking)
    changed = await edit_client(provider.idp, name, {"redirect_uris": ("https://moved.example/callback",)})
    provider.idp.clients = {**provider.idp.clients, name: changed.after}
    if ending == "cancel":
        answer = await browser.submit("/cancel")
    else:
        answer = await browser.submit("/sms", code=(await provider.deliver())[-1])
    assert (answer.status_code, answer.headers.get("location")) == (400, None)


async def test_who_signs_in_again_is_rid_of_whoever_has_the_cookie_before(provider: Provider) -> None:
    """With the password it brought the thief of a signed-in cookie the new one, which opened the account at once."""
    browser = provider.browser()
    await provider.sign_in(browser, "bob")
    stolen = browser.token
    provider.clock.move(timedelta(minutes=2))
    await browser.get(provider.authorize_url(prompt="login"))
    form = browser.form("/password")
    await browser.submit("/password", username="bob", password=PASSWORD)
    assert "stile" not in (await send(provider, stolen, form, username="bob", password=PASSWORD)).cookies
