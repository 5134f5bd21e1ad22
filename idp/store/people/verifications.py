"""Phones that somebody wants to add, and the codes that went there: asked, tried. Confirming is in `authenticators`."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from idp.audit import Event
from idp.store.audits import AUDITED, audit_values
from idp.store.delivery.messages import PROGRESS, Progress, waking
from idp.store.delivery.spending import PROVING
from idp.store.engine import Conn
from idp.store.sql import Sql, values_of


@dataclass(frozen=True, slots=True)
class Verification:
    """A phone that is not theirs yet, and the code that was sent there last. `begun_at` is when it was named.

    `sends` counts how often this very code was sent. `reached`: how far the latest message got.
    """

    authenticator_id: UUID
    hint: str
    number_key: bytes = field(repr=False)
    begun_at: datetime
    open_until: datetime
    hold: timedelta | None
    replaces: UUID | None
    nonce: bytes = field(repr=False)
    key_id: str
    asked_at: datetime
    expires_at: datetime
    attempts: int
    max_attempts: int
    sends: int
    reached: Progress | None = None

    def alive(self, now: datetime) -> bool:
        """Whether an answer may still be tried."""
        return self.attempts < self.max_attempts and now < self.expires_at


@dataclass(frozen=True, slots=True)
class Code:
    """The code that is to be sent to a phone, the same again or a fresh one."""

    authenticator_id: UUID
    nonce: bytes = field(repr=False)
    key_id: str
    expires_at: datetime
    max_attempts: int
    purpose: str
    message_id: UUID
    locale: str
    replaces: UUID | None = None


_OPEN = Sql(f"""
SELECT a.id AS authenticator_id, a.hint, a.lookup AS number_key, a.created_at AS begun_at, a.expires_at AS open_until,
       a.hold, v.replaces, v.nonce, v.key_id, v.asked_at, v.expires_at, v.attempts, v.max_attempts, v.sends,
       latest.state, latest.expires_at AS sent_until, latest.denied_by, latest.reported
FROM authenticator a
JOIN verification v ON v.authenticator_id = a.id
LEFT JOIN LATERAL (
    SELECT {PROGRESS} FROM message m
    WHERE m.authenticator_id = a.id AND m.account_id = a.account_id AND m.nonce = v.nonce
    ORDER BY m.created_at DESC LIMIT 1
) latest ON true
WHERE a.account_id = :account_id AND a.session_id = :session_id AND a.factor = 'sms'
  AND a.confirmed_at IS NULL AND a.expires_at > :now""")

_ASK = Sql(f"""
WITH asked AS (
    INSERT INTO verification (authenticator_id, replaces, nonce, key_id, asked_at, expires_at, max_attempts, sends)
    VALUES (:authenticator_id, :replaces, :nonce, :key_id, :now, :expires_at, :max_attempts, 1)
    ON CONFLICT (authenticator_id) DO UPDATE SET
        (nonce, key_id, asked_at, expires_at, attempts, sends, swap) = (
            SELECT verification.nonce, verification.key_id, verification.asked_at, verification.expires_at,
                   verification.attempts, verification.sends + 1, verification.swap
            WHERE verification.nonce = excluded.nonce
            UNION ALL
            SELECT excluded.nonce, excluded.key_id, excluded.asked_at, excluded.expires_at, 0, 1, NULL
            WHERE verification.nonce <> excluded.nonce
        )
    RETURNING authenticator_id, nonce, key_id, expires_at
),
queued AS (
    INSERT INTO message (id, account_id, channel, authenticator_id, kind, nonce, key_id, purpose, locale, created_at,
                         expires_at)
    SELECT :message_id, :account_id, 'sms', authenticator_id, 'code', nonce, key_id, :purpose, :locale, :now, expires_at
    FROM asked
    RETURNING id
),
audited AS ({AUDITED} FROM queued)
SELECT {waking("queued")}""")

_SPEND = Sql("""
UPDATE verification SET attempts = attempts + 1
WHERE authenticator_id = :authenticator_id AND attempts < max_attempts AND expires_at > :now
RETURNING max_attempts - attempts AS attempts_left, nonce, key_id""")

_PROVED = Sql(f"""
WITH proving AS ({PROVING}),
gone AS (
    DELETE FROM verification
    WHERE authenticator_id = :authenticator_id AND nonce = :nonce AND swap IS DISTINCT FROM 'swapped'
    RETURNING authenticator_id
)
SELECT EXISTS (SELECT FROM gone) AS proved""")


async def pending(conn: Conn, *, account_id: UUID, session_id: UUID, now: datetime) -> Verification | None:
    """The phone that this session is about to add."""
    row = await conn.one(_OPEN, account_id=account_id, session_id=session_id, now=now)
    if row is None:
        return None
    found = dict(row.items())
    state, until = found.pop("state"), found.pop("sent_until")
    denied_by, reported = found.pop("denied_by"), found.pop("reported")
    reached = None if state is None else Progress(state, until, reported, denied_by)
    return Verification(**found, reached=reached)


async def ask(conn: Conn, code: Code, *, account_id: UUID, audit: Event, now: datetime) -> None:
    """Send a code to a phone that is being added. One with the nonce of the last keeps its end and its tries."""
    await conn.one(
        _ASK, **values_of(code), **audit_values(audit, account_id=account_id), account_id=account_id, now=now
    )


@dataclass(frozen=True, slots=True)
class Tried:
    """A try was spent, for good: what the answer is to be compared with, and how many are left after it."""

    attempts_left: int
    nonce: bytes = field(repr=False)
    key_id: str


async def spend(conn: Conn, *, authenticator_id: UUID, now: datetime) -> Tried | None:
    """Spend one try; call it on its own, so that nothing can take it back. None: the code is dead."""
    row = await conn.one(_SPEND, authenticator_id=authenticator_id, now=now)
    return None if row is None else Tried(**row)


async def use(conn: Conn, *, authenticator_id: UUID, nonce: bytes, now: datetime) -> bool:
    """Use up the code that was right. True for exactly one caller, ever; never of a SIM that was seen changed."""
    return bool(await conn.value(_PROVED, authenticator_id=authenticator_id, nonce=nonce, now=now))
