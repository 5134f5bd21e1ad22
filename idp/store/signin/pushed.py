"""Pushed authorization requests (RFC 9126): kept once, opened by one browser at a time, good for one answer.

Its interaction has the id that its hash gives, so there is one at most: that ends it, for whoever comes with it again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from idp.model import AuthorizationRequest, Interaction
from idp.policy import Sessions
from idp.store.engine import Conn, Row
from idp.store.signin.facts import KNOWN, LIVE, PAUSED, Loaded, known, moments, read
from idp.store.signin.sums import read_sums, sums_of
from idp.store.sql import Sql

_PUSH = Sql("""
INSERT INTO pushed_request (hash, client_id, request, use_by, expires_at)
SELECT :hash, id, :request, :use_by, :expires_at FROM client WHERE id = :client_id AND disabled_at IS NULL
RETURNING hash""")


async def push(
    conn: Conn, *, request_hash: bytes, request: AuthorizationRequest, use_by: datetime, expires_at: datetime
) -> bool:
    """Keep a request. False: there is no such client any more."""
    values = {"client_id": request.client_id, "request": request.as_json()}
    return await conn.one(_PUSH, hash=request_hash, use_by=use_by, expires_at=expires_at, **values) is not None


def id_of(request_hash: bytes) -> UUID:
    """The id of the one interaction that a pushed request can have."""
    return UUID(bytes=request_hash[:16], version=4)


@dataclass(frozen=True, slots=True)
class Pushed:
    """A pushed request that may still go on."""

    request: AuthorizationRequest
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """As it stands for this browser: with `begun` it is an interaction of this session, at least from now on."""

    pushed: Pushed
    loaded: Loaded
    begun: bool


_THIS = "hash = :hash AND client_id = :client_id AND use_by > :now"
# Whoever came in time has until its end: nobody types a password in a hurry.
_OPENED = f"""opened AS (
    UPDATE pushed_request SET use_by = expires_at WHERE {_THIS} RETURNING client_id, request, expires_at
)"""

_OPEN = Sql(f"""
WITH {_OPENED},
begun AS (
    INSERT INTO interaction (id, session_id, client_id, request, started_at, expires_at)
    SELECT :interaction_id, s.id, opened.client_id, opened.request, :now, opened.expires_at
    FROM opened, session s
    WHERE s.token_hash = :token_hash AND s.account_id IS NOT NULL AND {LIVE}
    ON CONFLICT DO NOTHING
    RETURNING id
)
SELECT opened.request AS pushed, opened.expires_at AS pushed_until, EXISTS (SELECT FROM begun) AS begun,
    EXISTS (SELECT FROM interaction e WHERE e.id = :interaction_id) AS there,
    (SELECT k.disabled_at IS NULL FROM client k WHERE k.id = opened.client_id) IS NOT TRUE AS no_client,
    always.taken AND s.id IS NULL AS taken,
    {KNOWN}, {PAUSED}, {sums_of("opened.request")} AS pushed_sums, NULL::text AS password_hash
FROM opened
CROSS JOIN (SELECT EXISTS (SELECT FROM session WHERE id = :session_id) AS taken) AS always
LEFT JOIN session s ON s.token_hash = :token_hash AND {LIVE}
LEFT JOIN interaction i ON i.id = :interaction_id AND i.session_id = s.id
LEFT JOIN account p ON p.id = s.account_id
LEFT JOIN consent c ON c.account_id = p.id AND c.client_id = opened.client_id""")

_LOOK = Sql(f"""
WITH {_OPENED}
SELECT request AS pushed, expires_at AS pushed_until FROM opened
WHERE NOT EXISTS (SELECT FROM interaction WHERE id = :interaction_id)""")
_CLOSE = Sql(f"UPDATE pushed_request SET use_by = :now WHERE {_THIS} RETURNING hash")


async def open_(
    conn: Conn,
    *,
    request_hash: bytes,
    client_id: str,
    token_hash: bytes,
    session_id: UUID | None,
    device: bytes | None,
    sessions: Sessions,
    now: datetime,
) -> Opened | None:
    """What this browser finds at a pushed request; where somebody is signed in, it is paused there and then.

    None: there is no such request of this client, or it is too late, or another browser has it, or it was answered.
    """
    values: dict[str, Any] = {
        "hash": request_hash,
        "client_id": client_id,
        "token_hash": token_hash,
        "session_id": session_id,
    }
    values |= {"device": device}
    id_ = id_of(request_hash)
    for _ in range(2):
        row = await conn.one(_OPEN, interaction_id=id_, **values, **moments(sessions, now))
        if row is None:
            return None
        if found := _read(row, id_, now=now):
            return found
        if row["there"] or row["account_id"] is None:
            return None
        # Begun by another tab in this very moment, after our statement began: it is there to be seen now.
    return None


def _read(row: Row, id_: UUID, *, now: datetime) -> Opened | None:
    pushed = _pushed(row)
    if row["interaction_id"] is not None:
        loaded = read(row)
        assert loaded.interaction is not None
        return None if loaded.interaction.finished_at is not None else Opened(pushed, loaded, begun=True)
    if row["there"]:
        return None
    held: dict[str, Any] = known(row) | {"client_gone": row["no_client"], "sums": read_sums(row["pushed_sums"])}
    if row["begun"]:
        started = Interaction(id_, row["session_id"], pushed.request.client_id, pushed.request, now, pushed.expires_at)
        return Opened(pushed, Loaded(**held, interaction=started), begun=True)
    if row["account_id"] is not None:
        return None
    return Opened(pushed, Loaded(**held, taken=row["taken"]), begun=False)


async def look(conn: Conn, *, request_hash: bytes, client_id: str, now: datetime) -> Pushed | None:
    """A pushed request for a browser in which nobody is signed in. None as of `open_`."""
    row = await conn.one(_LOOK, hash=request_hash, interaction_id=id_of(request_hash), client_id=client_id, now=now)
    return None if row is None else _pushed(row)


async def close(conn: Conn, *, request_hash: bytes, client_id: str, now: datetime) -> bool:
    """End a pushed request that has no interaction. True for exactly one caller."""
    return await conn.one(_CLOSE, hash=request_hash, client_id=client_id, now=now) is not None


def _pushed(row: Row) -> Pushed:
    return Pushed(AuthorizationRequest.from_json(row["pushed"]), row["pushed_until"])
