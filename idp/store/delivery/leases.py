"""Sending under a lease: claim a message, write down each try before it is made and how it ended, let go.

A lease is taken by one sender at a time, and whatever it writes later holds only while the lease is still its own.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from idp.audit import Event
from idp.model import Swap
from idp.store.audits import audit_values
from idp.store.delivery.breakers import BLOCKED, NOWHERE
from idp.store.delivery.messages import MARGIN, OUTGOING, WHERE_TO, Outgoing, Try, read_outgoing
from idp.store.delivery.swaps import NOTING
from idp.store.delivery.untold import HOLDING
from idp.store.engine import Conn
from idp.store.sql import Sql

LEASE = timedelta(seconds=20)

_CLAIM = Sql(f"""
WITH due AS (
    SELECT id FROM message
    WHERE state = 'waiting' AND lease_until <= :now AND expires_at > :too_late AND channel = ANY (:channels)
    ORDER BY lease_until, created_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
),
claimed AS (
    UPDATE message SET lease_until = :leased FROM due WHERE message.id = due.id RETURNING message.*
)
SELECT {OUTGOING}, m.lease_until AS lease,
    (SELECT jsonb_agg(jsonb_build_array(gateway, outcome, reason) ORDER BY started_at)
     FROM message_attempt WHERE message_id = m.id) AS tries,
    ({BLOCKED}) AS blocked,
    -- A notice always is. A code is while its question is open, in a session that goes on, to an open phone.
    m.kind <> 'code' OR p.disabled_at IS NULL AND phone.closed_at IS NULL AND (EXISTS (
        SELECT FROM challenge c
        JOIN interaction i ON i.id = c.interaction_id
        JOIN session s ON s.id = i.session_id
        WHERE c.interaction_id = m.interaction_id AND c.factor = m.channel AND c.nonce = m.nonce
          AND c.consumed_at IS NULL AND c.attempts < c.max_attempts
          AND i.finished_at IS NULL AND s.ended_at IS NULL
    ) OR EXISTS (
        SELECT FROM verification v JOIN session s ON s.id = phone.session_id
        WHERE v.authenticator_id = phone.id AND v.nonce = m.nonce AND v.attempts < v.max_attempts
          AND phone.confirmed_at IS NULL AND s.ended_at IS NULL
    )) AS wanted
FROM claimed m {WHERE_TO}""")


async def claim(conn: Conn, *, channels: Sequence[str], now: datetime) -> Outgoing | None:
    """Take a waiting message of these channels under a lease, those first that nobody had yet. None if there is none.

    A sender that dies leaves the lease to run out; then one other takes the message over.
    """
    row = await conn.one(_CLAIM, channels=channels, now=now, too_late=now + MARGIN, leased=now + LEASE)
    if row is None:
        return None
    return replace(
        read_outgoing(row),
        tries=tuple(Try(*each) for each in row["tries"] or ()),
        blocked=tuple((gateway, region, timedelta(seconds=wait)) for gateway, region, wait in row["blocked"] or ()),
    )


_OURS = "id = :message_id AND state = 'waiting' AND lease_until = :lease AND lease_until > :now"

_BEGIN = Sql(f"""
WITH begun AS (
    UPDATE message
    SET tries = tries + 1, region = :region, lease_until = :leased, swap = coalesce(:swap, swap)
    WHERE {_OURS} AND expires_at > :too_late AND tries < :most
    RETURNING id, lease_until, interaction_id, authenticator_id, nonce
),
attempt AS (
    INSERT INTO message_attempt (id, message_id, gateway, region, started_at)
    SELECT :attempt_id, id, :gateway, coalesce(:region, '{NOWHERE}'), :now FROM begun
),
{NOTING}
SELECT lease_until FROM begun""")


async def begin(
    conn: Conn,
    outgoing: Outgoing,
    *,
    attempt_id: UUID,
    gateway: str,
    region: str | None,
    most: int,
    now: datetime,
    swap: Swap | None = None,
) -> datetime | None:
    """Write down a try before it is made, with what is known of the SIM, and renew the lease.

    None: the message is not ours any more, or too late.
    """
    lease: datetime | None = await conn.value(
        _BEGIN,
        message_id=outgoing.id,
        lease=outgoing.lease,
        attempt_id=attempt_id,
        gateway=gateway,
        region=region,
        most=most,
        swap=swap,
        now=now,
        too_late=now + MARGIN,
        leased=now + LEASE,
    )
    return lease


_END = Sql(f"""
UPDATE message
SET state = :state, denied_by = :denied_by, region = coalesce(:region, region), lease_until = :again_at
WHERE {_OURS}
RETURNING state""")


async def let_go(
    conn: Conn,
    outgoing: Outgoing,
    state: str,
    *,
    now: datetime,
    region: str | None = None,
    again_at: datetime | None = None,
    denied_by: str | None = None,
) -> str:
    """Let go of a claimed message without a try. The message's state afterwards; `gone` if it was not ours any more.

    waiting: until `again_at`; failed: nobody can send it; expired: nobody waits for it; denied: by this rule.
    """
    values = {"state": state, "region": region, "again_at": again_at, "denied_by": denied_by, "now": now}
    return await conn.value(_END, message_id=outgoing.id, lease=outgoing.lease, **values) or "gone"


_MARK = Sql(f"""
WITH done AS (
    UPDATE message_attempt
    SET finished_at = :now, outcome = :outcome, reason = :reason, provider_code = :provider_code,
        -- A receipt may have come before, and have told the provider's id.
        provider_id = coalesce(:provider_id, provider_id),
        segments = :segments, cost = :cost, currency = :currency
    WHERE id = :attempt_id AND finished_at IS NULL
    RETURNING message_id
),
-- A slow try may end after another sender took over: what was sent stays sent, the rest is the other's to say.
marked AS (
    UPDATE message
    SET state = CASE WHEN state <> 'waiting' THEN state
                     WHEN :sent THEN 'sent'
                     WHEN lease_until = :lease AND :final THEN 'failed'
                     ELSE 'waiting' END,
        lease_until = CASE WHEN :sent OR (state = 'waiting' AND lease_until = :lease) THEN :again_at
                           ELSE lease_until END
    FROM done
    WHERE id = done.message_id
    RETURNING state, account_id, about, kind
),
heard AS (SELECT account_id, about, kind FROM marked WHERE :sent),
audited AS (
    INSERT INTO audit_event (at, name, account_id, fields)
    SELECT :now, :audit_name, account_id, :audit_fields FROM heard
),
holding AS ({HOLDING})
SELECT state FROM marked""")


async def mark(
    conn: Conn,
    *,
    attempt_id: UUID,
    lease: datetime,
    outcome: str,
    sent: bool,
    final: bool,
    now: datetime,
    audit: Event,
    again_at: datetime | None = None,
    reason: str | None = None,
    provider_code: str | None = None,
    provider_id: str | None = None,
    segments: int | None = None,
    cost: str | None = None,
    currency: str | None = None,
) -> str | None:
    """Write down how a try ended; the message's state afterwards: sent, failed, or waiting (then until `again_at`).

    What was sent is audited in the same statement, and the hold of what it is about begins with it.
    """
    state: str | None = await conn.value(
        _MARK,
        attempt_id=attempt_id,
        lease=lease,
        outcome=outcome,
        sent=sent,
        final=final,
        now=now,
        again_at=None if sent or final else again_at,
        reason=reason,
        provider_code=provider_code,
        provider_id=provider_id,
        segments=segments,
        cost=cost,
        currency=currency,
        **audit_values(audit),
    )
    return state
