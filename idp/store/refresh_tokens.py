"""Refresh tokens: families in which never more than one is alive. Using one is one statement."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    CTE,
    ColumnElement,
    LargeBinary,
    Text,
    and_,
    bindparam,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from idp.audit import Event
from idp.model import Holder, RefreshToken
from idp.store.audits import audit_values
from idp.store.engine import Conn, Statement
from idp.store.grants import (
    GRANT_COLUMNS,
    audited_use,
    of_used,
    read_grant,
    used_up,
)
from idp.store.holders import HOLDER_COLUMNS, of_holder, read_holder
from idp.store.schema import Time, grant, refresh_token

FORGIVEN = timedelta(seconds=30)  # a retry of a refresh whose answer was lost (design 7)

_now: ColumnElement[datetime] = bindparam("now", type_=Time)
_hash: ColumnElement[bytes] = bindparam("hash", type_=LargeBinary)


OFFLINE = "offline_access"  # OIDC Core 11


def insert_refresh(used: CTE) -> CTE:
    """A CTE that stores the token `refresh_hash`, unless that is NULL, for the grant of what was `used_up`.

    Only for a grant with the scope `offline_access`.
    """
    token = bindparam("refresh_hash", type_=LargeBinary)
    ends = func.least(bindparam("refresh_expires_at", type_=Time), used.c.grant_expires_at)
    return (
        insert(refresh_token)
        .from_select(
            ["hash", "grant_id", "issued_at", "expires_at"],
            select(token, used.c.grant_id, _now, ends).where(
                token.is_not(None), literal(OFFLINE, Text) == func.any(used.c.grant_scopes)
            ),
        )
        .returning(refresh_token.c.grant_id)
        .cte("refreshed")
    )


_good = and_(
    refresh_token.c.hash == _hash,
    refresh_token.c.used_at.is_(None),
    refresh_token.c.expires_at > _now,
    grant.c.client_id == bindparam("client_id", type_=Text),
    grant.c.revoked_at.is_(None),
    grant.c.expires_at > _now,
    grant.c.scopes.contains(bindparam("asked_scopes", type_=ARRAY(Text))),
)


def _use(*, rotate: bool) -> Statement:
    """Without rotation the refresh token stays the same (FAPI 2.0 5.3.2.1): only its expiry moves."""
    change = update(refresh_token).where(_good)
    if rotate:
        change = change.values(used_at=_now, successor=bindparam("refresh_hash", type_=LargeBinary))
    else:
        change = change.values(expires_at=func.least(bindparam("refresh_expires_at", type_=Time), grant.c.expires_at))
    used = used_up(refresh_token, change, refresh_token.c.issued_at, refresh_token.c.expires_at)
    found = of_used(used, used.c.issued_at, used.c.expires_at)
    return Statement(found.add_cte(*([insert_refresh(used)] if rotate else []), audited_use(used)))


_ROTATE, _SLIDE = _use(rotate=True), _use(rotate=False)


async def use(
    conn: Conn,
    *,
    token_hash: bytes,
    successor_hash: bytes | None,
    client_id: str,
    asked_scopes: Sequence[str],
    refresh_expires_at: datetime,
    audit: Event,
    now: datetime,
) -> tuple[RefreshToken, Holder | None] | None:
    """Use a refresh token that is this client's, alive, and covers `asked_scopes`; None otherwise.

    With a successor the token is used up by exactly one caller and the successor takes its place; without one it stays.
    """
    row = await conn.one(
        _SLIDE if successor_hash is None else _ROTATE,
        hash=token_hash,
        refresh_hash=successor_hash,
        client_id=client_id,
        asked_scopes=list(asked_scopes),
        refresh_expires_at=refresh_expires_at,
        now=now,
        **audit_values(audit, client_id=client_id),
    )
    if row is None:
        return None
    issued_at, expires_at = row[:2]
    return RefreshToken(read_grant(row[2:16]), issued_at, expires_at, now), read_holder(row[16:])


_successor = refresh_token.alias("successor")
_LOAD = Statement(
    select(
        refresh_token.c.issued_at,
        refresh_token.c.expires_at,
        refresh_token.c.used_at,
        or_(refresh_token.c.successor.is_(None), _successor.c.used_at.is_not(None), _successor.c.hash.is_(None)),
        *GRANT_COLUMNS,
        *HOLDER_COLUMNS,
    )
    .select_from(
        of_holder(
            refresh_token.join(grant, grant.c.id == refresh_token.c.grant_id).outerjoin(
                _successor, _successor.c.hash == refresh_token.c.successor
            ),
            grant.c.account_id,
        )
    )
    .where(refresh_token.c.hash == _hash)
)


async def load(conn: Conn, *, token_hash: bytes) -> tuple[RefreshToken, Holder | None] | None:
    """A refresh token with its grant and holder, used or not, for judging why it was refused and for introspection."""
    row = await conn.one(_LOAD, hash=token_hash)
    if row is None:
        return None
    issued_at, expires_at, used_at, successor_used = row[:4]
    token = RefreshToken(read_grant(row[4:18]), issued_at, expires_at, used_at, used_at is not None and successor_used)
    return token, read_holder(row[18:])


def _retry() -> Statement:
    old = refresh_token.alias("old")
    standing = (
        select(
            refresh_token.c.hash,
            *(column.label(f"grant_{column.name}") for column in (grant.c.id, grant.c.scopes, grant.c.account_id)),
        )
        .join(grant, grant.c.id == refresh_token.c.grant_id)
        .join(old, old.c.successor == refresh_token.c.hash)
        .where(
            old.c.hash == _hash,
            old.c.used_at > _now - FORGIVEN,
            refresh_token.c.hash == func.any(bindparam("successor_hashes", type_=ARRAY(LargeBinary))),
            refresh_token.c.used_at.is_(None),
            refresh_token.c.expires_at > _now,
            grant.c.client_id == bindparam("client_id", type_=Text),
            grant.c.revoked_at.is_(None),
            grant.c.expires_at > _now,
        )
        .cte("standing")
    )
    return Statement(select(standing.c.hash).add_cte(audited_use(standing)))


_RETRY = _retry()


async def retry(
    conn: Conn, *, token_hash: bytes, successor_hashes: Sequence[bytes], client_id: str, audit: Event, now: datetime
) -> bytes | None:
    """Forgive a retry: within 30 s and while the successor is unused, which of these it is; None otherwise.

    Nothing changes, so that any number of retries get one and the same: there is never more than one line of a family.
    """
    row = await conn.one(
        _RETRY,
        hash=token_hash,
        successor_hashes=list(successor_hashes),
        client_id=client_id,
        now=now,
        **audit_values(audit, client_id=client_id),
    )
    return None if row is None else bytes(row[0])
