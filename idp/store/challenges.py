"""Outstanding questions: ask (or ask again, with the same code), and spend one attempt. Comparing is not done here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
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
    literal,
    literal_column,
    not_,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from idp.audit import Event
from idp.limits import Closed, Limit, Refused
from idp.model import Factor
from idp.store.audits import audit_values, audited
from idp.store.engine import Conn, Statement
from idp.store.rate_limits import charge_values, charging, refusal
from idp.store.schema import Time, authenticator, challenge, interaction, message

RESEND_MARGIN = timedelta(seconds=30)  # nothing is sent that expires sooner (sms.md 3)
MESSAGE_CHANNEL = "stile_message"
Charges = Sequence[tuple[Limit, bytes]]

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


def _alive(margin: timedelta) -> ColumnElement[bool]:
    ends = _now + literal_column(f"interval '{margin.total_seconds():.0f} s'")
    return and_(
        challenge.c.consumed_at.is_(None),
        challenge.c.attempts < challenge.c.max_attempts,
        challenge.c.expires_at > ends,
    )


def asking(when: ColumnElement[bool]) -> tuple[CTE, CTE]:
    """CTEs that ask and put the message into the outbox, if `when` holds.

    A live challenge is kept: same nonce and so the same code, same expiry, same attempts. Otherwise it is replaced.
    Binds the values of `Question`.
    """
    keep = _alive(RESEND_MARGIN)
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
                "consumed_at": null(),
            },
        )
        .returning(challenge)
        .cte("asked")
    )
    queued = (
        insert(message)
        .from_select(
            [
                "id",
                "account_id",
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
                asked.c.authenticator_id,
                asked.c.interaction_id,
                literal_column("'code'", Text),
                asked.c.nonce,
                asked.c.key_id,
                asked.c.purpose,
                bindparam("q_locale", type_=Text),
                _now,
                asked.c.expires_at,
            ).where(asked.c.factor == literal_column("'sms'", Text)),
        )
        .returning(message.c.id)
        .cte("queued")
    )
    return asked, queued


def notify(channel: str, if_any: CTE) -> ColumnElement[Any]:
    """Wake the listeners of a channel when `if_any` has a row."""
    return case((exists(select(_one).select_from(if_any)), cast(func.pg_notify(channel, ""), Text)), else_=null())


@lru_cache(maxsize=16)
def _ask_statement(limits: tuple[Limit, ...]) -> Statement:
    open_ = exists(
        select(_one)
        .select_from(interaction)
        .where(interaction.c.id == bindparam("q_interaction", type_=Uuid), interaction.c.finished_at.is_(None))
    )
    charges = charging(limits, when=open_)
    asked, queued = asking(and_(open_, charges.done))
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


@lru_cache(maxsize=16)
def _spend_statement(limits: tuple[Limit, ...], *, ask_if_none: bool) -> Statement:
    # The person too: what was asked of one must never be answered by another who signed in to the same interaction.
    this = and_(
        challenge.c.interaction_id == bindparam("q_interaction", type_=Uuid),
        challenge.c.factor == bindparam("q_factor", type_=Text),
        challenge.c.account_id == bindparam("q_account", type_=Uuid),
    )
    alive = _alive(timedelta(0))
    if ask_if_none:
        may = not_(exists(select(_one).select_from(challenge).where(this, not_(alive), challenge.c.expires_at > _now)))
    else:
        may = exists(select(_one).select_from(challenge).where(this, alive))
    charges = charging(limits, when=may)
    if ask_if_none:
        spent = _spend_or_ask(and_(may, charges.done), alive)
    else:
        spent = (
            update(challenge)
            .where(this, alive, charges.done)
            .values(attempts=challenge.c.attempts + _one)
            .returning(challenge)
            .cte("spent")
        )
    columns = ("attempts", "max_attempts", "nonce", "key_id", "purpose", "authenticator_id")
    found = select(*(spent.c[name] for name in columns)).subquery("found")
    only = select(literal(1).label("one")).subquery("only")
    return Statement(
        select(charges.done, may, _apps() if ask_if_none else null(), *(found.c[name] for name in columns))
        .select_from(only.outerjoin(found, literal_column("true")))
        .add_cte(*charges.ctes, spent)
    )


def _apps() -> ColumnElement[Any]:
    """The seeds to compare with, read by the statement that spends the attempt."""
    item = func.jsonb_build_array(
        authenticator.c.id, func.encode(authenticator.c.sealed, "hex"), authenticator.c.last_step
    )
    return (
        select(func.jsonb_agg(item))
        .where(
            bindparam("q_factor", type_=Text) == literal_column("'totp'"),
            authenticator.c.account_id == bindparam("q_account", type_=Uuid),
            authenticator.c.factor == literal_column("'totp'"),
            authenticator.c.confirmed_at.is_not(None),
            authenticator.c.closed_at.is_(None),
        )
        .scalar_subquery()
    )


def _spend_or_ask(when: ColumnElement[bool], alive: ColumnElement[bool]) -> CTE:
    expired = challenge.c.expires_at <= _now
    row = {
        "interaction_id": bindparam("q_interaction", type_=Uuid),
        "factor": bindparam("q_factor", type_=Text),
        "account_id": bindparam("q_account", type_=Uuid),
        "authenticator_id": bindparam("q_authenticator", type_=Uuid),
        "purpose": bindparam("q_purpose", type_=Text),
        "nonce": bindparam("q_nonce", type_=LargeBinary),
        "key_id": bindparam("q_key", type_=Text),
        "created_at": _now,
        "expires_at": bindparam("q_expires", type_=Time),
        "max_attempts": bindparam("q_max", type_=Integer),
        "attempts": _one,
    }
    renewed = {name: row[name] for name in ("authenticator_id", "nonce", "key_id", "created_at", "expires_at")}
    return (
        insert(challenge)
        .from_select(list(row), select(*row.values()).where(when))
        .on_conflict_do_update(
            index_elements=[challenge.c.interaction_id, challenge.c.factor],
            set_={
                **{name: case((expired, value), else_=challenge.c[name]) for name, value in renewed.items()},
                "attempts": case((expired, _one), else_=challenge.c.attempts + _one),
                "consumed_at": null(),
            },
            where=and_(challenge.c.account_id == row["account_id"], alive | expired),
        )
        .returning(challenge)
        .cte("spent")
    )


async def spend(
    conn: Conn, question: Question, *, charges: Charges, ask_if_none: bool, now: datetime
) -> Spent | Dead | Refused | Closed:
    """Spend one attempt before comparing; call it on its own, so that nothing can take the attempt back.

    `ask_if_none`: a question that needs no sending (an app, a saved code) is asked by being answered.
    """
    limits = tuple(limit for limit, _ in charges)
    values = question.values()
    if not ask_if_none:
        values = {name: values[name] for name in ("q_interaction", "q_factor", "q_account")}
    row = await conn.one(
        _spend_statement(limits, ask_if_none=ask_if_none),
        **charge_values([key for _, key in charges]),
        **values,
        now=now,
    )
    assert row is not None
    charged, may, apps, attempts, most, nonce, key_id, purpose, authenticator_id = row
    if attempts is not None:
        seeds = tuple(App(UUID(id_), bytes.fromhex(seed), step) for id_, seed, step in apps or ())
        return Spent(most - attempts, nonce, key_id, purpose, authenticator_id, seeds)
    if charged or not may:
        return Dead()
    return await refusal(conn, charges, now=now)
