"""The protocol under attack (threats.md 3, OAU)."""

from typing import Any
from urllib.parse import urlencode

import pytest

from idp.web import door
from tests.world.provider import PASSWORD, Provider
from tests.world.stage import own_token

REDIRECTS = [
    "http://localhost:8001/Callback",
    "http://LOCALHOST:8001/callback",
    "HTTP://localhost:8001/callback",
    "http://localhost:8002/callback",
    "http://localhost/callback",
    "http://localhost:8001/callback/",
    "http://localhost:8001/callback/more",
    "http://localhost:8001//callback",
    "http://localhost:8001/x/../callback",
    "http://localhost:8001/./callback",
    "http://localhost:8001/%63allback",
    "http://localhost:8001/x%2e%2e/callback",
    "http://localhost:8001/%2e%2e/callback",
    "http://user@localhost:8001/callback",
    "http://user:pass@localhost:8001/callback",
    "http://evil.example@localhost:8001/callback",
    "http://localhost:8001@evil.example/callback",
    "http://localhost:8001/callback#",
    "http://localhost:8001/callback#fragment",
    "http://localhost:8001/callback?",
    "http://localhost:8001/callback?next=evil",
    "http://localhost:8001/callback;x",
    "http://localhost:8001/callback ",
    " http://localhost:8001/callback",
    "http://localhost:8001/callback\n",
    "http://localhost:8001\\callback",
    "https://localhost:8001/callback",
    "http://127.0.0.1:8001/callback",
    "http://[::1]:8001/callback",
    "http://localhost.evil.example:8001/callback",
    "http://evil-localhost:8001/callback",
    "http://xn--lcalhost-54a:8001/callback",
    "http://l\u043ecalhost:8001/callback",
    "//localhost:8001/callback",
    "/callback",
    "callback",
    "javascript:alert(1)//http://localhost:8001/callback",
    "data:text/html,http://localhost:8001/callback",
    "http://localhost:8001/callbac",
    "http://localhost:8001/callback\x00",
    "/account",
    "",
    None,
]
ALSO_WRONG: list[dict[str, Any]] = [
    {},
    {"scope": "unknown"},
    {"response_type": "token"},
    {"response_type": None},
    {"prompt": "none login"},
    {"code_challenge": "x"},
    {"code_challenge_method": "plain"},
    {"request": "eyJhbGciOiJub25lIn0.e30."},
    {"response_mode": "form_post"},
    {"max_age": "-1"},
]


@pytest.mark.parametrize("redirect_uri", REDIRECTS)
async def test_no_variant_of_a_redirect_uri_is_ever_redirected_to(
    provider: Provider, redirect_uri: str | None
) -> None:  # OAU-01
    async with provider.browser().http as http:
        for changes in ALSO_WRONG:
            url = provider.authorize_url(redirect_uri=redirect_uri, **changes)
            for answer in (
                await http.get(url),
                await http.post(
                    "/authorize",
                    content=url.partition("?")[2],
                    headers={"Content-Type": "application/x-www-form-urlencoded"},
                ),
            ):
                assert answer.status_code == 400
                assert "location" not in answer.headers
                assert "<form" not in answer.text
                assert answer.headers["content-type"].startswith("text/html")


async def test_two_redirect_uris_and_none_sent_is_a_page(provider: Provider) -> None:  # OAU-01
    await provider.add_client(
        "two", "http://localhost:1/a", redirect_uris=("http://localhost:1/a", "http://localhost:1/b")
    )
    answer = await provider.browser().http.get(provider.authorize_url("two", redirect_uri=None))
    assert answer.status_code == 400


async def test_a_redirect_uri_that_comes_twice_is_not_followed(provider: Provider) -> None:  # OAU-01 OAU-07
    url = provider.authorize_url() + "&" + urlencode({"redirect_uri": "https://evil.example/"})
    answer = await provider.browser().http.get(url)
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "there",
    [
        "//evil.example",
        "/\\evil.example",
        "%2f%2fevil.example",
        "/%2fevil.example",
        "https:evil.example",
        "https://evil.example/",
        "///evil.example",
        "/account/../../evil",
        "/account\r\nLocation: https://evil.example",
        "javascript:alert(1)",
        "\\\\evil.example",
        "/account?x=//evil.example",
        "/account?x=1?",
        "/account#x",
        "account",
        "",
    ],
)
async def test_no_page_of_ours_leads_to_another_host(provider: Provider, there: str) -> None:  # OAU-20
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    form = {**own_token(provider, browser, "/language"), "language": "en", "here": there}
    answer = await browser.http.post("/language", data=form)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    for name in ("next", "return_to", "url", "here", "done", "request"):
        for path in ("/account", "/logout", "/logout/done", "/account/cancelled"):
            answer = await browser.http.get(path, params={name: there})
            assert "evil" not in answer.headers.get("location", "")
            assert "evil" not in answer.text


async def test_the_host_of_a_request_is_never_believed(provider: Provider) -> None:  # OAU-20
    async with provider.browser(headers={"Host": "evil.example"}).http as http:
        for path in (provider.authorize_url(), "/account", "/account/", "/logout", "/nowhere", "/authorize/"):
            answer = await http.get(path)
            assert "evil" not in answer.headers.get("location", "")
            assert "evil" not in answer.text
        found = (await http.get("/.well-known/openid-configuration")).json()
    assert "evil" not in str(found)


async def test_the_language_can_be_changed_with_and_without_a_session(provider: Provider) -> None:  # OAU-20
    browser = provider.browser()
    page = await browser.get(provider.authorize_url())
    form = {**own_token(provider, browser, "/language"), "language": "en", "here": page.url.path}
    answer = await browser.http.post("/language", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, page.url.path)
    stranger = provider.browser()
    form = {"csrf": door.csrf(provider.idp, None, "/language"), "language": "en", "here": "/logout/done"}
    answer = await stranger.http.post("/language", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/logout/done")
    assert "stile-language" in answer.headers["set-cookie"]
    refused = await stranger.http.post("/language", data={**form, "csrf": "x"})
    assert refused.status_code == 403


async def test_every_address_of_a_question_can_be_opened_again(provider: Provider) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    for step in ("password", "cancel"):
        answer = await browser.get(browser.form(f"/{step}").action)
        assert answer.status_code == 200, step
        assert browser.form("/password").action
    here = (await browser.submit("/password", username="alice", password=PASSWORD)).url.path
    for step in ("password", "consent", "account", "cancel", "sms", "totp", "recovery", "sms/send", "totp/send"):
        answer = await browser.get(f"{here}/{step}")
        assert answer.status_code == 200, step
        assert answer.url.path.startswith(here)
