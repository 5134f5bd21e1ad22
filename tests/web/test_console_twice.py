"""Every change of the console, its button pressed twice in one moment: done once, and both answers are at one place.

A browser shows the answer that comes last. Nobody is told of a change by somebody else who was their own first press.
"""

import re
from typing import Any

import httpx
import pytest

from idp.flows.operate.client_changes import edit_client
from idp.flows.operate.keys import list_keys
from idp.flows.operate.trail import Search, audit_page
from idp.web.console.changes import PEOPLE
from idp.web.console.client_changes import APPLICATIONS
from tests.world.console import opened, page_of, signed_in, text_of
from tests.world.console_changes import ONE_OF_THEM, PICTURE, TYPED, application_for, person_for
from tests.world.parallel import at_once
from tests.world.provider import NOTES_URI, Browser, Provider

ROUNDS = 4


async def _pressed_twice(provider: Provider, browser: Browser, path: str, **typed: Any) -> list[httpx.Response]:
    """Both answers, each with the page that it leads to."""
    form = browser.form(path)
    sent: dict[str, Any] = {one.name: one.value for one in form.fields if one.name and one.kind != "checkbox"}
    files = {"logo": ("logo.png", PICTURE, "image/png")} if "logo" in sent else None
    sent.pop("logo", None)

    async def press(_: int) -> httpx.Response:
        return await browser.http.post(path, data=sent | typed, files=files)

    return await at_once(2, press)


def _agree(change: str, answers: list[httpx.Response]) -> None:
    first, second = answers
    for answer in answers:
        assert answer.status_code == 200, (change, answer.url, text_of(answer)[-4000:])
        assert 'role="alert"' not in answer.text, (change, answer.url, text_of(answer)[-4000:])
        assert 'role="status"' in answer.text, (change, answer.url, text_of(answer)[-4000:])
    assert first.url.path == second.url.path, change
    assert "/" + change not in first.url.path
    secrets = [re.findall('<p class="secret"><code>(.*?)</code>', each.text) for each in answers]
    assert secrets[0] == secrets[1], change


@pytest.mark.parametrize("change", sorted(PEOPLE.changes))
async def test_a_change_of_somebody(provider: Provider, change: str) -> None:
    browser = await signed_in(provider)
    for number in range(ROUNDS):
        username = f"guest-{number}"
        await person_for(provider, change, username)
        path = f"{await page_of(provider, username)}/{change}"
        typed = dict(TYPED.get(change, {}))
        if "phone" in typed:
            typed["phone"] = f"+3725678901{number}"
        if "email" in typed:
            typed["email"] = f"another-{number}@example.com"
        page = await opened(provider, browser, path)
        if (name := ONE_OF_THEM.get(change)) is not None:
            typed[name] = re.findall('<option value="([^"]+)"', page.text)[0]
        _agree(change, await _pressed_twice(provider, browser, path, **typed))


@pytest.mark.parametrize("change", sorted(APPLICATIONS.changes))
async def test_a_change_of_an_application(provider: Provider, change: str) -> None:
    browser = await signed_in(provider)
    for number in range(ROUNDS):
        client_id = f"app-{number}"
        await application_for(provider, change, client_id)
        path = f"/admin/applications/{client_id}/{change}"
        await opened(provider, browser, path)
        _agree(change, await _pressed_twice(provider, browser, path))


async def test_a_change_of_an_application_with_a_secret(provider: Provider) -> None:
    """The form that is shown first, and once more with what follows."""
    browser = await signed_in(provider)
    for number in range(ROUNDS):
        client_id = f"app-{number}"
        await provider.add_client(client_id, NOTES_URI)
        await edit_client(provider.idp, client_id, {"auth_method": "none"})
        path = f"/admin/applications/{client_id}/edit"
        await opened(provider, browser, path)
        await browser.submit("/edit", auth_method="client_secret_basic", name=f"Name {number}")
        answers = await _pressed_twice(provider, browser, path, sure="1")
        _agree("edit", answers)
        assert 'class="secret"' in answers[0].text
        changes = (await audit_page(provider.idp, Search(client_id=client_id, event="client.changed"))).entries
        assert len(changes) == 2, "once to be public, once back"


async def test_what_somebody_else_made_of_it_is_told(provider: Provider) -> None:
    """Two administrators at once who want different things: one of them is told."""
    browser = await signed_in(provider)
    for number in range(ROUNDS):
        username = f"guest-{number}"
        await provider.add_person(username)
        path = f"{await page_of(provider, username)}/edit"
        await opened(provider, browser, path)
        sent = {one.name: one.value for one in browser.form(path).fields if one.name and one.kind != "checkbox"}

        async def press(which: int, path: str = path, sent: dict[str, str] = sent) -> int:
            return (await browser.http.post(path, data=sent | {"name": f"Name {which}"})).status_code

        assert sorted(await at_once(2, press)) == [200, 409]


async def test_the_keys_move_on_once(provider: Provider) -> None:
    browser = await signed_in(provider)
    for _ in range(ROUNDS):
        before = {key.kid: key.state for key in await list_keys(provider.idp)}
        await opened(provider, browser, "/admin/policy/keys")
        _agree("keys", await _pressed_twice(provider, browser, "/admin/policy/keys", early="on"))
        signing = {key.kid for key in await list_keys(provider.idp) if key.state == "current"}
        assert signing == {kid for kid, state in before.items() if state == "next"}
