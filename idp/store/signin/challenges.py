"""Outstanding questions: ask, or ask again with the same code. Answering is in `attempts`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from idp.audit import Event
from idp.limits import Closed, Limit, Refused, is_of_address
from idp.model import Factor
from idp.store.audits import AUDITED, audit_values
from idp.store.delivery.messages import MARGIN, waking
from idp.store.engine import Conn
from idp.store.rate_limits import charge_values, charged, interval, refusal
from idp.store.sql import Sql

Charges = Sequence[tuple[Limit, bytes]]
SIGN_IN = "sign-in/"  # how the purpose of a code begins that is good in every tab which asks to sign in


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a factor of a person inside an interaction, and how its code would be derived."""

    interaction_id: UUID
    factor: Factor
    account_id: UUID
    authenticator_id: UUID | None
    purpose: str
    nonce: bytes
    key_id: str
    expires_at: datetime
    max_attempts: int
    message_id: UUID | None = None
    locale: str | None = None

    def values(self) -> dict[str, Any]:
        """The values of this question. `ask_values` are those to ask it with."""
        return {
            "q_interaction": self.interaction_id,
            "q_factor": self.factor.value,
            "q_account": self.account_id,
            "q_authenticator": self.authenticator_id,
            "q_purpose": self.purpose,
            "q_nonce": self.nonce,
            "q_key": self.key_id,
            "q_expires": self.expires_at,
            "q_max": self.max_attempts,
            "q_message": self.message_id,
            "q_locale": self.locale,
        }


# What can still be answered.
LIVE = "challenge.consumed_at IS NULL AND challenge.attempts < challenge.max_attempts AND challenge.expires_at > :now"

# The interaction, if it still goes on. Every question and answer locks it first, so that none deadlock.
PAUSED = """
    SELECT FROM interaction WHERE id = :q_interaction AND finished_at IS NULL AND expires_at > :now FOR NO KEY UPDATE"""

# The question, if there is one. It is locked before its limits are charged, and after what the statement says:
# `… AND EXISTS (…) FOR UPDATE`.
HELD = "SELECT FROM challenge WHERE interaction_id = :q_interaction AND factor = :q_factor"

_KEEP = f"""{LIVE} AND challenge.expires_at - {interval(MARGIN)} > :now
            AND challenge.authenticator_id IS NOT DISTINCT FROM :q_authenticator"""

# Asks, if the CTE `charged` has a row. A live challenge is kept: same nonce and so the same code, same expiry, same
# attempts. Otherwise it is replaced. `ask_values` are its values.
ASKED = f"""
    INSERT INTO challenge (account_id, authenticator_id, purpose, nonce, key_id, created_at, expires_at, max_attempts,
                           sends, address_places, interaction_id, factor)
    SELECT :q_account, :q_authenticator, :q_purpose, :q_nonce, :q_key, :now, :q_expires, :q_max,
           1, :q_places, :q_interaction, :q_factor
    WHERE EXISTS (SELECT FROM charged)
    ON CONFLICT (interaction_id, factor) DO UPDATE SET
        consumed_at = NULL,
        (account_id, authenticator_id, purpose, nonce, key_id, created_at, expires_at, max_attempts,
         sends, address_places, attempts, swap) = (
            SELECT challenge.account_id, challenge.authenticator_id, challenge.purpose, challenge.nonce,
                   challenge.key_id, challenge.created_at, challenge.expires_at, challenge.max_attempts,
                   challenge.sends + 1, challenge.address_places + :q_places, challenge.attempts, challenge.swap
            WHERE {_KEEP}
            UNION ALL
            SELECT excluded.account_id, excluded.authenticator_id, excluded.purpose, excluded.nonce,
                   excluded.key_id, excluded.created_at, excluded.expires_at, excluded.max_attempts,
                   1, :q_places, 0, NULL
            WHERE NOT ({_KEEP})
        )
    RETURNING *"""

# Puts the message into the outbox, if what was `asked` needs one.
QUEUED = """
    INSERT INTO message (id, account_id, channel, authenticator_id, interaction_id, kind, nonce, key_id, purpose,
                         locale, created_at, expires_at)
    SELECT :q_message, account_id, factor, authenticator_id, interaction_id, 'code', nonce, key_id, purpose,
           :q_locale, :now, expires_at
    FROM asked WHERE factor IN ('sms', 'email')
    RETURNING id"""


def ask_values(question: Question, charges: Charges) -> dict[str, Any]:
    """The values of `ASKED` and `QUEUED`, and of `charged` with these limits."""
    return {
        **question.values(),
        **charge_values([key for _, key in charges]),
        "q_places": sum(is_of_address(limit) for limit, _ in charges),
    }


@lru_cache(maxsize=16)
def _ask_statement(limits: tuple[Limit, ...]) -> Sql:
    return Sql(f"""
WITH paused AS ({PAUSED}),
held AS ({HELD} AND EXISTS (SELECT FROM paused) FOR UPDATE),
-- The count is known only once the question is locked.
{charged(limits, when="EXISTS (SELECT FROM paused) AND (SELECT count(*) FROM held) >= 0")},
asked AS ({ASKED}),
queued AS ({QUEUED}),
audited AS ({AUDITED} WHERE EXISTS (SELECT FROM queued))
SELECT EXISTS (SELECT FROM asked) AS asked, {waking("queued")}""")


async def ask(
    conn: Conn, question: Question, *, charges: Charges, audit: Event, client_id: str, now: datetime
) -> Refused | Closed | None:
    """Ask, or ask again; a text message goes into the outbox. None when asked; else why a limit refused."""
    asked = await conn.value(
        _ask_statement(tuple(limit for limit, _ in charges)),
        **ask_values(question, charges),
        **audit_values(audit, account_id=question.account_id, client_id=client_id),
        now=now,
    )
    return None if asked else await refusal(conn, charges, now=now)
