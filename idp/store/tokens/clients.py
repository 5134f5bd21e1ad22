"""Registered clients, and the assertions they have used."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import asyncpg

from idp.errors import AlreadyThere
from idp.model import AuthMethod, Client
from idp.store.engine import Conn, Row
from idp.store.sql import Sql

CHANNEL = "stile_clients"

_TOLD = f"RETURNING pg_notify('{CHANNEL}', '')"
_COLUMNS = """
    name, auth_method, redirect_uris, post_logout_redirect_uris, grant_types, scopes, secret_hash, require_pkce,
    first_party, native, signing_alg, userinfo_alg, rotate_refresh, assertion_audience, jwks, audience,
    id_token_claims, groups, origins"""
_VALUES = """
    :name, :auth_method, :redirect_uris, :post_logout_redirect_uris, :grant_types, :scopes, :secret_hash, :require_pkce,
    :first_party, :native, :signing_alg, :userinfo_alg, :rotate_refresh, :assertion_audience, :jwks, :audience,
    :id_token_claims, :groups, :origins"""

_ALL = Sql(f"SELECT id, disabled_at, {_COLUMNS} FROM client ORDER BY name")
_LOCK = Sql(f"SELECT id, disabled_at, {_COLUMNS} FROM client WHERE id = :client_id FOR UPDATE")
_ADD = Sql(f"INSERT INTO client (id, created_at, {_COLUMNS}) VALUES (:id, :now, {_VALUES}) {_TOLD}")
_CHANGE = Sql(f"UPDATE client SET ({_COLUMNS}) = ({_VALUES}) WHERE id = :id {_TOLD}")
_DISABLE = Sql(f"UPDATE client SET disabled_at = :disabled_at WHERE id = :client_id {_TOLD}")
_SECRET = Sql(f"UPDATE client SET secret_hash = :secret_hash WHERE id = :client_id {_TOLD}")
_DELETE = Sql(f"DELETE FROM client WHERE id = :client_id {_TOLD}")
# RFC 7523 3
_USE_ASSERTION = Sql("""
INSERT INTO client_assertion (hash, expires_at) VALUES (:hash, :expires_at) ON CONFLICT DO NOTHING RETURNING hash""")


async def all_clients(conn: Conn) -> Sequence[Client]:
    """Every client, disabled ones too, by name."""
    return [_client(row) for row in await conn.all(_ALL)]


def _client(row: Row) -> Client:
    return Client(
        id=row["id"],
        name=row["name"],
        auth_method=AuthMethod(row["auth_method"]),
        redirect_uris=tuple(row["redirect_uris"]),
        post_logout_redirect_uris=tuple(row["post_logout_redirect_uris"]),
        grant_types=frozenset(row["grant_types"]),
        scopes=frozenset(row["scopes"]),
        secret_hash=row["secret_hash"],
        require_pkce=row["require_pkce"],
        first_party=row["first_party"],
        native=row["native"],
        signing_alg=row["signing_alg"],
        userinfo_alg=row["userinfo_alg"],
        rotate_refresh=row["rotate_refresh"],
        assertion_audience=row["assertion_audience"],
        jwks=row["jwks"],
        audience=tuple(row["audience"]),
        id_token_claims=frozenset(row["id_token_claims"]),
        groups=frozenset(row["groups"]),
        origins=tuple(row["origins"]),
        disabled=row["disabled_at"] is not None,
    )


async def add(conn: Conn, new: Client, *, now: datetime) -> None:
    """Register a client. Raises `AlreadyThere` when its id or name is taken."""
    try:
        await conn.one(_ADD, now=now, **_values(new))
    except asyncpg.UniqueViolationError as error:
        raise _taken(new, error) from None


def _values(of: Client) -> dict[str, Any]:
    """By the names of the fields, which are those of the columns."""
    every = {each.name: getattr(of, each.name) for each in fields(of)}
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in every.items()}


def _taken(new: Client, error: asyncpg.UniqueViolationError) -> AlreadyThere:
    taken = f"with the id {new.id!r}" if error.constraint_name == "pk_client" else f"named {new.name!r}"
    return AlreadyThere(f"A client {taken} exists already.")


async def lock(conn: Conn, *, client_id: str) -> Client | None:
    """The client as it is now, and as nobody else changes it before this transaction ends."""
    row = await conn.one(_LOCK, client_id=client_id)
    return None if row is None else _client(row)


async def change(conn: Conn, new: Client) -> None:
    """Everything about a client but its id, and whether it is disabled. Raises `AlreadyThere` for a name in use."""
    try:
        await conn.one(_CHANGE, **_values(new))
    except asyncpg.UniqueViolationError as error:
        raise _taken(new, error) from None


async def set_disabled(conn: Conn, *, client_id: str, disabled_at: datetime | None) -> bool:
    """Disable a client, or enable it again with None. False if there is none."""
    return await conn.one(_DISABLE, client_id=client_id, disabled_at=disabled_at) is not None


async def set_secret(conn: Conn, *, client_id: str, secret_hash: bytes) -> bool:
    """Give a client another secret; the old one stops working. False if there is none."""
    return await conn.one(_SECRET, client_id=client_id, secret_hash=secret_hash) is not None


async def remove(conn: Conn, *, client_id: str) -> bool:
    """Delete a client with its grants and consents. False if there is none."""
    return await conn.one(_DELETE, client_id=client_id) is not None


async def use_assertion(conn: Conn, *, assertion_hash: bytes, expires_at: datetime) -> bool:
    """True for exactly one use of a client assertion (RFC 7523 3, jti)."""
    return await conn.one(_USE_ASSERTION, hash=assertion_hash, expires_at=expires_at) is not None
