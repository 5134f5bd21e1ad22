"""The middlewares: which line of the table a path is about, and that nothing slips past it."""

import json
from typing import Any

import httpx
import pytest

from stile_rp import AsyncRelyingParty, Misconfigured, RelyingParty, asgi, require, wsgi
from stile_rp.table import Table, Unlisted
from stile_rp.testing import FakeProvider

WRITE, READ = require("transfers:write"), require("reports:read")
NEEDS = {"POST /transfers": WRITE, "/transfers": READ, "/reports/": READ, "/reports/public": None, "/health": None}


@pytest.mark.parametrize(
    ("method", "path", "need"),
    [
        ("POST", "/transfers", WRITE),
        ("POST", "/transfers/", WRITE),
        ("POST", "/transfers/7/send", WRITE),
        ("GET", "/transfers/7", READ),
        ("HEAD", "/transfers", READ),
        ("PUT", "/transfers", READ),
        ("post", "/transfers", WRITE),
        ("head", "/health", None),
        ("GET", "/reports", READ),
        ("GET", "/reports/public", None),
        ("GET", "/reports/public/a", None),
        ("GET", "/reports/publicity", READ),
        ("GET", "/health", None),
    ],
)
def test_the_longest_line_counts(method: str, path: str, need: object) -> None:
    assert Table(NEEDS).need(method, path) == need


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/other",
        "/healthy",
        "/Health",
        "/health/../transfers",
        "/./transfers",
        "//transfers",
        "/transfers//7",
        "/health\\..\\transfers",
        "/health/\x00",
        "/health/\udcff",
        "health",
        "",
        "*",
    ],
)
def test_what_no_line_is_about_or_readers_disagree_on_is_refused(path: str) -> None:
    assert isinstance(Table(NEEDS).need("GET", path), Unlisted)
    assert isinstance(Table({**NEEDS, "/": None}).need("GET", path), Unlisted) is not (
        path in {"/", "/other", "/healthy", "/Health"}
    )


@pytest.mark.parametrize("line", ["transfers", "post /transfers", "/a/../b", " /a", "POST transfers", ""])
def test_a_line_that_is_no_path_is_a_mistake(line: str) -> None:
    with pytest.raises(Misconfigured, match="write a path"):
        Table({line: None})
    with pytest.raises(Misconfigured, match="keep one"):
        Table({"/a": None, "/a/": WRITE})


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    token = scope["access_token"]
    body = json.dumps(token and token.subject).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def wsgi_app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    token = environ["access_token"]
    start_response("200 OK", [])
    return [json.dumps(token and token.subject).encode()]


def asked(provider: FakeProvider) -> list[tuple[httpx.Request, int, str]]:
    good, other = provider.access_token(scope="transfers:write"), provider.access_token(scope="reports:read")
    told = [
        ("POST", "/transfers", good, 200, '"sub-alice"'),
        ("POST", "/transfers", other, 403, "insufficient_scope"),
        ("POST", "/transfers", "", 401, "unauthorized"),
        ("POST", "/%74ransfers", other, 403, "insufficient_scope"),
        ("POST", "/health/%2e%2e/transfers", good, 403, "unauthorized"),
        ("GET", "/transfers/7", other, 200, '"sub-alice"'),
        ("GET", "/health", "", 200, "null"),
        ("GET", "/elsewhere", good, 403, "unauthorized"),
        ("GET", "/health/%FF", "", 403, "unauthorized"),
    ]
    return [
        (
            httpx.Request(
                method, f"http://api.example{path}", headers={"authorization": f"Bearer {token}"} if token else {}
            ),
            status,
            body,
        )
        for method, path, token, status, body in told
    ]


async def test_asgi_lets_through_what_the_table_says(provider: FakeProvider) -> None:
    party = AsyncRelyingParty(provider.settings(), http=provider.async_http, clock=provider.clock)
    transport = httpx.ASGITransport(asgi.Guard(asgi_app, party, NEEDS))
    async with httpx.AsyncClient(transport=transport) as client:
        for request, status, body in asked(provider):
            answer = await client.send(request)
            assert (answer.status_code, body in answer.text) == (status, True), (request, answer.text)


def test_wsgi_lets_through_what_the_table_says(provider: FakeProvider) -> None:
    party = RelyingParty(provider.settings(), http=provider.http, clock=provider.clock)
    with httpx.Client(transport=httpx.WSGITransport(wsgi.Guard(wsgi_app, party, NEEDS))) as client:
        for request, status, body in asked(provider):
            answer = client.send(request)
            assert (answer.status_code, body in answer.text) == (status, True), (request, answer.text)


async def test_a_websocket_needs_its_token_before_it_is_accepted(provider: FakeProvider) -> None:
    party = AsyncRelyingParty(provider.settings(), http=provider.async_http, clock=provider.clock)
    sent: list[Any] = []

    async def receive() -> Any:
        return {}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    guard = asgi.Guard(asgi_app, party, NEEDS)
    scope = {"type": "websocket", "path": "/api/transfers", "root_path": "/api", "headers": []}
    await guard(scope, receive, send)
    assert sent == ["websocket.close"]
    token = provider.access_token(scope="reports:read")
    await guard({**scope, "headers": [(b"authorization", f"Bearer {token}".encode())]}, receive, send)
    assert sent == ["websocket.close", "http.response.start", "http.response.body"]


async def test_a_second_header_is_refused_and_a_provider_that_is_down_is_said(provider: FakeProvider) -> None:
    party = AsyncRelyingParty(provider.settings(), http=provider.async_http, clock=provider.clock)
    transport = httpx.ASGITransport(asgi.Guard(asgi_app, party, NEEDS))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as client:
        two = [("authorization", "Bearer a"), ("authorization", "Bearer b")]
        assert (await client.get("/transfers", headers=two)).status_code == 400
        provider.down = True
        token = provider.access_token()
        answer = await client.get("/transfers", headers={"authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
