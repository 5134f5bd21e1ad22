"""Phones, apps and sets of saved codes: enrol, confirm once, close. Seeds and numbers arrive and leave sealed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from idp.model import Authenticator, Factor
from idp.store.engine import Conn
from idp.store.sql import Sql, values_of

# The first round of `untold` after the notice itself; each wait is as long as all before.
AGAIN_AFTER = timedelta(minutes=15)

_OPEN = "account_id = :account_id AND closed_at IS NULL AND confirmed_at IS NOT NULL"

_INSERT = Sql("""
INSERT INTO authenticator (id, account_id, factor, label, hint, sealed, lookup, created_at, confirmed_at, expires_at,
                           trusted_at, hold, tell_at, enrolled_in, session_id, last_step, last_used_at, preferred_at,
                           given_by, swapped_at)
VALUES (:id, :account_id, :factor, :label, :hint, :sealed, :number_key, :created_at, :confirmed_at, :expires_at,
        :trusted_at, :hold, :tell_at, :enrolled_in, :session_id, :last_step, :last_used_at, :preferred_at,
        :given_by,
        -- Threat 9: a SIM that was seen changed is changed for everybody who is given this number.
        (SELECT max(swapped_at) FROM authenticator WHERE lookup = :number_key))""")
_IS_OPEN = Sql("SELECT closed_at IS NULL AS open FROM authenticator WHERE id = :authenticator_id")
_DROP_PENDING = Sql("""
DELETE FROM authenticator WHERE account_id = :account_id AND factor = :factor AND confirmed_at IS NULL""")
_PENDING = Sql("""
SELECT id, sealed, created_at, hold FROM authenticator
WHERE account_id = :account_id AND factor = :factor AND session_id = :session_id
  AND confirmed_at IS NULL AND expires_at > :now""")
_CONFIRM = Sql("""
UPDATE authenticator
SET confirmed_at = :now, expires_at = NULL, label = :label, trusted_at = :trusted_at, hold = :hold, tell_at = :tell_at,
    last_step = :step
WHERE id = :authenticator_id AND account_id = :account_id AND session_id = :session_id
  AND confirmed_at IS NULL AND expires_at > :now
RETURNING id""")
_SEALED = Sql(f"""
SELECT id, sealed, last_step FROM authenticator WHERE {_OPEN} AND factor = :factor ORDER BY created_at DESC""")
_CLOSE = Sql(f"""
UPDATE authenticator
SET closed_at = :now, trusted_at = CASE WHEN :hold::interval IS NULL THEN coalesce(trusted_at, :now) END,
    hold = :hold, tell_at = :tell_at
WHERE id = :authenticator_id AND {_OPEN}
RETURNING factor""")
_CLOSE_KIND = Sql(f"""
UPDATE authenticator SET closed_at = :now, trusted_at = coalesce(trusted_at, :now), hold = NULL, tell_at = NULL
WHERE {_OPEN} AND factor = :factor AND id IS DISTINCT FROM :keep
RETURNING id""")
_CLOSE_OWN = Sql(f"""
UPDATE authenticator SET closed_at = :now, trusted_at = coalesce(trusted_at, :now), hold = NULL, tell_at = NULL
WHERE {_OPEN} AND session_id IS NOT NULL
RETURNING id, factor""")
_KEEP_TELLING = Sql("""
UPDATE authenticator SET told_until = :until WHERE id = :authenticator_id AND account_id = :account_id""")
_TOLD_ANEW = Sql("""
UPDATE authenticator SET told_until = NULL
WHERE account_id = :account_id AND lookup = :number_key AND told_until IS NOT NULL""")
_PREFER = Sql(f"UPDATE authenticator SET preferred_at = :now WHERE id = :authenticator_id AND {_OPEN} RETURNING id")
# What somebody else may have added an hour ago must not begin to count while its owner is away; the last way in stays.
_CLOSE_HELD = Sql(f"""
UPDATE authenticator SET closed_at = :now, trusted_at = :now, hold = NULL, tell_at = NULL
WHERE {_OPEN} AND (trusted_at IS NULL OR trusted_at > :now) AND EXISTS (
    SELECT FROM authenticator lasting
    WHERE lasting.account_id = :account_id AND lasting.confirmed_at IS NOT NULL AND lasting.closed_at IS NULL
      AND lasting.trusted_at <= :now AND lasting.factor <> '{Factor.RECOVERY}')
RETURNING id, factor""")
_RENAME = Sql(f"UPDATE authenticator SET label = :label WHERE id = :authenticator_id AND {_OPEN} RETURNING id")


def _tell_at(since: datetime | None, hold: timedelta | None) -> datetime | None:
    return None if since is None or hold is None else since + AGAIN_AFTER


async def add(
    conn: Conn,
    new: Authenticator,
    *,
    sealed: bytes | None,
    session_id: UUID | None = None,
    expires_at: datetime | None = None,
    by: str | None = None,
) -> None:
    """Store an authenticator: confirmed, or pending until `expires_at` and only in `session_id`. `by` an operator."""
    told = {"tell_at": _tell_at(new.confirmed_at, new.hold), "session_id": session_id, "expires_at": expires_at}
    await conn.one(_INSERT, **values_of(new), **told, sealed=sealed, given_by=by)


async def is_open(conn: Conn, *, authenticator_id: UUID) -> bool | None:
    """Whether the one of this id is open, or was closed; None: there never was one."""
    found: bool | None = await conn.value(_IS_OPEN, authenticator_id=authenticator_id)
    return found


async def drop_pending(conn: Conn, *, account_id: UUID, factor: Factor) -> None:
    """Forget an enrolment that was begun and not confirmed: only the last one counts (ENR-07)."""
    await conn.all(_DROP_PENDING, account_id=account_id, factor=factor.value)


async def pending(
    conn: Conn, *, account_id: UUID, session_id: UUID, factor: Factor, now: datetime
) -> tuple[UUID, bytes, datetime, timedelta | None] | None:
    """Id, sealed secret, start and hold of the enrolment begun in this session, if it is still open."""
    row = await conn.one(_PENDING, account_id=account_id, session_id=session_id, factor=factor.value, now=now)
    return None if row is None else (row["id"], row["sealed"], row["created_at"], row["hold"])


async def confirm(
    conn: Conn,
    *,
    authenticator_id: UUID,
    account_id: UUID,
    session_id: UUID,
    label: str,
    hold: timedelta | None,
    step: int,
    now: datetime,
) -> bool:
    """Confirm an enrolment in the session that began it. True for exactly one caller. `step` cannot be used again.

    Without a `hold` it is trusted from now on, else when its owner was told of it and the hold is over.
    """
    row = await conn.one(
        _CONFIRM,
        authenticator_id=authenticator_id,
        account_id=account_id,
        session_id=session_id,
        label=label,
        trusted_at=now if hold is None else None,
        hold=hold,
        tell_at=_tell_at(now, hold),
        step=step,
        now=now,
    )
    return row is not None


async def sealed(conn: Conn, *, account_id: UUID, factor: Factor) -> Sequence[tuple[UUID, bytes, int]]:
    """Id, sealed secret and last accepted step of every usable authenticator of a kind, newest first."""
    rows = await conn.all(_SEALED, account_id=account_id, factor=factor.value)
    return [(row["id"], row["sealed"], row["last_step"]) for row in rows]


async def close(
    conn: Conn, *, authenticator_id: UUID, account_id: UUID, now: datetime, hold: timedelta | None = None
) -> Factor | None:
    """Close one. Its factor for exactly one caller, None if it was not open.

    `hold`: for how long, from when its owner was told of it, nothing that replaces it may count at once.
    """
    factor = await conn.value(
        _CLOSE,
        authenticator_id=authenticator_id,
        account_id=account_id,
        hold=hold,
        tell_at=_tell_at(now, hold),
        now=now,
    )
    return None if factor is None else Factor(factor)


async def close_kind(
    conn: Conn, *, account_id: UUID, factor: Factor, now: datetime, keep: UUID | None = None
) -> Sequence[UUID]:
    """Close all of a kind but `keep`; their ids."""
    rows = await conn.all(_CLOSE_KIND, account_id=account_id, factor=factor.value, keep=keep, now=now)
    return [row["id"] for row in rows]


async def close_own(conn: Conn, *, account_id: UUID, now: datetime) -> Sequence[tuple[UUID, Factor]]:
    """Close all that were added in a browser and not by an operator; which they were."""
    rows = await conn.all(_CLOSE_OWN, account_id=account_id, now=now)
    return [(row["id"], Factor(row["factor"])) for row in rows]


async def close_held(conn: Conn, *, account_id: UUID, now: datetime) -> Sequence[tuple[UUID, Factor]]:
    """Close all that are on hold, where anything else is left to sign in with; which they were."""
    rows = await conn.all(_CLOSE_HELD, account_id=account_id, now=now)
    return [(row["id"], Factor(row["factor"])) for row in rows]


async def rename(conn: Conn, *, authenticator_id: UUID, account_id: UUID, label: str) -> bool:
    """Change what a person calls one of theirs."""
    named = await conn.one(_RENAME, authenticator_id=authenticator_id, account_id=account_id, label=label)
    return named is not None


async def prefer(conn: Conn, *, authenticator_id: UUID, account_id: UUID, now: datetime) -> bool:
    """Put one of a person's phones before the others."""
    put = await conn.one(_PREFER, authenticator_id=authenticator_id, account_id=account_id, now=now)
    return put is not None


async def keep_telling(conn: Conn, *, authenticator_id: UUID, account_id: UUID, until: datetime) -> None:
    """A phone that was closed is told what happens until then."""
    await conn.one(_KEEP_TELLING, authenticator_id=authenticator_id, account_id=account_id, until=until)


async def told_anew(conn: Conn, *, account_id: UUID, number_key: bytes) -> None:
    """The number of a closed phone is an open one's again, which is told instead."""
    await conn.all(_TOLD_ANEW, account_id=account_id, number_key=number_key)
