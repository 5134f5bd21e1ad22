"""Accounts and their authenticators as columns, for every statement that loads a person."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from idp.model import OUR_CODES, Account, AppCodes, Authenticator, Device, Factor, Passkey
from idp.store.engine import Row

# Of the account `p`.
ACCOUNT = """p.id AS person_id, p.username, p.created_at AS person_created_at, p.updated_at AS person_updated_at,
    p.name, p.email, p.email_verified, p.email_refused_at, p.email_trusted_at, p.groups,
    p.claims AS person_claims, p.locale, p.prefers, p.disabled_at, p.frozen_at, p.strong_from,
    p.password_hash IS NULL AS invited, p.password_until, p.provisional_until"""
# A JSON array of the confirmed authenticators of the account `p`, oldest first: open ones, and those closed after
# `closed_since`, if it is given, for a hold must not end because the app it is about was removed.
AUTHENTICATORS = """(
    SELECT jsonb_agg(a ORDER BY a.created_at, a.id)
    FROM (
        SELECT t.id, t.factor, t.label, t.hint, t.created_at, t.trusted_at, extract(epoch FROM t.hold) AS hold,
               t.confirmed_at, t.enrolled_in, t.last_used_at, t.closed_at, t.swapped_at, t.checked_at, t.preferred_at,
               encode(t.lookup, 'hex') AS number_key, t.last_step,
               CASE WHEN t.factor = 'totp' THEN encode(t.sealed, 'hex') END AS seed,
               CASE WHEN t.digits IS NOT NULL THEN
                   jsonb_build_array(t.algorithm, t.digits, extract(epoch FROM t.period)) END AS codes,
               CASE WHEN t.factor = 'passkey' THEN jsonb_build_array(
                   encode(t.credential_id, 'hex'), encode(t.sealed, 'hex'), t.sign_count, t.eligible, t.copied,
                   t.attested, t.transports, t.aaguid) END AS passkey,
               (SELECT count(*) FROM recovery_code r WHERE r.authenticator_id = t.id AND r.used_at IS NULL) AS unused
        FROM authenticator t
        WHERE t.account_id = p.id AND t.confirmed_at IS NOT NULL
          AND (t.closed_at IS NULL OR t.closed_at > :closed_since)
    ) a
) AS authenticators"""

# The browser of this cookie, as far as the account `p` was signed in to from it.
DEVICE = """(
    SELECT jsonb_build_array(encode(d.key, 'hex'), d.factor) FROM device d
    WHERE d.account_id = p.id AND d.key = :device AND d.expires_at > :now
) AS device"""


def read_account(row: Row) -> Account | None:
    """The account in the columns `ACCOUNT`, None where the join found none."""
    if row["person_id"] is None:
        return None
    return Account(
        id=row["person_id"],
        username=row["username"],
        created_at=row["person_created_at"],
        updated_at=row["person_updated_at"],
        name=row["name"],
        email=row["email"],
        email_verified=row["email_verified"],
        email_refused_at=row["email_refused_at"],
        email_trusted_at=row["email_trusted_at"],
        groups=frozenset(row["groups"]),
        claims=row["person_claims"],
        locale=row["locale"],
        prefers=None if row["prefers"] is None else Factor(row["prefers"]),
        disabled=row["disabled_at"] is not None,
        invited=row["invited"],
        frozen_at=row["frozen_at"],
        strong_from=row["strong_from"],
        password_until=row["password_until"],
        provisional_until=row["provisional_until"],
    )


def read_authenticators(account_id: UUID, items: Sequence[Mapping[str, Any]] | None) -> tuple[Authenticator, ...]:
    """What `AUTHENTICATORS` wrote."""
    return tuple(_authenticator(account_id, item) for item in items or ())


def _authenticator(account_id: UUID, item: Mapping[str, Any]) -> Authenticator:
    hold, number_key, factor = item["hold"], item["number_key"], Factor(item["factor"])
    return Authenticator(
        id=UUID(item["id"]),
        account_id=account_id,
        factor=factor,
        label=item["label"],
        hint=item["hint"],
        created_at=datetime.fromisoformat(item["created_at"]),
        trusted_at=read_time(item["trusted_at"]),
        hold=None if hold is None else timedelta(seconds=hold),
        confirmed_at=datetime.fromisoformat(item["confirmed_at"]),
        enrolled_in=read_uuid(item["enrolled_in"]),
        last_used_at=read_time(item["last_used_at"]),
        closed_at=read_time(item["closed_at"]),
        remaining=item["unused"] if factor is Factor.RECOVERY else None,
        number_key=None if number_key is None else bytes.fromhex(number_key),
        swapped_at=read_time(item["swapped_at"]),
        preferred_at=read_time(item["preferred_at"]),
        checked_at=read_time(item["checked_at"]),
        seed=None if item["seed"] is None else bytes.fromhex(item["seed"]),
        last_step=item["last_step"],
        passkey=_passkey(item["passkey"]),
        codes=_codes(item["codes"]),
    )


def _codes(item: Sequence[Any] | None) -> AppCodes:
    if item is None:
        return OUR_CODES
    algorithm, digits, period = item  # as in `AUTHENTICATORS`
    return AppCodes(algorithm, digits, timedelta(seconds=period))


def _passkey(item: Sequence[Any] | None) -> Passkey | None:
    if item is None:
        return None
    credential_id, public_key, count, eligible, copied, attested, transports, aaguid = item  # as in `AUTHENTICATORS`
    return Passkey(
        credential_id=bytes.fromhex(credential_id),
        public_key=bytes.fromhex(public_key),
        count=count,
        eligible=eligible,
        copied=bool(copied),
        attested=bool(attested),
        transports=tuple(transports or ()),
        aaguid=aaguid or "",
    )


def read_device(item: Sequence[Any] | None) -> Device | None:
    """What `DEVICE` wrote."""
    if item is None:
        return None
    key, factor = item
    return Device(bytes.fromhex(key), None if factor is None else Factor(factor))


def read_time(value: str | None) -> datetime | None:
    """A time out of JSON."""
    return None if value is None else datetime.fromisoformat(value)


def read_uuid(value: str | None) -> UUID | None:
    """A UUID out of JSON."""
    return None if value is None else UUID(value)
