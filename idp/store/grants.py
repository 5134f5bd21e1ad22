"""What was granted to whom: stored, loaded, ended. The codes and refresh tokens that stand for it are elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    SmallInteger,
    Table,
    Text,
    Update,
    Uuid,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from idp.audit import Event
from idp.model import Account, AssuranceLevel, ClaimsRequest, Grant
from idp.store.audits import audit_values, audited
from idp.store.engine import Conn, Row, Statement
from idp.store.holders import HOLDER_COLUMNS, of_holder
from idp.store.people import ACCOUNT_COLUMNS, read_account
from idp.store.schema import (
    Texts,
    Time,
    account,
    authenticator,
    client,
    grant,
)

_now: ColumnElement[datetime] = bindparam("now", type_=Time)
_one = literal_column("1", Integer)

GRANT_COLUMNS = (
    grant.c.id,
    grant.c.client_id,
    grant.c.scopes,
    grant.c.created_at,
    grant.c.account_id,
    grant.c.session_id,
    grant.c.level,
    grant.c.acr,
    grant.c.amr,
    grant.c.auth_time,
    grant.c.strong_at,
    grant.c.fresh_at,
    grant.c.claims,
    grant.c.revoked_at,
)


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a grant is about, as they are now. `phone` is sealed; its authenticator's id is what it is bound to."""

    account: Account | None
    phone: bytes | None = None
    phone_authenticator: UUID | None = None


def any_row(cte: CTE) -> ColumnElement[bool]:
    """Whether the CTE did anything."""
    return exists(select(_one).select_from(cte))


def _claims(claims: ClaimsRequest) -> dict[str, Any]:
    return {"userinfo": sorted(claims.userinfo), "id_token": sorted(claims.id_token)}


def read_grant(columns: Sequence[Any]) -> Grant:
    """The grant in `GRANT_COLUMNS`."""
    id_, client_id, scopes, created, account_id, session_id, level, acr, amr, *times, claims, revoked = columns
    auth_time, strong_at, fresh_at = times
    return Grant(
        id=id_,
        client_id=client_id,
        scopes=tuple(scopes),
        created_at=created,
        account_id=account_id,
        session_id=session_id,
        level=AssuranceLevel(level),
        acr=acr,
        amr=tuple(amr),
        auth_time=auth_time,
        strong_at=strong_at,
        fresh_at=fresh_at,
        claims=ClaimsRequest(
            userinfo=frozenset(claims.get("userinfo", ())), id_token=frozenset(claims.get("id_token", ()))
        ),
        revoked_at=revoked,
    )


def insert_grant(when: ColumnElement[bool]) -> CTE:
    """A CTE that stores a grant, if `when` holds and the client is still there. Binds `grant_values`.

    What this process knows of clients by heart may be old: the row decides. The foreign key would lock it just so.
    """
    row = {
        "id": bindparam("grant_id", type_=Uuid),
        "client_id": bindparam("client_id", type_=Text),
        "account_id": bindparam("account_id", type_=Uuid),
        "session_id": bindparam("session_id", type_=Uuid),
        "scopes": bindparam("scopes", type_=Texts),
        "level": bindparam("level", type_=SmallInteger),
        "acr": bindparam("acr", type_=Text),
        "amr": bindparam("amr", type_=Texts),
        "auth_time": bindparam("auth_time", type_=Time),
        "strong_at": bindparam("strong_at", type_=Time),
        "fresh_at": bindparam("fresh_at", type_=Time),
        "claims": bindparam("claims", type_=JSONB),
        "created_at": _now,
        "expires_at": bindparam("grant_expires_at", type_=Time),
    }
    there = (
        select(*row.values())
        .select_from(client)
        .where(client.c.id == row["client_id"], client.c.disabled_at.is_(None), when)
        .with_for_update(read=True, key_share=True)
    )
    return insert(grant).from_select(list(row), there).returning(grant.c.id).cte("granted")


def grant_values(new: Grant, *, expires_at: datetime) -> dict[str, Any]:
    """The values that `insert_grant` binds."""
    return {
        "grant_id": new.id,
        "client_id": new.client_id,
        "account_id": new.account_id,
        "session_id": new.session_id,
        "scopes": list(new.scopes),
        "level": int(new.level),
        "acr": new.acr,
        "amr": list(new.amr),
        "auth_time": new.auth_time,
        "strong_at": new.strong_at,
        "fresh_at": new.fresh_at,
        "claims": _claims(new.claims),
        "now": new.created_at,
        "grant_expires_at": expires_at,
    }


_MACHINE = Statement(
    select(any_row(machine := insert_grant(literal_column("true")))).add_cte(machine, audited(machine))
)


async def issue_machine(conn: Conn, new: Grant, *, expires_at: datetime, audit: Event) -> bool:
    """Store a client_credentials grant, so that its token can be revoked and introspected. False: no such client."""
    values = audit_values(audit, client_id=new.client_id)
    row = await conn.one(_MACHINE, **grant_values(new, expires_at=expires_at), **values)
    return row is not None and bool(row[0])


def used_up(token: Table, change: Update, *columns: ColumnElement[Any]) -> CTE:
    """A CTE that changes one code or refresh token and returns `columns` and its grant, read once, as `grant_…`."""
    whose = [column.label(f"grant_{column.name}") for column in (*GRANT_COLUMNS, grant.c.expires_at)]
    return change.where(token.c.grant_id == grant.c.id).returning(*columns, *whose).cte("used")


def of_used(used: CTE, *columns: ColumnElement[Any]) -> Select[Any]:
    """Select `columns`, then the grant, then its holder, of what `used_up` returned."""
    whose = (used.c[f"grant_{column.name}"] for column in GRANT_COLUMNS)
    return select(*columns, *whose, *HOLDER_COLUMNS).select_from(of_holder(used, used.c.grant_account_id))


def audited_use(used: CTE) -> CTE:
    """The row of the audit trail, with the grant and the person that only the statement itself finds out.

    Who asked for no scopes in particular gets those of the grant.
    """
    asked = bindparam("audit_fields", type_=JSONB).op("->", return_type=JSONB())(literal_column("'scopes'"))
    scopes = case((func.jsonb_array_length(asked) > 0, asked), else_=func.to_jsonb(used.c.grant_scopes))
    found = func.jsonb_build_object("grant", used.c.grant_id, "scopes", scopes)
    return audited(used, account_id=used.c.grant_account_id, more=found)


def by_hash(*more: ColumnElement[Any], token: Any) -> Select[Any]:  # noqa: ANN401 - a table of either kind
    """Select these columns of the token with the bound `hash`, then its grant, then the grant's holder."""
    return (
        select(*more, *GRANT_COLUMNS, *HOLDER_COLUMNS)
        .select_from(of_holder(token.join(grant, grant.c.id == token.c.grant_id), grant.c.account_id))
        .where(token.c.hash == bindparam("hash", type_=LargeBinary))
    )


def _revoke(where: ColumnElement[bool]) -> Statement:
    revoked = (
        update(grant)
        .where(where, grant.c.revoked_at.is_(None))
        .values(revoked_at=_now)
        .returning(grant.c.id)
        .cte("revoked")
    )
    return Statement(select(func.count()).select_from(revoked).add_cte(audited(revoked)))


_REVOKE = _revoke(grant.c.id == bindparam("grant_id", type_=Uuid))
_REVOKE_CONSENT = _revoke(
    and_(
        grant.c.account_id == bindparam("account_id", type_=Uuid),
        grant.c.client_id == bindparam("client_id", type_=Text),
    )
)
_REVOKE_ACCOUNT = _revoke(
    and_(
        grant.c.account_id == bindparam("account_id", type_=Uuid),
        grant.c.session_id.is_distinct_from(bindparam("except_session", type_=Uuid)),
    )
)


async def revoke(conn: Conn, found: Grant, *, audit: Event, now: datetime) -> bool:
    """End a grant and with it every token of the family. True if it was alive."""
    values = audit_values(audit, account_id=found.account_id, client_id=found.client_id)
    row = await conn.one(_REVOKE, grant_id=found.id, now=now, **values)
    return row is not None and row[0] > 0


async def revoke_of_client(conn: Conn, *, account_id: UUID, client_id: str, audit: Event, now: datetime) -> int:
    """End all of a person's grants to one client."""
    values = audit_values(audit, account_id=account_id, client_id=client_id)
    row = await conn.one(_REVOKE_CONSENT, account_id=account_id, client_id=client_id, now=now, **values)
    return int(row[0]) if row else 0


async def revoke_of_account(
    conn: Conn, *, account_id: UUID, except_session: UUID | None, audit: Event, now: datetime
) -> int:
    """End all of a person's grants but those of one session."""
    values = audit_values(audit, account_id=account_id)
    row = await conn.one(_REVOKE_ACCOUNT, account_id=account_id, except_session=except_session, now=now, **values)
    return int(row[0]) if row else 0


_phone = authenticator.alias("phone")
_LOAD_GRANT = Statement(
    select(*GRANT_COLUMNS, *ACCOUNT_COLUMNS, _phone.c.sealed, _phone.c.id)
    .select_from(
        grant.outerjoin(account, account.c.id == grant.c.account_id).outerjoin(
            _phone,
            and_(
                _phone.c.account_id == account.c.id,
                _phone.c.factor == literal_column("'sms'"),
                _phone.c.confirmed_at.is_not(None),
                _phone.c.closed_at.is_(None),
            ),
        )
    )
    .where(grant.c.id == bindparam("grant_id", type_=Uuid))
    .order_by(_phone.c.created_at.desc())
    .limit(1)
)


async def load(conn: Conn, *, grant_id: UUID) -> tuple[Grant, Person] | None:
    """A grant, revoked or not, with whom it is about and their newest phone."""
    row: Row | None = await conn.one(_LOAD_GRANT, grant_id=grant_id)
    if row is None:
        return None
    return read_grant(row[:14]), Person(read_account(row[14:25]), row[25], row[26])
