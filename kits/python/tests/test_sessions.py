"""Applications as they are run: below a path, with sessions on the server, behind servers that pass on what comes."""

import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import Depends, FastAPI
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

import stile_rp.fastapi
import stile_rp.flask
import stile_rp.starlette
from stile_rp.site import Confirmed
from stile_rp.testing import FakeProvider

BASE = "https://shop.example"


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider(base_url=f"{BASE}/shop")


def flask_app(provider: FakeProvider) -> Flask:
    app = Flask("shop")
    app.secret_key = "x"
    auth = stile_rp.flask.Auth(provider.settings(), app, http=provider.http, clock=provider.clock)

    @app.get("/account")
    @auth.signed_in
    def account() -> str:
        return f"Hello, {getattr(auth.person(), 'name', None)}"

    return app


def starlette_app(provider: FakeProvider) -> Starlette:
    auth = stile_rp.starlette.Auth(provider.settings(), http=provider.async_http, clock=provider.clock)

    async def account(request: Request) -> Response:
        return PlainTextResponse(f"Hello, {(await auth.signed_in(request)).name}")

    routes = [*auth.routes, Route("/account", account)]
    return Starlette(routes=[Mount("/shop", routes=routes)], middleware=[Middleware(SessionMiddleware, secret_key="x")])


async def test_below_a_path_every_address_is_below_it(provider: FakeProvider) -> None:
    """`base_url` has the path, as browsers see it."""
    transport = httpx.ASGITransport(starlette_app(provider))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as starlette:
        back = provider.browse((await starlette.get("/shop/account")).headers["location"])
        assert (await starlette.get(back)).headers["location"] == "/shop/account"
        assert "Hello" in (await starlette.get("/shop/account")).text
        assert (await starlette.get("/shop/callback?state=old")).headers["location"] == "/shop/"
        assert 'href="/shop/login"' in (await starlette.get("/shop/signed-out")).text
    flask = Client(DispatcherMiddleware(Flask("nothing"), {"/shop": flask_app(provider)}))
    back = provider.browse(flask.get("/shop/account", base_url=BASE).headers["location"])
    answer = f"/shop/callback?{urlsplit(back).query}"
    assert flask.get(answer, base_url=BASE).headers["location"] == "/shop/account"
    assert "Hello" in flask.get("/shop/account", base_url=BASE).text
    assert 'href="/shop/login"' in flask.get("/shop/signed-out", base_url=BASE).text


async def test_below_a_path_that_a_proxy_takes_away_people_come_back_to_it(provider: FakeProvider) -> None:
    auth = stile_rp.fastapi.Auth(provider.settings(), http=provider.async_http, clock=provider.clock)
    app = FastAPI()
    app.include_router(auth.router)
    app.add_middleware(SessionMiddleware, secret_key="x")

    @app.get("/account", dependencies=[Depends(auth.signed_in)])
    async def account(request: Request) -> Any:
        return await auth.confirm(request, action="transfers:write", then="/shop/done")

    @app.get("/done")
    async def done(request: Request) -> bool:
        return isinstance(await auth.confirmed(request, action="transfers:write"), Confirmed)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app, root_path="/shop"), base_url=BASE) as browser:

        async def comes_back(answer: httpx.Response) -> str:
            there = provider.browse(answer.headers["location"]).replace("/shop/callback", "/callback")
            return str((await browser.get(there)).headers["location"])

        assert await comes_back(await browser.get("/account")) == "/shop/account"
        assert await comes_back(await browser.get("/account")) == "/shop/done"
        assert (await browser.get("/done")).json() is True


def test_flask_gives_a_session_on_the_server_another_id(provider: FakeProvider) -> None:
    class OnTheServer(SecureCookieSessionInterface):
        renewed = 0

        def regenerate(self, session: Any) -> None:
            """As Flask-Session has it."""
            assert session is not None
            self.renewed += 1

    app = flask_app(provider)
    app.session_interface = interface = OnTheServer()
    browser = app.test_client()
    parts = urlsplit(provider.browse(browser.get("/account", base_url=BASE).headers["location"]))
    assert interface.renewed == 0
    browser.get(f"/callback?{parts.query}", base_url=BASE)
    assert interface.renewed == 1


async def test_starlette_gives_a_session_on_the_server_another_id(provider: FakeProvider) -> None:
    done: list[str] = []

    class Handler:
        """As starsessions has it."""

        async def destroy(self) -> None:
            done.append("old one gone")

        def regenerate_id(self) -> str:
            done.append("another id")
            return "x"

    inner = starlette_app(provider)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await inner({**scope, "session_handler": Handler()}, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as browser:
        back = provider.browse((await browser.get("/shop/account")).headers["location"])
        assert done == []
        await browser.get(back)
    assert done == ["old one gone", "another id"]


def test_a_sign_out_that_does_not_say_how_long_it_is_fills_no_memory(provider: FakeProvider) -> None:
    class Endless(io.RawIOBase):
        taken = 0

        def readable(self) -> bool:
            return True

        def readinto(self, into: Any) -> int:
            self.taken += len(into)
            assert self.taken < 2**20, "it stops reading"
            into[:] = b"x" * len(into)
            return len(into)

    told = {"CONTENT_TYPE": "application/x-www-form-urlencoded", "wsgi.input_terminated": True}
    endless: Iterator[bytes] = io.BufferedReader(Endless())
    environ = {**told, "wsgi.input": endless, "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = flask_app(provider).test_client().post("/backchannel-logout", environ_overrides=environ)
    assert answer.status_code == 413
