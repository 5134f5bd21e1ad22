"""Registered clients, and the assertions they have used."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from idp.errors import AlreadyThere
from idp.model import AuthMethod, Client
from idp.store.composed import Statement
from idp.store.engine import Conn, Row
from idp.store.schema import client, client_assertion

CHANNEL = "stile_clients"

_COLUMNS = (
    client.c.id,
    client.c.name,
    client.c.auth_method,
    client.c.redirect_uris,
    client.c.post_logout_redirect_uris,
    client.c.grant_types,
    client.c.scopes,
    client.c.secret_hash,
    client.c.require_pkce,
    client.c.first_party,
    client.c.native,
    client.c.signing_alg,
    client.c.userinfo_alg,
    client.c.rotate_refresh,
    client.c.assertion_audience,
    client.c.jwks,
    client.c.audience,
    client.c.id_token_claims,
    client.c.groups,
    client.c.origins,
    client.c.disabled_at,
)
_ALL = Statement(select(*_COLUMNS).order_by(client.c.name))
_ADD = Statement(
    insert(client)
    .values(
        {
            column.name: bindparam("added_at" if column.name == "created_at" else column.name)
            for column in client.c
            if column.name != "disabled_at"
        }
    )
    .returning(func.pg_notify(CHANNEL, ""))
)
_LOCK = Statement(select(*_COLUMNS).where(client.c.id == bindparam("client_id")).with_for_update())
_CHANGE = Statement(
    update(client)
    .where(client.c.id == bindparam("client_id"))
    .values(
        {
            column.name: bindparam(f"new_{column.name}", type_=column.type)
            for column in client.c
            if column.name not in {"id", "created_at", "disabled_at"}
        }
    )
    .returning(func.pg_notify(CHANNEL, ""))
)
_DISABLE = Statement(
    update(client)
    .where(client.c.id == bindparam("client_id"))
    .values(disabled_at=bindparam("disabled_at"))
    .returning(func.pg_notify(CHANNEL, ""))
)
_SECRET = Statement(
    update(client)
    .where(client.c.id == bindparam("client_id"))
    .values(secret_hash=bindparam("new_hash"))
    .returning(func.pg_notify(CHANNEL, ""))
)
_DELETE = Statement(delete(client).where(client.c.id == bindparam("client_id")).returning(func.pg_notify(CHANNEL, "")))


async def all_clients(conn: Conn) -> Sequence[Client]:
    """Every client, disabled ones too, by name."""
    return [_client(row) for row in await conn.all(_ALL)]


def _client(row: Row) -> Client:
    (
        id_,
        name,
        auth_method,
        redirect_uris,
        post_logout_redirect_uris,
        grant_types,
        scopes,
        secret_hash,
        require_pkce,
        first_party,
        native,
        signing_alg,
        userinfo_alg,
        rotate_refresh,
        assertion_audience,
        jwks,
        audience,
        id_token_claims,
        groups,
        origins,
        disabled_at,
    ) = row
    return Client(
        id=id_,
        name=name,
        auth_method=AuthMethod(auth_method),
        redirect_uris=tuple(redirect_uris),
        post_logout_redirect_uris=tuple(post_logout_redirect_uris),
        grant_types=frozenset(grant_types),
        scopes=frozenset(scopes),
        secret_hash=secret_hash,
        require_pkce=require_pkce,
        first_party=first_party,
        native=native,
        signing_alg=signing_alg,
        userinfo_alg=userinfo_alg,
        rotate_refresh=rotate_refresh,
        assertion_audience=assertion_audience,
        jwks=jwks,
        audience=tuple(audience),
        id_token_claims=frozenset(id_token_claims),
        groups=frozenset(groups),
        origins=tuple(origins),
        disabled=disabled_at is not None,
    )


async def add(conn: Conn, new: Client, *, now: datetime) -> None:
    """Register a client. Raises `AlreadyThere` when its id or name is taken."""
    try:
        await conn.one(_ADD, id=new.id, added_at=now, **_values(new))
    except asyncpg.UniqueViolationError as error:
        raise _taken(new, error) from None


def _values(of: Client) -> dict[str, Any]:
    return {
        "name": of.name,
        "auth_method": of.auth_method.value,
        "secret_hash": of.secret_hash,
        "redirect_uris": list(of.redirect_uris),
        "post_logout_redirect_uris": list(of.post_logout_redirect_uris),
        "grant_types": sorted(of.grant_types),
        "scopes": sorted(of.scopes),
        "require_pkce": of.require_pkce,
        "first_party": of.first_party,
        "native": of.native,
        "signing_alg": of.signing_alg,
        "userinfo_alg": of.userinfo_alg,
        "rotate_refresh": of.rotate_refresh,
        "assertion_audience": of.assertion_audience,
        "jwks": of.jwks,
        "audience": list(of.audience),
        "id_token_claims": sorted(of.id_token_claims),
        "groups": sorted(of.groups),
        "origins": list(of.origins),
    }


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
        await conn.one(_CHANGE, client_id=new.id, **{f"new_{name}": value for name, value in _values(new).items()})
    except asyncpg.UniqueViolationError as error:
        raise _taken(new, error) from None


async def set_disabled(conn: Conn, *, client_id: str, disabled_at: datetime | None) -> bool:
    """Disable a client, or enable it again with None. False if there is none."""
    return await conn.one(_DISABLE, client_id=client_id, disabled_at=disabled_at) is not None


async def set_secret(conn: Conn, *, client_id: str, secret_hash: bytes) -> bool:
    """Give a client another secret; the old one stops working. False if there is none."""
    return await conn.one(_SECRET, client_id=client_id, new_hash=secret_hash) is not None


async def remove(conn: Conn, *, client_id: str) -> bool:
    """Delete a client with its grants and consents. False if there is none."""
    return await conn.one(_DELETE, client_id=client_id) is not None


_USE_ASSERTION = Statement(
    insert(client_assertion)
    .values(hash=bindparam("hash"), expires_at=bindparam("expires_at"))
    .on_conflict_do_nothing()
    .returning(client_assertion.c.expires_at)
)


async def use_assertion(conn: Conn, *, assertion_hash: bytes, expires_at: datetime) -> bool:
    """True for exactly one use of a client assertion (RFC 7523 3, jti)."""
    return await conn.one(_USE_ASSERTION, hash=assertion_hash, expires_at=expires_at) is not None
