"""Browsers and their paused requests: begin, move, finish, end."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    LargeBinary,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from idp.model import AuthorizationRequest, Interaction, Session
from idp.store.composed import Statement
from idp.store.engine import Conn, Connection
from idp.store.schema import Texts, Time, authentication_event, challenge, grant, interaction, session

_now = bindparam("now", type_=Time)


def _insert_interaction(session_id: Any) -> Any:  # noqa: ANN401 - SQL expressions
    return insert(interaction).from_select(
        ["id", "session_id", "client_id", "request", "started_at", "expires_at"],
        select(
            bindparam("interaction_id", type_=Uuid),
            session_id,
            bindparam("client_id", type_=Text),
            bindparam("request", type_=JSONB),
            bindparam("started_at", type_=Time),
            bindparam("expires_at", type_=Time),
        ),
    )


_new_session = (
    insert(session)
    .values(
        id=bindparam("session_id"),
        token_hash=bindparam("token_hash"),
        account_id=None,
        created_at=_now,
        seen_at=_now,
        user_agent=bindparam("user_agent"),
        previous_hash=bindparam("shown_token", type_=LargeBinary),
        replaced_at=case((bindparam("shown_token", type_=LargeBinary).is_not(None), _now)),
    )
    .returning(session.c.id)
    .cte("new_session")
)
_BEGIN_ANONYMOUS = Statement(
    _insert_interaction(select(_new_session.c.id).scalar_subquery()).returning(interaction.c.id)
)
_BEGIN = Statement(_insert_interaction(bindparam("session_id", type_=Uuid)).returning(interaction.c.id))


async def begin(
    conn: Conn, *, started: Interaction, now: datetime, new_session: Session | None = None, token_hash: bytes = b""
) -> None:
    """Store a paused request, and with `new_session` the anonymous session that it belongs to."""
    values: dict[str, Any] = {
        "interaction_id": started.id,
        "session_id": started.session_id,
        "client_id": started.client_id,
        "request": started.request.as_json(),
        "started_at": started.started_at,
        "expires_at": started.expires_at,
    }
    if new_session is None:
        await conn.one(_BEGIN, **values)
    else:
        session_values = {"token_hash": token_hash, "user_agent": new_session.user_agent, "shown_token": None}
        await conn.one(_BEGIN_ANONYMOUS, **values, **session_values, now=now)


# The session before the interaction, as whoever issues a code locks them.
_left = (
    select(session.c.id).where(session.c.id == bindparam("old_session_id", type_=Uuid)).with_for_update().cte("left_")
)
_moved = (
    update(interaction)
    .where(
        interaction.c.id == bindparam("interaction_id"),
        interaction.c.session_id == select(_left.c.id).scalar_subquery(),
        interaction.c.finished_at.is_(None),
    )
    .values(session_id=select(_new_session.c.id).scalar_subquery(), account_chosen=False, consented=None)
    .returning(interaction.c.id)
    .cte("moved")
)
# What was asked of the first person goes with them.
_forgotten = (
    delete(challenge)
    .where(challenge.c.interaction_id.in_(select(_moved.c.id)))
    .returning(challenge.c.factor)
    .cte("forgotten")
)
_MOVE = Statement(select(_moved.c.id).add_cte(_forgotten))


async def replace(
    conn: Conn, *, interaction_id: UUID, old: UUID, new: Session, token_hash: bytes, shown: bytes, now: datetime
) -> bool:
    """Move an unfinished interaction into a fresh anonymous session: somebody else is about to sign in here.

    `shown` is the token that the browser came with.
    """
    row = await conn.one(
        _MOVE,
        interaction_id=interaction_id,
        old_session_id=old,
        session_id=new.id,
        token_hash=token_hash,
        user_agent=new.user_agent,
        shown_token=shown,
        now=now,
    )
    return row is not None


_STORED = Statement(
    select(interaction.c.client_id, interaction.c.request).where(
        interaction.c.id == bindparam("interaction_id", type_=Uuid)
    )
)


async def stored_request(conn: Conn, *, interaction_id: UUID) -> AuthorizationRequest | None:
    """What was asked, whoever asked it and whether or not it was answered; kept for an hour."""
    row = await conn.one(_STORED, interaction_id=interaction_id)
    return None if row is None else AuthorizationRequest.from_json(row[1])


_FORGET_PREVIOUS = Statement(
    update(session)
    .where(
        session.c.id == bindparam("session_id", type_=Uuid),
        session.c.previous_hash == func.coalesce(bindparam("shown_token", type_=LargeBinary), session.c.previous_hash),
    )
    .values(previous_hash=None, replaced_at=None)
    .returning(session.c.id)
)


async def forget_previous(conn: Conn, *, session_id: UUID, shown: bytes | None = None) -> None:
    """The token before is good for nothing any more: the new one was used, or `shown` came in vain."""
    await conn.one(_FORGET_PREVIOUS, session_id=session_id, shown_token=shown)


_CHOOSE = Statement(
    update(interaction)
    .where(
        interaction.c.id == bindparam("interaction_id"),
        interaction.c.session_id == bindparam("session_id", type_=Uuid),
        interaction.c.finished_at.is_(None),
    )
    .values(account_chosen=True)
    .returning(interaction.c.id)
)
_CANCEL = Statement(
    update(interaction)
    .where(interaction.c.id == bindparam("interaction_id"), interaction.c.finished_at.is_(None))
    .values(finished_at=_now)
    .returning(interaction.c.id)
)


async def choose_account(conn: Conn, *, interaction_id: UUID, session_id: UUID) -> bool:
    """Remember that the person chose to go on as the one who is signed in."""
    return await conn.one(_CHOOSE, interaction_id=interaction_id, session_id=session_id) is not None


async def finish(conn: Conn, *, interaction_id: UUID, now: datetime) -> bool:
    """End a paused request without a code. True for exactly one caller."""
    return await conn.one(_CANCEL, interaction_id=interaction_id, now=now) is not None


_TOUCH = Statement(
    update(session)
    .where(
        session.c.id == bindparam("session_id"),
        session.c.ended_at.is_(None),
        session.c.seen_at < bindparam("not_since", type_=Time),
    )
    .values(seen_at=_now)
    .returning(session.c.id)
)


async def touch(conn: Conn, *, session_id: UUID, not_since: datetime, now: datetime) -> None:
    """The browser was here: its idle time starts again, unless that was noted since `not_since`."""
    await conn.one(_TOUCH, session_id=session_id, not_since=not_since, now=now)


_LIVE_OF_ACCOUNT = Statement(
    select(session.c.id, session.c.account_id, session.c.created_at, session.c.seen_at, session.c.user_agent)
    .where(
        session.c.account_id == bindparam("account_id"),
        session.c.ended_at.is_(None),
        session.c.seen_at > bindparam("idle_since", type_=Time),
        session.c.created_at > bindparam("life_since", type_=Time),
        # Somebody who only knows the password is not signed in anywhere.
        exists(
            select(literal_column("1"))
            .select_from(authentication_event)
            .where(
                authentication_event.c.session_id == session.c.id,
                authentication_event.c.account_id == session.c.account_id,
                authentication_event.c.factor != literal_column("'password'"),
            )
        ),
    )
    .order_by(session.c.seen_at.desc())
    .limit(50)
)


async def of_account(conn: Conn, *, account_id: UUID, idle_since: datetime, life_since: datetime) -> Sequence[Session]:
    """This person's live sessions in which two factors were proved, the latest used first, at most 50."""
    rows = await conn.all(_LIVE_OF_ACCOUNT, account_id=account_id, idle_since=idle_since, life_since=life_since)
    return [Session(*row) for row in rows]


_OFFLINE = literal_column("'{offline_access}'::text[]", Texts)


def _end(where: Any) -> Statement:  # noqa: ANN401 - SQL expressions
    ended = (
        update(session)
        .where(where, session.c.ended_at.is_(None))
        .values(ended_at=_now)
        .returning(session.c.id)
        .cte("ended")
    )
    # Back-Channel Logout 2.7: refresh tokens of the session die with it, those with offline_access live on
    revoked = (
        update(grant)
        .where(
            grant.c.session_id.in_(select(ended.c.id)),
            grant.c.revoked_at.is_(None),
            or_(bindparam("offline_too", type_=Boolean), ~grant.c.scopes.contains(_OFFLINE)),
        )
        .values(revoked_at=_now)
        .returning(grant.c.id)
        .cte("revoked")
    )
    return Statement(select(func.count()).select_from(ended).add_cte(revoked))


_LOCK = Statement(select(session.c.id).where(session.c.id == bindparam("session_id", type_=Uuid)).with_for_update())
_END_ONE = _end(session.c.id == bindparam("session_id"))
_END_ONE_OF_ACCOUNT = _end(
    and_(session.c.id == bindparam("session_id"), session.c.account_id == bindparam("account_id"))
)
_END_OTHERS = _end(
    and_(
        session.c.account_id == bindparam("account_id"),
        session.c.id.is_distinct_from(bindparam("except_session", type_=Uuid)),
    )
)


async def end(conn: Connection, *, session_id: UUID, now: datetime, account_id: UUID | None = None) -> int:
    """End one session (only if it is `account_id`'s, when given) and revoke its grants without offline_access."""
    # A code that is being issued holds the session. Its grant is seen only by a statement that begins after the wait.
    await conn.one(_LOCK, session_id=session_id)
    if account_id is None:
        row = await conn.one(_END_ONE, session_id=session_id, now=now, offline_too=False)
    else:
        row = await conn.one(
            _END_ONE_OF_ACCOUNT, session_id=session_id, account_id=account_id, now=now, offline_too=False
        )
    return int(row[0]) if row else 0


async def end_others(conn: Conn, *, account_id: UUID, keep: UUID | None, now: datetime) -> int:
    """End all of this person's sessions but `keep`. See `grants.revoke_of_account` for what lives outside sessions."""
    row = await conn.one(_END_OTHERS, account_id=account_id, except_session=keep, now=now, offline_too=True)
    return int(row[0]) if row else 0
