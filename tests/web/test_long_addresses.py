"""What is too long for nginx as it comes is refused before anything is made, or takes a way that has room for it."""

from collections.abc import AsyncIterator
from html import escape
from pathlib import Path
from urllib.parse import parse_qsl, quote_plus, urlsplit

import httpx
import pytest
from playwright.async_api import Route

from idp.oidc.answer import MAX_LOCATION
from tests.world.chromium import chromium, goes_by, window
from tests.world.listening import served
from tests.world.nginx import NEEDS_NGINX, nginx_before
from tests.world.provider import BANK_URI, ISSUER, Browser, Provider, forms, parameters
from tests.world.served import Over
from tests.world.waiting import NEVER

pytestmark = NEEDS_NGINX

BUFFER = 4096  # nginx: proxy_buffer_size, one page of memory
# https: `__Host-`, Secure, and Strict-Transport-Security; each of three cookies at its longest; the server's own lines
LEFT = 4 * 80
BANK_OUT = BANK_URI.replace("callback", "goodbye")
FROM_ELSEWHERE = {"Sec-Fetch-Site": "cross-site"}
FROM_US = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def nginx(provider: Provider, tmp_path: Path) -> AsyncIterator[Over]:
    async with served(provider.app) as sock, nginx_before("{}:{}".format(*sock.getsockname()), tmp_path) as url:
        over = Over(url)
        yield over
        await over.wire.aclose()


def through(provider: Provider, nginx: Over) -> Browser:
    browser = provider.browser()
    browser.http = httpx.AsyncClient(transport=nginx, base_url=ISSUER, timeout=NEVER)
    return browser


def longest_state() -> str:
    """As long as a state may be: whatever the answer is, it fits."""
    return "x" * (MAX_LOCATION - 300 - len(f"{BANK_URI}?state=&iss={quote_plus(ISSUER)}"))


def size(response: httpx.Response) -> int:
    return len(b"HTTP/1.1 303 See Other\r\n\r\n") + sum(
        len(name) + len(value) + 4 for name, value in response.headers.raw
    )


async def test_the_longest_state_comes_back_from_a_sign_in_and_from_a_session(provider: Provider, nginx: Over) -> None:
    state, browser = longest_state(), through(provider, nginx)
    for answer in (
        await provider.sign_in(browser, state=state),
        await browser.get(provider.authorize_url(state=state)),
        await browser.get(provider.authorize_url(state=state, prompt="none", acr_values="phr")),
        await through(provider, nginx).get(provider.authorize_url(state=state, prompt="none")),
        await browser.get(provider.authorize_url(state=state, scope="nothing")),
        await browser.get(provider.authorize_url(state=state, response_type="token")),
    ):
        assert answer.status_code == 303
        assert answer.headers["location"].startswith(BANK_URI)
        assert state in answer.headers["location"]
        assert len(answer.headers["location"]) <= MAX_LOCATION
        assert size(answer) <= BUFFER - LEFT


@pytest.mark.parametrize("more", ["x", "x" * 1200, "€" * 400])
async def test_a_longer_state_is_refused_before_there_is_a_code(provider: Provider, nginx: Over, more: str) -> None:
    browser = through(provider, nginx)
    await provider.sign_in(browser)
    provider.count()
    answer = await browser.get(provider.authorize_url(state=longest_state() + more))
    assert answer.status_code == 400
    assert "state is too long" in answer.text
    assert not [each for each in provider.statements if each.startswith("INSERT")]


async def test_form_post_has_room_for_it(provider: Provider, nginx: Over) -> None:
    browser, state = through(provider, nginx), "x" * 7000
    answer = await provider.sign_in(browser, state=state, response_mode="form_post")
    assert answer.status_code == 200
    assert ("state", state) in [(each.name, each.value) for each in forms(answer.text)[0].fields]


async def test_a_request_too_long_for_an_address_is_posted_again_with_our_cookies(
    provider: Provider, nginx: Over
) -> None:
    browser = through(provider, nginx)
    await provider.sign_in(browser)
    given = dict(parse_qsl(urlsplit(provider.authorize_url(state="x" * 7000, response_mode="form_post")).query))
    cookies, browser.http.cookies = browser.http.cookies, httpx.Cookies()  # SameSite=Lax
    passed_on = await browser.http.post("/authorize", data=given, headers=FROM_ELSEWHERE)
    assert passed_on.status_code == 200
    assert "set-cookie" not in passed_on.headers
    (form,) = forms(passed_on.text)
    assert [(each.name, each.value) for each in form.fields] == list(given.items())
    # who points a form of another site there gets no further than this page
    for headers in (FROM_ELSEWHERE, {"Sec-Fetch-Site": "same-site"}):
        planted = await browser.http.post(form.action, data=given, headers=headers)
        assert planted.status_code == 200
        assert "set-cookie" not in planted.headers
    browser.http.cookies = cookies
    answer = await browser.http.post(form.action, data=given, headers=FROM_US)
    assert "code" in [each.name for each in forms(answer.text)[0].fields]
    fresh = await through(provider, nginx).http.post(form.action, data=given, headers=FROM_US)
    assert fresh.status_code == 303
    assert fresh.headers["location"].startswith("/i/")


async def test_a_browser_that_does_not_say_where_a_form_came_from_is_told_that_it_is_too_long(
    provider: Provider, nginx: Over
) -> None:
    given = dict(parse_qsl(urlsplit(provider.authorize_url(state="x" * 7000, response_mode="form_post")).query))
    answer = await through(provider, nginx).http.post("/authorize", data=given)
    assert answer.status_code == 413
    assert "set-cookie" not in answer.headers


async def test_signing_out_with_a_long_state(provider: Provider, nginx: Over) -> None:
    browser = through(provider, nginx)
    tokens = (await provider.redeem(parameters(await provider.sign_in(browser))["code"])).json()
    asked = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BANK_OUT}
    state = "x" * (MAX_LOCATION - len(f"{BANK_OUT}?state="))
    passed_on = await browser.http.post("/logout", data={**asked, "state": state}, headers=FROM_ELSEWHERE)
    (form,) = forms(passed_on.text)
    out = await browser.http.post(form.action, data={each.name: each.value for each in form.fields}, headers=FROM_US)
    assert out.status_code == 303
    assert out.headers["location"] == f"{BANK_OUT}?state={state}"
    assert size(out) <= BUFFER - LEFT
    # Without room for the state nobody is led back, and nobody is kept signed in either
    for long in (f"{state}x", "x" * 6000):
        out = await browser.http.get("/logout", params={**asked, "state": long})
        assert (out.status_code, out.headers["location"]) == (303, "/logout/done")
    named = {"client_id": "bank", "post_logout_redirect_uri": BANK_OUT, "state": "é" * 490}
    out = await browser.http.get("/logout", params=named)
    assert (out.status_code, out.headers["location"]) == (303, "/logout/done")
    assert size(out) <= BUFFER - LEFT


@pytest.mark.browser
async def test_a_real_browser_posts_it_again_by_itself(provider: Provider) -> None:
    signed_in = provider.browser()
    await provider.sign_in(signed_in)
    given = dict(parse_qsl(urlsplit(provider.authorize_url(state="x" * 7000, response_mode="form_post")).query))
    inputs = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in given.items()
    )
    arrived: list[str | None] = []

    async def bank(route: Route) -> None:
        arrived.append(route.request.post_data)
        await route.fulfill(body="<h1>welcome</h1>", content_type="text/html")

    async def elsewhere(route: Route) -> None:
        form = f'<form method="post" action="http://localhost:{port}/authorize">{inputs}<button>go</button></form>'
        await route.fulfill(body=form, content_type="text/html")

    async with served(provider.app) as sock, chromium() as browser:
        port = sock.getsockname()[1]
        page = await (await window(browser)).new_page()
        cookies = [
            {"name": name, "value": value, "url": f"http://localhost:{port}", "sameSite": "Lax"}
            for name, value in signed_in.http.cookies.items()
        ]
        await page.context.add_cookies(cookies)  # type: ignore[arg-type]  # a TypedDict that is private
        await page.route(f"{BANK_URI}*", bank)
        await page.route("http://elsewhere.example/", elsewhere)
        await page.goto("http://elsewhere.example/")
        await goes_by(page.get_by_role("button"))
        await page.get_by_text("welcome").wait_for()
    ((posted),) = arrived
    assert posted is not None
    assert {"code", "state", "iss"} == set(dict(parse_qsl(posted)))
