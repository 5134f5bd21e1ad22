"""The audit trail: rows are added with the effect they describe, never changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from idp.addresses import ORIGIN
from idp.model import OPERATOR
from idp.store.engine import Conn
from idp.store.sql import Sql

if TYPE_CHECKING:  # who only reads the trail has no time to load what may stand in it
    from idp.audit import Event

_INTO = "INSERT INTO audit_event (at, name, account_id, client_id, fields)"
# A row for what another statement does; `audit_values` are its values. The statement says when: `… WHERE EXISTS (…)`.
AUDITED = f"{_INTO} SELECT :now, :audit_name, :audit_account, :audit_client, :audit_fields"

_ADD = Sql(f"{_INTO} VALUES (:now, :audit_name, :audit_account, :audit_client, :audit_fields)")


def _fields(event: "Event") -> dict[str, Any]:
    """What a row holds: the event's own fields, where the request came from that caused it, and who ordered it."""
    found = event.fields()
    if (origin := ORIGIN.get()) is not None:
        found |= {"address": origin.address, **({"browser": origin.browser} if origin.browser else {})}
    if (operator := OPERATOR.get().name) is not None:
        found["operator"] = operator
    return found


_OF_ACCOUNT = Sql("""
SELECT at, name, client_id, fields FROM audit_event
WHERE account_id = :account_id AND coalesce(name = ANY (:names), true)
ORDER BY at DESC, id DESC
LIMIT :limit""")


async def add(
    conn: Conn, event: "Event", *, now: datetime, account_id: UUID | None = None, client_id: str | None = None
) -> None:
    """Add one row, in the transaction of `conn`."""
    await conn.one(_ADD, now=now, **audit_values(event, account_id=account_id, client_id=client_id))


async def of_account(
    conn: Conn, *, account_id: UUID, limit: int, names: Sequence[str] | None = None
) -> Sequence[tuple[datetime, str, str | None, dict[str, Any]]]:
    """The newest rows (of these names, if given) about one person: time, name, client id, fields."""
    rows = await conn.all(_OF_ACCOUNT, account_id=account_id, names=names, limit=limit)
    return [(row["at"], row["name"], row["client_id"], row["fields"]) for row in rows]


def audit_values(
    event: "Event", *, account_id: UUID | None = None, client_id: str | None = None, prefix: str = "audit"
) -> dict[str, Any]:
    """The values of `AUDITED`, or with another `prefix` those of a second row in one statement."""
    return {
        f"{prefix}_name": event.name,
        f"{prefix}_fields": _fields(event),
        f"{prefix}_account": account_id,
        f"{prefix}_client": client_id,
    }
