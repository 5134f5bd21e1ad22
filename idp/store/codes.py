"""Authorization codes: issued with their grant, redeemed once. Each happens in one statement or not at all."""

from datetime import datetime
from functools import lru_cache
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    Uuid,
    bindparam,
    exists,
    insert,
    literal_column,
    select,
    true,
    update,
)

from idp.audit import Event
from idp.model import AuthorizationCode, Grant
from idp.store.audits import audit_values, audited
from idp.store.engine import Conn, Statement
from idp.store.grants import Holder, any_row, by_hash, grant_values, insert_grant, read_grant, read_holder
from idp.store.refresh_tokens import insert_refresh
from idp.store.schema import Time, authorization_code, consent, grant, interaction, session

_now: ColumnElement[datetime] = bindparam("now", type_=Time)
_one = literal_column("1", Integer)
_hash: ColumnElement[bytes] = bindparam("hash", type_=LargeBinary)


def _still_agreed() -> CTE:
    """The remembered consent, held: who withdraws it first wins, and who comes later ends the grant as well."""
    return (
        select(consent.c.client_id)
        .where(
            consent.c.account_id == bindparam("account_id", type_=Uuid),
            consent.c.client_id == bindparam("client_id", type_=Text),
        )
        .with_for_update(read=True, key_share=True)
        .cte("agreed")
    )


@lru_cache(maxsize=4)
def _issue_statement(*, in_interaction: bool, remembered: bool = False) -> Statement:
    ctes: list[CTE] = []
    # The session must still be alive when the code is made: a logout that came first wins.
    live = (
        update(session)
        .where(
            session.c.id == bindparam("session_id", type_=Uuid),
            session.c.account_id == bindparam("account_id", type_=Uuid),
            session.c.ended_at.is_(None),
            any_row(_still_agreed()) if remembered else true(),
        )
        .values(seen_at=_now)
        .returning(session.c.id)
        .cte("live")
    )
    ctes.append(live)
    when = any_row(live)
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
        when = any_row(finished)
    granted = insert_grant(when)
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
    return Statement(select(any_row(issued)).add_cte(*ctes, granted, issued, audited(issued)))


async def issue(
    conn: Conn,
    code: AuthorizationCode,
    *,
    code_hash: bytes,
    grant_expires_at: datetime,
    interaction_id: UUID | None,
    remembered: bool,
    audit: Event,
) -> bool:
    """Store a grant and its code, and finish the interaction. True for exactly one caller per interaction.

    `remembered`: the decision looked at a stored consent, so it has to be there still.
    """
    new = code.grant
    row = await conn.one(
        _issue_statement(in_interaction=interaction_id is not None, remembered=remembered),
        **grant_values(new, expires_at=grant_expires_at),
        hash=code_hash,
        redirect_uri=code.redirect_uri,
        code_challenge=code.code_challenge,
        nonce=code.nonce,
        expires_at=code.expires_at,
        interaction_id=interaction_id,
        **audit_values(audit, account_id=new.account_id, client_id=new.client_id),
    )
    return row is not None and bool(row[0])


_LOAD = Statement(
    by_hash(
        authorization_code.c.redirect_uri,
        authorization_code.c.code_challenge,
        authorization_code.c.nonce,
        authorization_code.c.expires_at,
        authorization_code.c.used_at,
        token=authorization_code,
    )
)


async def load(conn: Conn, *, code_hash: bytes) -> tuple[AuthorizationCode, Holder] | None:
    """A code with its grant and holder, used or not."""
    row = await conn.one(_LOAD, hash=code_hash)
    if row is None:
        return None
    redirect_uri, code_challenge, nonce, expires_at, used_at = row[:5]
    code = AuthorizationCode(read_grant(row[5:18]), redirect_uri, code_challenge, nonce, expires_at, used_at)
    return code, read_holder(row[18:])


_used = (
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
_REDEEM = Statement(select(any_row(_used)).add_cte(_used, insert_refresh(_used), audited(_used)))


async def redeem(
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
        _REDEEM,
        hash=code_hash,
        refresh_hash=refresh_hash,
        refresh_expires_at=refresh_expires_at,
        now=now,
        **audit_values(audit, account_id=grant.account_id, client_id=grant.client_id),
    )
    return row is not None and bool(row[0])
