"""The audit trail: rows are added with the effect they describe, never changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Text,
    Uuid,
    bindparam,
    exists,
    insert,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from idp.audit import ORIGIN, Event
from idp.store.engine import Conn
from idp.store.schema import Time, audit_event
from idp.store.sql import Sql

_INTO = "INSERT INTO audit_event (at, name, account_id, client_id, fields)"
# A row for what another statement does; `audit_values` are its values. The statement says when: `… WHERE EXISTS (…)`.
AUDITED = f"{_INTO} SELECT :now, :audit_name, :audit_account, :audit_client, :audit_fields"

_ADD = Sql(f"{_INTO} VALUES (:now, :audit_name, :audit_account, :audit_client, :audit_fields)")


def _fields(event: Event) -> dict[str, Any]:
    """What a row holds: the event's own fields, and where the request came from that caused it."""
    if (origin := ORIGIN.get()) is None:
        return event.fields()
    return {**event.fields(), "address": origin.address, **({"browser": origin.browser} if origin.browser else {})}


_OF_ACCOUNT = Sql("""
SELECT at, name, client_id, fields FROM audit_event
WHERE account_id = :account_id AND coalesce(name = ANY (:names), true)
ORDER BY at DESC, id DESC
LIMIT :limit""")


async def add(
    conn: Conn, event: Event, *, now: datetime, account_id: UUID | None = None, client_id: str | None = None
) -> None:
    """Add one row, in the transaction of `conn`."""
    await conn.one(_ADD, now=now, **audit_values(event, account_id=account_id, client_id=client_id))


async def of_account(
    conn: Conn, *, account_id: UUID, limit: int, names: Sequence[str] | None = None
) -> Sequence[tuple[datetime, str, str | None, dict[str, Any]]]:
    """The newest rows (of these names, if given) about one person: time, name, client id, fields."""
    rows = await conn.all(_OF_ACCOUNT, account_id=account_id, names=names, limit=limit)
    return [(row["at"], row["name"], row["client_id"], row["fields"]) for row in rows]


def audited(
    if_any: CTE,
    *,
    account_id: ColumnElement[Any] | None = None,
    more: ColumnElement[Any] | None = None,
    prefix: str = "audit",
) -> CTE:
    """A CTE that adds a row when `if_any` has one; binds `{prefix}_name`, `{prefix}_fields`, `{prefix}_account`, …

    `account_id` and `more` are what only the statement knows: columns of `if_any`, which then has one row at most.
    `more` is a JSON object of fields; they replace those of the same name.
    """
    fields: ColumnElement[Any] = bindparam(f"{prefix}_fields", type_=JSONB)
    if more is not None:
        fields = fields.op("||")(more)
    who = bindparam(f"{prefix}_account", type_=Uuid) if account_id is None else account_id
    row = select(
        bindparam("now", type_=Time),
        bindparam(f"{prefix}_name", type_=Text),
        who,
        bindparam(f"{prefix}_client", type_=Text),
        fields,
    )
    known = account_id is None and more is None
    row = row.where(exists(select(literal(1)).select_from(if_any))) if known else row.select_from(if_any)
    return (
        insert(audit_event)
        .from_select(["at", "name", "account_id", "client_id", "fields"], row)
        .returning(audit_event.c.id)
        .cte(f"{prefix}_row")
    )


def audit_values(
    event: Event, *, account_id: UUID | None = None, client_id: str | None = None, prefix: str = "audit"
) -> dict[str, Any]:
    """The values that `audited` binds."""
    return {
        f"{prefix}_name": event.name,
        f"{prefix}_fields": _fields(event),
        f"{prefix}_account": account_id,
        f"{prefix}_client": client_id,
    }
