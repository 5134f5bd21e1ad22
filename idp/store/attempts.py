"""Attempts: each is spent, for good, before its answer is compared. Comparing is not done here."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from idp.limits import Closed, Limit, Refused
from idp.store.challenges import LIVE, PAUSED, Charges, Question, ask_values
from idp.store.engine import Conn, Connection
from idp.store.rate_limits import charged, refusal
from idp.store.refunds import Refund, Refunds, Shape, refunded
from idp.store.sql import Sql


@dataclass(frozen=True, slots=True)
class App:
    """One usable authenticator app of the person: its seed, sealed, and the last step it was accepted for."""

    id: UUID
    sealed: bytes = field(repr=False)
    last_step: int


@dataclass(frozen=True, slots=True)
class Spent:
    """An attempt was spent, for good; now the answer may be compared. `attempts_left` counts those after this one."""

    attempts_left: int
    nonce: bytes = field(repr=False)
    key_id: str
    purpose: str
    authenticator_id: UUID | None
    apps: tuple[App, ...] = ()


@dataclass(frozen=True, slots=True)
class Dead:
    """There is no live question: expired, answered or out of tries. Nothing may be compared."""


# The person too: what was asked of one must never be answered by another who signed in to the same interaction.
_THIS = "interaction_id = :q_interaction AND factor = :q_factor AND challenge.account_id = :q_account"

_SPENT = f"UPDATE challenge SET attempts = attempts + 1 WHERE {_THIS} AND {LIVE} AND EXISTS (SELECT FROM charged)"

_SPENT_OR_ASKED = f"""
    INSERT INTO challenge (interaction_id, factor, account_id, authenticator_id, purpose, nonce, key_id, created_at,
                           expires_at, max_attempts, attempts)
    SELECT :q_interaction, :q_factor, :q_account, :q_authenticator, :q_purpose, :q_nonce, :q_key, :now,
           :q_expires, :q_max, 1
    WHERE EXISTS (SELECT FROM charged)
    ON CONFLICT (interaction_id, factor) DO UPDATE SET
        consumed_at = NULL,
        (authenticator_id, nonce, key_id, created_at, expires_at, attempts) = (
            SELECT challenge.authenticator_id, challenge.nonce, challenge.key_id, challenge.created_at,
                   challenge.expires_at, challenge.attempts + 1
            WHERE challenge.expires_at > :now
            UNION ALL
            SELECT excluded.authenticator_id, excluded.nonce, excluded.key_id, excluded.created_at,
                   excluded.expires_at, 1
            WHERE challenge.expires_at <= :now
        )
    WHERE challenge.account_id = :q_account AND ({LIVE} OR challenge.expires_at <= :now)"""

# The seeds to compare with, read by the statement that spends the attempt.
_APPS = """
    SELECT jsonb_agg(jsonb_build_object('id', id, 'sealed', encode(sealed, 'hex'), 'last_step', last_step))
    FROM authenticator
    WHERE :q_factor = 'totp' AND account_id = :q_account AND factor = 'totp'
      AND confirmed_at IS NOT NULL AND closed_at IS NULL"""


@lru_cache(maxsize=16)
def _spend_statement(limits: tuple[Limit, ...], *, ask_if_none: bool) -> Sql:
    if ask_if_none:
        may = "EXISTS (SELECT FROM paused) AND NOT EXISTS (SELECT FROM held WHERE NOT live AND current)"
    else:
        may = "EXISTS (SELECT FROM held WHERE live)"
    return Sql(f"""
WITH paused AS ({PAUSED}),
-- Locked before anything is charged: who waited here sees what the others left, and a dead question costs nothing.
held AS (
    SELECT {LIVE} AS live, expires_at > :now AS current FROM challenge
    WHERE {_THIS} AND EXISTS (SELECT FROM paused)
    FOR UPDATE
),
may AS (SELECT WHERE {may}),
{charged(limits, when="EXISTS (SELECT FROM may)")},
spent AS ({_SPENT_OR_ASKED if ask_if_none else _SPENT}
    RETURNING attempts, max_attempts, nonce, key_id, purpose, authenticator_id)
SELECT EXISTS (SELECT FROM charged) AS charged, EXISTS (SELECT FROM may) AS may,
       ({_APPS if ask_if_none else "NULL"}) AS apps, spent.*
FROM (SELECT) AS always LEFT JOIN spent ON true""")


async def spend(
    conn: Conn, question: Question, *, charges: Charges, ask_if_none: bool, now: datetime
) -> Spent | Dead | Refused | Closed:
    """Spend one attempt before comparing; call it on its own, so that nothing can take the attempt back.

    `ask_if_none`: a question that needs no sending (an app, a saved code) is asked by being answered.
    """
    statement = _spend_statement(tuple(limit for limit, _ in charges), ask_if_none=ask_if_none)
    row = await conn.one(statement, **ask_values(question, charges), now=now)
    assert row is not None
    if row["attempts"] is not None:
        return Spent(
            row["max_attempts"] - row["attempts"],
            row["nonce"],
            row["key_id"],
            row["purpose"],
            row["authenticator_id"],
            tuple(App(UUID(app["id"]), bytes.fromhex(app["sealed"]), app["last_step"]) for app in row["apps"] or ()),
        )
    if row["charged"] or not row["may"]:
        return Dead()
    return await refusal(conn, charges, now=now)


@lru_cache(maxsize=16)
def _give_back_statement(shape: Shape) -> Sql:
    return Sql(f"""
-- Locked first here too: who spends may not see a question yet that was just asked, and would wait for it last.
WITH paused AS (SELECT FROM interaction WHERE id = :q_interaction FOR NO KEY UPDATE),
given_back AS (
    UPDATE challenge SET attempts = attempts - 1
    WHERE {_THIS} AND nonce = :nonce AND attempts > 0 AND consumed_at IS NULL AND EXISTS (SELECT FROM paused)
    RETURNING attempts
),
{refunded(shape, when="EXISTS (SELECT FROM given_back)")}
SELECT FROM given_back""")


async def give_back(conn: Conn, question: Question, *, nonce: bytes, refund: Refund, now: datetime) -> None:
    """Take back that an attempt was spent on this question: what was typed was no guess."""
    refunds = Refunds((refund,), since=now)
    values = question.values() | refunds.values()
    await conn.one(_give_back_statement(refunds.shape), **values, nonce=nonce, now=now)


_HOLD_REPEAT = Sql("SELECT FROM session WHERE id = :session_id AND previous_hash = :shown_token FOR UPDATE")


async def hold_repeat(conn: Connection, *, session_id: UUID, shown: bytes) -> bool:
    """Whether the token `shown` is still forgiven (`sessions.forget_previous`); answers with it wait for each other."""
    return await conn.one(_HOLD_REPEAT, session_id=session_id, shown_token=shown) is not None
