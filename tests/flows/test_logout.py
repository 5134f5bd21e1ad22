"""Signing out: protocol.md H, and nobody is signed out by a picture on another site."""

from datetime import timedelta
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from idp.flows.operate.keys import rotate_keys
from idp.flows.tokens import keys
from idp.oidc.jws import Untrusted
from tests.world.account_pages import come_in, is_signed_in, refresh_token
from tests.world.provider import ISSUER, Browser, Provider, claims, parameters
from tests.world.stage import header

GOODBYE = "http://localhost:8001/goodbye"
STATE = "s" * 128


async def id_token(provider: Provider, browser: Browser, username: str = "alice", client_id: str = "bank") -> str:
    answer = parameters(await provider.sign_in(browser, username, client_id=client_id))
    found: str = (await provider.redeem(answer["code"], client_id)).json()["id_token"]
    return found


def url(**given: str) -> str:
    return "/logout?" + urlencode(given)


async def is_out(provider: Provider, browser: Browser) -> bool:
    """What the applications see of it."""
    answer = parameters(await browser.get(provider.authorize_url(prompt="none")))
    return answer.get("error") == "login_required"


def assert_forgets(response: httpx.Response) -> None:
    """The answer that ends it all makes the browser forget (SES-06)."""
    assert '"storage"' in response.headers["clear-site-data"]
    assert 'stile=""' in response.headers["set-cookie"]


async def test_h1_the_application_signs_out_and_gets_its_state_back(provider: Provider) -> None:
    browser = provider.browser()
    hint = await id_token(provider, browser)
    answer = await browser.get(url(id_token_hint=hint, post_logout_redirect_uri=GOODBYE, state=STATE), follow=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{GOODBYE}?state={STATE}"
    assert_forgets(answer)
    assert await is_out(provider, browser)


async def test_h1_by_post(provider: Provider) -> None:
    browser = provider.browser()
    hint = await id_token(provider, browser)
    form = {"id_token_hint": hint, "post_logout_redirect_uri": GOODBYE, "state": STATE}
    # a form on the application's page comes without our cookie
    async with provider.browser().http as stranger:
        answer = await stranger.post("/logout", data=form, headers={"Origin": "http://localhost:8001"})
    assert answer.status_code == 303
    assert hint not in answer.headers["location"]
    assert await is_signed_in(browser)
    answer = await browser.get(answer.headers["location"], follow=False)
    assert answer.headers["location"] == f"{GOODBYE}?state={STATE}"
    assert await is_out(provider, browser)


async def test_h1_the_old_cookie_is_worth_nothing_afterwards(provider: Provider) -> None:
    browser = provider.browser()
    hint = await id_token(provider, browser)
    old = browser.token
    await browser.get(url(id_token_hint=hint), follow=False)
    thief = provider.browser()
    thief.http.cookies.set("stile", old or "")
    assert not await is_signed_in(thief)


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("http://localhost:8001/other", id="h2 unregistered"),
        pytest.param(f"{GOODBYE}?x=1", id="h3 with a query"),
        pytest.param(f"{GOODBYE}/", id="with a slash"),
        pytest.param("https://evil.example", id="evil"),
        pytest.param("//evil.example", id="relative"),
    ],
)
async def test_h2_h3_what_is_not_registered_is_not_followed(provider: Provider, uri: str) -> None:
    browser = provider.browser()
    hint = await id_token(provider, browser)
    page = await browser.get(url(id_token_hint=hint, post_logout_redirect_uri=uri), follow=False)
    assert page.status_code == 400
    assert "location" not in page.headers
    # it says what was wrong, and leads on
    assert "This link cannot take you back" in page.text
    assert "(post_logout_redirect_uri) that is not registered" in page.text
    assert 'href="/logout">Sign out' in page.text
    assert await is_signed_in(browser)


async def test_where_nobody_is_signed_in_nobody_is_told_that_they_are(provider: Provider) -> None:
    wrong = {"client_id": "bank", "post_logout_redirect_uri": "https://evil.example"}
    browser = provider.browser()
    for visit in ("without a cookie", "before the password", "signed out"):
        if visit == "before the password":
            await browser.get(provider.authorize_url())
        if visit == "signed out":
            await provider.sign_in(browser)
            await browser.get("/logout")
            await browser.submit("/logout/confirm", decision="sign_out")
        page = await browser.get(url(**wrong))
        assert page.status_code == 400, visit
        assert "Nobody is signed in here" in page.text
        assert "not signed out yet" not in page.text
        assert ">Sign out</a>" not in page.text


async def test_a_post_from_elsewhere_with_a_wrong_address_is_told_the_truth_too(provider: Provider) -> None:
    """It comes without our cookie (SameSite=Lax); the redirect after it brings that along."""
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    wrong = {"client_id": "bank", "post_logout_redirect_uri": "https://evil.example"}
    async with provider.browser().http as elsewhere:
        answer = await elsewhere.post("/logout", data=wrong)
    assert answer.status_code == 303
    page = await browser.get(answer.headers["location"])
    assert page.status_code == 400
    assert "You are not signed out yet" in page.text
    assert await is_signed_in(browser)


async def test_h4_without_a_hint_the_way_back_is_offered_and_not_followed(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    asked = url(post_logout_redirect_uri=GOODBYE, state="s &", client_id="bank")
    page = await browser.get(asked)
    assert page.status_code == 200
    assert "Acme Bank" in page.text
    assert GOODBYE not in page.text
    assert "form-action 'self';" in page.headers["content-security-policy"]
    assert await is_signed_in(browser)
    await browser.get(asked)
    page = await browser.submit("/logout/confirm", decision="sign_out")
    assert urlsplit(str(page.url)).path == "/logout/done"
    assert "You are signed out" in page.text
    assert f'href="{GOODBYE}?state=s+%26"' in page.text
    assert "Back to <bdi>Acme Bank</bdi>" in page.text
    assert not await is_signed_in(browser)
    # and to somebody who was out already
    page = await browser.get(asked)
    assert f'href="{GOODBYE}?state=s+%26"' in page.text


async def test_the_page_afterwards_offers_registered_addresses_alone(provider: Provider) -> None:
    for given in (
        {"client_id": "bank", "post_logout_redirect_uri": "https://evil.example/"},
        {"client_id": "nobody", "post_logout_redirect_uri": GOODBYE},
        {"post_logout_redirect_uri": GOODBYE},
    ):
        page = await provider.browser().get("/logout/done?" + urlencode(given))
        assert page.status_code == 200
        assert given["post_logout_redirect_uri"] not in page.text


@pytest.mark.parametrize(
    "broken", ["none", "tampered", "foreign", "access token", "nonsense", "undefined", "other client", "long", "é"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_h5_a_hint_that_cannot_be_checked_asks_as_if_there_were_none(
    provider: Provider, broken: str, method: str
) -> None:
    browser = provider.browser()
    answer = parameters(await provider.sign_in(browser))
    given = (await provider.redeem(answer["code"])).json()
    head, body, signature = given["id_token"].split(".")
    hint = {
        "none": f"eyJhbGciOiJub25lIn0.{body}.",
        "tampered": f"{head}.{body[:-2]}AA.{signature}",
        "foreign": f"{head}.{body}.{signature[:-4]}AAAA",
        "access token": given["access_token"],
        "nonsense": "x.y.z",
        "other client": given["id_token"],
        "long": "x" * 9000,
    }.get(broken, broken)
    asked = {"id_token_hint": hint, "post_logout_redirect_uri": GOODBYE}
    asked |= {"client_id": "notes", "post_logout_redirect_uri": ""} if broken == "other client" else {}
    if method == "GET":
        page = await browser.get(url(**asked), follow=False)
    else:
        page = await browser.get((await provider.browser().http.post("/logout", data=asked)).headers["location"])
    assert page.status_code == 200
    assert "Sign out?" in page.text
    assert "location" not in page.headers
    assert await is_signed_in(browser)
    await browser.get(url(**asked))
    page = await browser.submit("/logout/confirm", decision="sign_out", follow=False)
    assert page.headers["location"] == "/logout/done"
    assert not await is_signed_in(browser)


async def test_hints_are_known_as_long_as_anybody_can_remember_them(provider: Provider) -> None:
    browser = provider.browser()
    hint = await id_token(provider, browser)
    signed_by = header(hint)["kid"]
    for days in (0, 3, 86):
        provider.clock.move(timedelta(days=days))
        await rotate_keys(provider.idp, early=True)
    provider.idp.ring = None
    await keys.read(provider.idp)
    answer = await browser.get(url(id_token_hint=hint, post_logout_redirect_uri=GOODBYE), follow=False)
    assert answer.headers["location"] == GOODBYE
    # and good for nothing else
    assert signed_by not in {key["kid"] for key in (await browser.http.get("/jwks")).json()["keys"]}
    with pytest.raises(Untrusted):
        provider.idp.keys.verify(hint, typ="at+jwt")
    provider.clock.move(timedelta(days=4))
    await rotate_keys(provider.idp, early=True)
    assert (await browser.get(url(id_token_hint=hint, post_logout_redirect_uri=GOODBYE))).status_code == 200


@pytest.mark.parametrize("given", [{}, {"state": "s"}, {"logout_hint": "alice"}], ids=str)
async def test_h6_without_a_hint_the_person_is_asked(provider: Provider, given: dict[str, str]) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    page = await browser.get(url(**given))
    assert "Sign out?" in page.text
    assert await is_signed_in(browser)
    await browser.get(url(**given))
    page = await browser.submit("/logout/confirm", follow=False, decision="sign_out")
    assert page.status_code == 303
    assert page.headers["location"] == "/logout/done"
    assert_forgets(page)
    assert not await is_signed_in(browser)


async def test_h6_a_hint_without_a_uri_ends_on_our_page(provider: Provider) -> None:
    browser = provider.browser()
    hint = await id_token(provider, browser)
    page = await browser.get(url(id_token_hint=hint, state="s"))
    assert str(page.url) == f"{ISSUER}/logout/done"
    assert not await is_signed_in(browser)


async def test_h7_an_expired_hint_of_the_running_session_will_do(provider: Provider) -> None:
    browser = provider.browser()
    hint = await id_token(provider, browser)
    for _ in range(4):
        provider.clock.move(timedelta(minutes=50))
        assert await is_signed_in(browser)
    assert claims(hint)["exp"] < provider.clock.now().timestamp()
    answer = await browser.get(url(id_token_hint=hint, post_logout_redirect_uri=GOODBYE), follow=False)
    assert answer.headers["location"] == GOODBYE
    assert not await is_signed_in(browser)


async def test_h8_a_hint_of_another_session_has_to_be_confirmed(provider: Provider) -> None:
    theirs = await id_token(provider, provider.browser(address="192.0.2.9"), "bob")
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    page = await browser.get(url(id_token_hint=theirs, post_logout_redirect_uri=GOODBYE, state="s"))
    assert "Acme Bank" in page.text
    assert "form-action 'self' http:;" in page.headers["content-security-policy"]
    assert await is_signed_in(browser)
    await browser.get(url(id_token_hint=theirs, post_logout_redirect_uri=GOODBYE, state="s"))
    page = await browser.submit("/logout/confirm", decision="stay")
    assert str(page.url) == f"{ISSUER}/account"
    await browser.get(url(id_token_hint=theirs, post_logout_redirect_uri=GOODBYE, state="s"))
    page = await browser.submit("/logout/confirm", decision="sign_out")
    assert page.headers["location"] == f"{GOODBYE}?state=s"
    assert not await is_signed_in(browser)


async def test_h10_tokens_end_with_the_session_unless_they_were_to_stay(provider: Provider) -> None:
    browser = provider.browser()
    refreshing = await refresh_token(provider, browser)
    answer = parameters(await browser.get(provider.authorize_url()))
    access = (await provider.redeem(answer["code"])).json()["access_token"]
    await browser.get("/account")
    await browser.submit("/sign-out")
    assert (await provider.introspect(access))["active"] is False
    answered = await provider.token(grant_type="refresh_token", refresh_token=refreshing)
    assert "access_token" in answered.json()


async def test_h11_a_plain_link_ends_nothing(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    for path in ("/logout", "/logout/done", "/logout/confirm", "/account/sign-out"):
        page = await browser.get(path, follow=False)
        assert page.status_code in {200, 303, 405}
        assert "clear-site-data" not in page.headers
        assert "set-cookie" not in page.headers
    assert await is_signed_in(browser)


@pytest.mark.parametrize(
    "query", ["id_token_hint=a&id_token_hint=a", "x=%FF", "&".join(f"a{n}=1" for n in range(200)), "request=AAAA"]
)
async def test_a_request_that_cannot_be_read_asks_as_if_nothing_had_been_said(provider: Provider, query: str) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    page = await browser.get(f"/logout?{query}", follow=False)
    assert page.status_code == 200
    assert "Sign out?" in page.text
    assert await is_signed_in(browser)


async def test_without_the_state_it_gave_the_application_gets_nobody_back(provider: Provider) -> None:
    browser = provider.browser()
    hint = await id_token(provider, browser)
    asked = url(id_token_hint=hint, post_logout_redirect_uri=GOODBYE) + "&state=a&state=b"
    assert (await browser.get(asked, follow=False)).headers["location"] == "/logout/done"


@pytest.mark.parametrize("packed", ["", "x", "é", "AAAA", "A" * 8000])
async def test_a_confirmation_takes_no_request_but_ours(provider: Provider, packed: str) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    await browser.get("/logout")
    page = await browser.submit("/logout/confirm", decision="sign_out", request=packed, follow=False)
    assert page.headers["location"] == "/logout/done"
    assert not await is_signed_in(browser)


async def test_signing_out_in_two_tabs_ends_well_in_both(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    first, second = [await browser.get("/logout") for _ in range(2)]
    for page in (first, second):
        browser.page = page
        answer = await browser.submit("/logout/confirm", decision="sign_out", follow=False)
        assert answer.headers["location"] == "/logout/done"
    assert (await browser.http.post("/account/sign-out", data={"csrf": "x"})).headers["location"] == "/logout/done"


async def test_neither_yes_nor_no_is_refused(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    await browser.get("/logout")
    assert (await browser.submit("/logout/confirm")).status_code == 400
    assert await is_signed_in(browser)


async def test_the_button_of_the_account_page_signs_out(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    page = await browser.submit("/sign-out", follow=False)
    assert page.headers["location"] == "/logout/done"
    assert_forgets(page)
    assert not await is_signed_in(browser)
    assert await is_out(provider, browser)


async def test_signing_out_twice_is_no_mistake(provider: Provider) -> None:
    browser = provider.browser()
    hint = await id_token(provider, browser)
    for _ in range(2):
        answer = await browser.get(url(id_token_hint=hint, post_logout_redirect_uri=GOODBYE), follow=False)
        assert answer.headers["location"] == GOODBYE
