"""Accounts and their authenticators as columns, for every statement that loads a person."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, extract, func, literal_column, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from idp.model import Account, Authenticator, Factor
from idp.store.engine import Row
from idp.store.schema import account, authenticator, recovery_code

_t = authenticator.alias("t")

# Of the account `p`.
ACCOUNT = """p.id AS person_id, p.username, p.created_at AS person_created_at, p.updated_at AS person_updated_at,
    p.name, p.email, p.email_verified, p.groups, p.claims AS person_claims, p.locale, p.disabled_at"""
ACCOUNT_COLUMNS = (
    account.c.id.label("person_id"),
    account.c.username,
    account.c.created_at.label("person_created_at"),
    account.c.updated_at.label("person_updated_at"),
    account.c.name,
    account.c.email,
    account.c.email_verified,
    account.c.groups,
    account.c.claims.label("person_claims"),
    account.c.locale,
    account.c.disabled_at,
)


def authenticators_json(
    account_id: ColumnElement[Any], *, closed_since: ColumnElement[Any] | None = None
) -> ColumnElement[Any]:
    """A JSON array of this account's confirmed authenticators, oldest first; `read_authenticators` reads it.

    Open ones, and those closed after `closed_since`: a hold must not end because the app it is about was removed.
    """
    still: ColumnElement[bool] = _t.c.closed_at.is_(None)
    if closed_since is not None:
        still = or_(still, _t.c.closed_at > closed_since)
    left = (
        select(func.count())
        .select_from(recovery_code)
        .where(recovery_code.c.authenticator_id == _t.c.id, recovery_code.c.used_at.is_(None))
        .correlate(_t)
        .scalar_subquery()
    )
    item = func.jsonb_build_array(
        _t.c.id,
        _t.c.factor,
        _t.c.label,
        _t.c.hint,
        _t.c.created_at,
        _t.c.trusted_at,
        extract("epoch", _t.c.hold),
        _t.c.confirmed_at,
        _t.c.enrolled_in,
        _t.c.last_used_at,
        _t.c.closed_at,
        left,
        func.encode(_t.c.lookup, literal_column("'hex'")),
        _t.c.swapped_at,
    )
    return (
        select(func.jsonb_agg(aggregate_order_by(item, _t.c.created_at, _t.c.id)))
        .where(_t.c.account_id == account_id, _t.c.confirmed_at.is_not(None), still)
        .scalar_subquery()
    )


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
        groups=frozenset(row["groups"]),
        claims=row["person_claims"],
        locale=row["locale"],
        disabled=row["disabled_at"] is not None,
    )


def read_authenticators(account_id: UUID, items: Sequence[Any] | None) -> tuple[Authenticator, ...]:
    """What `authenticators_json` wrote."""
    return tuple(_authenticator(account_id, *item) for item in items or ())


def _authenticator(  # noqa: PLR0917 - in the order of `authenticators_json`
    account_id: UUID,
    id_: str,
    factor: str,
    label: str,
    hint: str,
    created_at: str,
    trusted_at: str | None,
    hold: float | None,
    confirmed_at: str,
    enrolled_in: str | None,
    last_used_at: str | None,
    closed_at: str | None,
    left: int,
    lookup: str | None,
    swapped_at: str | None,
) -> Authenticator:
    return Authenticator(
        id=UUID(id_),
        account_id=account_id,
        factor=Factor(factor),
        label=label,
        hint=hint,
        created_at=datetime.fromisoformat(created_at),
        trusted_at=read_time(trusted_at),
        hold=None if hold is None else timedelta(seconds=hold),
        confirmed_at=datetime.fromisoformat(confirmed_at),
        enrolled_in=read_uuid(enrolled_in),
        last_used_at=read_time(last_used_at),
        closed_at=read_time(closed_at),
        remaining=left if factor == Factor.RECOVERY else None,
        number_key=None if lookup is None else bytes.fromhex(lookup),
        swapped_at=read_time(swapped_at),
    )


def read_time(value: str | None) -> datetime | None:
    """A time out of JSON."""
    return None if value is None else datetime.fromisoformat(value)


def read_uuid(value: str | None) -> UUID | None:
    """A UUID out of JSON."""
    return None if value is None else UUID(value)
