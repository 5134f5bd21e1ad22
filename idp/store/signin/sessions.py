"""Browsers and their paused requests: begin, move, finish, end."""

from datetime import datetime
from typing import Any
from uuid import UUID

from idp.model import AuthorizationRequest, Interaction, Session
from idp.store.engine import Conn, Connection
from idp.store.sql import Sql

_NEW_SESSION = """
    INSERT INTO session (id, token_hash, created_at, seen_at, user_agent, previous_hash, replaced_at)
    VALUES (:session_id, :token_hash, :now, :now, :user_agent, :shown_token,
            CASE WHEN :shown_token::bytea IS NOT NULL THEN :now::timestamptz END)"""

# A paused request, by itself or together with the password (`proofs`). `started_values` are the values.
BEGUN = """INSERT INTO interaction (id, session_id, client_id, request, started_at, expires_at, finished_at)
    SELECT :interaction_id, :session_id, :client_id, :request, :started_at, :expires_at, :finished_at"""

_BEGIN = Sql(BEGUN)
_BEGIN_ANONYMOUS = Sql(f"WITH new_session AS ({_NEW_SESSION})\n{BEGUN}")


def started_values(started: Interaction) -> dict[str, Any]:
    """The values of `BEGUN`."""
    return {
        "interaction_id": started.id,
        "session_id": started.session_id,
        "client_id": started.client_id,
        "request": started.request.as_json(),
        "started_at": started.started_at,
        "expires_at": started.expires_at,
        "finished_at": started.finished_at,
    }


async def begin(
    conn: Conn, *, started: Interaction, now: datetime, new_session: Session | None = None, token_hash: bytes = b""
) -> None:
    """Store a paused request, and with `new_session` the anonymous session that it belongs to."""
    values = started_values(started)
    if new_session is None:
        await conn.one(_BEGIN, **values)
    else:
        session_values = {"token_hash": token_hash, "user_agent": new_session.user_agent, "shown_token": None}
        await conn.one(_BEGIN_ANONYMOUS, **values, **session_values, now=now)


_OPEN = Sql("""
INSERT INTO session (id, token_hash, account_id, created_at, seen_at, user_agent, link)
VALUES (:session_id, :token_hash, :account_id, :now, :now, :user_agent, :link)""")
_IS_IN = Sql("""
SELECT FROM session s JOIN interaction i ON i.session_id = s.id
WHERE s.token_hash = :token_hash AND s.ended_at IS NULL AND i.id = :interaction_id""")


async def open_by_link(conn: Connection, opened: Session, *, token_hash: bytes, now: datetime) -> None:
    """Begin the session that a link opens, good for what the link is for alone."""
    await conn.one(
        _OPEN,
        session_id=opened.id,
        token_hash=token_hash,
        account_id=opened.account_id,
        user_agent=opened.user_agent,
        link=opened.link,
        now=now,
    )


_IS_NEW = Sql("SELECT FROM session WHERE id = :session_id AND token_hash = :token_hash AND ended_at IS NULL")


async def is_new(conn: Conn, *, session_id: UUID, token_hash: bytes) -> bool:
    """Whether this session goes on, with the token that it began with."""
    return await conn.one(_IS_NEW, session_id=session_id, token_hash=token_hash) is not None


async def is_in(conn: Conn, *, interaction_id: UUID, token_hash: bytes) -> bool:
    """Whether the session with this token goes on, and the interaction is in it."""
    return await conn.one(_IS_IN, interaction_id=interaction_id, token_hash=token_hash) is not None


_MOVE = Sql(f"""
-- The session before the interaction, as whoever issues a code locks them.
WITH old_session AS (
    SELECT id FROM session WHERE id = :old_session_id FOR UPDATE
),
new_session AS ({_NEW_SESSION}),
moved AS (
    UPDATE interaction SET session_id = :session_id, account_chosen = false, consented = NULL
    WHERE id = :interaction_id AND session_id = (SELECT id FROM old_session) AND finished_at IS NULL
    RETURNING id
),
-- What was asked of the first person goes with them.
forgotten AS (
    DELETE FROM challenge WHERE interaction_id IN (SELECT id FROM moved)
)
SELECT id FROM moved""")


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


_JOIN = Sql(f"""
WITH left_before AS (
    SELECT FROM session
    WHERE id = :session_id AND token_hash = :token_hash AND previous_hash = :shown_token AND ended_at IS NULL
    FOR UPDATE
),
begun AS ({BEGUN}
    WHERE EXISTS (SELECT FROM left_before)
    ON CONFLICT DO NOTHING
)
SELECT FROM left_before""")


async def join(conn: Conn, *, started: Interaction, shown: bytes, token_hash: bytes) -> bool:
    """Pause a request in its session, if it is not there yet, and if `shown` is the token before `token_hash` still."""
    row = await conn.one(_JOIN, **started_values(started), shown_token=shown, token_hash=token_hash)
    return row is not None


_HOLD = Sql("SELECT FROM session WHERE id = :session_id AND token_hash = :token_hash AND ended_at IS NULL FOR UPDATE")


async def hold(conn: Connection, *, session_id: UUID, token_hash: bytes) -> bool:
    """Whether the session goes on and has this token still; then it is ours until we are done."""
    return await conn.one(_HOLD, session_id=session_id, token_hash=token_hash) is not None


_STORED = Sql("SELECT request FROM interaction WHERE id = :interaction_id")


async def stored_request(conn: Conn, *, interaction_id: UUID) -> AuthorizationRequest | None:
    """What was asked, whoever asked it and whether or not it was answered; kept for an hour."""
    request = await conn.value(_STORED, interaction_id=interaction_id)
    return None if request is None else AuthorizationRequest.from_json(request)


_FORGET_PREVIOUS = Sql("""
UPDATE session SET previous_hash = NULL, replaced_at = NULL
WHERE id = :session_id AND previous_hash = coalesce(:shown_token, previous_hash)""")


async def forget_previous(conn: Conn, *, session_id: UUID, shown: bytes | None = None) -> None:
    """The token before is good for nothing any more: the new one was used, or `shown` came in vain."""
    await conn.one(_FORGET_PREVIOUS, session_id=session_id, shown_token=shown)


_CHOOSE = Sql("""
UPDATE interaction SET account_chosen = true
WHERE id = :interaction_id AND session_id = :session_id AND finished_at IS NULL
RETURNING id""")
# The browser is here with its new token: the one before is forgiven no more. Session first, as everywhere.
_FINISH = Sql("""
WITH arrived AS (
    SELECT id FROM session
    WHERE id = (SELECT session_id FROM interaction WHERE id = :interaction_id) FOR NO KEY UPDATE
),
finished AS (
    UPDATE interaction SET finished_at = :now
    WHERE id = :interaction_id AND session_id = (SELECT id FROM arrived) AND finished_at IS NULL
    RETURNING session_id
),
forgotten AS (
    UPDATE session SET previous_hash = NULL, replaced_at = NULL
    WHERE id = (SELECT session_id FROM finished) AND previous_hash IS NOT NULL
)
SELECT session_id FROM finished""")
_NEW_GENERATION = Sql("UPDATE session SET generation = generation + 1 WHERE id = :session_id")
_NEW_GENERATIONS = Sql("""
UPDATE session SET generation = generation + 1 WHERE account_id = :account_id AND ended_at IS NULL""")


async def choose_account(conn: Conn, *, interaction_id: UUID, session_id: UUID) -> bool:
    """Remember that the person chose to go on as the one who is signed in."""
    return await conn.one(_CHOOSE, interaction_id=interaction_id, session_id=session_id) is not None


async def finish(conn: Conn, *, interaction_id: UUID, now: datetime) -> bool:
    """End a paused request. True for exactly one caller."""
    return await conn.one(_FINISH, interaction_id=interaction_id, now=now) is not None


async def new_generation(conn: Connection, *, session_id: UUID) -> None:
    """Codes that were made in this session are good for nothing from now on, also one that is being exchanged."""
    await conn.one(_NEW_GENERATION, session_id=session_id)


async def new_generations(conn: Connection, *, account_id: UUID) -> None:
    """As `new_generation`, for every session of this person."""
    await conn.one(_NEW_GENERATIONS, account_id=account_id)


_TOUCH = Sql("""
UPDATE session SET seen_at = :now WHERE id = :session_id AND ended_at IS NULL AND seen_at < :not_since""")


async def touch(conn: Conn, *, session_id: UUID, not_since: datetime, now: datetime) -> None:
    """The browser was here: its idle time starts again, unless that was noted since `not_since`."""
    await conn.one(_TOUCH, session_id=session_id, not_since=not_since, now=now)


def _end(which: str, more: str = "") -> Sql:
    return Sql(f"""
WITH ended AS (
    UPDATE session SET ended_at = :now WHERE {which} AND ended_at IS NULL RETURNING id
),
-- Back-Channel Logout 2.7: refresh tokens of the session die with it, those with offline_access live on
revoked AS (
    UPDATE grant_ SET revoked_at = :now
    WHERE session_id IN (SELECT id FROM ended) AND revoked_at IS NULL
      AND (:offline_too OR NOT scopes @> '{{offline_access}}')
){more}
SELECT count(*) FROM ended""")


# What was begun in the sessions that end comes to no end: a link that would change the address goes to who began it.
_ENDING_OTHERS = """,
given_up AS (
    UPDATE link SET used_at = :now
    WHERE account_id = :account_id AND purpose = 'verify_email' AND used_at IS NULL
      AND (:except_session::uuid IS NULL OR about IS DISTINCT FROM :except_session)
)"""
_ENDING_ONE = """,
given_up AS (
    UPDATE link SET used_at = :now
    WHERE account_id = :account_id AND about IN (SELECT id FROM ended) AND purpose = 'verify_email' AND used_at IS NULL
)"""
_LOCK = Sql("SELECT id FROM session WHERE id = :session_id FOR UPDATE")
_END_ONE = _end("id = :session_id AND (:account_id::uuid IS NULL OR account_id = :account_id)")
_END_ELSEWHERE = _end("id = :session_id AND account_id = :account_id", _ENDING_ONE)
_END_OTHERS = _end("account_id = :account_id AND id IS DISTINCT FROM :except_session", _ENDING_OTHERS)


async def end(conn: Connection, *, session_id: UUID, now: datetime, account_id: UUID | None = None) -> int:
    """End one session (only if it is `account_id`'s, when given) and revoke its grants without offline_access."""
    # A code that is being issued holds the session. Its grant is seen only by a statement that begins after the wait.
    await conn.one(_LOCK, session_id=session_id)
    return int(await conn.value(_END_ONE, session_id=session_id, account_id=account_id, now=now, offline_too=False))


async def end_elsewhere(conn: Connection, *, session_id: UUID, account_id: UUID, now: datetime) -> int:
    """End one session of this person from another place, and a change of address that was begun in it.

    Who signs out in the browser itself may still open the link that they asked for.
    """
    await conn.one(_LOCK, session_id=session_id)
    return int(
        await conn.value(_END_ELSEWHERE, session_id=session_id, account_id=account_id, now=now, offline_too=False)
    )


async def end_others(conn: Conn, *, account_id: UUID, keep: UUID | None, now: datetime) -> int:
    """End all of this person's sessions but `keep`, and a change of address that was begun in them.

    See `grants.revoke_of_account` for what lives outside sessions.
    """
    return int(await conn.value(_END_OTHERS, account_id=account_id, except_session=keep, now=now, offline_too=True))
