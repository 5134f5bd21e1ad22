"""HEAD, prefetch and link scanners change nothing, whatever the route (RFC 9110 9.2.1)."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from sqlalchemy import func, literal_column, select
from starlette.routing import BaseRoute, Mount, Route

from idp.crypto import KeyChain
from idp.sms import Delivery, Receipt
from idp.store.schema import metadata
from tests.world.composed import Statement
from tests.world.databases import empty
from tests.world.provider import ALICE_PHONE, BANK_URI, ISSUER, Browser, Provider, parameters
from tests.world.running import running, settings_for

GLANCES = [
    pytest.param("HEAD", {}, id="head"),
    pytest.param("GET", {"Sec-Purpose": "prefetch"}, id="prefetch"),
    pytest.param("GET", {"Sec-Purpose": "prefetch;prerender"}, id="prerender"),
    pytest.param("GET", {"Purpose": "prefetch"}, id="older"),
    pytest.param("GET", {"X-Moz": "Prefetch"}, id="oldest"),
]


@pytest.fixture
async def provider(database_url: str, key_chain: KeyChain, tmp_path: Path) -> Any:
    await empty(database_url)
    async with running(database_url, key_chain, settings_for(tmp_path, receipt_url=ISSUER)) as made:
        await made.add_client("bank", BANK_URI)
        await made.add_person("alice", number=ALICE_PHONE, app=True)
        yield made


def paths(routes: list[BaseRoute], base: str = "") -> Iterator[str]:
    for route in routes:
        if isinstance(route, Mount):
            yield from paths(list(route.routes), base + route.path)
        else:
            assert isinstance(route, Route)
            yield base + route.path


def batched(asked: list[str], size: int) -> Iterator[list[str]]:
    for first in range(0, len(asked), size):
        yield asked[first : first + size]


async def contents(provider: Provider) -> dict[str, Any]:
    """Every row of every table."""
    found = {}
    for table in metadata.sorted_tables:
        row = func.md5(literal_column(f"{table.name}::text"))
        rows = await provider.rows(Statement(select(row).select_from(table).order_by(row)))
        found[table.name] = rows
    return found


async def prepared(provider: Provider) -> tuple[Browser, dict[str, str]]:
    """A signed-in browser, and addresses whose plain GET changes something."""
    browser = provider.browser()
    waiting = await provider.half_way(browser)
    await browser.get(provider.authorize_url())
    answer = parameters(await browser.submit("/sms", code=await provider.texted(browser)))
    hint = (await provider.redeem(answer["code"])).json()["id_token"]
    message = provider.gateway.sent[-1]
    assert message.receipt_url is not None
    provider.gateway.receipts = [Receipt(str(message.attempt_id), Delivery.DELIVERED)]
    provider.clock.move(timedelta(minutes=5))
    return browser, {
        "/authorize": provider.authorize_url(prompt="consent"),
        "/i/{id}": urlsplit(str(waiting.url)).path,
        "/account": "/account",
        "/account/password": "/account/password",
        "/logout": "/logout?" + urlencode({"id_token_hint": hint}),
        "/receipts/{gateway}/{attempt}/{key}": message.receipt_url.removeprefix(ISSUER),
    }


@pytest.mark.parametrize(("method", "headers"), GLANCES)
async def test_a_glance_changes_nothing_on_any_route(provider: Provider, method: str, headers: dict[str, str]) -> None:
    browser, live = await prepared(provider)
    interaction = live["/i/{id}"].rpartition("/")[2]
    asked = list(live.values())
    for path in paths(provider.app.routes):
        filled = path.replace("{factor:factor}", "sms").replace("{path:path}", "").replace("{name}", "stile.css")
        asked.append(re.sub(r"\{\w+(:uuid)?\}", interaction, filled.replace("{id:int}", "1")))
    before = await contents(provider)
    sent = len(provider.gateway.sent)
    for some in batched(asked, 10):
        for path in some:
            answer = await browser.http.request(method, path, headers=headers)
            assert answer.status_code < 500, path
            assert "set-cookie" not in answer.headers, path
            assert "clear-site-data" not in answer.headers, path
        assert await contents(provider) == before, some
    await provider.deliver()
    assert len(provider.gateway.sent) == sent


async def test_what_a_glance_left_alone_is_done_when_somebody_comes(provider: Provider) -> None:
    browser, live = await prepared(provider)
    *first, out, receipt = live.values()
    for path in (*first, receipt, out):
        provider.clock.move(timedelta(minutes=1, seconds=1))
        before = await contents(provider)
        for method, headers in (("HEAD", {}), ("GET", {"Sec-Purpose": "prefetch"})):
            glance = await browser.http.request(method, path, headers=headers)
            assert (glance.status_code, glance.headers["cache-control"]) == (
                200 if method == "HEAD" else 403,
                "no-store",
            )
        answer = await browser.http.get(path)
        assert answer.status_code in {200, 204, 303}, path
        assert await contents(provider) != before, path


async def test_what_only_reads_answers_a_glance_as_it_answers_anybody(provider: Provider) -> None:
    browser = provider.browser()
    for path in ("/jwks", "/.well-known/openid-configuration", "/health/live", "/static/stile.css"):
        plain = await browser.http.get(path)
        for method, headers in (("HEAD", {}), ("GET", {"Sec-Purpose": "prefetch"})):
            glance = await browser.http.request(method, path, headers=headers)
            assert glance.status_code == plain.status_code == 200
            assert glance.headers["content-type"] == plain.headers["content-type"]
