"""The audit trail: rows are added with the effect they describe, never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from idp.addresses import ORIGIN
from idp.model import OPERATOR
from idp.store.engine import Conn
from idp.store.sql import Sql, values_of

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


_ADD_MANY = Sql("""
INSERT INTO audit_event (at, name, account_id, fields)
SELECT :now, audit_name, audit_account, audit_fields
FROM jsonb_to_recordset(:events) AS event (audit_name text, audit_account uuid, audit_fields jsonb)""")
# By the name of what is wanted. Each search is a statement of its own, for plans are made once for all values: one with
# `:name IS NULL OR …` would read the whole trail.
_WHICH = {
    "account_id": "e.account_id = :account_id",
    "client_id": "e.client_id = :client_id",
    "name": "(e.name = :name OR starts_with(e.name, :name || '.'))",
    "operator": "e.fields ->> 'operator' = :operator",
    "operated": "e.fields ? 'operator' = :operated",
    "since": "e.at >= :since",
    "until": "e.at < :until",
    "before_at": "(e.at, e.id) < (:before_at, :before_id::bigint)",
}
_LIMITS = (101, 1001, 10_001)


@lru_cache(maxsize=64)
def _page(wanted: frozenset[str], limit: int) -> Sql:
    # Names are looked up of the rows of one page: a join before the limit would read every account. The limit is
    # written out: PostgreSQL takes an unknown one for a tenth of the table.
    return Sql(f"""
SELECT e.id, e.at, e.name, e.account_id, p.username, e.client_id, e.fields
FROM (
    SELECT * FROM audit_event e
    WHERE {" AND ".join(_WHICH[name] for name in sorted(wanted)) or "true"}
    ORDER BY e.at DESC, e.id DESC
    LIMIT {limit}
) e
LEFT JOIN account p ON p.id = e.account_id
ORDER BY e.at DESC, e.id DESC""")


_LAST = 2**63 - 1  # of a bigint
_ONE = Sql("""
SELECT e.id, e.at, e.name, e.account_id, p.username, e.client_id, e.fields, c.name AS client_name
FROM audit_event e
LEFT JOIN account p ON p.id = e.account_id
LEFT JOIN client c ON c.id = e.client_id
WHERE e.id = :id""")
_REMOVED = Sql("""
SELECT account_id FROM audit_event WHERE name = 'account.removed' AND fields ->> 'person' = :person
ORDER BY at DESC, id DESC
LIMIT 1""")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the trail. `username` is what the person is called today; None for who is there no more."""

    id: int
    at: datetime
    name: str
    account_id: UUID | None
    username: str | None
    client_id: str | None
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: of a person, of a client, of events of this name or whose names begin with it and a dot.

    `operator`: caused by this one; `operated`: by any, or by none. `since` is in, `until` is not.
    """

    account_id: UUID | None = None
    client_id: str | None = None
    name: str | None = None
    operator: str | None = None
    operated: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


async def some(conn: Conn, wanted: Wanted, *, before: tuple[datetime, int] | None, limit: int) -> Sequence[Entry]:
    """The newest of them, those `before` this time and id alone; 10,001 at most."""
    values = {name: value for name, value in values_of(wanted).items() if value is not None}
    if before is not None:
        values |= {"before_at": before[0], "before_id": before[1]}
    statement = _page(frozenset(values) - {"before_id"}, next(each for each in _LIMITS if limit <= each))
    return [Entry(**row) for row in (await conn.all(statement, **values))[:limit]]


async def one(conn: Conn, *, id_: int) -> tuple[Entry, str | None] | None:
    """The row with this number, and the name of its client if that is registered today."""
    row = await conn.one(_ONE, id=id_) if 0 < id_ <= _LAST else None
    if row is None:
        return None
    told = {name: value for name, value in dict(row).items() if name != "client_name"}
    return Entry(**told), row["client_name"]


async def removed(conn: Conn, *, person: str) -> UUID | None:
    """Who was removed last under this keyed hash of a username."""
    found: UUID | None = await conn.value(_REMOVED, person=person)
    return found


async def add(
    conn: Conn, event: "Event", *, now: datetime, account_id: UUID | None = None, client_id: str | None = None
) -> None:
    """Add one row, in the transaction of `conn`."""
    await conn.one(_ADD, now=now, **audit_values(event, account_id=account_id, client_id=client_id))


async def add_many(conn: Conn, events: Sequence[tuple["Event", UUID]], *, now: datetime) -> None:
    """Add a row about each of these people, in the transaction of `conn`."""
    rows = [{**audit_values(event), "audit_account": str(account_id)} for event, account_id in events]
    await conn.one(_ADD_MANY, events=rows, now=now)


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
