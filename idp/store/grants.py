"""Grants, and the codes and refresh tokens that stand for them. Each becomes something else once, in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    SmallInteger,
    Text,
    Uuid,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from idp.audit import Event
from idp.model import (
    Account,
    AssuranceLevel,
    Authenticator,
    AuthorizationCode,
    ClaimsRequest,
    Grant,
    RefreshToken,
)
from idp.store.audits import audit_values, audited
from idp.store.engine import Conn, Row, Statement
from idp.store.facts import ACCOUNT_COLUMNS, authenticators_json, read_account, read_authenticators
from idp.store.schema import (
    Texts,
    Time,
    account,
    authenticator,
    authorization_code,
    grant,
    interaction,
    refresh_token,
    session,
)

FORGIVEN = timedelta(seconds=30)  # a retry of a refresh whose answer was lost (design 7)

_now: ColumnElement[datetime] = bindparam("now", type_=Time)
_one = literal_column("1", Integer)
_hash: ColumnElement[bytes] = bindparam("hash", type_=LargeBinary)

_GRANT = (
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
    grant.c.claims,
    grant.c.revoked_at,
)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who a grant is for, as they are now. `phone` is sealed; its authenticator's id is what it is bound to."""

    account: Account | None
    authenticators: tuple[Authenticator, ...]
    phone: bytes | None = None
    phone_authenticator: UUID | None = None


def _any(cte: CTE) -> ColumnElement[bool]:
    return exists(select(_one).select_from(cte))


def _claims(claims: ClaimsRequest) -> dict[str, Any]:
    return {"userinfo": sorted(claims.userinfo), "id_token": sorted(claims.id_token)}


def read_grant(columns: Sequence[Any]) -> Grant:
    """The grant in `_GRANT`."""
    id_, client_id, scopes, created, account_id, session_id, level, acr, amr, at, strong_at, claims, revoked = columns
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
        auth_time=at,
        strong_at=strong_at,
        claims=ClaimsRequest(
            userinfo=frozenset(claims.get("userinfo", ())), id_token=frozenset(claims.get("id_token", ()))
        ),
        revoked_at=revoked,
    )


_HOLDER = (*ACCOUNT_COLUMNS, authenticators_json(account.c.id))


def _read_holder(columns: Sequence[Any]) -> Holder:
    person, items = columns[:-1], columns[-1]
    return Holder(read_account(person), read_authenticators(person[0], items))


def _insert_grant(when: ColumnElement[bool]) -> CTE:
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
        "claims": bindparam("claims", type_=JSONB),
        "created_at": _now,
        "expires_at": bindparam("grant_expires_at", type_=Time),
    }
    return insert(grant).from_select(list(row), select(*row.values()).where(when)).returning(grant.c.id).cte("granted")


@lru_cache(maxsize=2)
def _issue_statement(*, in_interaction: bool) -> Statement:
    ctes: list[CTE] = []
    # The session must still be alive when the code is made: a logout that came first wins.
    live = (
        update(session)
        .where(
            session.c.id == bindparam("session_id", type_=Uuid),
            session.c.account_id == bindparam("account_id", type_=Uuid),
            session.c.ended_at.is_(None),
        )
        .values(seen_at=_now)
        .returning(session.c.id)
        .cte("live")
    )
    ctes.append(live)
    when = _any(live)
    if in_interaction:
        finished = (
            update(interaction)
            .where(
                interaction.c.id == bindparam("interaction_id", type_=Uuid),
                interaction.c.session_id == bindparam("session_id", type_=Uuid),
                interaction.c.finished_at.is_(None),
                interaction.c.expires_at > _now,
                when,
            )
            .values(finished_at=_now)
            .returning(interaction.c.id)
            .cte("finished")
        )
        ctes.append(finished)
        when = _any(finished)
    granted = _insert_grant(when)
    row = {
        "hash": _hash,
        "grant_id": granted.c.id,
        "level": bindparam("level", type_=SmallInteger),
        "redirect_uri": bindparam("redirect_uri", type_=Text),
        "code_challenge": bindparam("code_challenge", type_=Text),
        "nonce": bindparam("nonce", type_=Text),
        "expires_at": bindparam("expires_at", type_=Time),
    }
    issued = (
        insert(authorization_code)
        .from_select(list(row), select(*row.values()))
        .returning(authorization_code.c.grant_id)
        .cte("issued")
    )
    return Statement(select(_any(issued)).add_cte(*ctes, granted, issued, audited(issued)))


def _grant_values(new: Grant, *, expires_at: datetime) -> dict[str, Any]:
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
        "claims": _claims(new.claims),
        "now": new.created_at,
        "grant_expires_at": expires_at,
    }


async def issue_code(
    conn: Conn,
    code: AuthorizationCode,
    *,
    code_hash: bytes,
    grant_expires_at: datetime,
    interaction_id: UUID | None,
    audit: Event,
) -> bool:
    """Store a grant and its code, and finish the interaction. True for exactly one caller per interaction."""
    new = code.grant
    row = await conn.one(
        _issue_statement(in_interaction=interaction_id is not None),
        **_grant_values(new, expires_at=grant_expires_at),
        hash=code_hash,
        redirect_uri=code.redirect_uri,
        code_challenge=code.code_challenge,
        nonce=code.nonce,
        expires_at=code.expires_at,
        interaction_id=interaction_id,
        **audit_values(audit, account_id=new.account_id, client_id=new.client_id),
    )
    return row is not None and bool(row[0])


_MACHINE = Statement(select(_any(machine := _insert_grant(literal_column("true")))).add_cte(machine, audited(machine)))


async def issue_machine(conn: Conn, new: Grant, *, expires_at: datetime, audit: Event) -> None:
    """Store a client_credentials grant, so that its token can be revoked and introspected."""
    await conn.one(
        _MACHINE, **_grant_values(new, expires_at=expires_at), **audit_values(audit, client_id=new.client_id)
    )


def _load(*more: ColumnElement[Any], token: Any) -> Select[Any]:  # noqa: ANN401 - a table of either kind
    return (
        select(*more, *_GRANT, *_HOLDER)
        .select_from(
            token.join(grant, grant.c.id == token.c.grant_id).outerjoin(account, account.c.id == grant.c.account_id)
        )
        .where(token.c.hash == _hash)
    )


_LOAD_CODE = Statement(
    _load(
        authorization_code.c.redirect_uri,
        authorization_code.c.code_challenge,
        authorization_code.c.nonce,
        authorization_code.c.expires_at,
        authorization_code.c.used_at,
        token=authorization_code,
    )
)


async def load_code(conn: Conn, *, code_hash: bytes) -> tuple[AuthorizationCode, Holder] | None:
    """A code with its grant and holder, used or not."""
    row = await conn.one(_LOAD_CODE, hash=code_hash)
    if row is None:
        return None
    redirect_uri, code_challenge, nonce, expires_at, used_at = row[:5]
    code = AuthorizationCode(read_grant(row[5:18]), redirect_uri, code_challenge, nonce, expires_at, used_at)
    return code, _read_holder(row[18:])


def _insert_refresh(source: CTE, *, when: ColumnElement[bool]) -> CTE:
    rows = (
        select(
            bindparam("refresh_hash", type_=LargeBinary),
            source.c.grant_id,
            _now,
            func.least(bindparam("refresh_expires_at", type_=Time), grant.c.expires_at),
        )
        .select_from(source.join(grant, grant.c.id == source.c.grant_id))
        .where(bindparam("refresh_hash", type_=LargeBinary).is_not(None), when)
    )
    return (
        insert(refresh_token)
        .from_select(["hash", "grant_id", "issued_at", "expires_at"], rows)
        .returning(refresh_token.c.grant_id)
        .cte("refreshed")
    )


_used_code = (
    update(authorization_code)
    .where(
        authorization_code.c.hash == _hash,
        authorization_code.c.used_at.is_(None),
        authorization_code.c.expires_at > _now,
        exists(
            select(_one)
            .select_from(grant)
            .where(grant.c.id == authorization_code.c.grant_id, grant.c.revoked_at.is_(None))
        ),
    )
    .values(used_at=_now)
    .returning(authorization_code.c.grant_id)
    .cte("used")
)
_CONSUME_CODE = Statement(
    select(_any(_used_code)).add_cte(
        _used_code, _insert_refresh(_used_code, when=literal_column("true")), audited(_used_code)
    )
)


async def consume_code(
    conn: Conn,
    *,
    code_hash: bytes,
    grant: Grant,
    refresh_hash: bytes | None,
    refresh_expires_at: datetime,
    audit: Event,
    now: datetime,
) -> bool:
    """Use a code up, and store the first refresh token. True for exactly one caller, ever."""
    row = await conn.one(
        _CONSUME_CODE,
        hash=code_hash,
        refresh_hash=refresh_hash,
        refresh_expires_at=refresh_expires_at,
        now=now,
        **audit_values(audit, account_id=grant.account_id, client_id=grant.client_id),
    )
    return row is not None and bool(row[0])


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
    refreshed = _insert_refresh(used, when=literal_column("true"))
    found = (
        select(used.c.issued_at, used.c.expires_at, *_GRANT, *_HOLDER)
        .select_from(
            used.join(grant, grant.c.id == used.c.grant_id).outerjoin(account, account.c.id == grant.c.account_id)
        )
        .add_cte(refreshed, audited(used))
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
        select(used.c.issued_at, used.c.expires_at, *_GRANT, *_HOLDER)
        .select_from(
            used.join(grant, grant.c.id == used.c.grant_id).outerjoin(account, account.c.id == grant.c.account_id)
        )
        .add_cte(audited(used))
    )


_ROTATE, _SLIDE = _rotate(), _slide()


async def use_refresh(
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
    return RefreshToken(read_grant(row[2:15]), issued_at, expires_at, now), _read_holder(row[15:])


_successor = refresh_token.alias("successor")
_LOAD_REFRESH = Statement(
    select(
        refresh_token.c.issued_at,
        refresh_token.c.expires_at,
        refresh_token.c.used_at,
        or_(refresh_token.c.successor.is_(None), _successor.c.used_at.is_not(None), _successor.c.hash.is_(None)),
        *_GRANT,
        *_HOLDER,
    )
    .select_from(
        refresh_token.join(grant, grant.c.id == refresh_token.c.grant_id)
        .outerjoin(account, account.c.id == grant.c.account_id)
        .outerjoin(_successor, _successor.c.hash == refresh_token.c.successor)
    )
    .where(refresh_token.c.hash == _hash)
)


async def load_refresh(conn: Conn, *, token_hash: bytes) -> tuple[RefreshToken, Holder] | None:
    """A refresh token with its grant and holder, used or not, for judging why it was refused and for introspection."""
    row = await conn.one(_LOAD_REFRESH, hash=token_hash)
    if row is None:
        return None
    issued_at, expires_at, used_at, successor_used = row[:4]
    token = RefreshToken(read_grant(row[4:17]), issued_at, expires_at, used_at, used_at is not None and successor_used)
    return token, _read_holder(row[17:])


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
                )
            ),
        )
        .values(used_at=_now, successor=bindparam("refresh_hash", type_=LargeBinary))
        .returning(refresh_token.c.grant_id)
        .cte("used")
    )
    moved = (
        update(refresh_token)
        .where(refresh_token.c.hash == _hash, _any(replaced))
        .values(successor=bindparam("refresh_hash", type_=LargeBinary))
        .returning(refresh_token.c.hash)
        .cte("moved")
    )
    refreshed = _insert_refresh(replaced, when=literal_column("true"))
    return Statement(select(_any(replaced)).add_cte(replaced, moved, refreshed, audited(replaced)))


_RETRY = _retry()


async def retry_refresh(
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
    select(*_GRANT, *ACCOUNT_COLUMNS, null(), _phone.c.sealed, _phone.c.id)
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


async def load(conn: Conn, *, grant_id: UUID) -> tuple[Grant, Holder] | None:
    """A grant with its holder (without authenticators, with the newest phone), revoked or not."""
    row: Row | None = await conn.one(_LOAD_GRANT, grant_id=grant_id)
    if row is None:
        return None
    return read_grant(row[:13]), Holder(read_account(row[13:24]), (), row[25], row[26])
