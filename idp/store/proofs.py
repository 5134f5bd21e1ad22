"""A proof made: consume what was used, add the authentication event, change the session's token. All or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Integer,
    LargeBinary,
    Text,
    Uuid,
    and_,
    bindparam,
    exists,
    insert,
    literal_column,
    or_,
    select,
    true,
    update,
)

from idp.audit import Event
from idp.limits import Limit
from idp.model import Factor
from idp.store.audits import audit_values, audited
from idp.store.challenges import MESSAGE_CHANNEL, Charges, Question, asking, holding, notify
from idp.store.engine import Conn, Statement
from idp.store.rate_limits import charge_values, charging, done, forgiving, refunding
from idp.store.schema import Time, authentication_event, authenticator, challenge, interaction, recovery_code, session

_now: ColumnElement[datetime] = bindparam("now", type_=Time)
_one = literal_column("1", Integer)


@dataclass(frozen=True, slots=True)
class Rotation:
    """The session a proof is made in: its id, the token it must still have, the token it gets."""

    session_id: UUID
    old_token: bytes
    new_token: bytes


@dataclass(frozen=True, slots=True)
class Proof:
    """The authentication event to add."""

    factor: Factor
    account_id: UUID
    client_id: str
    interaction_id: UUID
    authenticator_id: UUID | None = None


def _any(cte: CTE) -> ColumnElement[bool]:
    return exists(select(_one).select_from(cte))


def _locked() -> CTE:
    """The session, if it still has the token the browser showed, and the interaction: both ours until we are done."""
    its_session = (
        select(session.c.id)
        .where(
            session.c.id == bindparam("session_id", type_=Uuid),
            session.c.token_hash == bindparam("old_token", type_=LargeBinary),
            session.c.ended_at.is_(None),
            or_(session.c.account_id.is_(None), session.c.account_id == bindparam("account_id", type_=Uuid)),
        )
        .with_for_update()
        .cte("locked_session")
    )
    return (
        select(interaction.c.id)
        .where(
            interaction.c.id == bindparam("interaction_id", type_=Uuid),
            interaction.c.session_id == bindparam("session_id", type_=Uuid),
            interaction.c.finished_at.is_(None),
            interaction.c.expires_at > _now,
            _any(its_session),
        )
        .with_for_update(key_share=True)
        .cte("locked")
    )


def _consumed(factor: Factor, locked: CTE) -> tuple[CTE, ...]:
    """What makes this proof possible once; the first CTE has a row for exactly one caller."""
    ours = and_(
        challenge.c.interaction_id == bindparam("interaction_id", type_=Uuid),
        challenge.c.factor == bindparam("factor", type_=Text),
        challenge.c.account_id == bindparam("account_id", type_=Uuid),
        challenge.c.consumed_at.is_(None),
    )
    match factor:
        case Factor.PASSWORD:
            return (locked,)
        case Factor.SMS:
            used = (
                update(challenge)
                .where(
                    ours,
                    challenge.c.nonce == bindparam("nonce", type_=LargeBinary),
                    challenge.c.authenticator_id == bindparam("authenticator_id", type_=Uuid),
                    challenge.c.expires_at > _now,
                    _open_authenticator(),
                    _any(locked),
                )
                .values(consumed_at=_now)
                .returning(challenge.c.authenticator_id)
                .cte("used")
            )
            touched = (
                update(authenticator)
                .where(authenticator.c.id == bindparam("authenticator_id", type_=Uuid), _any(used))
                .values(last_used_at=_now)
                .returning(authenticator.c.id)
                .cte("touched")
            )
            return used, touched
        case Factor.TOTP | Factor.RECOVERY:
            used = _step_used(locked) if factor is Factor.TOTP else _saved_code_used(locked)
            answered = (
                update(challenge)
                .where(ours, _any(used))
                .values(consumed_at=_now)
                .returning(challenge.c.factor)
                .cte("answered")
            )
            return used, answered


def _step_used(locked: CTE) -> CTE:
    # RFC 6238 5.2: a time step is accepted once; design 6: it only grows
    return (
        update(authenticator)
        .where(
            authenticator.c.id == bindparam("authenticator_id", type_=Uuid),
            authenticator.c.account_id == bindparam("account_id", type_=Uuid),
            authenticator.c.confirmed_at.is_not(None),
            authenticator.c.closed_at.is_(None),
            authenticator.c.last_step < bindparam("step", type_=BigInteger),
            _any(locked),
        )
        .values(last_step=bindparam("step", type_=BigInteger), last_used_at=_now)
        .returning(authenticator.c.id)
        .cte("used")
    )


def _open_authenticator() -> ColumnElement[bool]:
    """It may have been closed since it was looked up: a lost phone, a set of codes that was replaced."""
    return exists(
        select(_one)
        .select_from(authenticator)
        .where(
            authenticator.c.id == bindparam("authenticator_id", type_=Uuid),
            authenticator.c.account_id == bindparam("account_id", type_=Uuid),
            authenticator.c.confirmed_at.is_not(None),
            authenticator.c.closed_at.is_(None),
        )
    )


def _saved_code_used(locked: CTE) -> CTE:
    return (
        update(recovery_code)
        .where(
            recovery_code.c.hash == bindparam("recovery_hash", type_=LargeBinary),
            recovery_code.c.authenticator_id == bindparam("authenticator_id", type_=Uuid),
            recovery_code.c.used_at.is_(None),
            _open_authenticator(),
            _any(locked),
        )
        .values(used_at=_now)
        .returning(recovery_code.c.hash)
        .cte("used")
    )


@lru_cache(maxsize=64)
def _statement(factor: Factor, limits: tuple[Limit, ...] | None, refund: Limit | None) -> Statement:
    locked = _locked()
    consumed = _consumed(factor, locked)
    rotated = (
        update(session)
        .where(session.c.id == bindparam("session_id", type_=Uuid), _any(consumed[0]))
        .values(token_hash=bindparam("new_token"), account_id=bindparam("account_id"), seen_at=_now)
        .returning(session.c.id, session.c.account_id)
        .cte("rotated")
    )
    event = (
        insert(authentication_event)
        .from_select(
            ["session_id", "account_id", "factor", "at", "client_id", "interaction_id", "authenticator_id"],
            select(
                rotated.c.id,
                rotated.c.account_id,
                bindparam("factor", type_=Text),
                _now,
                bindparam("client_id", type_=Text),
                bindparam("interaction_id", type_=Uuid),
                bindparam("authenticator_id", type_=Uuid),
            ),
        )
        .returning(authentication_event.c.id)
        .cte("event")
    )
    proved = _any(event)
    ctes = [locked, *(cte for cte in consumed if cte is not locked), rotated, event]
    # Locks in one order everywhere: session, interaction, challenge, the limits of a person, those of an address.
    forgiven = forgiving(when=proved)
    ctes += [forgiven, audited(event)]
    if refund is not None:
        ctes.append(refunding(refund, when=and_(proved, done(forgiven))))
    if limits is None:
        return Statement(select(proved, true()).add_cte(*ctes))
    charges = charging(limits, when=and_(proved, holding(after=proved)))
    asked, queued = asking(and_(proved, charges.done))
    ctes += [*charges.ctes, asked, queued, audited(queued, prefix="sent")]
    return Statement(select(proved, _any(asked), notify(MESSAGE_CHANNEL, queued)).add_cte(*ctes))


@dataclass(frozen=True, slots=True)
class NextQuestion:
    """The question to ask together with the proof (a text message after the password), and its charges."""

    question: Question
    charges: Charges
    audit: Event


async def record(
    conn: Conn,
    proof: Proof,
    *,
    rotation: Rotation,
    audit: Event,
    now: datetime,
    forgive: Sequence[bytes] = (),
    refund: tuple[Limit, bytes] | None = None,
    nonce: bytes | None = None,
    step: int | None = None,
    recovery_hash: bytes | None = None,
    then: NextQuestion | None = None,
) -> bool:
    """True for exactly one caller per one-time thing, ever; then the proof counts and the session has its new token.

    False: somebody was first (the code, the step, or the session's token was already used), and nothing changed.
    Whether `then` was asked shows when the interaction is loaded again.
    """
    values: dict[str, Any] = {
        "session_id": rotation.session_id,
        "old_token": rotation.old_token,
        "new_token": rotation.new_token,
        "account_id": proof.account_id,
        "interaction_id": proof.interaction_id,
        "factor": proof.factor.value,
        "client_id": proof.client_id,
        "authenticator_id": proof.authenticator_id,
        "forgive_keys": list(forgive),
        "nonce": nonce,
        "step": step,
        "recovery_hash": recovery_hash,
        "now": now,
        **audit_values(audit, account_id=proof.account_id, client_id=proof.client_id),
    }
    if refund is not None:
        values["refund_key"] = refund[1]
    limits = None
    if then is not None:
        limits = tuple(limit for limit, _ in then.charges)
        values |= charge_values([key for _, key in then.charges])
        values |= then.question.values()
        values |= audit_values(then.audit, account_id=proof.account_id, client_id=proof.client_id, prefix="sent")
    row = await conn.one(_statement(proof.factor, limits, None if refund is None else refund[0]), **values)
    return row is not None and bool(row[0])
