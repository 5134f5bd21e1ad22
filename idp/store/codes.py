"""Authorization codes: issued with their grant, redeemed once. Each happens in one statement or not at all."""

from datetime import datetime
from functools import lru_cache
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    LargeBinary,
    SmallInteger,
    Text,
    Uuid,
    bindparam,
    case,
    insert,
    null,
    select,
    true,
    update,
)

from idp.audit import Event
from idp.model import AuthorizationCode, Holder
from idp.store.audits import audit_values, audited
from idp.store.engine import Conn, Row, Statement
from idp.store.facts import SEEN_EVERY
from idp.store.grants import (
    any_row,
    audited_use,
    by_hash,
    grant_values,
    insert_grant,
    of_used,
    read_grant,
    used_up,
)
from idp.store.holders import read_holder
from idp.store.refresh_tokens import insert_refresh
from idp.store.schema import Time, authorization_code, consent, grant, interaction, session

_now: ColumnElement[datetime] = bindparam("now", type_=Time)
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
        # The browser has its new token: the one before is good for nothing from now on.
        .values(
            seen_at=case((session.c.seen_at < _now - SEEN_EVERY, _now), else_=session.c.seen_at),
            previous_hash=null(),
            replaced_at=null(),
        )
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


_COLUMNS = (
    authorization_code.c.redirect_uri,
    authorization_code.c.code_challenge,
    authorization_code.c.nonce,
    authorization_code.c.expires_at,
    authorization_code.c.used_at,
)
_LOAD = Statement(by_hash(*_COLUMNS, token=authorization_code))


def _read(row: Row | None) -> tuple[AuthorizationCode, Holder | None] | None:
    if row is None:
        return None
    redirect_uri, code_challenge, nonce, expires_at, used_at = row[:5]
    code = AuthorizationCode(read_grant(row[5:19]), redirect_uri, code_challenge, nonce, expires_at, used_at)
    return code, read_holder(row[19:])


async def load(conn: Conn, *, code_hash: bytes) -> tuple[AuthorizationCode, Holder | None] | None:
    """A code with its grant and holder, used or not."""
    return _read(await conn.one(_LOAD, hash=code_hash))


def _redeem_statement() -> Statement:
    change = (
        update(authorization_code)
        .where(
            authorization_code.c.hash == _hash,
            authorization_code.c.used_at.is_(None),
            authorization_code.c.expires_at > _now,
            authorization_code.c.redirect_uri == bindparam("redirect_uri", type_=Text),
            authorization_code.c.code_challenge.is_not_distinct_from(bindparam("code_challenge", type_=Text)),
            grant.c.client_id == bindparam("client_id", type_=Text),
            grant.c.revoked_at.is_(None),
        )
        .values(used_at=_now)
    )
    used = used_up(authorization_code, change, *_COLUMNS[:-1])
    # Who redeems it looks at it as it was a moment ago: not used.
    found = of_used(used, *(used.c[column.name] for column in _COLUMNS[:-1]), null())
    return Statement(found.add_cte(insert_refresh(used), audited_use(used)))


_REDEEM = _redeem_statement()


async def redeem(
    conn: Conn,
    *,
    code_hash: bytes,
    client_id: str,
    redirect_uri: str,
    code_challenge: str | None,
    refresh_hash: bytes | None,
    refresh_expires_at: datetime,
    audit: Event,
    now: datetime,
) -> tuple[AuthorizationCode, Holder | None] | None:
    """Use up a code of this client that was asked for with just this, and store the first refresh token.

    The code for exactly one caller, ever; None for everybody else, and then nothing has changed. The refresh token is
    stored only for a grant that has the scope `offline_access`.
    """
    row = await conn.one(
        _REDEEM,
        hash=code_hash,
        client_id=client_id,
        redirect_uri=redirect_uri,
        code_challenge=code_challenge,
        refresh_hash=refresh_hash,
        refresh_expires_at=refresh_expires_at,
        now=now,
        **audit_values(audit, client_id=client_id),
    )
    return _read(row)
