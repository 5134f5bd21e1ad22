"""Refresh tokens: families in which never more than one is alive. Using one is one statement."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    LargeBinary,
    Text,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from idp.audit import Event
from idp.model import RefreshToken
from idp.store.audits import audit_values, audited
from idp.store.engine import Conn, Statement
from idp.store.grants import GRANT_COLUMNS, HOLDER_COLUMNS, Holder, any_row, read_grant, read_holder
from idp.store.schema import Time, account, grant, refresh_token

FORGIVEN = timedelta(seconds=30)  # a retry of a refresh whose answer was lost (design 7)

_now: ColumnElement[datetime] = bindparam("now", type_=Time)
_one = literal_column("1", Integer)
_hash: ColumnElement[bytes] = bindparam("hash", type_=LargeBinary)


def insert_refresh(source: CTE) -> CTE:
    """A CTE that stores the token `refresh_hash`, unless that is NULL, for the grant in `source`."""
    rows = (
        select(
            bindparam("refresh_hash", type_=LargeBinary),
            source.c.grant_id,
            _now,
            func.least(bindparam("refresh_expires_at", type_=Time), grant.c.expires_at),
        )
        .select_from(source.join(grant, grant.c.id == source.c.grant_id))
        .where(bindparam("refresh_hash", type_=LargeBinary).is_not(None))
    )
    return (
        insert(refresh_token)
        .from_select(["hash", "grant_id", "issued_at", "expires_at"], rows)
        .returning(refresh_token.c.grant_id)
        .cte("refreshed")
    )


def _audited(used: CTE) -> CTE:
    """The row of the audit trail, with the grant and the person that only the statement itself finds out."""
    whose = select(grant.c.account_id).join(used, used.c.grant_id == grant.c.id).scalar_subquery()
    found = func.jsonb_build_object("grant", select(used.c.grant_id).scalar_subquery())
    return audited(used, account_id=whose, more=found)


def _rotate() -> Statement:
    asked = bindparam("asked_scopes", type_=ARRAY(Text))
    fits = exists(
        select(_one)
        .select_from(grant)
        .where(
            grant.c.id == refresh_token.c.grant_id,
            grant.c.client_id == bindparam("client_id", type_=Text),
            grant.c.revoked_at.is_(None),
            grant.c.expires_at > _now,
            grant.c.scopes.contains(asked),
        )
    )
    used = (
        update(refresh_token)
        .where(
            refresh_token.c.hash == _hash,
            refresh_token.c.used_at.is_(None),
            refresh_token.c.expires_at > _now,
            fits,
        )
        .values(used_at=_now, successor=bindparam("refresh_hash", type_=LargeBinary))
        .returning(refresh_token.c.grant_id, refresh_token.c.issued_at, refresh_token.c.expires_at)
        .cte("used")
    )
    refreshed = insert_refresh(used)
    found = (
        select(used.c.issued_at, used.c.expires_at, *GRANT_COLUMNS, *HOLDER_COLUMNS)
        .select_from(
            used.join(grant, grant.c.id == used.c.grant_id).outerjoin(account, account.c.id == grant.c.account_id)
        )
        .add_cte(refreshed, _audited(used))
    )
    return Statement(found)


def _slide() -> Statement:
    """For clients whose refresh token stays the same (FAPI 2.0 5.3.2.1): only its expiry moves."""
    asked = bindparam("asked_scopes", type_=ARRAY(Text))
    used = (
        update(refresh_token)
        .where(
            refresh_token.c.hash == _hash,
            refresh_token.c.used_at.is_(None),
            refresh_token.c.expires_at > _now,
            refresh_token.c.grant_id == grant.c.id,
            grant.c.client_id == bindparam("client_id", type_=Text),
            grant.c.revoked_at.is_(None),
            grant.c.expires_at > _now,
            grant.c.scopes.contains(asked),
        )
        .values(expires_at=func.least(bindparam("refresh_expires_at", type_=Time), grant.c.expires_at))
        .returning(refresh_token.c.grant_id, refresh_token.c.issued_at, refresh_token.c.expires_at)
        .cte("used")
    )
    return Statement(
        select(used.c.issued_at, used.c.expires_at, *GRANT_COLUMNS, *HOLDER_COLUMNS)
        .select_from(
            used.join(grant, grant.c.id == used.c.grant_id).outerjoin(account, account.c.id == grant.c.account_id)
        )
        .add_cte(_audited(used))
    )


_ROTATE, _SLIDE = _rotate(), _slide()


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
) -> tuple[RefreshToken, Holder] | None:
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
    return RefreshToken(read_grant(row[2:15]), issued_at, expires_at, now), read_holder(row[15:])


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
        refresh_token.join(grant, grant.c.id == refresh_token.c.grant_id)
        .outerjoin(account, account.c.id == grant.c.account_id)
        .outerjoin(_successor, _successor.c.hash == refresh_token.c.successor)
    )
    .where(refresh_token.c.hash == _hash)
)


async def load(conn: Conn, *, token_hash: bytes) -> tuple[RefreshToken, Holder] | None:
    """A refresh token with its grant and holder, used or not, for judging why it was refused and for introspection."""
    row = await conn.one(_LOAD, hash=token_hash)
    if row is None:
        return None
    issued_at, expires_at, used_at, successor_used = row[:4]
    token = RefreshToken(read_grant(row[4:17]), issued_at, expires_at, used_at, used_at is not None and successor_used)
    return token, read_holder(row[17:])


def _retry() -> Statement:
    old = refresh_token.alias("old")
    replaced = (
        update(refresh_token)
        .where(
            refresh_token.c.hash
            == select(old.c.successor).where(old.c.hash == _hash, old.c.used_at > _now - FORGIVEN).scalar_subquery(),
            refresh_token.c.used_at.is_(None),
            exists(
                select(_one)
                .select_from(grant)
                .where(
                    grant.c.id == refresh_token.c.grant_id,
                    grant.c.client_id == bindparam("client_id", type_=Text),
                    grant.c.revoked_at.is_(None),
                    grant.c.expires_at > _now,
                )
            ),
        )
        .values(used_at=_now, successor=bindparam("refresh_hash", type_=LargeBinary))
        .returning(refresh_token.c.grant_id)
        .cte("used")
    )
    moved = (
        update(refresh_token)
        .where(refresh_token.c.hash == _hash, any_row(replaced))
        .values(successor=bindparam("refresh_hash", type_=LargeBinary))
        .returning(refresh_token.c.hash)
        .cte("moved")
    )
    refreshed = insert_refresh(replaced)
    return Statement(select(any_row(replaced)).add_cte(replaced, moved, refreshed, _audited(replaced)))


_RETRY = _retry()


async def retry(
    conn: Conn,
    *,
    token_hash: bytes,
    successor_hash: bytes,
    client_id: str,
    refresh_expires_at: datetime,
    audit: Event,
    now: datetime,
) -> bool:
    """Forgive a retry: within 30 s and with an unused successor, that successor dies and another takes its place.

    So there is never more than one live token of a family.
    """
    row = await conn.one(
        _RETRY,
        hash=token_hash,
        refresh_hash=successor_hash,
        client_id=client_id,
        refresh_expires_at=refresh_expires_at,
        now=now,
        **audit_values(audit, client_id=client_id),
    )
    return row is not None and bool(row[0])
