"""Attempts: each is spent, for good, before anybody is told anything. Comparing is not done here.

A right answer spends its attempt in the statement that records the proof (`proofs`), a wrong one in `spend`. Both lock
the same rows in the same order first, so that what goes wrong with one goes wrong with the other: an attempt that was
not spent tells nothing.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from idp.limits import Closed, Limit, Refused
from idp.model import SENT
from idp.store.engine import Conn, Connection, Row
from idp.store.rate_limits import charged, refusal
from idp.store.refunds import Refund, Refunds, Shape, refunded
from idp.store.signin.challenges import LIVE, Charges, Question, ask_values
from idp.store.sql import Sql


@dataclass(frozen=True, slots=True)
class Spent:
    """An attempt was spent, for good. `attempts_left` counts those after this one."""

    attempts_left: int
    nonce: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Dead:
    """There is no live question: expired, answered or out of tries, or no session that it could be answered in."""


# The session, if it still has the token the browser showed, and the interaction: both ours until we are done. Locks in
# one order everywhere: session, interaction, challenge, the limits of a person, those of an address. A statement says
# in `same` what must be unchanged besides.
LOCKED_SESSION = """locked_session AS (
    SELECT FROM session
    WHERE id = :session_id AND token_hash = :old_token AND ended_at IS NULL
      AND (account_id IS NULL OR account_id = :account_id) AND EXISTS (SELECT FROM same)
    FOR UPDATE
)"""
LOCKED = f"""{LOCKED_SESSION},
locked AS (
    SELECT FROM interaction
    WHERE id = :interaction_id AND session_id = :session_id AND finished_at IS NULL AND expires_at > :now
      AND EXISTS (SELECT FROM locked_session)
    FOR NO KEY UPDATE
)"""


# The person too: what was asked of one must never be answered by another who signed in to the same interaction.
_THIS = "interaction_id = :q_interaction AND factor = :q_factor AND challenge.account_id = :q_account"

_SPENT = f"""
    UPDATE challenge SET attempts = attempts + 1 WHERE {_THIS} AND {LIVE} AND EXISTS (SELECT FROM charged)"""

# A question that needs no sending (an app, a saved code) is asked by being answered.
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

TOLD = "EXISTS (SELECT FROM charged) AS charged, EXISTS (SELECT FROM may) AS may"


def attempted(limits: tuple[Limit, ...], *, asked: bool, right: str | None = None) -> str:
    """CTEs that spend one attempt at a question that was `asked`, or is by being answered, after `LOCKED`.

    `may` has a row if there is something to answer, `charged` if the limits let it be. If the answer is `right`, it is
    forgiven at once, and where the question was asked `used` spends the attempt (`consuming`). Else `spent` has a row.
    `Attempt.values` are the values.
    """
    if asked:
        may = "EXISTS (SELECT FROM held WHERE live)"
    else:
        may = "EXISTS (SELECT FROM locked) AND NOT EXISTS (SELECT FROM held WHERE NOT live AND current)"
    spent = (
        ""
        if asked and right is not None
        else f""",
spent AS ({_SPENT if asked else _SPENT_OR_ASKED}
    RETURNING attempts, max_attempts, nonce
)"""
    )
    return f"""-- Locked before it is charged: who waited sees what others left, and a dead question costs nothing.
held AS (
    SELECT {LIVE} AS live, expires_at > :now AS current FROM challenge
    WHERE {_THIS} AND EXISTS (SELECT FROM locked)
    FOR UPDATE
),
may AS (SELECT WHERE {may}),
{charged(limits, when="EXISTS (SELECT FROM may)", forgiven=right)}{spent}"""


@lru_cache(maxsize=16)
def _spend_statement(limits: tuple[Limit, ...], *, asked: bool) -> Sql:
    return Sql(f"""
WITH same AS (SELECT),
{LOCKED},
{attempted(limits, asked=asked)}
SELECT {TOLD}, spent.* FROM (SELECT) AS always LEFT JOIN spent ON true""")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One answer to a question, in the session with this token, and what it is charged to."""

    question: Question
    charges: Charges
    session_id: UUID
    token: bytes = field(repr=False)

    @property
    def asked(self) -> bool:
        """Whether somebody sent the question; an app's or a saved code's is asked by being answered."""
        return self.question.factor in SENT

    @property
    def limits(self) -> tuple[Limit, ...]:
        """What the statement depends on."""
        return tuple(limit for limit, _ in self.charges)

    def values(self) -> dict[str, Any]:
        """The values of `LOCKED` and `attempted`."""
        return {
            **ask_values(self.question, self.charges),
            "interaction_id": self.question.interaction_id,
            "account_id": self.question.account_id,
            "session_id": self.session_id,
            "old_token": self.token,
        }


async def spend(conn: Conn, attempt: Attempt, *, now: datetime) -> Spent | Dead | Refused | Closed:
    """Spend one attempt for a wrong answer; call it on its own, so that nothing can take the attempt back."""
    row = await conn.one(_spend_statement(attempt.limits, asked=attempt.asked), **attempt.values(), now=now)
    assert row is not None
    return await outcome(conn, attempt, row, now=now)


async def outcome(conn: Conn, attempt: Attempt, row: Row, *, now: datetime) -> Spent | Dead | Refused | Closed:
    """What became of an attempt, from the columns `TOLD`."""
    if row["attempts"] is not None:
        return Spent(row["max_attempts"] - row["attempts"], row["nonce"])
    return Dead() if row["charged"] or not row["may"] else await refusal(conn, attempt.charges, now=now)


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
