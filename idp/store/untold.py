"""Authenticators whose hold has not begun, because nobody could be told of them so far (design 5)."""

from datetime import datetime, timedelta

from sqlalchemy import text

from idp.store.challenges import MESSAGE_CHANNEL
from idp.store.composed import Statement
from idp.store.engine import Conn

AGAIN_AFTER = timedelta(minutes=15)  # the first round after the notice itself; each wait is as long as all before
AT_MOST = timedelta(days=1)
REMOVED = "authenticator_removed"


# Begins the hold of the authenticator that `heard` (columns `about`, `kind`) is about. What follows the removal of one
# begins with the notice of the removal, not with a late one of its enrolment.
HOLDING = f"""
    UPDATE authenticator a SET trusted_at = :now::timestamptz + a.hold, hold = NULL, tell_at = NULL
    FROM heard
    WHERE a.id = heard.about AND a.hold IS NOT NULL AND a.confirmed_at IS NOT NULL
      AND (a.closed_at IS NULL OR heard.kind = '{REMOVED}')"""

_TELL_AGAIN = Statement(
    text("""
    WITH due AS (
        SELECT id, account_id, closed_at, factor, coalesce(closed_at, confirmed_at) AS since
        FROM authenticator
        WHERE tell_at <= :now
        ORDER BY tell_at
        LIMIT 500
        FOR UPDATE SKIP LOCKED
    ), later AS (
        UPDATE authenticator
        SET tell_at = CASE
            WHEN :now < due.since + CAST(:longest AS interval)
            THEN :now + least(
                CAST(:at_most AS interval),
                greatest(CAST(:again_after AS interval), :now - due.since)
            )
        END
        FROM due
        WHERE authenticator.id = due.id
        RETURNING authenticator.id
    ), where_to AS (
        SELECT due.id AS about, phone.id AS authenticator_id, 'sms' AS channel
        FROM due JOIN authenticator AS phone ON phone.account_id = due.account_id
        WHERE phone.factor = 'sms' AND phone.confirmed_at IS NOT NULL AND phone.closed_at IS NULL
        UNION ALL
        SELECT due.id, NULL, 'email'
        FROM due JOIN account ON account.id = due.account_id
        WHERE account.email IS NOT NULL AND CAST(:mail AS boolean)
    ), told AS (
        INSERT INTO message
            (id, account_id, authenticator_id, channel, kind, locale, created_at, expires_at, about)
        SELECT
            gen_random_uuid(), account.id, where_to.authenticator_id, where_to.channel,
            CASE WHEN due.closed_at IS NOT NULL THEN 'authenticator_removed' ELSE due.factor || '_added' END,
            account.locale, :now, CAST(:expires_at AS timestamptz), due.id
        FROM due
        JOIN where_to ON where_to.about = due.id
        JOIN account ON account.id = due.account_id
        WHERE NOT EXISTS (
            SELECT FROM message AS waiting
            WHERE waiting.account_id = account.id AND waiting.about = due.id AND waiting.channel = where_to.channel
                AND waiting.authenticator_id IS NOT DISTINCT FROM where_to.authenticator_id
                AND waiting.state = 'waiting' AND waiting.expires_at > :now
        )
        RETURNING id
    )
    SELECT count(*), CASE WHEN count(*) > 0 THEN CAST(pg_notify(:channel, '') AS text) END FROM told
    """)
)


async def tell_again(conn: Conn, *, expires_at: datetime, tried_for: timedelta, mail: bool, now: datetime) -> int:
    """Put another notice, to every channel, into the outbox for whom nobody could be told of in time; how many.

    For any number of callers at once each is told of once a round; the rounds become rarer, and end after `tried_for`:
    then an operator has to vouch.
    """
    row = await conn.one(
        _TELL_AGAIN,
        expires_at=expires_at,
        mail=mail,
        now=now,
        again_after=AGAIN_AFTER,
        at_most=AT_MOST,
        longest=tried_for,
        channel=MESSAGE_CHANNEL,
    )
    return 0 if row is None else int(row[0])
