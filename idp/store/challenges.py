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
from idp.limits import SMS_ADDRESS, Closed, Limit, Refused
from idp.model import Factor
from idp.store.audits import audit_values, audited
from idp.store.composed import Statement
from idp.store.engine import Conn
from idp.store.rate_limits import charge_values, charging, done, refusal
from idp.store.schema import Time, challenge, interaction, message

RESEND_MARGIN = timedelta(seconds=30)  # nothing is sent that expires sooner (sms.md 3)
MESSAGE_CHANNEL = "stile_message"
Charges = Sequence[tuple[Limit, bytes]]
SIGN_IN = "sign-in/"  # how the purpose of a code begins that is good in every tab which asks to sign in

_now: ColumnElement[datetime] = bindparam("now", type_=Time)
_one = literal_column("1", Integer)


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
        """The values that `asking` binds."""
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
    places = literal_column(str(int(SMS_ADDRESS in limits)), Integer)
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


@lru_cache(maxsize=16)
def _ask_statement(limits: tuple[Limit, ...]) -> Statement:
    open_ = exists(select(_one).select_from(open_interaction()))
    charges = charging(limits, when=and_(open_, holding(after=open_)))
    asked, queued = asking(and_(open_, charges.done), limits)
    audit = audited(queued)
    return Statement(
        select(exists(select(_one).select_from(asked)), notify(MESSAGE_CHANNEL, queued)).add_cte(
            *charges.ctes, asked, queued, audit
        )
    )


async def ask(
    conn: Conn, question: Question, *, charges: Charges, audit: Event, client_id: str, now: datetime
) -> Refused | Closed | None:
    """Ask, or ask again; a text message goes into the outbox. None when asked; else why a limit refused."""
    limits = tuple(limit for limit, _ in charges)
    row = await conn.one(
        _ask_statement(limits),
        **charge_values([key for _, key in charges]),
        **question.values(),
        **audit_values(audit, account_id=question.account_id, client_id=client_id),
        now=now,
    )
    if row is not None and row[0]:
        return None
    return await refusal(conn, charges, now=now)
