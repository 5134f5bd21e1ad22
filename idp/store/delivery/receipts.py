"""What providers report after they took a message. It only moves forward, by one UPDATE, in whatever order it comes."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from idp.store.delivery.untold import HOLDING
from idp.store.engine import Conn
from idp.store.sql import Sql


@dataclass(frozen=True, slots=True)
class Reported:
    """A receipt that told something new, and the phone it is about (none for mail)."""

    message_id: UUID
    account_id: UUID
    authenticator_id: UUID | None
    sealed_number: bytes | None = field(repr=False)


def _progress(status: str) -> str:
    """The order of `idp.sms.latest`: what is final stays, nothing goes back."""
    return f"coalesce(array_position(ARRAY['unknown', 'queued', 'sent'], {status}), 4)"


_TAKEN = ":status IN ('queued', 'sent', 'delivered')"

_REPORT = Sql(f"""
WITH reported AS (
    UPDATE message_attempt
    SET delivery = :status, delivery_reason = :reason, delivery_code = :provider_code, delivery_at = :now,
        provider_id = coalesce(provider_id, :provider_id)
    WHERE id = :attempt_id AND gateway = :gateway
      -- It may be early, and tell us the provider's name for the message before the provider's answer does.
      AND (provider_id IS NULL OR provider_id = :provider_id)
      AND (delivery IS NULL OR {_progress(":status")} > {_progress("delivery")})
    RETURNING message_id
),
-- Who sent it may have died before writing that down, or have waited in vain for the answer: one is enough.
taken AS (
    UPDATE message SET state = 'sent', lease_until = NULL FROM reported
    WHERE id = reported.message_id AND state = 'waiting' AND {_TAKEN}
),
heard AS (
    SELECT m.about, m.kind FROM reported JOIN message m ON m.id = reported.message_id WHERE {_TAKEN}
),
holding AS ({HOLDING})
SELECT m.id AS message_id, m.account_id, m.authenticator_id, phone.sealed AS sealed_number
FROM reported
JOIN message m ON m.id = reported.message_id
LEFT JOIN authenticator phone ON phone.id = m.authenticator_id""")


async def report(
    conn: Conn,
    *,
    attempt_id: UUID,
    gateway: str,
    provider_id: str,
    status: str,
    reason: str | None,
    provider_code: str | None,
    now: datetime,
) -> Reported | None:
    """Note a receipt. None when there is no such try of this gateway, or nothing new is told."""
    row = await conn.one(
        _REPORT,
        attempt_id=attempt_id,
        gateway=gateway,
        provider_id=provider_id,
        status=status,
        reason=reason,
        provider_code=provider_code,
        now=now,
    )
    return None if row is None else Reported(**row)
