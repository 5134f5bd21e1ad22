"""The same shop in Starlette, FastAPI, Flask and Django: what a browser and a client of its API see is the same."""

import asyncio
import copy
import json
import re
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode, urlsplit

import django
import httpx
import pytest
from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client as DjangoClient
from django.test.utils import override_settings
from django.urls import path
from fastapi import Depends, FastAPI
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

import stile_rp.django
import stile_rp.fastapi
import stile_rp.flask
import stile_rp.starlette
from stile_rp import BearerAuth, Declined, Misconfigured, Refused, RelyingParty, StepUpRequired, kept, require
from stile_rp.site import Confirmed, Site, To
from stile_rp.testing import FakeProvider

SCOPE = "transfers:write"
SITE = "https://shop.example"
FORM = "application/x-www-form-urlencoded"
WAITS = kept.name(SCOPE, None, "/done")
DETAILS = {"type": "transfer", "amount": "25.50"}

if not django_settings.configured:
    django_settings.configure(
        SECRET_KEY="x" * 50,
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
        ],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        ROOT_URLCONF="none",
        DEFAULT_CHARSET="utf-8",
    )
    django.setup()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def location(self) -> str:
        """Where it leads."""
        return self.headers["location"]


@dataclass(frozen=True, slots=True)
class Shop:
    """An application and a browser."""

    provider: FakeProvider
    send: Callable[[str, str, dict[str, str], str | None], Answer]
    another: Callable[[], "Shop"]

    def get(self, path: str, **headers: str) -> Answer:
        """GET."""
        return self.send("GET", path, {name.replace("_", "-"): value for name, value in headers.items()}, None)

    def post(self, path: str, body: str | None = None, **headers: str) -> Answer:
        """POST."""
        return self.send("POST", path, {name.replace("_", "-"): value for name, value in headers.items()}, body)

    def follow(self, answer: Answer) -> Answer:
        """Through the provider, and back."""
        assert answer.status == 303, answer
        parts = urlsplit(self.provider.browse(answer.location))
        return self.get(f"{parts.path}?{parts.query}")

    def sign_in(self) -> Answer:
        """Alice, from the page that she wanted."""
        back = self.follow(self.get("/account?a=b"))
        assert (back.status, back.location) == (303, "/account?a=b"), back
        return self.get("/account?a=b")


def outcome(of: object) -> str:
    return f"{of.action} by {of.person.name}: {of.details[0]['amount']}" if isinstance(of, Confirmed) else repr(of)


def starlette_shop(provider: FakeProvider) -> Shop:
    auth = stile_rp.starlette.Auth(provider.settings(), http=provider.async_http, clock=provider.clock)
    required = auth.require(SCOPE)

    async def account(request: Request) -> Response:
        return PlainTextResponse(f"Hello, {(await auth.signed_in(request)).name}")

    async def who(request: Request) -> Response:
        person = await auth.person(request)
        return PlainTextResponse(person.subject if person else "nobody")

    async def ask(request: Request) -> Response:
        then = request.query_params.get("then", "/done")
        return await auth.confirm(request, action=SCOPE, details=DETAILS, then=then, ui_locales=("es",))

    async def done(request: Request) -> Response:
        return PlainTextResponse(outcome(await auth.confirmed(request, action=SCOPE, details=DETAILS)))

    async def api(request: Request) -> Response:
        return JSONResponse({"by": (await required(request)).subject})

    async def calls(_: Request) -> Response:
        raise StepUpRequired("https://id.example/authorize?x=y", {"s": {}})

    routes = [("/account", account), ("/who", who), ("/ask", ask), ("/done", done), ("/api", api), ("/calls", calls)]
    routes += [("/account/{rest:path}", account), ("/done/{rest:path}", done)]
    app = Starlette(
        routes=[*auth.routes, *(Route(where, view, methods=["GET", "POST"]) for where, view in routes)],
        middleware=[Middleware(SessionMiddleware, secret_key="x")],
        exception_handlers={StepUpRequired: auth.step_up},
    )
    return in_starlette(provider, app)


def in_starlette(provider: FakeProvider, app: Any) -> Shop:
    RUNNERS.append(runner := asyncio.Runner())  # a loop of its own, for the browser waits

    def made() -> Shop:
        browser = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://shop.example")

        def send(method: str, where: str, headers: dict[str, str], body: str | None) -> Answer:
            told = {**headers, **({"content-type": FORM} if body else {})}
            raw = [(name.encode(), value.encode("latin-1")) for name, value in told.items()]
            got = runner.run(browser.request(method, where, headers=raw, content=body))
            return Answer(got.status_code, got.text, dict(got.headers))

        return Shop(provider, send, made)

    return made()


def fastapi_shop(provider: FakeProvider) -> Shop:
    auth = stile_rp.fastapi.Auth(provider.settings(), http=provider.async_http, clock=provider.clock)
    app = FastAPI(exception_handlers={StepUpRequired: auth.step_up})
    app.include_router(auth.router)
    app.add_middleware(SessionMiddleware, secret_key="x")

    @app.get("/account", response_class=PlainTextResponse)
    @app.get("/account/{rest:path}", response_class=PlainTextResponse)
    async def account(person: Any = Depends(auth.signed_in)) -> str:  # noqa: B008
        return f"Hello, {person.name}"

    @app.get("/who", response_class=PlainTextResponse)
    async def who(person: Any = Depends(auth.person)) -> str:  # noqa: B008
        return person.subject if person else "nobody"

    @app.post("/ask")
    async def ask(request: Request, then: str = "/done") -> Any:
        return await auth.confirm(request, action=SCOPE, details=DETAILS, then=then, ui_locales=("es",))

    @app.get("/done", response_class=PlainTextResponse)
    @app.get("/done/{rest:path}", response_class=PlainTextResponse)
    async def done(request: Request) -> str:
        return outcome(await auth.confirmed(request, action=SCOPE, details=DETAILS))

    @app.post("/api")
    async def api(token: Any = Depends(auth.require(SCOPE))) -> dict[str, str]:  # noqa: B008
        return {"by": token.subject}

    @app.get("/calls")
    async def calls() -> None:
        raise StepUpRequired("https://id.example/authorize?x=y", {"s": {}})

    return in_starlette(provider, app)


def flask_shop(provider: FakeProvider) -> Shop:
    app = Flask("shop")
    app.secret_key = "x"
    auth = stile_rp.flask.Auth(provider.settings(), app, http=provider.http, clock=provider.clock)

    @auth.signed_in
    def account(rest: str = "") -> ResponseReturnValue:
        return f"Hello, {getattr(auth.person(), 'name', None)}"

    app.add_url_rule("/account", "account", account)
    app.add_url_rule("/account/<path:rest>", "account", account)
    app.add_url_rule("/who", "who", lambda: getattr(auth.person(), "subject", "nobody"))

    def ask() -> ResponseReturnValue:
        then = request.args.get("then", "/done")
        return auth.confirm(action=SCOPE, details=DETAILS, then=then, ui_locales=("es",))

    app.add_url_rule("/ask", "ask", ask, methods=["POST"])

    def done(rest: str = "") -> ResponseReturnValue:
        return outcome(auth.confirmed(action=SCOPE, details=DETAILS))

    app.add_url_rule("/done", "done", done)
    app.add_url_rule("/done/<path:rest>", "done", done)

    @auth.require(SCOPE)
    def api() -> ResponseReturnValue:
        return jsonify(by=auth.token.subject)

    app.add_url_rule("/api", "api", api, methods=["POST"])

    def calls() -> str:
        raise StepUpRequired("https://id.example/authorize?x=y", {"s": {}})

    app.add_url_rule("/calls", "calls", calls)

    def made() -> Shop:
        browser = app.test_client()

        def send(method: str, where: str, headers: dict[str, str], body: str | None) -> Answer:
            kind = FORM if body else None
            got = browser.open(where, base_url=SITE, method=method, headers=headers, data=body, content_type=kind)
            return Answer(got.status_code, got.text, {name.lower(): value for name, value in got.headers.items()})

        return Shop(provider, send, made)

    return made()


def django_shop(provider: FakeProvider) -> Shop:
    auth = stile_rp.django.Auth(provider.settings(), http=provider.http, clock=provider.clock)

    @auth.signed_in
    def account(request: HttpRequest, rest: str = "") -> HttpResponse:
        return HttpResponse(f"Hello, {request.person.name}")

    def who(request: HttpRequest) -> HttpResponse:
        person = auth.person(request)
        return HttpResponse(person.subject if person else "nobody")

    def ask(request: HttpRequest) -> HttpResponse:
        then = request.GET.get("then", "/done")
        return auth.confirm(request, action=SCOPE, details=DETAILS, then=then, ui_locales=("es",))

    def done(request: HttpRequest, rest: str = "") -> HttpResponse:
        return HttpResponse(outcome(auth.confirmed(request, action=SCOPE, details=DETAILS)))

    @auth.require(SCOPE)
    def api(request: HttpRequest) -> HttpResponse:
        return JsonResponse({"by": request.access_token.subject})

    def calls(request: HttpRequest) -> HttpResponse:
        return auth.step_up(request, StepUpRequired("https://id.example/authorize?x=y", {"s": {}}))

    views = [("account", account), ("who", who), ("ask", ask), ("done", done), ("api", api), ("calls", calls)]
    views += [("account/<path:rest>", account), ("done/<path:rest>", done)]
    urls = types.ModuleType("shop_urls")
    urls.urlpatterns = [*auth.urls, *(path(where, view) for where, view in views)]  # type: ignore[attr-defined]  # Django's
    sys.modules["shop_urls"] = urls

    def made() -> Shop:
        browser = DjangoClient()

        def send(method: str, where: str, headers: dict[str, str], body: str | None) -> Answer:
            form = {"data": body or "", "content_type": FORM} if method == "POST" else {}
            with override_settings(ROOT_URLCONF="shop_urls"):
                got = browser.generic(method, where, headers=headers, secure=True, **form)
            return Answer(got.status_code, got.content.decode(), {n.lower(): v for n, v in got.headers.items()})

        return Shop(provider, send, made)

    return made()


RUNNERS: list[asyncio.Runner] = []
SHOPS = [starlette_shop, fastapi_shop, flask_shop, django_shop]


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture(params=SHOPS, ids=lambda make: make.__name__.removesuffix("_shop"))
def shop(request: pytest.FixtureRequest, provider: FakeProvider) -> Iterator[Shop]:
    yield request.param(provider)
    while RUNNERS:
        RUNNERS.pop().close()


def test_people_sign_in_where_they_wanted_to_go_and_out_again(shop: Shop) -> None:
    assert shop.get("/who").text == "nobody"
    assert shop.sign_in().text == "Hello, Alice Ader"
    out = shop.post("/logout", sec_fetch_site="same-origin")
    assert (out.status, out.location.partition("?")[0]) == (303, "https://id.example/logout")
    assert "id_token_hint=" in out.location
    assert shop.get("/who").text == "nobody"
    assert "You are signed out" in shop.get("/signed-out").text


def test_signing_out_is_a_form_of_this_application_alone(shop: Shop) -> None:
    shop.sign_in()
    for headers in (
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "https://evil.example"},
    ):
        assert shop.post("/logout", **headers).status == 403
    assert shop.get("/logout").status == 405
    assert shop.get("/who").text == "sub-alice"
    assert shop.post("/logout", origin="https://shop.example").status == 303


def test_signing_out_here_does_not_wait_for_a_provider_that_is_down(shop: Shop) -> None:
    shop.sign_in()
    shop.provider.now += 4000
    shop.provider.down = True
    shop.provider.metadata = {}
    assert shop.post("/logout").status == 303
    assert shop.get("/who").text == "nobody"


def test_an_action_is_confirmed_once_and_a_reload_does_nothing_again(shop: Shop) -> None:
    shop.sign_in()
    back = shop.follow(shop.post("/ask"))
    assert (back.status, back.location) == (303, "/done")
    asked = shop.provider.asked[-1]
    assert (asked["scope"], asked["ui_locales"]) == (f"openid {SCOPE}", "es")
    assert shop.get("/done").text == f"{SCOPE} by Alice Ader: 25.50"
    assert shop.get("/done").text == "None"
    assert shop.get("/who").text == "sub-alice"


@pytest.mark.parametrize(
    ("then", "sent"),
    [
        ("/done/a%20b", None),
        ("/done/café", "/done/caf%C3%A9"),
        ("/done/caf%C3%A9", None),
        ("/done/caf%c3%a9/~b", "/done/caf%C3%A9/%7Eb"),
        ("/done/a%2525b", None),
        ("/done/a%3Fb", None),
        ("/done?to=café&of=[1]", "/done?to=caf%C3%A9&of=%5B1%5D"),
        ("/done?a=b%26c", None),
        ("/done#sent", "/done"),
    ],
)
def test_a_confirmation_is_found_however_its_address_is_written(shop: Shop, then: str, sent: str | None) -> None:
    """`url_for`, a framework's redirect and the browser each write an address in their own way."""
    shop.sign_in()
    shop.follow(shop.post(f"/ask?{urlencode({'then': then})}"))
    assert shop.get("/done?a=b&c").text == "None", "for that very page"
    assert "25.50" in shop.get(sent or then).text
    assert shop.get(sent or then).text == "None"


@pytest.mark.parametrize(
    "where", ["/account/a%20b", "/account/caf%C3%A9", "/account/a%3Fb%2525?c=%20", "/account/a//b"]
)
def test_people_come_back_to_the_very_address_that_they_wanted(shop: Shop, where: str) -> None:
    assert shop.follow(shop.get(where)).location == where
    assert "Hello, Alice" in shop.get(where).text


def test_an_address_that_no_session_has_room_for_keeps_nobody_out(shop: Shop) -> None:
    assert shop.follow(shop.get(f"/account?q={'x' * 3500}")).location == "/account"
    assert shop.follow(shop.get(f"/login?then=/{'x' * 3500}")).location == "/"


def test_a_lost_session_is_in_the_log_and_a_second_tab_is_not(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """A session that is never kept is the commonest mistake, and Python shows warnings alone by itself."""
    caplog.set_level("WARNING", logger="stile_rp")
    answer = f"/callback?{urlencode(shop.provider.come_back(shop.get('/login').location))}"
    assert "allow cookies" in shop.another().get(answer).text
    assert "state is unknown, used or too old" in caplog.text
    caplog.clear()
    assert shop.get(answer).status == 303
    assert shop.get(answer).status == 303, "back over the provider's page"
    assert caplog.text == ""


def test_an_answer_that_cannot_be_believed_is_no_question_of_cookies(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    answer = shop.provider.come_back(shop.get("/login").location)
    shop.provider.id_claims = {"iat": shop.provider.now + 300}  # its clock is ahead
    told = shop.get(f"/callback?{urlencode(answer)}")
    assert told.status == 400
    assert "tell the people who run this site" in told.text
    assert "cookies" not in told.text
    assert "clock" in caplog.text


def test_a_session_that_comes_back_confirms_nothing_again(provider: FakeProvider) -> None:
    """A cookie is the browser's to keep: the provider, which takes a code once, is who counts."""
    party = RelyingParty(provider.settings(), http=provider.http, clock=provider.clock)
    site, run = Site(party.steps), party.world.run
    session: dict[str, Any] = {}
    run(site.callback(session, provider.come_back(run(site.sign_in(session)).url)))
    run(site.callback(session, provider.come_back(run(site.confirm(session, action=SCOPE, then="/done")).url)))
    kept = copy.deepcopy(session)
    assert run(site.confirmed(kept, action=SCOPE, here="/elsewhere")) is None, "for that very page"
    assert run(site.confirmed(kept, action="other", here="/done")) is None
    assert isinstance(run(site.confirmed(kept, action=SCOPE, here="/done")), Confirmed)
    with pytest.raises(Misconfigured, match="something to confirm"):
        run(site.confirm(session, then="/done"))
    again = run(site.confirmed(session, action=SCOPE, here="/done"))
    assert isinstance(again, Declined)
    assert again.error == "expired"


def test_a_copy_of_a_session_is_nobodys_once_they_signed_out(provider: FakeProvider) -> None:
    provider.id_claims = {"sid": "this browser"}
    party = RelyingParty(provider.settings(), http=provider.http, clock=provider.clock)
    site, run = Site(party.steps), party.world.run
    session: dict[str, Any] = {}
    run(site.callback(session, provider.come_back(run(site.sign_in(session)).url)))
    copied = copy.deepcopy(session)
    assert run(site.person(copied)) is not None
    run(site.sign_out(session))
    assert run(site.person(copied)) is None
    provider.now += 1
    run(site.callback(session, provider.come_back(run(site.sign_in(session)).url)))
    assert run(site.person(session)) is not None


def test_what_a_session_holds_fits_into_a_cookie_and_is_no_access_token(provider: FakeProvider) -> None:
    party = RelyingParty(provider.settings(), http=provider.http, clock=provider.clock)
    site, run = Site(party.steps), party.world.run
    session: dict[str, Any] = {}
    run(site.callback(session, provider.come_back(run(site.sign_in(session)).url)))
    for number in range(9):
        run(site.sign_in(session, then=f"/{number}"))
        asked = run(site.confirm(session, action=SCOPE, details=DETAILS, then=f"/transfers/{number}"))
        run(site.callback(session, provider.come_back(asked.url)))
    held = json.dumps(session)
    assert len(held) < 2900
    assert "access_token" not in held


def test_of_two_tabs_neither_is_lost_for_want_of_room(provider: FakeProvider) -> None:
    """With tokens as long as real ones, and with what the application itself keeps."""
    provider.id_claims = {"groups": "x" * 500, "sid": "s" * 43}
    party = RelyingParty(provider.settings(), http=provider.http, clock=provider.clock)
    site, run = Site(party.steps), party.world.run
    session: dict[str, Any] = {}
    run(site.callback(session, provider.come_back(run(site.sign_in(session)).url)))
    assert provider.asked
    session["typed"] = "y" * 300
    asked = [run(site.confirm(session, action=SCOPE, details=DETAILS, then=f"/transfers/{tab}")) for tab in "ab"]
    for tab, to in zip("ab", asked, strict=True):
        run(site.callback(session, provider.come_back(to.url)))
        assert len(json.dumps(session)) < 2950
        came = run(site.confirmed(session, action=SCOPE, details=DETAILS, here=f"/transfers/{tab}"))
        assert isinstance(came, Confirmed), tab
    assert run(site.sign_out(session)).url.startswith("https://id.example/logout?client_id=shop")


@pytest.mark.parametrize(
    "held",
    [
        *(None, 7, "text", []),
        *({"who": {"at": 1_800_000_000, **more}} for more in ({}, {"subject": "s", "new": 1})),
        *({"waiting": {WAITS: old}} for old in ({"code": "c"}, {"code": "c", "pending": 1}, {}, 7)),
    ],
)
def test_a_session_of_another_version_is_one_of_nobody(provider: FakeProvider, held: object) -> None:
    party = RelyingParty(provider.settings(), http=provider.http, clock=provider.clock)
    session: dict[str, Any] = {kept.key(provider.settings()): held}
    assert party.world.run(Site(party.steps).person(session)) is None
    assert party.world.run(Site(party.steps).confirmed(session, action=SCOPE, here="/done")) is None
    assert party.world.run(Site(party.steps).sign_in(session)).url.startswith("https://id.example/authorize?")


def test_tokens_are_kept_and_refreshed_where_that_is_asked_for(provider: FakeProvider) -> None:
    asked = provider.settings(keep_tokens=True, scopes=("openid", "offline_access"))
    party = RelyingParty(asked, http=provider.http, clock=provider.clock)
    site, run = Site(party.steps), party.world.run
    session: dict[str, Any] = {}
    run(site.callback(session, provider.come_back(run(site.sign_in(session)).url)))
    first = run(site.access_token(session))
    assert run(site.access_token(session)) == first
    provider.now += 280
    second = run(site.access_token(session))
    assert second not in {first, None}
    assert run(site.access_token(session)) == second
    provider.codes.clear()
    provider.now += 280
    assert run(site.access_token(session)) is None, "the provider has ended it"
    assert run(site.person(session)) is None
    with pytest.raises(Misconfigured, match="keep_tokens"):
        run(Site(RelyingParty(provider.settings()).steps).access_token(session))


def test_an_action_that_was_declined_says_why_once(shop: Shop) -> None:
    shop.sign_in()
    shop.provider.refuse = ("unmet_authentication_requirements", "From tomorrow.")
    assert shop.follow(shop.post("/ask")).location == "/done"
    assert "From tomorrow." in shop.get("/done").text
    assert shop.get("/done").text == "None"
    assert shop.get("/who").text == "sub-alice"


def test_a_provider_that_is_down_where_a_confirmation_is_used_says_so(shop: Shop) -> None:
    shop.sign_in()
    shop.follow(shop.post("/ask"))
    shop.provider.down = True
    assert "did not answer" in shop.get("/done").text
    assert shop.get("/who").text == "sub-alice"


def test_somebody_else_confirms_nothing(shop: Shop) -> None:
    shop.sign_in()
    asked = shop.post("/ask")
    shop.provider.subject = "sub-mallory"
    shop.follow(asked)
    assert "another_person" in shop.get("/done").text
    assert shop.get("/who").text == "sub-alice"


def test_a_scope_that_was_not_granted_confirms_nothing(shop: Shop) -> None:
    shop.sign_in()
    shop.provider.tokens = {"scope": "openid"}
    shop.follow(shop.post("/ask"))
    assert "insufficient_scope" in shop.get("/done").text


def test_a_confirmation_that_came_late_is_asked_for_again(shop: Shop) -> None:
    shop.sign_in()
    shop.follow(shop.post("/ask"))
    shop.provider.codes.clear()  # it lived for a minute
    assert "Please confirm again." in shop.get("/done").text


def test_whoever_is_signed_in_and_goes_back_to_an_old_answer_goes_on(shop: Shop) -> None:
    shop.sign_in()
    back = shop.get("/callback?state=used&iss=https://id.example&code=c")
    assert (back.status, back.location) == (303, "/")
    stranger = shop.another().get("/callback?state=used&iss=https://id.example&code=c")
    assert (stranger.status, "Please sign in once more" in stranger.text) == (400, True)
    assert stranger.headers["cache-control"] == "no-store"


def test_who_reloads_while_signing_in_is_one_press_from_where_they_wanted_to_go(shop: Shop) -> None:
    """The first answer, with its cookie, never came: its code is used, and the session does not know."""
    parts = urlsplit(shop.provider.browse(shop.get("/account?a=b").location))
    shop.provider.codes.clear()
    told = shop.get(f"{parts.path}?{parts.query}")
    assert (told.status, "Please sign in once more" in told.text) == (400, True)
    [again] = re.findall('href="([^"]*)"', told.text)
    assert shop.follow(shop.get(unescape(again))).location == "/account?a=b"


def test_an_answer_of_somebody_else_signs_nobody_in(shop: Shop) -> None:
    parts = urlsplit(shop.provider.browse(shop.get("/login").location))
    victim = shop.another()
    assert victim.get(f"{parts.path}?{parts.query}").status == 400
    assert victim.get("/who").text == "nobody"


def test_a_refusal_and_a_provider_that_is_down_are_pages(shop: Shop) -> None:
    shop.provider.refuse = ("access_denied", "<b>no</b>")
    refused = shop.follow(shop.get("/login?then=/account"))
    assert (refused.status, "You are not signed in" in refused.text, "<b>" in refused.text) == (403, True, False)
    other = shop.another()
    asked = other.get("/login")
    back = urlsplit(shop.provider.browse(asked.location))
    shop.provider.down = True
    shop.provider.now += 4000
    shop.provider.refuse = None
    assert other.get(f"{back.path}?{back.query}").status in {400, 503}


def test_a_mistake_in_the_settings_is_no_provider_that_is_down(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.provider.metadata = {"issuer": "https://id.example/"}
    answer = shop.get("/login")
    assert (answer.status, "Signing in does not work here" in answer.text) == (503, True)
    assert "set issuer to exactly that" in caplog.text
    shop.provider.metadata = {}
    shop.provider.client_secret = "another"
    assert "Signing in does not work here" in shop.follow(shop.get("/login")).text
    assert "look at client_id, client_secret" in caplog.text


def test_who_is_sent_elsewhere_after_signing_in_is_not(shop: Shop) -> None:
    for then in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"):
        back = shop.follow(shop.get(f"/login?then={then}"))
        assert (back.status, back.location) == (303, "/")


HOSTILE = [
    *(
        "/callback",
        "/callback?state=a&state=b",
        "/callback?error=access_denied",
        "/callback?state=%ff%00",
        "/callback?iss",
    ),
    *("/callback?state[]=x", "/callback?" + "a=1&" * 500, "/callback?state=" + "x" * 5000, "/login?then=%0d%0aX:y"),
    *(
        "/login?then=%ff",
        "/login?then=/%00",
        "/login?then=/\\evil",
        "/done?x=%ff",
        "/signed-out?x",
        "/api?x",
        "/who?%ff=%00",
    ),
]


@pytest.mark.parametrize("where", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_a_client_sends_breaks_it(shop: Shop, where: str) -> None:
    for headers in ({}, {"cookie": "session=x; sessionid=x.y.z"}, {"authorization": "Bearer \xff"}, {"origin": "null"}):
        for send in (shop.get, shop.post):
            assert send(where, **headers).status < 500
    if where.startswith("/login"):
        assert shop.follow(shop.get(where)).location in {"/", "/\ufffd"}


def test_a_session_ends_after_its_life(shop: Shop) -> None:
    shop.sign_in()
    shop.provider.now += 12 * 3600
    assert shop.get("/who").text == "sub-alice"
    shop.provider.now += 1
    assert shop.get("/who").text == "nobody"


@pytest.mark.parametrize("named", [{"sid": "s1"}, {"sid": "s1", "sub": None}, {}])
def test_who_signs_out_elsewhere_is_signed_out_here(shop: Shop, named: dict[str, Any]) -> None:
    shop.provider.id_claims = {"sid": "s1"}
    shop.sign_in()
    shop.provider.id_claims = {"sid": "s2"}
    beside = shop.another()
    beside.sign_in()
    shop.provider.now += 1
    token = f"logout_token={shop.provider.logout_token(**named)}"
    answer = shop.another().post("/backchannel-logout", token)
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert shop.get("/who").text == "nobody"
    assert beside.get("/who").text == ("sub-alice" if named else "nobody")
    shop.provider.now += 1
    shop.sign_in()
    assert shop.get("/who").text == "sub-alice"
    assert shop.another().post("/backchannel-logout", token).status == 200
    assert shop.get("/who").text == "sub-alice", "a logout token counts once"


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://evil.example"},
        {"aud": "notes"},
        {"events": None},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": None}},
        {"nonce": "n"},
        {"sub": None},
        {"jti": None},
        {"exp": 1},
        {"iat": None},
        {"typ": "at+jwt"},
    ],
)
def test_a_logout_token_that_is_not_one_signs_nobody_out(shop: Shop, wrong: dict[str, Any]) -> None:
    provider = shop.provider
    shop.sign_in()
    for token in (provider.logout_token(**wrong), "", "a.b.c"):
        assert shop.post("/backchannel-logout", f"logout_token={token}").status == 400
    assert shop.post("/backchannel-logout", "é").status == 400
    assert shop.post("/backchannel-logout", "logout_token=" + "x" * 70_000).status == 413
    assert shop.get("/who").text == "sub-alice"


def test_an_api_lets_through_and_refuses_alike(shop: Shop) -> None:
    token = shop.provider.access_token(scope=SCOPE)
    good = shop.post("/api", authorization=f"Bearer {token}")
    assert (good.status, json.loads(good.text)) == (200, {"by": "sub-alice"})
    without = shop.post("/api")
    assert (without.status, without.headers["www-authenticate"]) == (401, "Bearer")
    short = shop.post("/api", authorization=f"Bearer {shop.provider.access_token()}")
    assert (short.status, 'error="insufficient_scope"' in short.headers["www-authenticate"]) == (403, True)
    shop.provider.now += 24 * 3600
    shop.provider.down = True
    down = shop.post("/api", authorization=f"Bearer {shop.provider.access_token(scope=SCOPE)}")
    assert (down.status, down.headers["retry-after"]) == (503, "10")


def test_an_api_that_wants_more_leads_to_the_provider(shop: Shop) -> None:
    answer = shop.get("/calls")
    assert (answer.status, answer.location) == (303, "https://id.example/authorize?x=y")


def test_a_step_up_brings_the_token_that_the_api_wanted(provider: FakeProvider) -> None:
    party = RelyingParty(provider.settings(), http=provider.http, clock=provider.clock)
    site, run, need = Site(party.steps), party.world.run, require(SCOPE, acr="phr", max_age=timedelta(minutes=1))

    def api(request: httpx.Request) -> httpx.Response:
        try:
            return httpx.Response(200, text=party.check(request.headers["authorization"], need).subject)
        except Refused as refused:
            return httpx.Response(refused.status, headers=refused.headers)

    session: dict[str, Any] = {}
    run(site.callback(session, provider.come_back(run(site.sign_in(session)).url)))
    weak = BearerAuth(party, provider.access_token(scope=SCOPE), then="/done", action=SCOPE)
    with httpx.Client(transport=httpx.MockTransport(api)) as client:
        with pytest.raises(StepUpRequired) as raised:
            client.get("https://api.example/", auth=weak)
        provider.acr = "phr"
        to = run(site.callback(session, provider.come_back(site.step_up(session, raised.value).url)))
        assert (to, provider.asked[-1]["acr_values"], provider.asked[-1]["max_age"]) == (To("/done"), "phr", "60")
        by = run(site.confirmed(session, action=SCOPE, here="/done"))
        assert isinstance(by, Confirmed)
        assert client.get("https://api.example/", auth=BearerAuth(party, by.access_token)).text == "sub-alice"


def test_openapi_shows_what_a_route_requires(provider: FakeProvider) -> None:
    told = json.loads(fastapi_shop(provider).get("/openapi.json").text)
    RUNNERS.pop().close()
    assert told["paths"]["/api"]["post"]["security"] == [{"openid": [SCOPE]}]
    assert told["components"]["securitySchemes"]["openid"] == {
        "type": "openIdConnect",
        "openIdConnectUrl": "https://id.example/.well-known/openid-configuration",
    }
    assert "/callback" not in told["paths"]
