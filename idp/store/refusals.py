"""Wrong codes written down; and whoever they were typed in the name of is told, at most once a day."""

from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    Boolean,
    ColumnElement,
    Integer,
    LargeBinary,
    Text,
    Uuid,
    and_,
    bindparam,
    cast,
    exists,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from idp.audit import Event
from idp.limits import Limit
from idp.store.audits import audit_values, audited
from idp.store.challenges import MESSAGE_CHANNEL, notify
from idp.store.composed import Statement
from idp.store.engine import Conn
from idp.store.rate_limits import charge_values, charging
from idp.store.schema import Time, account, authenticator, message, rate_limit

_one = literal_column("1", Integer)


_TEXTED = and_(
    authenticator.c.account_id == bindparam("account_id", type_=Uuid),
    authenticator.c.factor == literal_column("'sms'"),
    authenticator.c.confirmed_at.is_not(None),
    or_(authenticator.c.closed_at.is_(None), authenticator.c.id == bindparam("also", type_=Uuid)),
)
_MAILED = and_(
    account.c.id == bindparam("account_id", type_=Uuid), account.c.email.is_not(None), bindparam("mail", type_=Boolean)
)
_where_to = union_all(
    select(authenticator.c.account_id, authenticator.c.id, literal_column("'sms'", Text).label("channel")).where(
        _TEXTED
    ),
    select(account.c.id, cast(null(), Uuid), literal_column("'email'", Text)).where(_MAILED),
).subquery("where_to")


def _noticing(when: ColumnElement[bool]) -> CTE:
    """A CTE that puts a notice to every channel of a person into the outbox, if `when` holds: `messages.NOTICED`."""
    what = {
        "id": func.gen_random_uuid(),
        **dict(zip(("account_id", "authenticator_id", "channel"), _where_to.c, strict=True)),
        "kind": bindparam("kind", type_=Text),
        "fields": bindparam("fields", type_=JSONB),
        "locale": bindparam("locale", type_=Text),
        "created_at": bindparam("now", type_=Time),
        "expires_at": bindparam("expires_at", type_=Time),
        "about": bindparam("about", type_=Uuid),
    }
    rows = select(*what.values())
    made = insert(message).from_select(list(what), rows.where(when))
    return made.returning(message.c.id).cte("noticed")


@lru_cache(maxsize=4)
def _refused(limit: Limit) -> Statement:
    often = exists(
        select(_one).where(
            rate_limit.c.key == bindparam("failures", type_=LargeBinary),
            rate_limit.c.count >= bindparam("told_from", type_=Integer),
        )
    )
    charges = charging((limit,), when=often)
    noticed = _noticing(charges.done)
    audit = audited(select(_one.label("one")).cte("refused"))
    return Statement(select(notify(MESSAGE_CHANNEL, noticed)).add_cte(audit, *charges.ctes, noticed))


async def note(
    conn: Conn,
    event: Event,
    *,
    account_id: UUID,
    client_id: str,
    failures: bytes,
    told_from: int,
    once: tuple[Limit, bytes],
    now: datetime,
    **notice: Any,  # noqa: ANN401 - what `noticing` binds
) -> None:
    """Write a wrong code down. From `told_from` in a row on, as `failures` counts them, a notice goes out.

    As often as `once` allows. One statement, whatever it does: wrong codes cost as much as before.
    """
    await conn.one(
        _refused(once[0]),
        failures=failures,
        told_from=told_from,
        account_id=account_id,
        now=now,
        **charge_values([once[1]]),
        **audit_values(event, account_id=account_id, client_id=client_id),
        **notice,
    )
