"""Cookies, forms and headers under attack (threats.md 3, SES)."""

from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from idp.crypto import KeyChain
from tests.world.paths import ALWAYS, paths
from tests.world.provider import PASSWORD, Provider, forms
from tests.world.running import running, settings_for
from tests.world.stage import elevate, error_of, own_token

POLICY = ("default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'")


async def test_each_proof_changes_the_session_and_ends_the_cookie_before(provider: Provider) -> None:  # SES-01
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    seen = [browser.token]
    await browser.submit("/password", username="alice", password=PASSWORD)
    seen.append(browser.token)
    await browser.submit("/sms", code=await provider.texted(browser))
    seen.append(browser.token)
    await elevate(provider, browser)
    seen.append(browser.token)
    assert len({token for token in seen if token}) == 4
    for old in seen[:-1]:
        stale = provider.browser()
        stale.http.cookies.set("stile", old or "")
        assert error_of(await stale.http.get(provider.authorize_url(prompt="none"))) == "login_required"
        assert (await stale.http.get("/account")).status_code == 303
    assert "code=" in (await browser.http.get(provider.authorize_url(prompt="none"))).headers["location"]


@pytest.mark.parametrize(
    "cookie",
    ["x", "0" * 32 + ".x", "." * 40, "a" * 600, "%00", "3b241101e2bb42558caf4136c566a962.x", "", "\u00fc"],
)
async def test_a_made_up_cookie_is_nobody(provider: Provider, cookie: str) -> None:  # SES-01
    async with provider.browser().http as http:
        raw = f"stile={cookie}; stile-device={cookie}; stile-language={cookie}".encode("latin-1")
        headers = [(b"cookie", raw)]
        assert error_of(await http.get(provider.authorize_url(prompt="none"), headers=headers)) == "login_required"
        asked = await http.get(provider.authorize_url(), headers=headers)
        assert asked.status_code == 200
        assert asked.headers["set-cookie"].startswith("stile=")
        assert SimpleCookie(asked.headers["set-cookie"])["stile"].value != cookie


async def test_sessions_end_when_idle_and_after_a_day(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    for _ in range(26):
        provider.clock.move(timedelta(minutes=57))
        answer = await browser.http.get(provider.authorize_url(prompt="none"))
        if "code=" not in answer.headers["location"]:
            break
    else:
        pytest.fail("the session outlived a day")
    other = provider.browser()
    await provider.sign_in(other)
    provider.clock.move(timedelta(minutes=61))
    assert error_of(await other.http.get(provider.authorize_url(prompt="none"))) == "login_required"


async def test_cookies_on_https_are_bound_to_the_host_and_headers_say_https_only(
    database_url: str, key_chain: KeyChain, tmp_path: Path, provider: Provider
) -> None:  # SES-02 SES-04
    settings = settings_for(tmp_path).model_copy(update={"issuer": "https://login.example.com", "dev": False})
    async with running(database_url, key_chain, settings) as secure:
        secure.clock.time = provider.clock.now()
        browser = secure.browser()
        browser.http.base_url = "https://login.example.com"
        made = []
        page = await browser.http.get(provider.authorize_url())
        made += page.headers.get_list("set-cookie")
        for ending, typed in (("password", {"username": "bob", "password": PASSWORD}), ("sms", {})):
            assert page.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
            (shown,) = [each for each in forms(page.text) if urlsplit(each.action).path.endswith(ending)]
            form = {each.name: each.value for each in shown.fields} | typed
            if ending == "sms":
                form["code"] = (await secure.deliver())[-1]
            answer = await browser.http.post(shown.action, data=form)
            assert answer.status_code == 303
            made += answer.headers.get_list("set-cookie")
            if ending == "password":
                page = await browser.http.get(answer.headers["location"])
        assert {next(iter(SimpleCookie(line))) for line in made} == {"__Host-stile", "__Host-stile-device"}
        for line in made:
            (morsel,) = SimpleCookie(line).values()
            assert morsel["path"] == "/"
            assert morsel["secure"]
            assert morsel["httponly"]
            assert morsel["samesite"].lower() == "lax"
            assert not morsel["domain"]
            assert len(line) < 4096
            assert len(morsel.value) >= 43
        for path in ("/nowhere", "/token", "/health/live"):
            assert "max-age=31536000" in (await browser.http.get(path)).headers["strict-transport-security"]


async def test_every_answer_has_the_headers(provider: Provider) -> None:  # SES-04
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    checked = 0
    tried = [
        (method, path)
        for path, _ in paths(provider)
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW")
    ]
    tried += [("GET", "/nowhere"), ("GET", "/static/" + "a" * 5000 + ".css"), ("GET", "/" + "%00" * 10)]
    for method, path in tried:
        answer = await browser.http.request(method, path)
        assert answer.status_code < 500, (method, path)
        assert answer.status_code not in {301, 302, 307, 308}, (method, path)
        for name, value in ALWAYS.items():
            assert answer.headers[name] == value, (method, path, name)
        for part in POLICY:
            assert part in answer.headers["content-security-policy"], (method, path)
        assert "server" not in answer.headers
        assert answer.headers["x-request-id"]
        assert "Traceback" not in answer.text
        if answer.status_code == 405:
            assert answer.headers["allow"], (method, path)
            assert method not in answer.headers["allow"].split(", ")
        public = "/static", "/.stile/static", "/jwks", "/.well-known", "/api/v1/openapi.json"
        if not path.startswith(public) and method != "OPTIONS":
            assert answer.headers.get("cache-control") == "no-store", (method, path)
        checked += 1
    assert checked > 200


async def test_an_error_of_ours_has_the_headers_too(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    # SES-04; a broken machine, not one of our functions: the clock
    class Broken:
        def now(self) -> None:
            raise RuntimeError("secret words of a traceback")

    monkeypatch.setattr(provider.idp, "clock", Broken())
    async with provider.browser().http as http:
        for path, kind in ((provider.authorize_url(), "text/html"), ("/account", "text/html")):
            answer = await http.get(path, headers={"Cookie": "stile=" + "0" * 32 + ".x"})
            assert answer.status_code == 500
            assert answer.headers["content-type"].startswith(kind)
            assert "secret words" not in answer.text
            assert "Traceback" not in answer.text
            assert answer.headers["cache-control"] == "no-store"
            for name, value in ALWAYS.items():
                assert answer.headers[name] == value
        answer = await http.post("/token", data={"grant_type": "authorization_code"})
        assert (answer.status_code, answer.json()["error"]) == (500, "server_error")


async def test_a_form_that_is_not_ours_changes_nothing(provider: Provider) -> None:  # SES-03
    browser, other = provider.browser(), provider.browser()
    await provider.sign_in(browser)
    await other.get(provider.authorize_url())
    before = browser.token
    protocol = {"/token", "/userinfo", "/introspect", "/revoke", "/par", "/authorize", "/logout"}
    posts = [
        path
        for path, methods in paths(provider)
        if "POST" in methods and path not in protocol and "/receipts/" not in path
    ]
    assert len(posts) >= 15
    for path in posts:
        good = own_token(provider, browser, path)
        forged: list[tuple[dict[str, str], dict[str, str]]] = [
            ({}, {}),
            ({"csrf": ""}, {}),
            ({"csrf": "x"}, {}),
            ({"csrf": "ü"}, {}),
            (own_token(provider, other, path), {}),
            (own_token(provider, browser, path + "/x"), {}),
            (good, {"Origin": "https://evil.example"}),
            (good, {"Origin": "http://localhost:8001"}),
            (good, {"Sec-Fetch-Site": "cross-site"}),
            (good, {"Sec-Fetch-Site": "same-site"}),
        ]
        for form, headers in forged:
            answer = await browser.http.post(path, data={**form, "decision": "sign_out"}, headers=headers)
            # no cookie opens the API
            assert answer.status_code == (401 if path.startswith("/api/") else 403), (path, form, headers)
            assert "set-cookie" not in answer.headers
    assert browser.token == before
    assert "code=" in (await browser.http.get(provider.authorize_url(prompt="none"))).headers["location"]


async def test_nobody_is_signed_in_as_somebody_else_by_a_link(provider: Provider) -> None:  # SES-03 login CSRF
    attacker, victim = provider.browser(), provider.browser()
    await attacker.get(provider.authorize_url())
    form = attacker.form("/password")
    filled = {each.name: each.value for each in form.fields} | {"username": "bob", "password": PASSWORD}
    refused = await victim.http.post(form.action, data=filled)
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers
    # what they are led to is the request, in a browser where nobody is signed in
    answer = await victim.get(form.action.replace("/password?", "?"))
    assert answer.status_code == 200
    assert victim.token not in {None, attacker.token}
    assert (await victim.http.post(form.action, data=filled)).status_code == 403
    assert "bob" not in (await victim.get("/account")).text
