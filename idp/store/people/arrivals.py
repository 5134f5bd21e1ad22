"""People who come from another system: many at once, each whole or not at all, with the audit row that says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from idp.audit import Event
from idp.errors import AlreadyThere
from idp.model import OUR_CODES, Account, Authenticator, Passkey, Past
from idp.store.audits import audit_values
from idp.store.engine import Conn, Connection
from idp.store.people.authenticators import AGAIN_AFTER
from idp.store.sql import Sql, values_of

# Who is there already, by name or by id, is left alone. An address that somebody else has proved is not proved again.
_ADD = Sql("""
WITH arriving AS (
    SELECT * FROM jsonb_to_recordset(:people) AS arriving (
        id uuid, username text, password_hash text, name text, email text, email_verified boolean, groups text[],
        claims jsonb, locale text, prefers text, disabled_at timestamptz, frozen_at timestamptz,
        strong_from timestamptz, password_until timestamptz, email_trusted_at timestamptz,
        email_refused_at timestamptz, former_email text, former_until timestamptz, created_at timestamptz,
        updated_at timestamptz, audit_name text, audit_fields jsonb)
),
made AS (
    INSERT INTO account (id, username, password_hash, name, email, email_verified, groups, claims, locale, prefers,
                         disabled_at, frozen_at, strong_from, password_until, email_trusted_at, email_refused_at,
                         former_email, former_until, created_at, updated_at)
    SELECT id, username, password_hash, name, email,
           email_verified AND NOT EXISTS (
               SELECT FROM account other
               WHERE lower(other.email COLLATE "C") = lower(arriving.email COLLATE "C") AND other.email_verified),
           groups, claims, locale, prefers, disabled_at, frozen_at, strong_from, password_until, email_trusted_at,
           email_refused_at, former_email, former_until, created_at, updated_at
    FROM arriving
    ORDER BY username  -- two imports at once wait for each other in one order
    ON CONFLICT DO NOTHING
    RETURNING id, email_verified
),
enrolled AS (
    INSERT INTO authenticator (id, account_id, factor, label, hint, sealed, lookup, created_at, confirmed_at,
                               trusted_at, hold, tell_at, last_step, preferred_at, algorithm, digits, period,
                               credential_id, sign_count, eligible, copied, attested, transports, aaguid, last_used_at,
                               checked_at, closed_at, told_until, swapped_at)
    SELECT theirs.id, made.id, theirs.factor, theirs.label, theirs.hint, decode(theirs.sealed, 'hex'),
           decode(theirs.number_key, 'hex'), theirs.created_at, theirs.confirmed_at, theirs.trusted_at, theirs.hold,
           CASE WHEN theirs.hold IS NOT NULL THEN :now::timestamptz + :again_after::interval END, theirs.last_step,
           theirs.preferred_at, theirs.algorithm, theirs.digits, theirs.period,
           decode(theirs.credential_id, 'hex'), coalesce(theirs.sign_count, 0), theirs.eligible, theirs.copied,
           theirs.attested, theirs.transports, theirs.aaguid, theirs.last_used_at, theirs.checked_at,
           theirs.closed_at, theirs.told_until,
           -- Threat 9: a SIM that was seen changed is changed for everybody who is given this number.
           greatest(theirs.swapped_at,
                    (SELECT max(swapped_at) FROM authenticator WHERE lookup = decode(theirs.number_key, 'hex')))
    FROM jsonb_to_recordset(:authenticators) AS theirs (
             id uuid, account_id uuid, factor text, label text, hint text, sealed text, number_key text,
             created_at timestamptz, confirmed_at timestamptz, trusted_at timestamptz, hold interval,
             last_step bigint, preferred_at timestamptz, last_used_at timestamptz, checked_at timestamptz,
             closed_at timestamptz, told_until timestamptz,
             algorithm text, digits smallint, period interval, credential_id text, sign_count bigint,
             eligible boolean, copied boolean, attested boolean, transports text[], aaguid text,
             swapped_at timestamptz)
    JOIN made ON made.id = theirs.account_id
    RETURNING id
),
saved AS (
    INSERT INTO recovery_code (hash, authenticator_id)
    SELECT decode(code.hash, 'hex'), enrolled.id
    FROM jsonb_to_recordset(:saved) AS code (authenticator_id uuid, hash text)
    JOIN enrolled ON enrolled.id = code.authenticator_id
    ON CONFLICT DO NOTHING
),
agreed AS (
    INSERT INTO consent (account_id, client_id, scopes, granted_at)
    SELECT made.id, client.id, agreed.scopes, coalesce(agreed.at, :now)
    FROM jsonb_to_recordset(:consents) AS agreed (account_id uuid, client_id text, scopes text[], at timestamptz)
    JOIN made ON made.id = agreed.account_id
    JOIN client ON client.id = agreed.client_id
),
suppressed AS (
    INSERT INTO suppressed_number (hash, reason, at)
    SELECT DISTINCT ON (number.hash) decode(number.hash, 'hex'), number.reason, number.at
    FROM jsonb_to_recordset(:suppressed) AS number (account_id uuid, hash text, reason text, at timestamptz)
    JOIN made ON made.id = number.account_id
    ON CONFLICT DO NOTHING
),
audited AS (
    INSERT INTO audit_event (at, name, account_id, fields)
    SELECT :now, arriving.audit_name, made.id, arriving.audit_fields FROM made JOIN arriving ON arriving.id = made.id
)
SELECT id, email_verified FROM made""")
_WOULD_ADD = Sql("""
SELECT wanted.id, wanted.email IS NOT NULL AND NOT EXISTS (
           SELECT FROM account other
           WHERE lower(other.email COLLATE "C") = lower(wanted.email COLLATE "C") AND other.email_verified
       ) AS email_verified
FROM unnest(:ids::uuid[], :usernames::text[], :emails::text[]) AS wanted (id, username, email)
WHERE NOT EXISTS (SELECT FROM account there WHERE there.username = wanted.username)
  AND NOT EXISTS (SELECT FROM account there WHERE there.id = wanted.id)""")

_TIMES = (
    "created_at", "confirmed_at", "trusted_at", "preferred_at", "swapped_at", "last_used_at", "checked_at", "closed_at",
)  # fmt: skip

# Any number that nobody else locks: what another import is about to prove, no look at the accounts finds.
_ONE_AT_A_TIME = Sql("SELECT pg_advisory_xact_lock(7310562944)")

_TAKEN = Sql("""
SELECT id, credential_id FROM authenticator
WHERE id = ANY (:ids::uuid[]) OR credential_id = ANY (:credential_ids::bytea[])""")


@dataclass(frozen=True, slots=True)
class Enrolled:
    """An authenticator of somebody who arrives, with its seed, number or key, sealed, or the hashes of saved codes.

    `suppressed` is the hash by which its number is known as one that nothing is sent to; why is in their past.
    """

    authenticator: Authenticator
    sealed: bytes | None = field(default=None, repr=False)
    saved: tuple[bytes, ...] = field(default=(), repr=False)
    suppressed: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who arrives, with all that is theirs. `consents` are scopes by client."""

    account: Account
    audit: Event
    password_hash: str | None = field(default=None, repr=False)
    enrolled: tuple[Enrolled, ...] = ()
    consents: Mapping[str, Sequence[str]] = field(default_factory=dict)
    past: Past = field(default_factory=Past)


async def one_at_a_time(conn: Connection) -> None:
    """Until the transaction ends, nobody else brings addresses that are proved: of two with one, one has it."""
    await conn.one(_ONE_AT_A_TIME)


async def add(conn: Conn, arrivals: Sequence[Arrival], *, now: datetime) -> Mapping[UUID, bool]:
    """Store those who are not there yet, by username and by id; of each whether the e-mail address counts as proved.

    Each comes whole, once, however many imports run. Raises `AlreadyThere`, and nobody came, where somebody else was
    given an authenticator of theirs since they were asked for (`taken`).
    """
    people = [_person(each, now) for each in arrivals]
    enrolled = [_enrolled(each, arrival.past) for arrival in arrivals for each in arrival.enrolled]
    consents = [
        {
            "account_id": str(arrival.account.id),
            "client_id": client_id,
            "scopes": list(scopes),
            "at": _time(arrival.past.agreed_at.get(client_id)),
        }
        for arrival in arrivals
        for client_id, scopes in arrival.consents.items()
    ]
    saved = [
        {"authenticator_id": str(each.authenticator.id), "hash": code.hex()}
        for arrival in arrivals
        for each in arrival.enrolled
        for code in each.saved
    ]
    suppressed = [
        {"account_id": str(arrival.account.id), "hash": each.suppressed.hex(), "reason": reason, "at": _time(at)}
        for arrival in arrivals
        for each in arrival.enrolled
        if each.suppressed is not None
        for reason, at in [arrival.past.suppressed[each.authenticator.id]]
    ]
    given = {"people": people, "authenticators": enrolled, "saved": saved, "consents": consents}
    try:
        rows = await conn.all(_ADD, **given, suppressed=suppressed, again_after=AGAIN_AFTER, now=now)
    except asyncpg.UniqueViolationError:
        raise AlreadyThere("Somebody was given an authenticator of this file meanwhile: run it again.") from None
    return {row["id"]: row["email_verified"] for row in rows}


def marks(enrolled: Enrolled) -> set[UUID | bytes]:
    """What two authenticators cannot have: their ids, and of a passkey the one that browsers know it by."""
    one = enrolled.authenticator
    return {one.id} if one.passkey is None else {one.id, one.passkey.credential_id}


async def taken(conn: Conn, arrivals: Sequence[Arrival]) -> frozenset[UUID | bytes]:
    """Which of these marks somebody here has."""
    found = {mark for arrival in arrivals for each in arrival.enrolled for mark in marks(each)}
    ids = [each for each in found if isinstance(each, UUID)]
    credential_ids = [each for each in found if isinstance(each, bytes)]
    rows = await conn.all(_TAKEN, ids=ids, credential_ids=credential_ids)
    return frozenset(found & {mark for row in rows for mark in (row["id"], row["credential_id"])})


async def would_add(conn: Conn, arrivals: Sequence[Arrival]) -> Mapping[UUID, bool]:
    """What `add` would answer now; nothing is stored."""
    wanted = [each.account for each in arrivals]
    rows = await conn.all(
        _WOULD_ADD,
        ids=[each.id for each in wanted],
        usernames=[each.username for each in wanted],
        emails=[each.email if each.email_verified else None for each in wanted],
    )
    return {row["id"]: row["email_verified"] for row in rows}


def _person(arrival: Arrival, now: datetime) -> dict[str, Any]:
    account = arrival.account
    return {
        **_plain(values_of(account)),
        "claims": dict(account.claims),
        "disabled_at": _time(arrival.past.disabled_at or now) if account.disabled else None,
        "former_email": arrival.past.former_email,
        "former_until": _time(arrival.past.former_until),
        "password_hash": arrival.password_hash,
        **audit_values(arrival.audit),
    }


def _enrolled(each: Enrolled, past: Past) -> dict[str, Any]:
    one = each.authenticator
    codes = None if one.codes == OUR_CODES else one.codes
    return {
        "id": str(one.id),
        "account_id": str(one.account_id),
        "factor": one.factor.value,
        "label": one.label,
        "hint": one.hint,
        "sealed": None if each.sealed is None else each.sealed.hex(),
        "number_key": None if one.number_key is None else one.number_key.hex(),
        **{name: _time(getattr(one, name)) for name in _TIMES},
        "told_until": _time(past.told_until.get(one.id)),
        "hold": None if one.hold is None else f"{one.hold.total_seconds()} seconds",
        "last_step": one.last_step,
        "algorithm": codes and codes.algorithm,
        "digits": codes and codes.digits,
        "period": codes and f"{codes.period.total_seconds()} seconds",
        **({} if one.passkey is None else _passkey(one.passkey)),
    }


def _passkey(passkey: Passkey) -> dict[str, Any]:
    return {
        "credential_id": passkey.credential_id.hex(),
        "sign_count": passkey.count,
        "eligible": passkey.eligible,
        "copied": passkey.copied,
        "attested": passkey.attested,
        "transports": list(passkey.transports),
        "aaguid": passkey.aaguid,
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON has it."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, UUID) else value
        for name, value in values.items()
    }
