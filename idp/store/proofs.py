"""A proof made: consume what was used, add the authentication event, change the session's token. All or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Text,
    Uuid,
    and_,
    bindparam,
    cast,
    func,
    insert,
    literal_column,
    null,
    select,
    true,
    update,
)

from idp.audit import Event
from idp.limits import Limit
from idp.model import Factor
from idp.store.audits import audit_values, audited
from idp.store.challenges import MESSAGE_CHANNEL, Charges, Question, asking, holding, notify
from idp.store.composed import Statement
from idp.store.consuming import Evidence, any_of, consuming, evidence_values, locking
from idp.store.engine import Conn
from idp.store.rate_limits import charge_values, charging, done, forgiving
from idp.store.refunds import Refunds, Shape, refunding
from idp.store.schema import Time, authentication_event, session

_now: ColumnElement[datetime] = bindparam("now", type_=Time)


@dataclass(frozen=True, slots=True)
class Rotation:
    """The session a proof is made in: its id, the token it must still have, the token it gets.

    `shown` is the token that the browser came with, where that is another: it opened the session before this one.
    """

    session_id: UUID
    old_token: bytes
    new_token: bytes
    shown: bytes | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """The authentication event to add, and what it uses up."""

    evidence: Evidence
    account_id: UUID
    client_id: str
    interaction_id: UUID


@lru_cache(maxsize=64)
def _statement(factor: Factor, limits: tuple[Limit, ...] | None, refunds: Shape) -> Statement:
    locked = locking(factor)
    consumed = consuming(factor, locked)
    rotated = (
        update(session)
        .where(session.c.id == bindparam("session_id", type_=Uuid), any_of(consumed[0]))
        .values(
            token_hash=bindparam("new_token"),
            account_id=bindparam("account_id"),
            seen_at=_now,
            previous_hash=bindparam("shown_token", type_=LargeBinary),
            replaced_at=_now,
        )
        .returning(session.c.id, session.c.account_id)
        .cte("rotated")
    )
    sms = factor is Factor.SMS
    swap: ColumnElement[Any] = select(consumed[0].c.swap).scalar_subquery() if sms else cast(null(), Text)
    event = (
        insert(authentication_event)
        .from_select(
            ["session_id", "account_id", "factor", "at", "client_id", "interaction_id", "authenticator_id", "swap"],
            select(
                rotated.c.id,
                rotated.c.account_id,
                bindparam("factor", type_=Text),
                _now,
                bindparam("client_id", type_=Text),
                bindparam("interaction_id", type_=Uuid),
                bindparam("authenticator_id", type_=Uuid),
                swap,
            ),
        )
        .returning(authentication_event.c.id)
        .cte("event")
    )
    proved = any_of(event)
    ctes = [locked, *(cte for cte in consumed if cte is not locked), rotated, event]
    # Locks in one order everywhere: session, interaction, challenge, the limits of a person, those of an address.
    forgiven = forgiving(when=proved)
    # The trail tells what was known of the SIM; nothing where nobody was asked.
    known = func.jsonb_strip_nulls(func.jsonb_build_object(literal_column("'sim_swap'"), swap)) if sms else None
    ctes += [forgiven, audited(event, more=known)]
    sent = factor in {Factor.SMS, Factor.EMAIL}
    taken = select(consumed[0].c.address_places).scalar_subquery() if sent else None
    ctes += refunding(refunds, when=and_(proved, done(forgiven)), of_address=taken)
    if limits is None:
        return Statement(select(proved, true()).add_cte(*ctes))
    charges = charging(limits, when=and_(proved, holding(after=proved)))
    asked, queued = asking(and_(proved, charges.done), limits)
    ctes += [*charges.ctes, asked, queued, audited(queued, prefix="sent")]
    return Statement(select(proved, any_of(asked), notify(MESSAGE_CHANNEL, queued)).add_cte(*ctes))


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
    refunds: Refunds | None = None,
    then: NextQuestion | None = None,
) -> bool:
    """True for exactly one caller per one-time thing, ever; then the proof counts and the session has its new token.

    False: somebody was first (the code, the step, or the session's token was already used, or the password that was
    compared or the address that the code went to is no longer theirs), and nothing changed.
    Whether `then` was asked shows when the interaction is loaded again.
    """
    values: dict[str, Any] = {
        "session_id": rotation.session_id,
        "old_token": rotation.old_token,
        "new_token": rotation.new_token,
        "shown_token": rotation.shown or rotation.old_token,
        "account_id": proof.account_id,
        "interaction_id": proof.interaction_id,
        "factor": proof.evidence.factor.value,
        "client_id": proof.client_id,
        "authenticator_id": proof.evidence.authenticator_id,
        "forgive_keys": list(forgive),
        "now": now,
        **evidence_values(proof.evidence),
        **audit_values(audit, account_id=proof.account_id, client_id=proof.client_id),
    }
    if refunds is not None:
        values |= refunds.values()
    limits = None
    if then is not None:
        limits = tuple(limit for limit, _ in then.charges)
        values |= charge_values([key for _, key in then.charges])
        values |= then.question.values()
        values |= audit_values(then.audit, account_id=proof.account_id, client_id=proof.client_id, prefix="sent")
    row = await conn.one(_statement(proof.evidence.factor, limits, () if refunds is None else refunds.shape), **values)
    return row is not None and bool(row[0])
