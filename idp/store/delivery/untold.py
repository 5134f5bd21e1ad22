"""Authenticators whose hold has not begun, because nobody could be told of them so far (design 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from idp.model.links import LinkFor
from idp.store.delivery.messages import FORMER, FreezeLink, waking
from idp.store.engine import Connection
from idp.store.people.authenticators import AGAIN_AFTER
from idp.store.sql import Sql

AT_MOST = timedelta(days=1)
REMOVED = "authenticator_removed"

# Begins the hold of the authenticator that `heard` (columns `about`, `kind`) is about. What follows the removal of one
# begins with the notice of the removal, not with a late one of its enrolment.
HOLDING = f"""
    UPDATE authenticator a SET trusted_at = :now::timestamptz + a.hold, hold = NULL, tell_at = NULL
    FROM heard
    WHERE a.id = heard.about AND a.hold IS NOT NULL AND a.confirmed_at IS NOT NULL
      AND (a.closed_at IS NULL OR heard.kind = '{REMOVED}')"""

_TELL_AGAIN = Sql(f"""
WITH due AS (
    SELECT id, account_id, closed_at, factor, coalesce(closed_at, confirmed_at) AS since
    FROM authenticator
    WHERE tell_at <= :now
    ORDER BY tell_at
    LIMIT 500
    FOR UPDATE SKIP LOCKED
),
later AS (
    UPDATE authenticator
    SET tell_at = CASE WHEN :now < due.since + :longest::interval
                       THEN :now + least(:at_most::interval, greatest(:again_after::interval, :now - due.since)) END
    FROM due
    WHERE authenticator.id = due.id
),
where_to AS (
    SELECT due.id AS about, phone.id AS authenticator_id, 'sms' AS channel, false AS former
    FROM due JOIN authenticator phone ON phone.account_id = due.account_id
    WHERE phone.factor = 'sms' AND phone.confirmed_at IS NOT NULL AND phone.id <> due.id
      AND (phone.closed_at IS NULL OR phone.told_until > :now)
    UNION ALL
    SELECT due.id, NULL, 'email', false
    FROM due JOIN account ON account.id = due.account_id
    WHERE account.email IS NOT NULL AND account.email_refused_at IS NULL AND :mail::boolean
    UNION ALL
    SELECT due.id, NULL, 'email', true
    FROM due JOIN account ON account.id = due.account_id
    WHERE {FORMER} AND :mail::boolean
),
told AS (
    INSERT INTO message (id, account_id, authenticator_id, channel, former, kind, fields, locale, created_at,
                         expires_at, about)
    SELECT gen_random_uuid(), account.id, where_to.authenticator_id, where_to.channel, where_to.former,
           CASE WHEN due.closed_at IS NOT NULL THEN '{REMOVED}'
                WHEN due.factor = 'sms' THEN 'phone_added'
                ELSE due.factor || '_added' END,
           jsonb_build_object('at', due.since), account.locale, :now, :expires_at::timestamptz, due.id
    FROM due
    JOIN where_to ON where_to.about = due.id
    JOIN account ON account.id = due.account_id
    WHERE NOT EXISTS (
        SELECT FROM message waiting
        WHERE waiting.account_id = account.id AND waiting.about = due.id AND waiting.channel = where_to.channel
          AND waiting.authenticator_id IS NOT DISTINCT FROM where_to.authenticator_id
          AND waiting.former = where_to.former
          AND waiting.state = 'waiting' AND waiting.expires_at > :now
    )
    RETURNING id, account_id, channel, former
)
SELECT told.id, told.channel = 'email' AND (account.email_verified OR told.former) AS linkless, {waking("told")}
FROM told JOIN account ON account.id = told.account_id""")

_LINK = Sql(f"""
WITH made AS (
    SELECT * FROM unnest(:ids::uuid[], :hashes::bytea[], :nonces::bytea[], :keys::text[]) AS made (id, hash, nonce, key)
),
carrying AS (
    UPDATE message SET nonce = made.nonce, key_id = made.key FROM made WHERE message.id = made.id
    RETURNING made.hash, message.account_id, message.kind, message.fields
)
INSERT INTO link (hash, purpose, account_id, fields, created_at, expires_at)
SELECT hash, '{LinkFor.FREEZE}', account_id, fields || jsonb_build_object('kind', kind), :now, :until::timestamptz
FROM carrying""")


@dataclass(frozen=True, slots=True)
class Retold:
    """How many notices were put out, and which of them are mails that may carry a link."""

    told: int
    linkless: Sequence[UUID]


async def tell_again(
    conn: Connection, *, expires_at: datetime, tried_for: timedelta, mail: bool, now: datetime
) -> Retold:
    """Put another notice, to every channel, into the outbox for whom nobody could be told of in time.

    For any number of callers at once each is told of once a round; the rounds become rarer, and end after `tried_for`:
    then an operator has to vouch.
    """
    rounds = {"again_after": AGAIN_AFTER, "at_most": AT_MOST, "longest": tried_for}
    rows = await conn.all(_TELL_AGAIN, expires_at=expires_at, mail=mail, now=now, **rounds)
    return Retold(len(rows), [row["id"] for row in rows if row["linkless"]])


async def link(conn: Connection, links: Mapping[UUID, FreezeLink], *, now: datetime) -> None:
    """Give these mails, which nobody could have sent yet, the links that they carry."""
    if links:
        made = list(links.values())
        await conn.one(
            _LINK,
            ids=list(links),
            hashes=[each.hash for each in made],
            nonces=[each.nonce for each in made],
            keys=[each.key_id for each in made],
            until=made[0].until,
            now=now,
        )
