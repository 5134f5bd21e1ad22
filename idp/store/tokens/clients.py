"""Registered clients, and the assertions they have used."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime

import asyncpg

from idp.errors import AlreadyThere
from idp.model import AssuranceLevel, AuthMethod, Client
from idp.sentences import sentence
from idp.store.engine import Conn, Row
from idp.store.removals import REMOVED
from idp.store.sql import Sql, values_of

CHANNEL = "stile_clients"

TOLD = f"RETURNING pg_notify('{CHANNEL}', '')"
# The columns have the names of the fields.
_NAMES = [each.name for each in fields(Client) if each.name not in {"id", "disabled"}]
_COLUMNS = ", ".join(_NAMES)
_VALUES = ", ".join(f":{name}" for name in _NAMES)
_CLIENT = f"id, {_COLUMNS}, disabled_at IS NOT NULL AS disabled"
_LISTS = ("redirect_uris", "post_logout_redirect_uris", "audience", "origins")
_SETS = ("grant_types", "scopes", "id_token_claims", "groups", "details_types")

_ALL = Sql(f"SELECT {_CLIENT} FROM client ORDER BY name")
_LOCK = Sql(f"SELECT {_CLIENT} FROM client WHERE id = :client_id FOR UPDATE")
_ADD = Sql(f"INSERT INTO client (id, created_at, {_COLUMNS}) VALUES (:id, :now, {_VALUES}) {TOLD}")
_CHANGE = Sql(f"UPDATE client SET ({_COLUMNS}) = ({_VALUES}) WHERE id = :id {TOLD}")
_DISABLE = Sql(f"UPDATE client SET disabled_at = :disabled_at WHERE id = :client_id {TOLD}")
_SECRET = Sql(f"""
UPDATE client
SET secret_hash = :secret_hash, old_secret_until = :keep_until, old_secret_used_at = NULL,
    -- What the name on the right says is how it was before.
    old_secret_hash = CASE WHEN :keep_until::timestamptz IS NOT NULL THEN secret_hash END
WHERE id = :client_id
{TOLD}""")
_END_OLD_SECRET = Sql(f"""
UPDATE client SET old_secret_hash = NULL, old_secret_until = NULL, old_secret_used_at = NULL
WHERE id = :client_id AND old_secret_hash IS NOT NULL AND old_secret_until > :now
{TOLD}""")
# Nobody is told: no process has to do anything else for it.
_OLD_SECRET_USED = Sql("""
UPDATE client SET old_secret_used_at = :now
WHERE id = :client_id AND old_secret_hash = :old_secret_hash
  AND (old_secret_used_at IS NULL OR old_secret_used_at < :now)""")
_DELETE = Sql(f"""
WITH removed AS (DELETE FROM client WHERE id = :client_id RETURNING 'client:' || id AS what)
{REMOVED}
{TOLD}""")
_HELD = Sql("""
SELECT
    (SELECT count(*) FROM (SELECT FROM consent WHERE client_id = :client_id LIMIT :most) AS agreed) AS agreed,
    (SELECT count(*) FROM (
        SELECT DISTINCT account_id FROM grant_
        WHERE client_id = :client_id AND account_id IS NOT NULL AND revoked_at IS NULL AND expires_at > :now
        LIMIT :most
    ) AS signed_in) AS signed_in""")
# RFC 7523 3
_USE_ASSERTION = Sql("""
INSERT INTO client_assertion (hash, expires_at) VALUES (:hash, :expires_at) ON CONFLICT DO NOTHING RETURNING hash""")


async def all_clients(conn: Conn) -> Sequence[Client]:
    """Every client, disabled ones too, by name."""
    return [_client(row) for row in await conn.all(_ALL)]


def _client(row: Row) -> Client:
    lists = {name: tuple(row[name]) for name in _LISTS}
    sets = {name: frozenset(row[name]) for name in _SETS}
    read = {"auth_method": AuthMethod(row["auth_method"]), "level": AssuranceLevel(row["level"])}
    return Client(**{**row, **lists, **sets, **read})


async def add(conn: Conn, new: Client, *, now: datetime) -> None:
    """Register a client. Raises `AlreadyThere` when its id or name is taken."""
    try:
        await conn.one(_ADD, now=now, **values_of(new))
    except asyncpg.UniqueViolationError as error:
        raise _taken(new, error) from None


def _taken(new: Client, error: asyncpg.UniqueViolationError) -> AlreadyThere:
    if error.constraint_name == "pk_client":
        return AlreadyThere(sentence("A client with the id %(id)s exists already.", id=repr(new.id)), field="client_id")
    return AlreadyThere(sentence("A client named %(name)s exists already.", name=repr(new.name)), field="name")


async def lock(conn: Conn, *, client_id: str) -> Client | None:
    """The client as it is now, and as nobody else changes it before this transaction ends."""
    row = await conn.one(_LOCK, client_id=client_id)
    return None if row is None else _client(row)


async def change(conn: Conn, new: Client) -> None:
    """Everything about a client but its id, and whether it is disabled. Raises `AlreadyThere` for a name in use."""
    try:
        await conn.one(_CHANGE, **values_of(new))
    except asyncpg.UniqueViolationError as error:
        raise _taken(new, error) from None


async def set_disabled(conn: Conn, *, client_id: str, disabled_at: datetime | None) -> bool:
    """Disable a client, or enable it again with None. False if there is none."""
    return await conn.one(_DISABLE, client_id=client_id, disabled_at=disabled_at) is not None


async def set_secret(conn: Conn, *, client_id: str, secret_hash: bytes, keep_until: datetime | None = None) -> bool:
    """Give a client another secret. The one before stops working then, or at once. False if there is no client."""
    return await conn.one(_SECRET, client_id=client_id, secret_hash=secret_hash, keep_until=keep_until) is not None


async def end_old_secret(conn: Conn, *, client_id: str, now: datetime) -> bool:
    """The secret before stops working. True for whoever ended it."""
    return await conn.one(_END_OLD_SECRET, client_id=client_id, now=now) is not None


async def old_secret_used(conn: Conn, client: Client, *, now: datetime) -> None:
    """The client came with its secret before, if that is still the one."""
    await conn.one(_OLD_SECRET_USED, client_id=client.id, old_secret_hash=client.old_secret_hash, now=now)


async def remove(conn: Conn, *, client_id: str, now: datetime) -> bool:
    """Delete a client with its grants and consents. False if there is none."""
    return await conn.one(_DELETE, client_id=client_id, now=now) is not None


async def held(conn: Conn, *, client_id: str, most: int, now: datetime) -> tuple[int, int]:
    """How many people agreed to what it asks, and of how many it holds a grant that lives; `most` ends the counting."""
    row = await conn.one(_HELD, client_id=client_id, most=most, now=now)
    assert row is not None
    return row["agreed"], row["signed_in"]


async def use_assertion(conn: Conn, *, assertion_hash: bytes, expires_at: datetime) -> bool:
    """True for exactly one use of a client assertion (RFC 7523 3, jti)."""
    return await conn.one(_USE_ASSERTION, hash=assertion_hash, expires_at=expires_at) is not None
