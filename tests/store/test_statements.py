"""Every statement is one that PostgreSQL understands, and no request makes more of them than design 11 allows."""

import gc
import importlib
import pkgutil
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import func, literal_column, select, text

import idp.store
from idp.policy import default_policy, limits_of
from idp.store import rate_limits
from idp.store.engine import Database
from idp.store.signin import attempts, challenges, proofs, refusals
from idp.store.signin.consuming import Compared, Mailed, Saved, Step, Texted, use_of
from idp.store.sql import Sql
from idp.store.tokens import codes
from tests.world.asking import ask_second_factor, offline_code
from tests.world.composed import Statement
from tests.world.mailing import allow_mail
from tests.world.provider import PASSWORD, Provider, parameters

LIMITS = limits_of(default_policy().limits)
SMS = (LIMITS["sms_pace"], LIMITS["sms_number"], LIMITS["sms_day"], LIMITS["sms_address"])
STRANGER = (
    (LIMITS["password_stranger"], True),
    (LIMITS["password_day"], True),
    (LIMITS["password_address"], False),
)
FAILURES = (LIMITS["code_failures"],)
ID = UUID(int=1)


def every_statement() -> list[Statement | Sql]:
    for module in pkgutil.walk_packages(idp.store.__path__, "idp.store."):
        importlib.import_module(module.name)
    for asked in (None, SMS, SMS[:3]):
        for shape in (STRANGER, STRANGER[:2], ((LIMITS["password_device"], True),)):
            for begun in ({}, {"begins": True}, {"begins": True, "new_session": True}):
                for compared in (Compared(""), Compared("", "")):
                    proofs._statement(use_of(compared)[0], shape, then=asked, **begun)
    places = ((LIMITS["sms_number"], False), (LIMITS["sms_address"], False))
    for sent in (Texted(ID, b""), Mailed("", b"")):
        for strange in (None, LIMITS["browser_notices"]):
            proofs._statement(use_of(sent)[0], places, attempt=FAILURES, asked=True, strange=strange, remembers=True)
    for known in (Step(ID, 1), Saved(ID, b"")):
        for strange in (None, LIMITS["browser_notices"]):
            proofs._statement(use_of(known)[0], (), attempt=FAILURES, strange=strange, remembers=True)
    for waits in (True, False):
        rate_limits._charge_statement(FAILURES, waits=waits)
    for limits in ((), SMS, SMS[:3]):
        challenges._ask_statement(limits)
    for was_asked in (True, False):
        attempts._spend_statement(FAILURES, asked=was_asked)
    refusals._note(LIMITS["code_notices"])
    attempts._give_back_statement(((LIMITS["code_failures"], False),))
    gc.unfreeze()  # a server that ran in this process has put what it found out of sight
    return [found for found in gc.get_objects() if isinstance(found, Statement | Sql)]


async def test_every_statement_prepares_on_the_server(provider: Provider, database_url: str) -> None:
    statements = every_statement()
    assert len(statements) > 80
    connection = await asyncpg.connect(database_url)
    try:
        for statement in statements:
            sql, _ = statement.prepare(_Anything())
            await connection.prepare(sql)
    finally:
        await connection.close()


class _Anything(dict[str, object]):
    """A value for every name."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> object:
        return None


async def test_a_value_that_is_missing_is_an_error_and_never_a_null(provider: Provider) -> None:
    with pytest.raises(KeyError, match="hash"):
        await provider.idp.db.one(codes._PARKED)


async def test_a_long_statement_is_prepared_once(provider: Provider, database_url: str) -> None:
    """Asyncpg keeps no statement over 15 KiB unless told otherwise; ours are long, and each would cost a round trip."""
    longest = max((statement.prepare(_Anything())[0] for statement in every_statement()), key=len)
    padding = "x" * 2 * len(longest)
    long = Statement(select(func.count(), literal_column(f"'{padding}'")).select_from(text("pg_prepared_statements")))
    one = Database(database_url, size=1)
    await one.open()
    try:
        counts = [row[0] for row in [await one.one(long) for _ in range(3)] if row is not None]
        kept = Statement(select(func.count()).select_from(text("pg_prepared_statements WHERE statement LIKE '%xxxx%'")))
        assert (await one.value(kept)) == 2, counts
    finally:
        await one.close()


async def test_signing_in_keeps_its_budget(provider: Provider) -> None:
    asked = await ask_second_factor(provider)
    code = (await provider.deliver())[-1]
    provider.count()
    answer = await asked.browser.submit("/sms", follow=False, code=code)
    assert parameters(answer)["code"]
    assert len(provider.statements) == 2


# Whoever uses a saved code is told, which is one statement more.
@pytest.mark.parametrize(("factor", "budget"), [("totp", 2), ("recovery", 3)])
async def test_every_second_factor_keeps_its_budget(provider: Provider, factor: str, budget: int) -> None:
    asked = await ask_second_factor(provider)
    await asked.browser.get(f"/i/{asked.interaction_id}/{factor}")
    typed = provider.totp() if factor == "totp" else provider.saved["alice"][0]
    provider.count()
    assert (await asked.browser.submit(f"/{factor}", follow=False, code=typed)).status_code == 303
    assert len(provider.statements) == budget


async def test_a_code_by_email_keeps_the_budget_of_a_text_message(provider: Provider) -> None:
    allow_mail(provider)
    await provider.add_person("dora", email="dora@example.com", email_verified=True)
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    provider.count()
    to = await browser.submit("/password", follow=False, username="dora", password=PASSWORD)
    assert len(provider.statements) == 3
    code = (await provider.deliver())[-1]
    await browser.get(to.headers["location"])
    provider.count()
    assert parameters(await browser.submit("/email", follow=False, code=code))["code"]
    assert len(provider.statements) == 2


@pytest.mark.parametrize(("username", "sent"), [("alice", 0), ("bob", 1)])
async def test_a_password_keeps_its_budget(provider: Provider, username: str, sent: int) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    provider.count()
    answer = await browser.submit("/password", follow=False, username=username, password=PASSWORD)
    assert answer.status_code == 303
    assert len(provider.statements) == 3
    assert len(await provider.deliver()) == sent


async def test_an_authorization_with_a_session_keeps_its_budget(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    for later, budget in ((timedelta(0), 2), (timedelta(minutes=1), 1)):  # at first, that the browser has its new token
        provider.clock.move(later)
        provider.count()
        assert "code" in parameters(await browser.get(provider.authorize_url("notes"), follow=False))
        assert len(provider.statements) == budget


async def test_token_traffic_keeps_its_budget(provider: Provider) -> None:
    code = await offline_code(provider)
    provider.count()
    first = (await provider.redeem(code)).json()
    assert len(provider.statements) == 1
    provider.count()
    second = (await provider.token(grant_type="refresh_token", refresh_token=first["refresh_token"])).json()
    assert len(provider.statements) == 1
    provider.count()
    assert (await provider.introspect(second["access_token"]))["active"]
    assert len(provider.statements) == 1
    provider.count()
    assert (await provider.introspect(second["refresh_token"]))["active"]
    assert len(provider.statements) == 1
    browser = provider.browser()
    provider.count()
    answer = await browser.http.get("/userinfo", headers={"authorization": f"Bearer {second['access_token']}"})
    assert answer.status_code == 200
    assert len(provider.statements) == 1


@pytest.mark.parametrize(
    "path", ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/jwks", "/health/live"]
)
async def test_what_is_public_asks_the_database_nothing(provider: Provider, path: str) -> None:
    browser = provider.browser()
    provider.count()
    assert (await browser.http.get(path)).status_code == 200
    assert not provider.statements
