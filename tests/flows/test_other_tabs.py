"""A live code has its field in every tab of its browser and person that asks for the same: to sign in."""

from collections.abc import Awaitable
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select

from idp.model import Factor
from idp.store.schema.people import authentication_event
from tests.world.asking import count, wrong
from tests.world.composed import Statement
from tests.world.mailing import allow_mail
from tests.world.parallel import at_once
from tests.world.provider import PASSWORD, Browser, HtmlForm, Provider, parameters

PROOFS = Statement(select(authentication_event.c.factor, authentication_event.c.interaction_id))
ROUNDS = 8
Answer = Awaitable[httpx.Response]


async def waits_for_code(provider: Provider, username: str = "bob", **asked: str) -> tuple[Browser, str]:
    """A browser whose first tab, the bank's, waits for the code that was sent; and that code."""
    browser = provider.browser()
    await browser.get(provider.authorize_url(**asked))
    await browser.submit("/password", username=username, password=PASSWORD)
    await browser.ask_for_text()
    return browser, (await provider.deliver())[-1]


async def tab(browser: Browser, provider: Provider, client_id: str = "notes", **asked: str) -> str:
    """Another tab that asks something else; the path of its page."""
    page = await browser.get(provider.authorize_url(client_id, **asked))
    return str(page.url.path)


async def texts(provider: Provider) -> int:
    await provider.deliver()
    return len(provider.gateway.codes())


async def test_a_second_tab_takes_the_code_that_the_first_one_asked_for(provider: Provider) -> None:
    browser, code = await waits_for_code(provider)
    first = str(browser.page.url.path) if browser.page else ""
    await tab(browser, provider)
    assert "Check your phone" in (browser.page.text if browser.page else "")
    assert "code" in parameters(await browser.submit("/sms", code=code))
    assert "code" in parameters(await browser.get(first.removesuffix("/sms")))
    assert await texts(provider) == 1


async def test_the_first_tab_takes_it_too_whatever_the_second_one_did(provider: Provider) -> None:
    browser, code = await waits_for_code(provider)
    first = browser.form("/sms").action
    await tab(browser, provider)
    await browser.get(first)
    assert "code" in parameters(await browser.submit("/sms", code=code))


async def test_tries_are_counted_once_over_all_tabs(provider: Provider) -> None:
    browser, code = await waits_for_code(provider)
    first = browser.form("/sms").action
    second = await tab(browser, provider)
    for where, left in ((first, "2 tries"), (f"{second}/sms", "1 try")):
        await browser.get(where)
        assert left in (await browser.submit("/sms", code=wrong(code))).text
    await browser.get(first)
    assert (await browser.submit("/sms", code=wrong(code))).status_code == 400
    for where in (first, f"{second}/sms"):
        page = await browser.get(where)
        assert 'name="code"' not in page.text, "what is dead has no field in any tab"
    assert [row for row in await provider.rows(PROOFS) if row[0] == Factor.SMS] == []


async def test_sent_again_from_another_tab_it_is_the_same_code(provider: Provider) -> None:
    browser, code = await waits_for_code(provider)
    await tab(browser, provider)
    provider.clock.move(timedelta(seconds=61))
    await browser.get(str(browser.page.url.path) if browser.page else "")
    page = await browser.submit("/sms/send")
    assert (await provider.deliver())[-2:] == [code, code]
    assert "/sms" in str(page.url.path) or browser.form("/sms").action
    assert "code" in parameters(await browser.submit("/sms", code=code))


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"prompt": "login"}, id="prompt=login"),
        pytest.param({"max_age": "0"}, id="max_age=0"),
    ],
)
async def test_who_asks_for_a_sign_in_of_its_own_takes_no_other_tabs_code(
    provider: Provider, asked: dict[str, str]
) -> None:
    browser, code = await waits_for_code(provider)
    await tab(browser, provider, **asked)
    await browser.submit("/password", username="bob", password=PASSWORD)
    page = browser.page
    assert page is not None
    assert 'name="code"' not in page.text
    here = str(page.url.path).removesuffix("/sms")
    answer = await browser.post(f"{here}/sms", {"csrf": "", "code": code}, follow=False)
    assert "code=" not in answer.headers.get("location", "")
    assert [row for row in await provider.rows(PROOFS) if row[0] == Factor.SMS] == []


async def test_a_code_asked_for_one_of_these_is_lent_to_nobody(provider: Provider) -> None:
    browser, _ = await waits_for_code(provider, prompt="login")
    await tab(browser, provider)
    assert browser.page is not None
    assert 'name="code"' not in browser.page.text


async def test_a_code_that_would_change_how_one_signs_in_signs_in_nowhere_else(provider: Provider) -> None:
    browser = provider.browser()
    await browser.get("/account/authenticators/new")
    await browser.submit("/password", username="bob", password=PASSWORD)
    await provider.deliver()
    await tab(browser, provider, "bank")
    assert browser.page is not None
    assert 'name="code"' not in browser.page.text


async def test_whoever_signs_in_after_somebody_gets_no_field_for_their_code(provider: Provider) -> None:
    browser, _ = await waits_for_code(provider)
    await tab(browser, provider)
    await browser.submit("/account")
    page = await browser.submit("/password", username="alice", password=PASSWORD)
    assert 'action="/i/' in page.text
    assert "ending 46" not in page.text
    await browser.get(str(page.url.path).removesuffix("/totp") + "/sms")
    assert browser.page is not None
    assert 'name="code"' not in browser.page.text


async def test_a_code_by_mail_has_its_field_in_every_tab_too(provider: Provider) -> None:
    allow_mail(provider)
    await provider.add_person("dora", email="dora@example.com", email_verified=True)
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    await browser.submit("/password", username="dora", password=PASSWORD)
    code = (await provider.deliver())[-1]
    await tab(browser, provider)
    assert "code" in parameters(await browser.submit("/email", code=code))


async def test_a_code_sent_twice_from_another_tab_goes_on(provider: Provider) -> None:
    browser, code = await waits_for_code(provider)
    await tab(browser, provider)
    form, old = browser.form("/sms"), browser.token
    data = {each.name: each.value for each in form.fields} | {"code": code}
    first, second = [await _send(provider, old, form.action, data) for _ in range(2)]
    assert first.cookies["stile"] == second.cookies["stile"]
    assert first.headers["location"] == second.headers["location"]


async def _send(provider: Provider, cookie: str | None, action: str, data: dict[str, str]) -> httpx.Response:
    async with provider.browser().http as http:
        return await http.post(action, data=data, headers={"Cookie": f"stile={cookie}"})


async def test_both_tabs_at_once_are_one_proof(provider: Provider) -> None:
    """The same code in two tabs at the same moment: one proof, and both tabs go on."""
    for number in range(ROUNDS):
        person = f"b{number}"
        await provider.add_person(person, number=f"+3725678{9100 + number}")
        browser, code = await waits_for_code(provider, person)
        forms = [browser.form("/sms")]
        await tab(browser, provider)
        forms.append(browser.form("/sms"))
        old, before = browser.token, await count(provider, "authentication_event")

        def press(at: int, forms: list[HtmlForm] = forms, old: str | None = old, code: str = code) -> Answer:
            form = forms[at % 2]
            data = {each.name: each.value for each in form.fields} | {"code": code}
            return _send(provider, old, form.action, data)

        answers = await at_once(2, press)
        assert await count(provider, "authentication_event") == before + 1
        cookies = {each.cookies["stile"] for each in answers if "stile" in each.cookies}
        assert len(cookies) == 1
        browser.http.cookies.clear()
        browser.http.cookies.set("stile", cookies.pop())
        for form in forms:
            assert "code" in parameters(await browser.get(form.action.removesuffix("/sms")))
