"""What must never be written anywhere (threats.md 3, LOG-01; promise 7)."""

import io
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import structlog

from idp import logs
from idp.crypto import KeyChain
from idp.flows.idp import session_token
from tests.world.provider import ALICE_PHONE, PASSWORD, Provider
from tests.world.running import running, settings_for
from tests.world.stage import elevate, lasting, next_day, post, refresh, userinfo


@pytest.fixture(params=["debug", "info"])
async def written(request: pytest.FixtureRequest) -> AsyncIterator[io.StringIO]:
    """Everything that is logged, as the command line configures it, and what libraries log beside it."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level, structlog.get_config())
    stream = io.StringIO()
    logs.configure(level=request.param, form="json", stream=stream)
    try:
        yield stream
    finally:
        root.handlers[:], level, config = before
        root.setLevel(level)
        structlog.configure(**config)


async def test_a_whole_life_leaves_no_secret_in_any_log_or_row(
    stage: Provider, database_url: str, written: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    await next_day(stage, database_url)
    provider, secrets = stage, [PASSWORD, ALICE_PHONE, ALICE_PHONE.removeprefix("+"), *stage.secrets.values()]
    secrets += [code for saved in provider.saved.values() for code in saved]
    secrets += [seed.hex() for seed in provider.seeds.values()]
    browser = provider.browser(headers={"User-Agent": "uvicorn-test"})
    await browser.get(provider.authorize_url(state="sentinel-state", nonce="sentinel-nonce"))
    secrets += ["sentinel-state", "sentinel-nonce", browser.token or "?"]
    await browser.submit("/password", username="alice", password="sentinel wrong password")
    secrets.append("sentinel wrong password")
    await browser.submit("/password", username="alice", password=PASSWORD)
    secrets.append(browser.token or "?")
    code = await provider.texted(browser)
    await browser.submit("/sms", code=f"{(int(code) + 1) % 10**6:06d}")
    await browser.submit("/sms", code=code)
    secrets.append(browser.token or "?")
    totp = provider.totp()
    answer = await elevate(provider, browser)
    issued = (await provider.redeem(answer["code"])).json()
    secrets += [answer["code"], issued["access_token"], issued["id_token"], provider.pkce.verifier]
    provider.clock.move(provider.idp.policy.access_token_ttl(("openid",)))
    kept = await lasting(provider, provider.browser(address="192.0.2.9"))
    renewed = (await refresh(provider, kept["refresh_token"])).json()
    secrets += [kept["refresh_token"], renewed["refresh_token"], kept["access_token"]]
    await userinfo(provider, kept["access_token"])
    await provider.introspect(kept["access_token"])
    await post(provider, "/token", {"grant_type": "x", "client_id": "bank", "client_secret": "sentinel-secret"})
    await browser.http.get("/nowhere?code=sentinel-query", headers={"Authorization": "Bearer sentinel-bearer"})
    await browser.http.get(provider.authorize_url(id_token_hint=issued["id_token"]))
    await browser.http.post("/token", content=b"\xff", headers={"Content-Type": "application/json"})
    secrets += ["sentinel-secret", "sentinel-query", "sentinel-bearer"]
    logging.getLogger("uvicorn.access").info("GET /authorize?%s", "state=sentinel-state")
    logging.getLogger("httpx").info("GET https://api.example/?token=%s", "sentinel-secret")
    captured = capfd.readouterr()
    told = written.getvalue() + captured.out + captured.err
    assert told.count('"event": "request"') > 20
    assert [secret for secret in secrets if secret in told] == []
    # six digits may stand in a request id by chance, never as a word of their own
    for digits in (code, totp):
        assert f'"{digits}"' not in told
        assert f" {digits}" not in told
    connection = await asyncpg.connect(database_url)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        dump = ""
        for (table,) in tables:
            for row in await connection.fetch(f'SELECT * FROM "{table}"'):  # noqa: S608 - the catalogue's own names
                dump += "\n" + " ".join(
                    (value.hex() + " " + repr(value)) if isinstance(value, bytes) else str(value)
                    for value in row.values()
                )
    finally:
        await connection.close()
    assert "authenticator" in str(tables)
    assert len(dump) > 10_000
    requested = {"sentinel-state", "sentinel-nonce"}  # a paused request keeps these to give them back
    assert [secret for secret in secrets if secret in dump and secret not in requested] == []
    assert "ending 45" in dump


async def test_errors_of_the_database_are_told_without_their_row(
    database_url: str, key_chain: KeyChain, tmp_path: Path, written: io.StringIO
) -> None:
    async with running(database_url, key_chain, settings_for(tmp_path)) as provider:
        await provider.idp.db.close()
        async with provider.browser().http as http:
            url, token = provider.authorize_url(login_hint="sentinel-name"), session_token(key_chain, uuid4())
            answer = await http.get(url, headers={"Cookie": f"stile={token}"})
            assert answer.status_code in {400, 500, 503}
            assert "sentinel" not in answer.text
    assert "sentinel" not in written.getvalue()
    assert not [part for part in token.split(".") if part in written.getvalue()]
    for line in written.getvalue().splitlines():
        json.loads(line)
