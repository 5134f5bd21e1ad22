"""All that the account page shows beside what its door has loaded, in one statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from idp.limits import LimitState
from idp.store.engine import Conn, Row
from idp.store.people.devices import Known
from idp.store.sql import Sql


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser that this person is signed in to with two factors; `device` is the key of the one that it is."""

    session_id: UUID
    seen_at: datetime
    user_agent: str
    device: bytes | None


@dataclass(frozen=True, slots=True)
class Agreed:
    """A client that holds a consent of this person."""

    client_id: str
    scopes: tuple[str, ...]
    since: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """A client that holds a grant of this person, and what it may do by all that it holds."""

    client_id: str
    scopes: tuple[str, ...]
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Happened:
    """A row of the audit trail about this person."""

    at: datetime
    name: str
    client_id: str | None
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found. Browsers, devices and events are newest first, of each the newest alone."""

    browsers: Sequence[Browser]
    devices: Sequence[Known]
    agreed: Sequence[Agreed]
    held: Sequence[Held]
    happened: Sequence[Happened]
    limits: Mapping[bytes, LimitState]


_ROWS = "(SELECT coalesce(jsonb_agg(r), '[]') FROM ({}) r) AS {}"
_BROWSERS = """
    SELECT s.id, s.seen_at, s.user_agent, encode(s.device_key, 'hex') AS device FROM session s
    WHERE s.account_id = :account_id AND s.ended_at IS NULL AND s.seen_at > :seen_since AND s.created_at > :begun_since
      AND s.link IS NULL
      -- Somebody who only knows the password is not signed in anywhere.
      AND EXISTS (
        SELECT FROM authentication_event e
        WHERE e.session_id = s.id AND e.account_id = s.account_id AND e.factor <> 'password')
    ORDER BY s.seen_at DESC
    LIMIT 50"""
_DEVICES = """
    SELECT encode(key, 'hex') AS key, label, user_agent, address, created_at, seen_at FROM device
    WHERE account_id = :account_id AND expires_at > :now
    ORDER BY seen_at DESC
    LIMIT 20"""
_AGREED = "SELECT client_id, scopes, granted_at FROM consent WHERE account_id = :account_id ORDER BY granted_at DESC"
_HELD = """
    SELECT g.client_id, max(g.created_at) AS last_at, array_agg(DISTINCT scope) AS scopes
    FROM grant_ g CROSS JOIN unnest(g.scopes) scope
    WHERE g.account_id = :account_id AND g.revoked_at IS NULL AND g.expires_at > :now
    GROUP BY g.client_id"""
_HAPPENED = """
    SELECT at, name, client_id, fields FROM audit_event
    WHERE account_id = :account_id AND coalesce(name = ANY (:names), true)
    ORDER BY at DESC, id DESC
    LIMIT :limit"""
_LIMITS = "SELECT encode(key, 'hex') AS key, count, last_at, hits FROM rate_limit WHERE key = ANY (:keys)"

_LOAD = Sql(f"""
-- The browser was here, as `sessions.touch` notes it: in this statement, so that looking costs no other.
WITH here AS (
    UPDATE session SET seen_at = :now WHERE id = :session_id AND ended_at IS NULL AND seen_at < :not_since
)
SELECT {_ROWS.format(_BROWSERS, "browsers")},
       {_ROWS.format(_DEVICES, "devices")},
       {_ROWS.format(_AGREED, "agreed")},
       {_ROWS.format(_HELD, "held")},
       {_ROWS.format(_HAPPENED, "happened")},
       {_ROWS.format(_LIMITS, "limits")}""")


async def load(
    conn: Conn,
    *,
    account_id: UUID,
    session_id: UUID | None,
    begun_since: datetime,
    seen_since: datetime,
    not_since: datetime,
    names: Sequence[str] | None,
    limit: int,
    keys: Sequence[bytes],
    now: datetime,
) -> Seen:
    """What there is of this person: events of these `names`, the limits of these `keys`. None: events of every name.

    That `session_id` was here is noted, unless it was since `not_since`; None where somebody else looks.
    """
    row = await conn.one(
        _LOAD,
        account_id=account_id,
        session_id=session_id,
        begun_since=begun_since,
        seen_since=seen_since,
        not_since=not_since,
        names=names,
        limit=limit,
        keys=keys,
        now=now,
    )
    assert row is not None
    return _seen(row)


def _seen(row: Row) -> Seen:
    return Seen(
        browsers=[
            Browser(UUID(one["id"]), _time(one["seen_at"]), one["user_agent"], _key(one["device"]))
            for one in row["browsers"]
        ],
        devices=[
            Known(
                key=bytes.fromhex(one["key"]),
                label=one["label"],
                user_agent=one["user_agent"],
                address=one["address"],
                created_at=_time(one["created_at"]),
                seen_at=_time(one["seen_at"]),
            )
            for one in row["devices"]
        ],
        agreed=[Agreed(one["client_id"], tuple(one["scopes"]), _time(one["granted_at"])) for one in row["agreed"]],
        held=[Held(one["client_id"], tuple(one["scopes"]), _time(one["last_at"])) for one in row["held"]],
        happened=[Happened(_time(one["at"]), one["name"], one["client_id"], one["fields"]) for one in row["happened"]],
        limits={bytes.fromhex(one["key"]): _state(one) for one in row["limits"]},
    )


def _key(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)


def _state(one: Mapping[str, Any]) -> LimitState:
    return LimitState(one["count"], _time(one["last_at"]), tuple(_time(hit) for hit in one["hits"]))


def _time(value: str) -> datetime:
    return datetime.fromisoformat(value)
