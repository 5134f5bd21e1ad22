"""The authorization request (protocol.md B)."""

import base64
import hashlib
import math
import re
from collections import Counter
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest

from idp.web.pages import FORM_POST_SCRIPT_HASH
from tests.world.faces import face
from tests.world.provider import BANK_URI, ISSUER, PASSWORD, Provider, claims, forms, parameters
from tests.world.stage import MOBILE_URI, SHOP_URI, consent, error_of, segment, tokens

STATE = "a b&c=d/%2F+ü€" + "x" * 290


def form_of(provider: Provider, client_id: str = "bank", **changes: str | None) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(provider.authorize_url(client_id, **changes)).query))


async def ask(provider: Provider, url: str) -> httpx.Response:
    async with provider.browser().http as http:
        return await http.get(url)


async def test_a_post_from_another_site_keeps_the_session_and_is_answered(provider: Provider) -> None:  # B1
    browser = provider.browser()
    await provider.sign_in(browser)
    token = browser.token
    # SameSite=Lax: the cookie stays at home when another site's form is posted
    async with provider.browser(
        headers={"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:8001"}
    ).http as out:
        answer = await out.post("/authorize", data=form_of(provider, state=STATE))
    assert answer.status_code == 303
    assert "set-cookie" not in answer.headers
    assert answer.headers["location"].startswith("/authorize?")
    found = parameters(await browser.get(answer.headers["location"]))
    assert found["code"]
    assert found["state"] == STATE
    assert browser.token == token


async def test_a_post_with_the_cookie_is_answered_at_once(provider: Provider) -> None:  # B1
    browser = provider.browser()
    await provider.sign_in(browser)
    answer = await browser.http.post("/authorize", data=form_of(provider))
    assert "code" in parameters(answer)


async def test_a_post_from_a_stranger_leads_to_the_sign_in_page(provider: Provider) -> None:  # B1
    browser = provider.browser()
    page = await browser.post("/authorize", form_of(provider))
    assert page.status_code == 200
    assert browser.form("/password").action


async def test_a_posted_request_ignores_the_query(provider: Provider) -> None:  # B1
    async with provider.browser().http as http:
        answer = await http.post(provider.authorize_url(), data={"client_id": "bank"})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"response_type": None}, "invalid_request", id="B2"),
        pytest.param({"response_type": "foo"}, "unsupported_response_type", id="B14-foo"),
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="B14-token"),
        pytest.param({"response_type": "id_token"}, "unsupported_response_type", id="B14-id_token"),
        pytest.param({"response_type": "code token"}, "unsupported_response_type", id="B14-code-token"),
        pytest.param({"response_mode": "web_message"}, "invalid_request", id="B16-web_message"),
        pytest.param({"response_mode": "fragment"}, "invalid_request", id="B16-fragment"),
        pytest.param({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported", id="B17-request"),
        pytest.param({"request_uri": "https://evil.example/"}, "request_uri_not_supported", id="B17-request_uri"),
        pytest.param({"registration": "{}"}, "registration_not_supported", id="B17-registration"),
        pytest.param({"code_challenge_method": "plain"}, "invalid_request", id="B18-plain"),
        pytest.param({"code_challenge_method": None}, "invalid_request", id="B18-absent"),
        pytest.param({"code_challenge": None}, "invalid_request", id="B18-no-challenge"),
        pytest.param({"code_challenge": "a" * 42}, "invalid_request", id="B19-42"),
        pytest.param({"code_challenge": "a" * 44}, "invalid_request", id="B19-44"),
        pytest.param({"code_challenge": "a" * 42 + "!"}, "invalid_request", id="B19-character"),
        pytest.param({"code_challenge": "a" * 129}, "invalid_request", id="OAU-04-129"),
        pytest.param({"scope": None}, "invalid_scope", id="B12-none"),
        pytest.param({"scope": "unknown"}, "invalid_scope", id="B12-unknown-only"),
        pytest.param({"resource": "https://evil.example/"}, "invalid_target", id="G10"),
        pytest.param({"prompt": "none login"}, "invalid_request", id="C3"),
        pytest.param({"prompt": "create"}, "invalid_request", id="C6"),
        pytest.param({"max_age": "-1"}, "invalid_request", id="C10-STP-05-negative"),
        pytest.param({"max_age": "abc"}, "invalid_request", id="C10-STP-05-letters"),
        pytest.param({"max_age": "1_000"}, "invalid_request", id="C10-STP-05-underscore"),
        pytest.param({"max_age": "\uff11\uff10"}, "invalid_request", id="C10-STP-05-full-width"),
        pytest.param({"max_age": "9" * 5000}, "invalid_request", id="C10-STP-05-5000-digits"),
        pytest.param({"claims": "{"}, "invalid_request", id="claims-syntax"),
        pytest.param({"id_token_hint": "a.b.c"}, "invalid_request", id="B23-garbage"),
    ],
)
async def test_what_is_wrong_is_told_to_the_client_with_state_and_issuer(
    provider: Provider, changes: dict[str, Any], error: str
) -> None:  # B11
    answer = await ask(provider, provider.authorize_url(state=STATE, **changes))
    parts = urlsplit(answer.headers["location"])
    assert answer.headers["location"].startswith(BANK_URI)
    assert error_of(answer) == error
    implicit = changes.get("response_type") in {"token", "id_token", "code token"}
    found = parse_qs(parts.fragment if implicit else parts.query)
    assert found["state"] == [STATE]
    assert found["iss"] == [ISSUER]
    assert re.fullmatch(r"[ !#-\[\]-~]+", found["error_description"][0])
    assert bool(parts.query) is not implicit


@pytest.mark.parametrize(
    "name",
    ["client_id", "redirect_uri", "scope", "state", "nonce", "prompt", "max_age", "code_challenge", "foo"],
)
async def test_a_parameter_that_comes_twice_is_refused(provider: Provider, name: str) -> None:  # B8 OAU-07 STP-05
    url = provider.authorize_url(max_age="10", prompt="login", foo="1")
    value = parse_qs(urlsplit(url).query)[name][0]
    answer = await ask(provider, f"{url}&{urlencode({name: value})}")
    if name in {"client_id", "redirect_uri"}:
        assert answer.status_code == 400
        assert "location" not in answer.headers
        return
    assert error_of(answer) == "invalid_request"


@pytest.mark.parametrize(
    "redirect_uri",
    [
        pytest.param("https://evil.example/", id="B3"),
        pytest.param(BANK_URI + "/more", id="B4-suffix"),
        pytest.param(BANK_URI + "?a=b", id="B4-query"),
        pytest.param(BANK_URI + "#x", id="B4-fragment"),
        pytest.param(BANK_URI.replace("callback", "Callback"), id="B4-case"),
        pytest.param("http://user@localhost:8001/callback", id="B4-userinfo"),
        pytest.param("http://localhost:9001/callback", id="B4-port"),
        pytest.param("http://localhost:8001/x/../callback", id="B4-dots"),
        pytest.param("javascript:alert(1)", id="B4-javascript"),
        pytest.param(None, id="B5"),
        pytest.param("", id="B5-empty"),
    ],
)
async def test_an_unregistered_redirect_uri_gets_a_page(provider: Provider, redirect_uri: str | None) -> None:
    answer = await ask(provider, provider.authorize_url(redirect_uri=redirect_uri))
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "html" in answer.headers["content-type"]


async def test_a_native_client_may_choose_its_loopback_port_and_nothing_else(provider: Provider) -> None:  # B4
    good = await ask(provider, provider.authorize_url("mobile", redirect_uri="http://127.0.0.1:51337/cb"))
    assert good.status_code == 200
    assert "/authorize/password?" in good.text
    for other in ("http://127.0.0.1:51337/cb2", "http://127.0.0.2:1/cb", "http://localhost:51337/cb"):
        assert (await ask(provider, provider.authorize_url("mobile", redirect_uri=other))).status_code == 400


async def test_a_registered_query_stays_byte_for_byte(provider: Provider) -> None:  # B6
    uri = "http://localhost:8004/cb?tenant=a%20b&x=1;y=2"
    await provider.add_client("query", uri)
    answer = await ask(provider, provider.authorize_url("query", redirect_uri=uri, prompt="none"))
    assert answer.headers["location"].startswith(uri + "&error=login_required&")
    browser = provider.browser()
    done = await provider.sign_in(browser, client_id="query", redirect_uri=uri)
    assert done.headers["location"].startswith(uri + "&code=")


async def test_an_unknown_client_gets_a_page_without_its_words(provider: Provider) -> None:  # B7
    answer = await ask(provider, provider.authorize_url(client_id='"><script>alert(1)</script>'))
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "<script>alert" not in answer.text
    own = await ask(provider, provider.authorize_url(client_id="stile", redirect_uri="/account"))
    assert own.status_code == 400


async def test_parameters_nobody_knows_are_no_error(provider: Provider) -> None:  # B9
    url = provider.authorize_url(
        foo="bar", display="popup", ui_locales="de xx", claims_locales="de", login_hint="alice", audience="x"
    )
    answer = await ask(provider, url)
    assert answer.status_code == 200
    assert "/authorize/password?" in answer.text


async def test_state_comes_back_identical(provider: Provider) -> None:  # B10 B11
    browser = provider.browser()
    for mode in ({}, {"prompt": "login", "response_mode": "query"}):
        answer = parameters(await provider.sign_in(browser, state=STATE, **mode))
        assert answer["state"] == STATE
        assert answer["iss"] == ISSUER
        provider.clock.move(timedelta(minutes=2))


async def test_the_order_of_scopes_does_not_matter_and_unknown_ones_are_left_out(provider: Provider) -> None:  # B12
    issued = await tokens(provider, scope="profile nonsense openid")
    assert set(issued["scope"].split()) == {"openid", "profile"}
    assert "id_token" in issued


async def test_without_openid_there_is_no_id_token(provider: Provider) -> None:  # B12
    issued = await tokens(provider, scope="profile")
    assert "id_token" not in issued
    assert issued["scope"] == "profile"


@pytest.mark.parametrize("nonce", [None, "n" * 64, "N-" * 192])
async def test_the_nonce_comes_back_as_it_was_sent(provider: Provider, nonce: str | None) -> None:  # B13
    found = claims((await tokens(provider, nonce=nonce))["id_token"])
    assert found.get("nonce") == nonce
    assert ("nonce" in found) is (nonce is not None)


async def test_form_post_posts_and_our_policy_lets_it(provider: Provider) -> None:  # B15
    browser = provider.browser()
    page = await provider.sign_in(browser, response_mode="form_post", state=STATE)
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    (form,) = forms(page.text)
    assert form.action == BANK_URI
    fields = {each.name: each.value for each in form.fields if each.name}
    assert set(fields) == {"code", "state", "iss"}
    assert fields["state"] == STATE
    policy = page.headers["content-security-policy"]
    assert "form-action 'self' http:;" in policy
    assert f"script-src '{FORM_POST_SCRIPT_HASH}'" in policy
    (script,) = re.findall(r"<script>(.*?)</script>", page.text)
    assert "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    assert fields["code"] not in str(page.url)
    assert (await provider.redeem(fields["code"])).status_code == 200


async def test_form_post_carries_errors_too(provider: Provider) -> None:  # B15 B11
    for changes in ({"prompt": "none"}, {"scope": "nonsense"}):
        page = await ask(provider, provider.authorize_url(response_mode="form_post", **changes))
        assert page.status_code == 200
        fields = {each.name: each.value for each in forms(page.text)[0].fields}
        assert fields["error"] in {"login_required", "invalid_scope"}
        assert fields["iss"] == ISSUER
        assert fields["state"] == "s t&a=te"


async def test_a_request_object_is_refused_by_the_form_post_that_it_asks_for(provider: Provider) -> None:  # B15 B17
    inside = segment({"response_mode": "form_post", "redirect_uri": "https://evil.example/", "state": "inside"})
    page = await ask(provider, provider.authorize_url(request=f"{segment({'alg': 'none'})}.{inside}."))
    (form,) = forms(page.text)
    assert form.action == BANK_URI
    fields = {each.name: each.value for each in form.fields if each.name}
    assert (fields["error"], fields["state"], fields["iss"]) == ("request_not_supported", "s t&a=te", ISSUER)


async def test_a_verifier_for_a_code_without_challenge_is_refused(provider: Provider) -> None:  # B20
    none: dict[str, Any] = {"code_challenge": None, "code_challenge_method": None}
    for verifier, status in ((None, 200), (provider.pkce.verifier, 400)):
        browser = provider.browser()
        await provider.sign_in(browser, client_id="shop", redirect_uri=SHOP_URI, **none)
        if browser.page is not None and browser.page.status_code == 200:
            await consent(browser)
        assert browser.page is not None
        form = {
            "grant_type": "authorization_code",
            "code": parameters(browser.page)["code"],
            "redirect_uri": SHOP_URI,
            "client_id": "shop",
            "client_secret": provider.secrets["shop"],
        } | ({} if verifier is None else {"code_verifier": verifier})
        async with provider.browser().http as http:
            answer = await http.post("/token", data=form)
        assert answer.status_code == status
        if status == 400:
            assert answer.json()["error"] == "invalid_grant"
        provider.clock.move(timedelta(minutes=5))


async def test_pages_cannot_be_framed_cached_or_referred(provider: Provider) -> None:  # B21 SES-04
    browser = provider.browser()
    pages = [await browser.get(provider.authorize_url(prompt="consent"))]
    pages.append(await browser.submit("/password", username="alice", password=PASSWORD))
    pages.append(await browser.submit("/sms", code=await provider.texted(browser)))
    for number, page in enumerate(pages):
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        # where a passkey may be asked for, its one file; nothing in the page itself
        scripts = re.findall(r"script-src ([^;]*)", policy)
        assert scripts == ([] if number else [f"{provider.idp.issuer}/static/passkey.js"])
        assert "form-action 'self' http:;" in policy
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert re.findall(r"<script[^>]*>[^<]", page.text) == []


async def test_every_redirect_after_a_form_is_303(provider: Provider) -> None:  # B22 OAU-10
    browser = provider.browser()
    await browser.get(provider.authorize_url(prompt="consent"))
    steps: list[tuple[str, dict[str, Any]]] = [
        ("/password", {"username": "alice", "password": PASSWORD}),
        ("/sms", {}),
        ("/consent", {}),
    ]
    for ending, typed in steps:
        if ending == "/sms":
            typed = {"code": await provider.texted(browser)}  # noqa: PLW2901
        if ending == "/consent":
            typed = {"decision": "allow"}  # noqa: PLW2901
        answer = await browser.submit(ending, follow=False, **typed)
        assert answer.status_code == 303
        await browser.get(answer.headers["location"])
    for path in ("/token/", "/authorize/", "/account/"):
        assert (await browser.http.post(path)).status_code == 404


async def test_a_hint_of_the_session_passes_and_any_other_does_not(provider: Provider) -> None:  # B23
    browser = provider.browser()
    issued = await tokens(provider, browser)
    hint = issued["id_token"]

    async def error(token: str) -> str:
        return error_of(await browser.get(provider.authorize_url(prompt="none", id_token_hint=token)))

    assert "code" in parameters(await browser.get(provider.authorize_url(prompt="none", id_token_hint=hint)))
    provider.clock.move(provider.idp.policy.access_token_ttl(("openid",)) * 2)
    assert "code" in parameters(await browser.get(provider.authorize_url(prompt="none", id_token_hint=hint)))
    bobs = (await tokens(provider, username="bob"))["id_token"]
    assert await error(bobs) == "login_required"
    head, body, signature = hint.split(".")
    assert await error(f"{head}.{body}.{'A' * len(signature)}") == "invalid_request"
    assert await error(issued["access_token"]) == "invalid_request"
    others = await provider.redeem(parameters(await browser.get(provider.authorize_url("notes")))["code"], "notes")
    assert await error(others.json()["id_token"]) == "invalid_request"


async def test_a_login_hint_fills_the_field_and_tells_nothing(provider: Provider) -> None:  # B24
    pages = []
    for hint in ("alice", "nobody"):
        browser = provider.browser()
        page = await browser.get(provider.authorize_url(login_hint=hint))
        assert [each.value for each in browser.form("/password").fields if each.name == "username"] == [hint]
        pages.append(face(page.text, hint))
    assert pages[0] == pages[1]


async def test_cancelling_anywhere_tells_the_client(provider: Provider) -> None:  # B25
    browser = provider.browser()

    async def cancelled(ending: str = "/cancel", **typed: Any) -> None:
        answer = await browser.submit(ending, **typed)
        assert error_of(answer) == "access_denied"
        assert parameters(answer)["state"] == "s t&a=te"

    await browser.get(provider.authorize_url())
    await cancelled()
    await browser.get(provider.authorize_url())
    await browser.submit("/password", username="alice", password=PASSWORD)
    await cancelled()
    provider.clock.move(timedelta(minutes=5))
    await browser.get(provider.authorize_url(prompt="consent"))
    await browser.submit("/sms", code=await provider.texted(browser))
    await cancelled("/consent", decision="deny")
    await browser.get(provider.authorize_url(scope="openid transfers:write"))
    await cancelled()


async def test_codes_are_long_and_random(provider: Provider) -> None:  # B26
    browser = provider.browser()
    await provider.sign_in(browser)
    found = [parameters(await browser.get(provider.authorize_url()))["code"] for _ in range(40)]
    assert len(set(found)) == 40
    assert all(len(code) * 6 >= 256 for code in found)
    counted = Counter("".join(found))
    total = sum(counted.values())
    entropy = -sum(n / total * math.log2(n / total) for n in counted.values())
    assert entropy * min(map(len, found)) >= 96


async def test_the_mobile_client_redeems_without_a_secret(provider: Provider) -> None:
    browser = provider.browser()
    answer = parameters(await provider.sign_in(browser, client_id="mobile", redirect_uri=MOBILE_URI))
    form = {"client_id": "mobile", "code": answer["code"], "grant_type": "authorization_code"}
    form |= {"redirect_uri": MOBILE_URI, "code_verifier": provider.pkce.verifier}
    async with provider.browser().http as http:
        assert (await http.post("/token", data=form)).status_code == 200
