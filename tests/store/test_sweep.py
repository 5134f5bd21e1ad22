"""Sweeping takes what is dead and nothing else, in small batches, and no hot statement reads what it does not need."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest

from idp.policy import default_policy
from idp.store import refunds, sweep
from idp.store.delivery import bookings, breakers, denials, leases, messages, receipts, spending
from idp.store.signin import attempts, challenges, facts, proofs, replaced, signers
from idp.store.signin.consuming import Compared, Saved, Step, Texted, use_of
from idp.store.sql import Runnable
from idp.store.tokens import codes, grants, refresh_tokens
from tests.world.asking import ask_second_factor, count, forget_limits, offline_code
from tests.world.provider import Provider, parameters

IDLE = default_policy().sessions.idle
OURS = default_policy().limits
ID = UUID(int=1)
SMS = (OURS.sms.pace, OURS.sms.places, OURS.sms.day, OURS.sms_address)
FAILURES = (OURS.code_failures,)
STRANGER = ((OURS.password_stranger, True), (OURS.password_day, True), (OURS.password_address, False))

Raw: TypeAlias = "asyncpg.Connection[Any]"
DYING = (
    *("session", "authentication_event", "interaction", "challenge", "message", "message_attempt"),
    *("grant_", "parked_code", "refresh_token", "client_assertion"),
)


@pytest.fixture
async def raw(database_url: str) -> "AsyncIterator[Raw]":
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def test_nothing_that_lives_is_swept(provider: Provider) -> None:
    code = await offline_code(provider)
    tokens = (await provider.redeem(code)).json()
    await forget_limits(provider)
    short = await provider.code(provider.browser(address="192.0.2.6"))
    assert (await provider.redeem(short)).status_code == 200
    asked = await ask_second_factor(provider, "bob", address="192.0.2.5")
    assert await sweep.sweep(provider.idp.db, idle=IDLE, now=provider.clock.now()) == {}
    sent = (await provider.deliver())[-1]
    assert "code" in parameters(await asked.browser.submit("/sms", code=sent))
    provider.clock.move(timedelta(days=20))
    swept = await sweep.sweep(provider.idp.db, idle=IDLE, now=provider.clock.now())
    assert {"session", "interaction", "grant_"} <= set(swept)
    answer = await provider.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert answer.status_code == 200


async def test_everything_dead_is_swept_in_the_end(provider: Provider, raw: Raw) -> None:
    await provider.redeem(await offline_code(provider))
    await ask_second_factor(provider, "bob", address="192.0.2.5")
    now = provider.clock.move(timedelta(days=200))
    await sweep.sweep(provider.idp.db, idle=IDLE, now=now)
    await sweep.sweep(provider.idp.db, idle=IDLE, now=now)
    for table in DYING:
        assert await raw.fetchval(f"SELECT count(*) FROM {table}") == 0, table  # noqa: S608 - from the list above
    assert await raw.fetchval("SELECT count(*) FROM account") == 2
    assert await raw.fetchval("SELECT count(*) FROM authenticator") == 4
    assert await raw.fetchval("SELECT count(*) FROM audit_event") > 5


async def test_one_sweep_takes_one_batch_and_waits_for_nobody(provider: Provider, raw: Raw) -> None:
    now = provider.clock.now()
    await raw.execute(
        "INSERT INTO client_assertion SELECT decode(md5(n::text), 'hex'), $1 FROM generate_series(1, 1200) n",
        now - timedelta(minutes=1),
    )
    async with raw.transaction():
        await raw.execute("SELECT FROM client_assertion LIMIT 100 FOR UPDATE")
        taken = [(await sweep.sweep(provider.idp.db, idle=IDLE, now=now)).get("client_assertion") for _ in range(4)]
    assert taken == [500, 500, 100, None]
    assert await sweep.sweep(provider.idp.db, idle=IDLE, now=now) == {"client_assertion": 100}


async def test_batches_follow_until_nothing_dead_is_left(provider: Provider, raw: Raw) -> None:
    now = provider.clock.now()
    await raw.execute(
        "INSERT INTO client_assertion SELECT decode(md5(n::text), 'hex'), $1 FROM generate_series(1, 1100) n",
        now - timedelta(days=1),
    )
    assert await sweep.sweep_all(provider.idp.db, idle=IDLE, now=now) == {"client_assertion": 1100}
    assert await raw.fetchval("SELECT count(*) FROM client_assertion") == 0


async def test_a_message_nobody_sent_in_time_expires(provider: Provider) -> None:
    asked = await ask_second_factor(provider)
    now = provider.clock.move(timedelta(minutes=6))
    assert await sweep.sweep(provider.idp.db, idle=IDLE, now=now) == {"message (expired)": 1}
    state = await messages.state_of(provider.idp.db, interaction_id=asked.interaction_id)
    assert state is not None
    assert state.state == "expired"
    assert await sweep.sweep(provider.idp.db, idle=IDLE, now=now) == {}
    assert await count(provider, "message") == 1


async def test_what_the_spending_rules_counted_goes_when_it_counts_no_more(provider: Provider, raw: Raw) -> None:
    now = provider.clock.now()
    await raw.execute(
        """
        INSERT INTO spending_number (authenticator_id, number, region, hour, at, sends)
            SELECT gen_random_uuid(), '', 'EE', t, t, 1
            FROM unnest('{23,24}'::int[]) n, LATERAL (SELECT $1::timestamptz - n * interval '1 h' AS t) AS at
        """,
        now,
    )
    await raw.execute(
        "INSERT INTO spending_region SELECT 'EE', $1::timestamptz - n * interval '1 h', 1, 0"
        " FROM unnest('{23,24}'::int[]) n",
        now,
    )
    await raw.execute(
        "INSERT INTO spending_closed SELECT 'R' || n, $1::timestamptz, $1 - n * interval '1 h'"
        " FROM unnest('{23,24}'::int[]) n",
        now,
    )
    await raw.execute(
        "INSERT INTO spending_block VALUES ('a', 'EE', '{}', '{}', NULL, $1), ('b', 'EE', '{}', '{}', NULL, $2)",
        now,
        now + timedelta(seconds=1),
    )
    await raw.execute(
        "INSERT INTO spending_denied SELECT $1::timestamptz - n * interval '1 d', 'money', 'shadow', 'EE', 1"
        " FROM unnest('{30,31}'::int[]) n",
        now,
    )
    tables, now = ("number", "region", "closed", "block", "denied"), now + timedelta(seconds=1)
    assert await sweep.sweep(provider.idp.db, idle=IDLE, now=now) == {f"spending_{name}": 1 for name in tables}
    assert await sweep.sweep(provider.idp.db, idle=IDLE, now=now) == {}
    for name in tables:
        assert await raw.fetchval(f"SELECT count(*) FROM spending_{name}") == 1, name  # noqa: S608 - from the list above


_STRANGERS = """
    INSERT INTO rate_limit (key, count, last_at, hits, expires_at)
        SELECT decode(md5(n::text), 'hex'), 1, now(), ARRAY[now()], now() - n * interval '1 s'
        FROM generate_series(1, 100000) n;
    ANALYZE rate_limit;
"""
_CROWD = """
    INSERT INTO account (id, username, created_at, updated_at)
        SELECT gen_random_uuid(), 'p' || n, now(), now() FROM generate_series(1, 5000) n;
    INSERT INTO session (id, token_hash, account_id, created_at, seen_at)
        SELECT gen_random_uuid(), decode(md5(username), 'hex'), id, now(), now() FROM account;
    INSERT INTO authenticator (id, account_id, factor, label, hint, created_at, confirmed_at, trusted_at)
        SELECT gen_random_uuid(), id, 'sms', '', '', now(), now(), now() FROM account;
    INSERT INTO recovery_code (hash, authenticator_id)
        SELECT decode(md5(id::text), 'hex'), id FROM authenticator;
    INSERT INTO authentication_event (session_id, account_id, factor, at, client_id)
        SELECT id, account_id, 'sms', now(), 'bank' FROM session;
    INSERT INTO interaction (id, session_id, client_id, request, started_at, expires_at)
        SELECT gen_random_uuid(), id, 'bank', '{}', now(), now() FROM session;
    INSERT INTO challenge (interaction_id, factor, account_id, purpose, nonce, key_id, created_at, expires_at,
        max_attempts)
        SELECT i.id, 'sms', s.account_id, '', '', '', now(), now(), 3 FROM interaction i
        JOIN session s ON s.id = i.session_id;
    INSERT INTO message (id, account_id, authenticator_id, kind, created_at, expires_at, state)
        SELECT gen_random_uuid(), account_id, id, 'code', now(), now(), 'sent' FROM authenticator;
    INSERT INTO message_attempt (id, message_id, gateway, started_at)
        SELECT gen_random_uuid(), id, 'fake', now() FROM message;
    INSERT INTO gateway_breaker (gateway, region, open_until)
        SELECT 'fake', left(username, 4), now() FROM account ON CONFLICT DO NOTHING;
    INSERT INTO suppressed_number (hash, reason, at)
        SELECT decode(md5(username), 'hex'), 'opted_out', now() FROM account;
    INSERT INTO grant_ (id, client_id, account_id, scopes, level, auth_time, created_at, expires_at)
        SELECT gen_random_uuid(), 'bank', id, '{}', 2, now(), now(), now() FROM account;
    INSERT INTO parked_code (hash, sealed, expires_at)
        SELECT decode(md5(id::text), 'hex'), '', now() + interval '1 day' FROM grant_;
    INSERT INTO refresh_token (hash, grant_id, issued_at, expires_at)
        SELECT decode(md5(id::text), 'hex'), id, now(), now() FROM grant_;
    INSERT INTO rate_limit (key, count, last_at, hits, expires_at)
        SELECT decode(md5(username), 'hex'), 1, now(), '{}', now() + interval '1 day' FROM account;
    INSERT INTO client_assertion
        SELECT decode(md5(username), 'hex'), now() + interval '1 day' FROM account;
    INSERT INTO spending_number (authenticator_id, number, region, hour, at, sends)
        SELECT id, decode(md5(id::text), 'hex'), 'EE', now(), now(), 1 FROM authenticator;
    INSERT INTO spending_block (key, region, numbers, times, expires_at)
        SELECT decode(md5(username), 'hex'), 'EE', '{}', '{}', now() + interval '1 day' FROM account;
    INSERT INTO spending_region (region, hour, sends)
        SELECT 'R' || n % 250, now() - n / 250 * interval '1 hour', 1 FROM generate_series(1, 12000) n;
    INSERT INTO spending_denied (hour, rule, mode, region, count)
        SELECT now() - n / 250 * interval '1 hour', 'money', 'enforce', 'R' || n % 250, 1
        FROM generate_series(1, 12000) n;
    ANALYZE
"""


def hot_statements() -> dict[str, Runnable]:
    return {
        "facts of a session": facts._OF_SESSION,
        "facts of an interaction": facts._OF_INTERACTION,
        "facts of a name": signers._OF_NAME,
        "facts of a name, inside": signers._OF_NAME_INSIDE,
        "facts of a passkey": signers._OF_HOLDER,
        "facts of a passkey, inside": signers._OF_HOLDER_INSIDE,
        "facts of who left": replaced._OF_LEFT,
        "password": proofs._statement(use_of(Compared(""))[0], STRANGER, then=SMS),
        "password first of all": proofs._statement(
            use_of(Compared(""))[0], STRANGER, then=SMS, begins=True, new_session=True
        ),
        "text message": proofs._statement(
            use_of(Texted(ID, b""))[0],
            ((OURS.sms.places, False), (OURS.sms_address, False)),
            attempt=FAILURES,
            asked=True,
        ),
        "app": proofs._statement(use_of(Step(ID, 1))[0], (), attempt=FAILURES),
        "recovery": proofs._statement(use_of(Saved(ID, b""))[0], (), attempt=FAILURES),
        "give a try back": refunds._refund_statement(STRANGER),
        "ask": challenges._ask_statement(SMS),
        "spend": attempts._spend_statement(FAILURES, asked=True),
        "spend or ask": attempts._spend_statement(FAILURES, asked=False),
        "parked": codes._PARKED,
        "redeem": codes._REDEEM,
        "refresh": refresh_tokens._ROTATE,
        "retry": refresh_tokens._RETRY,
        "load a grant": grants._LOAD,
        "claim": leases._CLAIM,
        "begin": leases._BEGIN,
        "put back": leases._END,
        "mark": leases._MARK,
        "state": messages._STATE,
        "log": messages._LOG,
        "receipt": receipts._REPORT,
        "breaker": breakers._COUNT,
        "spending": spending._STANDING,
        "book": bookings._BOOK,
        "give back": bookings._ADJUST,
        "deny": denials._RECORD,
        "settle": denials._SETTLE,
        "traffic": denials._TRAFFIC,
        **{f"sweep {name}": statement for name, statement in sweep._STATEMENTS.items()},
    }


class _Null(dict[str, object]):
    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> object:
        return None


async def test_no_hot_statement_reads_a_whole_table(provider: Provider, raw: Raw) -> None:
    await raw.execute(_CROWD)
    # The plan of a server which has been up for a while, on tables so large that reading one is never the cheapest.
    await raw.execute("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off")
    slow = {}
    for name, statement in hot_statements().items():
        if found := sorted(set(_scanned(await _plan(raw, statement)))):
            slow[name] = found
    assert slow == {}


async def test_no_batch_is_joined_with_a_whole_large_table(provider: Provider, raw: Raw) -> None:
    await raw.execute(_STRANGERS)
    await raw.execute("SET plan_cache_mode = force_generic_plan")
    assert _scanned(await _plan(raw, sweep._STATEMENTS["rate_limit"])) == []


async def _plan(raw: Raw, statement: Runnable) -> Any:
    sql, _ = statement.prepare(_Null())
    handle = f"hot_{uuid4().hex}"
    await raw.execute(f"PREPARE {handle} AS {sql}")
    nulls = ", ".join("NULL" for _ in range(_parameters(sql)))
    return json.loads(await raw.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {handle}" + (f"({nulls})" if nulls else "")))


def _parameters(sql: str) -> int:
    found = 0
    while f"${found + 1}" in sql:
        found += 1
    return found


def _scanned(plan: Any) -> list[str]:
    """The tables that the plan reads from end to end."""
    if isinstance(plan, list):
        return [name for each in plan for name in _scanned(each)]
    if not isinstance(plan, dict):
        return []
    own = [plan["Relation Name"]] if plan.get("Node Type") == "Seq Scan" else []
    return own + [name for each in plan.values() for name in _scanned(each)]
