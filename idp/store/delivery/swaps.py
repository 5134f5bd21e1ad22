"""What is known of a phone's SIM, written down where it counts: on the message, its question, and the phone.

Locks come in the order message, question, phone: a proof takes its question before its phone.
"""

from collections.abc import Sequence
from datetime import datetime

from idp.audit import Event
from idp.store.audits import audit_values
from idp.store.delivery.messages import Outgoing
from idp.store.engine import Conn
from idp.store.sql import Sql

DENIED_BY = "sim_swap"

# Writes the verdict `swap`, if there is one, on the question whose code is about to be sent (`begun`): so it is there
# before anybody can know the code. A phone whose SIM is known not to be changed is cleared, after its question.
NOTING = """
noted AS (
    UPDATE challenge c SET swap = :swap FROM begun
    WHERE :swap IS NOT NULL AND c.interaction_id = begun.interaction_id AND c.factor = 'sms' AND c.nonce = begun.nonce
      AND c.swap IS DISTINCT FROM 'swapped'
    RETURNING 1
),
noted_new AS (
    UPDATE verification v SET swap = :swap FROM begun
    WHERE :swap IS NOT NULL AND v.authenticator_id = begun.authenticator_id AND v.nonce = begun.nonce
      AND v.swap IS DISTINCT FROM 'swapped'
    RETURNING 1
),
cleared AS (
    UPDATE authenticator a SET swapped_at = NULL FROM begun
    WHERE :swap = 'not_swapped' AND a.id = begun.authenticator_id AND a.swapped_at IS NOT NULL
      AND (SELECT count(*) FROM noted) + (SELECT count(*) FROM noted_new) >= 0
)"""

_DENY = Sql(f"""
WITH phones AS (
    SELECT id, account_id FROM authenticator
    WHERE (id = :authenticator_id OR lookup = ANY (:number_keys)) AND factor = 'sms'
),
held AS (
    SELECT id FROM message
    WHERE account_id IN (SELECT account_id FROM phones) AND authenticator_id IN (SELECT id FROM phones)
      AND kind = 'code' AND state = 'waiting'
    ORDER BY id
    FOR UPDATE
),
denied AS (
    UPDATE message
    SET state = 'denied', denied_by = '{DENIED_BY}', swap = 'swapped', region = coalesce(region, :region),
        lease_until = NULL
    WHERE id IN (SELECT id FROM held)
    RETURNING id, account_id
),
-- Out of tries, whatever any node's clock says; and `swap` for a code that is just being consumed.
dead AS (
    UPDATE challenge SET attempts = max_attempts, swap = 'swapped'
    WHERE authenticator_id IN (SELECT id FROM phones) AND factor = 'sms' AND consumed_at IS NULL
      AND (SELECT count(*) FROM denied) >= 0
    RETURNING 1
),
dead_new AS (
    UPDATE verification SET attempts = max_attempts, swap = 'swapped'
    WHERE authenticator_id IN (SELECT id FROM phones) AND (SELECT count(*) FROM dead) >= 0
    RETURNING 1
),
seen AS (
    UPDATE authenticator SET swapped_at = :now
    WHERE id IN (SELECT id FROM phones) AND (SELECT count(*) FROM dead_new) >= 0
),
this AS (SELECT account_id FROM denied WHERE id = :message_id),
audited AS (
    INSERT INTO audit_event (at, name, account_id, fields)
    SELECT :now, :audit_name, account_id, :audit_fields FROM this
)
SELECT EXISTS (SELECT FROM this) AS denied""")


async def deny(
    conn: Conn, outgoing: Outgoing, *, number_keys: Sequence[bytes], region: str | None, audit: Event, now: datetime
) -> str:
    """The SIM of this message's phone was changed: no code goes there, and none that went there is good any more.

    All in one statement, for every phone with this number, under all of our keys. The message's state afterwards.
    """
    denied = await conn.value(
        _DENY,
        message_id=outgoing.id,
        authenticator_id=outgoing.authenticator_id,
        number_keys=number_keys,
        region=region,
        now=now,
        **audit_values(audit),
    )
    return "denied" if denied else "gone"
