"""A new passkey, in one statement: its challenge used up, the change counted, the row, the trail, the notices."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from idp.audit import Event
from idp.limits import Limit
from idp.model import Authenticator
from idp.store.audits import AUDITED, audit_values
from idp.store.delivery.messages import Telling, noticed, waking
from idp.store.engine import Conn
from idp.store.people.authenticators import AGAIN_AFTER
from idp.store.rate_limits import charge_values, charged
from idp.store.sql import Sql, values_of


@dataclass(frozen=True, slots=True)
class Added:
    """What became of it. `fresh`: nobody has answered this challenge before; `owner`: who has this passkey already."""

    added: bool
    fresh: bool
    owner: UUID | None


@lru_cache(maxsize=8)
def _statement(limit: Limit) -> Sql:
    # WebAuthn 7.1, step 26: a credential id that anybody has is not registered again
    may = """EXISTS (SELECT FROM unused)
      AND NOT EXISTS (SELECT FROM authenticator WHERE credential_id = :credential_id)"""
    return Sql(f"""
WITH unused AS (
    INSERT INTO used_challenge (hash, used_at, expires_at) VALUES (:challenge, :now, :challenge_expires_at)
    ON CONFLICT DO NOTHING
    RETURNING hash
),
{charged([limit], when=may)},
added AS (
    INSERT INTO authenticator (id, account_id, factor, label, hint, sealed, created_at, confirmed_at, trusted_at, hold,
                               tell_at, enrolled_in, session_id, credential_id, sign_count, eligible, copied, attested,
                               transports, aaguid)
    SELECT :id, :account_id, :factor, :label, :hint, :public_key, :created_at, :created_at, :trusted_at, :hold,
           :tell_at, :enrolled_in, :session_id, :credential_id, :count, :eligible, :copied, :attested, :transports,
           :aaguid
    WHERE EXISTS (SELECT FROM charged)
    ON CONFLICT (credential_id) WHERE credential_id IS NOT NULL DO NOTHING
    RETURNING id
),
-- Where it was made it is asked for first, whatever was used here before.
used_here AS (
    UPDATE device SET factor = 'passkey'
    WHERE account_id = :account_id AND key = :device AND EXISTS (SELECT FROM added)
),
audited AS ({AUDITED} WHERE EXISTS (SELECT FROM added)),
{noticed("EXISTS (SELECT FROM added)")}
SELECT EXISTS (SELECT FROM added) AS added, EXISTS (SELECT FROM unused) AS fresh,
       (SELECT account_id FROM authenticator WHERE credential_id = :credential_id) AS owner, {waking("noticed")}""")


async def add(
    conn: Conn,
    new: Authenticator,
    *,
    session_id: UUID,
    challenge: bytes,
    challenge_expires_at: datetime,
    charge: tuple[Limit, bytes],
    device: bytes | None,
    audit: Event,
    telling: Telling,
    now: datetime,
) -> Added:
    """Store a passkey that answered this challenge in this session. `added` for exactly one caller, ever.

    Else nothing is told.
    """
    assert new.passkey is not None
    limit, key = charge
    row = await conn.one(
        _statement(limit),
        **values_of(new),
        **values_of(new.passkey) | {"transports": list(new.passkey.transports)},
        **telling.values(),
        **charge_values([key]),
        **audit_values(audit, account_id=new.account_id),
        session_id=session_id,
        challenge=challenge,
        challenge_expires_at=challenge_expires_at,
        device=device,
        tell_at=None if new.hold is None else now + AGAIN_AFTER,
        now=now,
    )
    assert row is not None
    return Added(row["added"], row["fresh"], row["owner"])
