"""The outbox: notices that are put into it, and what is read of its messages. Sending them is in `leases`.

Codes are put into it with their question, in `challenges`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from idp.model import Texting
from idp.model.links import LinkFor
from idp.store.engine import Conn, Row
from idp.store.sql import Sql

CHANNEL = "stile_message"
MARGIN = timedelta(seconds=30)  # nothing is sent that expires sooner (sms.md 3)


def waking(if_any: str) -> str:
    """Wakes the senders when the CTE `if_any` has a row. NULL otherwise."""
    return f"CASE WHEN EXISTS (SELECT FROM {if_any}) THEN pg_notify('{CHANNEL}', '')::text END"


@dataclass(frozen=True, slots=True)
class Try:
    """A call of a provider for a message. No outcome: it is being made, or nobody lived to write down how it ended."""

    gateway: str
    outcome: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message: what to say (`kind`, `fields`), how to derive its code, and where it goes.

    `details` are those that its code approves, as they stand in the request. `sealed_number` for a text message,
    `email` for mail, or where mail goes elsewhere `sealed_to`; to somebody in this time `zone`, as far as that is
    known. `swapped_at` is when the phone's SIM was last seen changed. `lease` proves to the statements below that it is
    still ours. `wanted`: a code that could still be used.
    """

    id: UUID
    account_id: UUID
    authenticator_id: UUID | None
    channel: str
    kind: str
    fields: dict[str, Any]
    locale: str | None
    created_at: datetime
    expires_at: datetime
    sealed_number: bytes | None = field(repr=False)
    email: str | None = field(repr=False)
    nonce: bytes | None = field(repr=False)
    key_id: str | None
    purpose: str | None
    details: str | None = field(default=None, repr=False)
    sealed_to: bytes | None = field(default=None, repr=False)
    username: str = ""
    swapped_at: datetime | None = None
    zone: str | None = None
    lease: datetime | None = None
    tries: tuple[Try, ...] = ()
    blocked: tuple[tuple[str, str, timedelta], ...] = ()
    wanted: bool = True


OUTGOING = """m.id, m.account_id, m.authenticator_id, m.channel, m.kind, m.fields, m.locale, m.created_at, m.expires_at,
    phone.sealed AS sealed_number, CASE WHEN m.former THEN p.former_email ELSE p.email END AS email,
    m.nonce, m.key_id, m.purpose, m.sealed_to, p.username,
    phone.swapped_at, p.claims ->> 'zoneinfo' AS zone,
    CASE WHEN m.purpose LIKE 'approve/%' THEN (
        SELECT i.request ->> 'details' FROM interaction i WHERE i.id = m.interaction_id) END AS details"""
# Where the message `m` goes: an e-mail message belongs to no phone.
WHERE_TO = """
JOIN account p ON p.id = m.account_id
LEFT JOIN authenticator phone ON phone.id = m.authenticator_id"""
_NAMES = frozenset(each.name for each in fields(Outgoing))


def read_outgoing(row: Row) -> Outgoing:
    """The message in the columns `OUTGOING`, and in whatever others of a row have the name of one of its fields."""
    return Outgoing(**{name: value for name, value in row.items() if name in _NAMES})


@dataclass(frozen=True, slots=True)
class FreezeLink:
    """A link by which a person freezes their account: the hash of its token, and from what that is derived."""

    hash: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    key_id: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Telling:
    """A notice to every channel of a person, as it is put into the outbox: what happened (`kind`, `fields`).

    It goes to every phone as far as `texting` says (to the closed phone `also` too), and with `mail` to the e-mail
    address, if there is one. The hold of the authenticator that it is `about` begins when a provider took it
    (`untold`). The mail carries a link that freezes, if the address is known to be theirs.
    """

    account_id: UUID
    kind: str
    locale: str | None
    expires_at: datetime
    fields: Mapping[str, Any] = field(default_factory=dict)
    texting: Texting = Texting.ALWAYS
    mail: bool = False
    also: UUID | None = None
    about: UUID | None = None
    link: FreezeLink | None = None

    def values(self) -> dict[str, Any]:
        """The values of `NOTICED`, besides `now`."""
        link = {f"link_{each.name}": getattr(self.link, each.name, None) for each in fields(FreezeLink)}
        return {f"notice_{each.name}": getattr(self, each.name) for each in fields(self)} | link


# Of the table account: it had another address lately, which is told too.
FORMER = "account.former_until > :now AND account.former_email IS DISTINCT FROM account.email"
_MAILED = """
        SELECT id, email_verified FROM account
        WHERE id = :notice_account_id AND email IS NOT NULL AND email_refused_at IS NULL AND :notice_mail::boolean"""


def noticed(when: str = "true") -> str:
    """CTEs that put a notice out, see `Telling`, if `when` holds. `noticed` has a row for each phone and mailbox."""
    return f"""noticed AS (
    INSERT INTO message (id, account_id, authenticator_id, channel, kind, fields, locale, created_at, expires_at, about,
                         former, nonce, key_id)
    SELECT gen_random_uuid(), account_id, phone_id, channel, :notice_kind, :notice_fields, :notice_locale, :now,
           :notice_expires_at::timestamptz, :notice_about::uuid,
           former, CASE WHEN linked THEN :link_nonce::bytea END, CASE WHEN linked THEN :link_key_id::text END
    FROM (
        SELECT account_id, id AS phone_id, 'sms' AS channel, false AS former, false AS linked
        FROM authenticator
        WHERE account_id = :notice_account_id AND factor = 'sms' AND confirmed_at IS NOT NULL
          AND (closed_at IS NULL OR told_until > :now OR id = :notice_also::uuid)
          AND (:notice_texting = '{Texting.ALWAYS}'
               -- A mailbox that nobody proved to be theirs may be somebody else's, and stands for no phone.
               OR :notice_texting = '{Texting.UNMAILED}'
                  AND NOT EXISTS (SELECT FROM ({_MAILED}) mailed WHERE email_verified))
          -- A new phone tells nobody but its holder of itself.
          AND id IS DISTINCT FROM :notice_about::uuid
        UNION ALL
        SELECT id, NULL, 'email', false, email_verified FROM ({_MAILED}) mailed
        UNION ALL
        SELECT id, NULL, 'email', true, true FROM account
        WHERE id = :notice_account_id AND {FORMER} AND :notice_mail::boolean
    ) where_to
    WHERE {when}
    RETURNING id, account_id, kind, fields, nonce
),
linked AS (
    INSERT INTO link (hash, purpose, account_id, fields, created_at, expires_at)
    SELECT DISTINCT :link_hash::bytea, '{LinkFor.FREEZE}', account_id, fields || jsonb_build_object('kind', kind),
           :now::timestamptz, :link_until::timestamptz
    FROM noticed WHERE nonce IS NOT NULL
)"""


_NOTICE = Sql(f"""
WITH {noticed()}
SELECT id, pg_notify('{CHANNEL}', '') FROM noticed""")


async def notice(conn: Conn, telling: Telling, *, now: datetime) -> int:
    """Put a notice into the outbox, once for each phone and mailbox that it goes to; how many these are."""
    return len(await conn.all(_NOTICE, **telling.values(), now=now))


_RECENT = Sql(f"""
SELECT {OUTGOING}
FROM message m {WHERE_TO}
WHERE m.created_at > :since AND m.state = 'sent'
ORDER BY m.created_at DESC, m.id
LIMIT 50""")


async def recent(conn: Conn, *, since: datetime) -> Sequence[Outgoing]:
    """What was sent lately, newest first, at most 50: for the development inbox."""
    return [read_outgoing(row) for row in await conn.all(_RECENT, since=since)]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a message got: its state, what receipts tell, and who denied it."""

    state: str
    expires_at: datetime
    reported: str | None
    denied_by: str | None


# Of the message `m`.
PROGRESS = """m.state, m.expires_at, m.denied_by, (
    SELECT delivery FROM message_attempt
    WHERE message_id = m.id AND delivery IS NOT NULL
    -- One of two tries that arrived is enough.
    ORDER BY delivery = 'delivered' DESC, started_at DESC
    LIMIT 1
) AS reported"""
_STATE = Sql(f"""
SELECT {PROGRESS}
FROM message m
WHERE m.interaction_id = :interaction_id AND m.channel = :channel
ORDER BY m.created_at DESC
LIMIT 1""")


async def state_of(conn: Conn, *, interaction_id: UUID, channel: str = "sms") -> Progress | None:
    """How far the latest message of an interaction got."""
    row = await conn.one(_STATE, interaction_id=interaction_id, channel=channel)
    return None if row is None else Progress(**row)


@dataclass(frozen=True, slots=True)
class Logged:
    """A message of one person and one try to send it; without a gateway none was made."""

    message: Outgoing
    state: str
    denied_by: str | None
    swap: str | None
    gateway: str | None
    region: str | None
    started_at: datetime | None
    outcome: str | None
    reason: str | None
    provider_id: str | None
    provider_code: str | None
    delivery: str | None
    delivery_reason: str | None
    delivery_at: datetime | None
    segments: int | None
    cost: str | None
    currency: str | None


# Of the message `m` and one of its tries `t`.
LOGGED = """m.state, m.denied_by, m.swap,
    t.gateway, coalesce(t.region, m.region) AS region, t.started_at, t.outcome, t.reason, t.provider_id,
    t.provider_code, t.delivery, t.delivery_reason, t.delivery_at, t.segments, t.cost, t.currency"""
_LOG = Sql(f"""
WITH latest AS (
    SELECT * FROM message WHERE account_id = :account_id ORDER BY created_at DESC, id LIMIT :limit
)
SELECT {OUTGOING}, {LOGGED}
FROM latest m {WHERE_TO}
LEFT JOIN message_attempt t ON t.message_id = m.id
ORDER BY m.created_at DESC, m.id, t.started_at DESC""")


async def log(conn: Conn, *, account_id: UUID, limit: int) -> Sequence[Logged]:
    """The latest messages of a person, newest first, one line for each try."""
    return [read_logged(row) for row in await conn.all(_LOG, account_id=account_id, limit=limit)]


def read_logged(row: Row) -> Logged:
    """The message and its try in the columns `OUTGOING` and `LOGGED`."""
    return Logged(read_outgoing(row), **{name: value for name, value in row.items() if name not in _NAMES})


_BACKLOG = Sql("""
SELECT count(*) AS waiting, min(created_at) AS oldest FROM message WHERE state = 'waiting' AND expires_at > :now""")


async def backlog(conn: Conn, *, now: datetime) -> tuple[int, datetime | None]:
    """How many messages wait, and since when the oldest does."""
    row = await conn.one(_BACKLOG, now=now)
    return (row["waiting"], row["oldest"]) if row else (0, None)
