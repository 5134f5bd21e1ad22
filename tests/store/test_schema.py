"""What the database itself promises: the schema is the one we wrote down, and what it holds is worth nothing."""

import base64
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from idp.model import Factor
from idp.store import migrations, revision
from idp.store.delivery import messages
from idp.store.people import accounts, authenticators
from idp.store.schema import metadata
from tests.world import databases
from tests.world.asking import ask_second_factor, forget_limits
from tests.world.provider import ALICE_PHONE, PASSWORD, Provider, parameters

CARLA_PHONE = "+37256789047"
_CATALOGUE = (
    """SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
              pg_get_expr(d.adbin, d.adrelid)
       FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
       LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> 'alembic_version'""",
    """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
       WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'
       AND contype <> 'n'""",
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'",
)


@pytest.fixture
async def empty_url(server_url: str) -> AsyncIterator[str]:
    async with databases.another(server_url, f"stile_schema_{uuid4().hex}") as url:
        yield url


async def catalogue(url: str) -> list[set[tuple[Any, ...]]]:
    connection = await asyncpg.connect(url)
    try:
        return [{tuple(row) for row in await connection.fetch(query)} for query in _CATALOGUE]
    finally:
        await connection.close()


async def test_the_migrations_make_exactly_the_schema_in_python(database_url: str, empty_url: str) -> None:
    engine = create_async_engine(empty_url.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    for migrated, written in zip(await catalogue(database_url), await catalogue(empty_url), strict=True):
        assert migrated == written
        assert written


async def test_the_migrations_go_up_and_down_and_up_again(empty_url: str) -> None:
    assert await revision.current(empty_url) is None
    assert await migrations.migrate(empty_url) == (None, revision.WANTED)
    first = await catalogue(empty_url)
    assert await migrations.migrate(empty_url) == (revision.WANTED, revision.WANTED)
    assert await migrations.migrate(empty_url, to="base", may_empty=True) == (revision.WANTED, None)
    assert await catalogue(empty_url) == [set(), set(), set()]
    assert await migrations.migrate(empty_url) == (None, revision.WANTED)
    assert await catalogue(empty_url) == first


async def test_what_waits_and_what_was_denied_survives_the_way_to_the_version_before_and_back(empty_url: str) -> None:
    await migrations.migrate(empty_url, to="0001")
    connection = await asyncpg.connect(empty_url)
    try:
        await connection.execute(_MESSAGES_BEFORE)
        await migrations.migrate(empty_url, to="0002")
        due = "SELECT count(*) FROM message WHERE state = 'waiting' AND lease_until <= now()"
        assert await connection.fetchval(due) == 1
        await connection.execute(_MESSAGES_AFTER)
        await migrations.migrate(empty_url, to="0001")
        states = await connection.fetch("SELECT state FROM message ORDER BY state")
        assert [row[0] for row in states] == ["failed", "sent", "waiting"]
        assert await connection.fetchval("SELECT count(*) FROM message WHERE lease_until IS NULL") == 3
        await migrations.migrate(empty_url, to="0002")
        assert await connection.fetchval(due) == 1
    finally:
        await connection.close()


async def test_what_operators_gave_is_read_from_the_trail_once(empty_url: str) -> None:
    await migrations.migrate(empty_url, to="0033")
    connection = await asyncpg.connect(empty_url)
    try:
        await connection.execute(_GIVEN_BEFORE)
        await migrations.migrate(empty_url, to="0034")
        chosen = await connection.fetch("SELECT username, password_by FROM account ORDER BY username")
        assert [tuple(row) for row in chosen] == [
            ("ada", "named:person:hal"),
            ("ben", None),
            ("cleo", None),
            ("dora", None),
        ]
        of_whom = "authenticator a JOIN account p ON p.id = account_id"
        given = await connection.fetch(f"SELECT username, given_by FROM {of_whom} ORDER BY 1")  # noqa: S608 - of two lines
        assert [tuple(row) for row in given] == [("ada", "named:client:bot"), ("ben", None)]
    finally:
        await connection.close()


# Hal chose the password of ada, and that of ben before ben chose his own; a shell that of cleo. Nobody knows of dora.
_GIVEN_BEFORE = """
    INSERT INTO account (id, username, password_hash, created_at, updated_at)
        SELECT gen_random_uuid(), name, 'x', now(), now() FROM unnest(ARRAY['ada', 'ben', 'cleo', 'dora']) name;
    INSERT INTO authenticator (id, account_id, factor, label, hint, created_at, confirmed_at, trusted_at)
        SELECT gen_random_uuid(), id, 'sms', '', '', now(), now(), now() FROM account WHERE username IN ('ada', 'ben');
    INSERT INTO audit_event (at, name, account_id, fields)
        SELECT now() - interval '1 day', 'account.changed', id, '{"change": "added", "operator": "person:hal"}'
        FROM account WHERE username IN ('ada', 'ben');
    INSERT INTO audit_event (at, name, account_id, fields)
        SELECT now(), 'password.changed', id, '{"by": "person"}' FROM account WHERE username = 'ben';
    INSERT INTO audit_event (at, name, account_id, fields)
        SELECT now(), 'password.changed', id, '{"by": "operator", "operator": "shell:root"}'
        FROM account WHERE username = 'cleo';
    INSERT INTO audit_event (at, name, account_id, fields)
        SELECT now(), 'authenticator.added', account_id,
               jsonb_build_object('authenticator', a.id::text)
               || CASE WHEN username = 'ada' THEN '{"operator": "client:bot"}' ELSE '{}' END::jsonb
        FROM authenticator a JOIN account p ON p.id = a.account_id
"""
_MESSAGES_BEFORE = """
    INSERT INTO account (id, username, created_at, updated_at) VALUES (gen_random_uuid(), 'ada', now(), now());
    INSERT INTO authenticator (id, account_id, factor, label, hint, created_at, confirmed_at, trusted_at)
        SELECT gen_random_uuid(), id, 'sms', '', '', now(), now(), now() FROM account;
    INSERT INTO message (id, account_id, authenticator_id, kind, created_at, expires_at, state)
        SELECT gen_random_uuid(), account_id, id, 'code', now(), now(), state
        FROM authenticator, unnest(ARRAY['waiting', 'sent']) state
"""
_MESSAGES_AFTER = """
    INSERT INTO message (id, account_id, authenticator_id, kind, created_at, expires_at, state, denied_by, lease_until)
        SELECT gen_random_uuid(), account_id, id, 'code', now(), now(), 'denied', 'budget', NULL FROM authenticator;
    INSERT INTO message (id, account_id, channel, kind, created_at, expires_at)
        SELECT gen_random_uuid(), id, 'email', 'totp_added', now(), now() FROM account
"""


async def test_a_database_of_a_newer_version_is_refused(empty_url: str) -> None:
    await migrations.migrate(empty_url)
    connection = await asyncpg.connect(empty_url)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()
    with pytest.raises(migrations.MigrationError, match="9999"):
        await migrations.migrate(empty_url)


_GRANT = """INSERT INTO grant_ (id, client_id, account_id, scopes, level, acr, auth_time, created_at, expires_at)
            VALUES ($1, 'bank', $2, '{openid}', $3, 'x', $4, now(), now() + interval '1 day')"""


async def test_the_database_refuses_what_one_factor_would_be_enough_for(provider: Provider, database_url: str) -> None:
    """Promise 1, below all our code."""
    found = await accounts.by_username(provider.idp.db, username="alice")
    assert found is not None
    person, now = found[0].id, datetime.now(UTC)  # noqa: TID251 - a time for a row, in a test
    connection = await asyncpg.connect(database_url)
    try:
        for level in (0, 1, -1):
            with pytest.raises(asyncpg.CheckViolationError):
                await connection.execute(_GRANT, uuid4(), person, level, now)
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(_GRANT, uuid4(), person, 2, None)
        await connection.execute(_GRANT, uuid4(), person, 2, now)
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute("UPDATE grant_ SET level = 1")
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute("UPDATE client SET auth_method = 'none', require_pkce = false")
    finally:
        await connection.close()


async def dump(url: str) -> str:
    """Every column of every row of every table, as text; bytes in hexadecimal."""
    connection = await asyncpg.connect(url)
    try:
        tables = [
            row[0] for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]
        rows = [await connection.fetch(f'SELECT t::text FROM "{name}" t') for name in tables]  # noqa: S608 - its own tables
        return "\n".join(row[0] for table in rows for row in table)
    finally:
        await connection.close()


async def test_a_dump_of_the_database_tells_no_secret(provider: Provider, database_url: str) -> None:
    """LOG-05, LOG-01: after everything a person can do, with everything that was secret in it."""
    browser = provider.browser()
    cookies = set()
    await browser.get(provider.authorize_url(scope="openid offline_access", prompt="consent"))
    cookies.add(browser.token)
    await browser.submit("/password", username="alice", password=PASSWORD)
    cookies.add(browser.token)
    code = await provider.texted(browser)
    await browser.submit("/sms", code=code)
    cookies.add(browser.token)
    authorization_code = parameters(await browser.submit("/consent", decision="allow"))["code"]
    tokens = (await provider.redeem(authorization_code)).json()
    again = (await provider.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])).json()
    await browser.get(provider.authorize_url("notes", scope="openid transfers:write"))
    totp = provider.totp()
    await browser.submit("/totp", code=totp)
    saved = provider.saved["alice"][0]
    asked = await ask_second_factor(provider, address="192.0.2.3")
    await asked.browser.get(f"/i/{asked.interaction_id}/recovery")
    await asked.browser.submit("/recovery", code=saved)
    cookies |= {browser.token, asked.browser.token}
    assert len(cookies) == 5
    held = (await dump(database_url)).lower()
    assert "alice ader" in held
    assert "factor.verified" in held
    seed = provider.seeds["alice"]
    secrets = {
        PASSWORD,
        ALICE_PHONE.removeprefix("+"),
        ALICE_PHONE[-8:],
        authorization_code,
        saved,
        saved.replace("-", ""),
        provider.secrets["bank"],
        base64.b32encode(seed).decode(),
        *(cookie for cookie in cookies if cookie),
        *(cookie.partition(".")[2] for cookie in cookies if cookie),
        *(body[name] for body in (tokens, again) for name in ("access_token", "refresh_token")),
        tokens["id_token"],
    }
    for secret in secrets:
        assert secret.lower() not in held
        assert secret.encode().hex() not in held
    assert seed.hex() not in held
    for short in (code, totp):
        assert not re.search(rf"(?<![0-9a-f.]){short}(?![0-9a-f])", held)
        assert f"\\x{short.encode().hex()}" not in held


async def seeds_of(provider: Provider, *usernames: str) -> list[tuple[Any, bytes]]:
    found = []
    for username in usernames:
        person = await accounts.by_username(provider.idp.db, username=username)
        assert person is not None
        (only,) = await authenticators.sealed(provider.idp.db, account_id=person[0].id, factor=Factor.TOTP)
        found.append((only[0], only[1]))
    return found


async def change_sealed(url: str, authenticator: object, sealed: bytes) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("UPDATE authenticator SET sealed = $2 WHERE id = $1", authenticator, sealed)
    finally:
        await connection.close()


@pytest.mark.parametrize("how", ["swapped", "one bit", "cut short", "empty"])
async def test_a_seed_that_was_tampered_with_stops_that_person_only(
    provider: Provider, database_url: str, how: str
) -> None:
    await provider.add_person("carla", number=CARLA_PHONE, app=True)
    (alices, sealed), (_, carlas) = await seeds_of(provider, "alice", "carla")
    put = {
        "swapped": carlas,
        "one bit": sealed[:-1] + bytes((sealed[-1] ^ 1,)),
        "cut short": sealed[:20],
        "empty": b"",
    }[how]
    await change_sealed(database_url, alices, put)
    asked = await ask_second_factor(provider)
    await asked.browser.get(f"/i/{asked.interaction_id}/totp")
    form = asked.browser.form("/totp")
    for whose in ("alice", "carla"):
        typed = {each.name: each.value for each in form.fields} | {"code": provider.totp(whose)}
        page = await asked.browser.post(form.action, typed)
        assert page.status_code == 503
        assert page.headers["retry-after"]
    assert (await provider.browser().get(provider.authorize_url(prompt="none"))).status_code == 303
    other = await ask_second_factor(provider, "carla", address="192.0.2.2")
    await other.browser.get(f"/i/{other.interaction_id}/totp")
    assert "code" in parameters(await other.browser.submit("/totp", code=provider.totp("carla")))


async def test_a_number_that_was_tampered_with_is_never_texted(provider: Provider, database_url: str) -> None:
    found = await accounts.by_username(provider.idp.db, username="alice")
    bob = await accounts.by_username(provider.idp.db, username="bob")
    assert found is not None
    assert bob is not None
    ((alices, _, _),) = await authenticators.sealed(provider.idp.db, account_id=found[0].id, factor=Factor.SMS)
    ((_, bobs, _),) = await authenticators.sealed(provider.idp.db, account_id=bob[0].id, factor=Factor.SMS)
    await change_sealed(database_url, alices, bobs)
    asked = await ask_second_factor(provider)
    assert await provider.deliver() == []
    state = await messages.state_of(provider.idp.db, interaction_id=asked.interaction_id)
    assert state is not None
    assert state.state == "failed"
    await forget_limits(provider)
    assert "code" in parameters(await provider.sign_in(provider.browser(), "bob"))


async def test_a_code_dies_with_its_challenge_and_its_session_with_time(provider: Provider) -> None:
    """OTP-07, threats 2: the clock is the database's, and stands where the test puts it."""
    for late, accepted in ((timedelta(seconds=-2), True), (timedelta(seconds=2), False)):
        await forget_limits(provider)
        asked = await ask_second_factor(provider)
        code = (await provider.deliver())[-1]
        provider.clock.move(provider.idp.policy.challenge.ttl + late)
        answer = await asked.browser.submit("/sms", code=code)
        assert answer.status_code == (303 if accepted else 400)
        assert ("code" in answer.headers.get("location", "")) is accepted


@pytest.mark.parametrize(
    ("steps", "alive"),
    [
        pytest.param([timedelta(minutes=59)], True, id="59 minutes idle"),
        pytest.param([timedelta(minutes=60)], False, id="60 minutes idle"),
        pytest.param([timedelta(minutes=50)] * 28, True, id="seen every 50 minutes for 23 hours"),
        pytest.param([timedelta(minutes=50)] * 29, False, id="seen every 50 minutes for 24 hours"),
    ],
)
async def test_a_session_ends_when_idle_and_at_the_latest_after_a_day(
    provider: Provider, steps: list[timedelta], alive: bool
) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    answer: dict[str, str] = {}
    for step in steps:
        provider.clock.move(step)
        answer = parameters(await browser.get(provider.authorize_url(prompt="none")))
        if "code" in answer:
            assert (await provider.redeem(answer["code"])).status_code == 200
    assert ("code" in answer) is alive
    assert answer.get("error") == (None if alive else "login_required")


async def test_an_authorization_code_lives_a_minute(provider: Provider) -> None:
    for late, status in ((timedelta(seconds=58), 200), (timedelta(seconds=62), 400)):
        await forget_limits(provider)
        code = await provider.code(provider.browser())
        provider.clock.move(late)
        assert (await provider.redeem(code)).status_code == status
