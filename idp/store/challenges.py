"""Outstanding questions: ask, or ask again with the same code. Answering is in `attempts`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    LargeBinary,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal_column,
    null,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from idp.audit import Event
from idp.limits import Closed, Limit, Refused, is_of_address
from idp.model import Factor
from idp.store.audits import AUDITED, audit_values
from idp.store.engine import Conn
from idp.store.rate_limits import charge_values, charged, done, interval, refusal
from idp.store.schema import Time, challenge, interaction, message
from idp.store.sql import Sql

RESEND_MARGIN = timedelta(seconds=30)  # nothing is sent that expires sooner (sms.md 3)
MESSAGE_CHANNEL = "stile_message"
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

_KEEP = f"""{LIVE} AND challenge.expires_at - {interval(RESEND_MARGIN)} > :now
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


def waking(if_any: str) -> str:
    """Wakes the senders when the CTE `if_any` has a row. NULL otherwise."""
    return f"CASE WHEN EXISTS (SELECT FROM {if_any}) THEN pg_notify('{MESSAGE_CHANNEL}', '')::text END"


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


# In Core, for `attempts` and `proofs` that still are.
_now: ColumnElement[datetime] = bindparam("now", type_=Time)
_one = literal_column("1", Integer)


def alive(margin: timedelta) -> ColumnElement[bool]:
    """Whether a question may still be answered, for longer than `margin`."""
    ends = _now + literal_column(f"interval '{margin.total_seconds():.0f} s'")
    return and_(
        challenge.c.consumed_at.is_(None),
        challenge.c.attempts < challenge.c.max_attempts,
        challenge.c.expires_at > ends,
    )


def asking(when: ColumnElement[bool], limits: Sequence[Limit]) -> tuple[CTE, CTE]:
    """CTEs that ask and put the message into the outbox, if `when` holds; `limits` were charged for it.

    A live challenge is kept: same nonce and so the same code, same expiry, same attempts. Otherwise it is replaced.
    Binds the values of `Question`.
    """
    keep = alive(RESEND_MARGIN)
    places = literal_column(str(int(any(map(is_of_address, limits)))), Integer)
    fresh = {
        "account_id": bindparam("q_account", type_=Uuid),
        "authenticator_id": bindparam("q_authenticator", type_=Uuid),
        "purpose": bindparam("q_purpose", type_=Text),
        "nonce": bindparam("q_nonce", type_=LargeBinary),
        "key_id": bindparam("q_key", type_=Text),
        "created_at": _now,
        "expires_at": bindparam("q_expires", type_=Time),
        "max_attempts": bindparam("q_max", type_=Integer),
    }
    row = {
        "interaction_id": bindparam("q_interaction", type_=Uuid),
        "factor": bindparam("q_factor", type_=Text),
        **fresh,
        "sends": _one,
        "address_places": places,
    }
    keep = and_(keep, challenge.c.authenticator_id.is_not_distinct_from(fresh["authenticator_id"]))
    asked = (
        insert(challenge)
        .from_select(list(row), select(*row.values()).where(when))
        .on_conflict_do_update(
            index_elements=[challenge.c.interaction_id, challenge.c.factor],
            set_={
                **{name: case((keep, challenge.c[name]), else_=value) for name, value in fresh.items()},
                "attempts": case((keep, challenge.c.attempts), else_=literal_column("0", Integer)),
                "sends": case((keep, challenge.c.sends + _one), else_=_one),
                "address_places": case((keep, challenge.c.address_places + places), else_=places),
                "consumed_at": null(),
                "swap": case((keep, challenge.c.swap), else_=null()),
            },
        )
        .returning(challenge)
        .cte("asked")
    )
    by_mail = literal_column("'email'", Text)
    queued = (
        insert(message)
        .from_select(
            [
                "id",
                "account_id",
                "channel",
                "authenticator_id",
                "interaction_id",
                "kind",
                "nonce",
                "key_id",
                "purpose",
                "locale",
                "created_at",
                "expires_at",
            ],
            select(
                bindparam("q_message", type_=Uuid),
                asked.c.account_id,
                case((asked.c.factor == by_mail, by_mail), else_=literal_column("'sms'", Text)),
                asked.c.authenticator_id,
                asked.c.interaction_id,
                literal_column("'code'", Text),
                asked.c.nonce,
                asked.c.key_id,
                asked.c.purpose,
                bindparam("q_locale", type_=Text),
                _now,
                asked.c.expires_at,
            ).where(asked.c.factor.in_((literal_column("'sms'", Text), by_mail))),
        )
        .returning(message.c.id)
        .cte("queued")
    )
    return asked, queued


def open_interaction() -> CTE:
    """The interaction, locked, if it still goes on. Every question and answer locks it first, so that none deadlock."""
    return (
        select(interaction.c.id)
        .where(
            interaction.c.id == bindparam("q_interaction", type_=Uuid),
            interaction.c.finished_at.is_(None),
            interaction.c.expires_at > _now,
        )
        .with_for_update(key_share=True)
        .cte("paused")
    )


def holding(*, after: ColumnElement[bool]) -> ColumnElement[bool]:
    """True once the question, if there is one, is locked, which happens `after` that holds. Limits come later."""
    held = (
        select(challenge.c.factor)
        .where(
            challenge.c.interaction_id == bindparam("q_interaction", type_=Uuid),
            challenge.c.factor == bindparam("q_factor", type_=Text),
            after,
        )
        .with_for_update()
        .cte("held")
    )
    return done(held)


def notify(channel: str, if_any: CTE) -> ColumnElement[Any]:
    """Wake the listeners of a channel when `if_any` has a row."""
    return case((exists(select(_one).select_from(if_any)), cast(func.pg_notify(channel, ""), Text)), else_=null())
