"""A decision explained in the console: what somebody would be asked, why, and what the application would get."""

import html
import re
from urllib.parse import urlencode

import httpx
import pytest

from idp.flows.operate.finding import find_user
from tests.world.api import add_operator, calling, machine_token, with_roles
from tests.world.provider import PASSWORD, Browser, Provider

PATH = "/admin/policy/explain"


@pytest.fixture
async def browser(provider: Provider) -> Browser:
    """Ada's, of the helpdesk: whoever may look may have a decision explained."""
    with_roles(provider)
    await add_operator(provider, "ada", "desk")
    browser = provider.browser()
    await browser.get("/admin/policy")
    await browser.submit("/password", username="ada", password=PASSWORD)
    await browser.submit("/totp", code=provider.totp("ada"))
    return browser


async def _asked(browser: Browser, **typed: str) -> httpx.Response:
    return await browser.get(f"{PATH}?{urlencode(typed)}")


def _text(page: httpx.Response) -> str:
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", re.sub("</?bdi>", "", page.text))).split())


async def test_it_is_offered_beside_the_policy_and_explains_nothing_by_itself(browser: Browser) -> None:
    assert f'href="{PATH}"' in (await browser.get("/admin/policy")).text
    page = await browser.get(PATH)
    assert page.status_code == 200
    assert "What comes of it" not in page.text


async def test_a_person_and_an_application_lead_to_it(provider: Provider, browser: Browser) -> None:
    bob = (await find_user(provider.idp, "bob")).account.id
    for path in (f"/admin/people/{bob}", "/admin/applications/bank"):
        found = re.search(rf'href="({PATH}[?][^"]+)"', (await browser.get(path)).text)
        assert found, path
        assert "What comes of it" in _text(await browser.get(html.unescape(found[1])))


async def test_it_says_what_somebody_is_asked_and_what_the_tokens_would_say(
    provider: Provider, browser: Browser
) -> None:
    provider.count()
    typed = {"username": "alice", "client": "bank", "scope": "openid transfers:write", "signed_in_with": "sms"}
    page = await _asked(browser, **typed, ask="1")
    assert page.status_code == 200
    assert len(provider.statements) <= 4, provider.statements
    said = _text(page)
    assert (
        "ask for second_factor by totp for transfers:write, because transfers:write needs strong, made in this request"
        in said
    )
    assert "What they would be asked" in said
    assert '"scope": "openid transfers:write"' in said
    assert '"acr": "urn:stile:2fa-strong"' in said
    proved, issued = (int(found[1]) for name in ("auth_time", "iat") if (found := re.search(rf'"{name}": (\d+)', said)))
    assert proved <= issued, "no token is older than its proof"
    assert 'value="openid transfers:write"' in page.text, "what was typed is still there"


async def test_what_an_application_insists_on_counts(browser: Browser) -> None:
    signed_in = {"username": "alice", "client": "bank", "signed_in_with": "totp"}
    assert "ask for password" not in _text(await _asked(browser, **signed_in))
    assert "ask for password" in _text(await _asked(browser, **signed_in, prompt="login"))
    assert "Granted No" in _text(await _asked(browser, username="alice", client="bank", prompt="none"))
    page = await _asked(browser, prompt="insist")
    assert page.status_code == 422
    assert "prompt is one of none, login, consent, select_account, not 'insist'." in _text(page)


async def test_who_has_no_app_gets_nothing_that_needs_one(browser: Browser) -> None:
    said = _text(await _asked(browser, username="bob", client="bank", scope="transfers:write"))
    assert "Granted No" in said
    assert "The access token would say" not in said


async def test_what_has_no_part_in_it_is_said(browser: Browser) -> None:
    said = _text(await _asked(browser, scope="openid nope", acr_values="urn:none", max_age="60", signed_in_with="sms"))
    assert "nope the policy has no such scope" in said
    assert "urn:none the policy has no level of that name" in said


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"username": "nobody"}, "There is no user named 'nobody'."),
        ({"client": "nothing"}, "nothing"),
        ({"max_age": "soon"}, "max_age is a number of seconds"),
        ({"max_age": "-1"}, "max_age is a number of seconds"),
        ({"max_age": "٣"}, "max_age is a number of seconds"),
        ({"max_age": "9" * 400}, "max_age is a number of seconds"),
        ({"signed_in_with": "magic"}, "'magic' is no factor of the policy"),
        ({"site": "https://nowhere.example/"}, "The policy has no site"),
        ({"details": "{"}, "There is a problem"),
        ({"details": "[" * 900}, "There is a problem"),
    ],
)
async def test_what_cannot_be_tried_is_said_beside_what_was_typed(
    browser: Browser, typed: dict[str, str], said: str
) -> None:
    page = await _asked(browser, **typed)
    assert page.status_code == 422
    assert said in _text(page)
    assert "<title>Error:" in page.text


@pytest.mark.parametrize(
    "query",
    [
        "username=%00",
        "username=%FF",
        "username=a&username=b",
        "scope=" + "x" * 5000,
        "scope=" + "+".join(f"s{number}" for number in range(900)),
        "client=%3Cscript%3Ealert(1)%3C/script%3E",
        "acr_values=%E2%80%AE",
        "username=" + "a" * 300,
        "&".join(f"f{number}=1" for number in range(200)),
        "details=%5B%7B%22type%22%3A%22payment%22%7D%5D",
        "max_age=1e3",
    ],
)
async def test_nothing_in_the_address_breaks_it(browser: Browser, query: str) -> None:
    page = await browser.get(f"{PATH}?{query}")
    assert page.status_code in {200, 400, 422}
    assert "<script>alert" not in page.text


async def test_the_api_says_of_it_what_the_console_does(provider: Provider, browser: Browser) -> None:
    token = await machine_token(provider)
    asked = {"username": "alice", "client": "bank", "scopes": ["openid", "email"]}
    async with calling(provider, token) as api:
        answer = (await api.post("policy/explain", json=asked)).json()
        poor = (
            await api.post("policy/explain", json={**asked, "username": "bob", "scopes": ["transfers:write"]})
        ).json()
    assert answer["granted"] is True
    assert answer["access_token"]["scope"] == "openid email"
    assert answer["userinfo"]["sub"] == answer["id_token"]["sub"] == answer["access_token"]["sub"]
    said = _text(await _asked(browser, username="alice", client="bank", scope="openid email"))
    assert answer["access_token"]["sub"] in said
    assert all(check["found"] in said for check in answer["checks"])
    assert (poor["granted"], poor["access_token"], poor["id_token"]) == (False, None, None)
