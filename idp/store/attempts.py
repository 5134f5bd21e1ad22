"""Attempts: each is spent, for good, before its answer is compared. Comparing is not done here."""

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

from idp.limits import Closed, Limit, Refused
from idp.store.challenges import Charges, Question, alive, open_interaction
from idp.store.composed import Statement
from idp.store.engine import Conn, Connection
from idp.store.rate_limits import charge_values, charging, refusal
from idp.store.refunds import Refund, Refunds, Shape, refunding
from idp.store.schema import Time, authenticator, challenge, interaction, session

_now: ColumnElement[datetime] = bindparam("now", type_=Time)
_one = literal_column("1", Integer)


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
    live = alive(timedelta(0))
    # Locked before anything is charged: who waited here sees what the others left, and a dead question costs nothing.
    open_ = exists(select(_one).select_from(open_interaction()))
    held = (
        select(live.label("live"), (challenge.c.expires_at > _now).label("current"))
        .where(this, open_)
        .with_for_update()
        .cte("held")
    )
    if ask_if_none:
        may = and_(open_, not_(exists(select(_one).select_from(held).where(not_(held.c.live), held.c.current))))
    else:
        may = exists(select(_one).select_from(held).where(held.c.live))
    charges = charging(limits, when=may)
    if ask_if_none:
        spent = _spend_or_ask(and_(may, charges.done), live)
    else:
        spent = (
            update(challenge)
            .where(this, live, charges.done)
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


def _spend_or_ask(when: ColumnElement[bool], live: ColumnElement[bool]) -> CTE:
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
            where=and_(challenge.c.account_id == row["account_id"], live | expired),
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


# Locked first here too: who spends may not see a question yet that was just asked, and would wait for it last.
_its_interaction = (
    select(interaction.c.id)
    .where(interaction.c.id == bindparam("q_interaction", type_=Uuid))
    .with_for_update(key_share=True)
    .cte("paused")
)
_given_back = (
    update(challenge)
    .where(
        challenge.c.interaction_id == bindparam("q_interaction", type_=Uuid),
        challenge.c.factor == bindparam("q_factor", type_=Text),
        challenge.c.account_id == bindparam("q_account", type_=Uuid),
        challenge.c.nonce == bindparam("nonce", type_=LargeBinary),
        challenge.c.attempts > literal_column("0", Integer),
        challenge.c.consumed_at.is_(None),
        exists(select(_one).select_from(_its_interaction)),
    )
    .values(attempts=challenge.c.attempts - _one)
    .returning(challenge.c.attempts)
    .cte("given_back")
)


@lru_cache(maxsize=16)
def _give_back_statement(shape: Shape) -> Statement:
    refunded = refunding(shape, when=exists(select(_one).select_from(_given_back)))
    return Statement(select(_given_back.c.attempts).add_cte(*refunded))


async def give_back(conn: Conn, question: Question, *, nonce: bytes, refund: Refund, now: datetime) -> None:
    """Take back that an attempt was spent on this question: what was typed was no guess."""
    values = question.values()
    refunds = Refunds((refund,), since=now)
    await conn.one(
        _give_back_statement(refunds.shape),
        **{name: values[name] for name in ("q_interaction", "q_factor", "q_account")},
        **refunds.values(),
        nonce=nonce,
    )


_HOLD_REPEAT = Statement(
    select(session.c.id)
    .where(
        session.c.id == bindparam("session_id", type_=Uuid),
        session.c.previous_hash == bindparam("shown_token", type_=LargeBinary),
    )
    .with_for_update()
)


async def hold_repeat(conn: Connection, *, session_id: UUID, shown: bytes) -> bool:
    """Whether the token `shown` is still forgiven (`sessions.forget_previous`); answers with it wait for each other."""
    return await conn.one(_HOLD_REPEAT, session_id=session_id, shown_token=shown) is not None
