"""What is known of a phone's SIM, written down where it counts: on the message, its question, and the phone.

Locks come in the order message, question, phone: a proof takes its question before its phone.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    LargeBinary,
    Text,
    Uuid,
    bindparam,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    update,
)

from idp.audit import Event
from idp.model import Swap
from idp.store.audits import audit_values, audited
from idp.store.composed import Statement
from idp.store.engine import Conn
from idp.store.messages import Outgoing
from idp.store.rate_limits import done
from idp.store.schema import Time, authenticator, challenge, message

DENIED_BY = "sim_swap"

_now: ColumnElement[datetime] = bindparam("now", type_=Time)
_m = message.c
_swapped = literal_column(f"'{Swap.SWAPPED}'", Text)
_sms = literal_column("'sms'", Text)
_verdict: ColumnElement[str] = bindparam("swap", type_=Text)


def noting(begun: CTE) -> tuple[CTE, CTE]:
    """CTEs that write the verdict `swap`, if there is one, on the question whose code is about to be sent.

    So it is there before anybody can know the code. A phone whose SIM is known not to be changed is cleared.
    """
    noted = (
        update(challenge)
        .where(
            _verdict.is_not(None),
            challenge.c.interaction_id == begun.c.interaction_id,
            challenge.c.factor == _sms,
            challenge.c.nonce == begun.c.nonce,
            challenge.c.swap.is_distinct_from(_swapped),
        )
        .values(swap=_verdict)
        .returning(challenge.c.factor)
        .cte("noted")
    )
    cleared = (
        update(authenticator)
        .where(
            _verdict == literal_column(f"'{Swap.NOT_SWAPPED}'", Text),
            authenticator.c.id == begun.c.authenticator_id,
            authenticator.c.swapped_at.is_not(None),
            done(noted),
        )
        .values(swapped_at=null())
        .returning(authenticator.c.id)
        .cte("cleared")
    )
    return noted, cleared


_phones = (
    select(authenticator.c.id, authenticator.c.account_id)
    .where(
        or_(
            authenticator.c.id == bindparam("authenticator_id", type_=Uuid),
            authenticator.c.lookup == func.any(bindparam("numbers", type_=ARRAY(LargeBinary))),
        ),
        authenticator.c.factor == _sms,
    )
    .cte("phones")
)
_ids = select(_phones.c.id)
_held = (
    select(_m.id)
    .where(
        _m.account_id.in_(select(_phones.c.account_id)),
        _m.authenticator_id.in_(_ids),
        _m.kind == literal_column("'code'", Text),
        _m.state == literal_column("'waiting'", Text),
    )
    .order_by(_m.id)
    .with_for_update()
    .cte("held")
)
_denied = (
    update(message)
    .where(_m.id.in_(select(_held.c.id)))
    .values(
        state=literal_column("'denied'", Text),
        denied_by=literal_column(f"'{DENIED_BY}'", Text),
        swap=_swapped,
        region=func.coalesce(_m.region, bindparam("region", type_=Text)),
        lease_until=null(),
    )
    .returning(_m.id, _m.account_id)
    .cte("denied")
)
_dead = (
    update(challenge)
    .where(
        challenge.c.authenticator_id.in_(_ids),
        challenge.c.factor == _sms,
        challenge.c.consumed_at.is_(None),
        done(_denied),
    )
    # Out of tries, whatever any node's clock says; and `swap` for a code that is just being consumed.
    .values(attempts=challenge.c.max_attempts, swap=_swapped)
    .returning(challenge.c.factor)
    .cte("dead")
)
_seen = (
    update(authenticator)
    .where(authenticator.c.id.in_(_ids), done(_dead))
    .values(swapped_at=_now)
    .returning(authenticator.c.id)
    .cte("seen")
)
_this = select(_denied.c.account_id).where(_denied.c.id == bindparam("message_id", type_=Uuid)).cte("this")
_DENY = Statement(
    select(exists(select(_this.c.account_id))).add_cte(
        _seen, audited(_this, account_id=select(_this.c.account_id).scalar_subquery())
    )
)


async def deny(
    conn: Conn, outgoing: Outgoing, *, numbers: Sequence[bytes], region: str | None, audit: Event, now: datetime
) -> str:
    """The SIM of this message's phone was changed: no code goes there, and none that went there is good any more.

    All in one statement, for every phone with this number (`numbers`: its hashes). The message's state afterwards.
    """
    row = await conn.one(
        _DENY,
        message_id=outgoing.id,
        authenticator_id=outgoing.authenticator_id,
        numbers=list(numbers),
        region=region,
        now=now,
        **audit_values(audit),
    )
    return "denied" if row is not None and row[0] else "gone"
