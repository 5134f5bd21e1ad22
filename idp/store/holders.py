"""The holder of a grant, read beside it: what of a person a token depends on (`idp.policy.recheck`)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, func, select, true

from idp.model import Factor, Holder
from idp.store.schema import account, authenticator

_held = (
    select(
        func.array_agg(authenticator.c.factor).label("factors"),
        func.array_agg(authenticator.c.trusted_at).label("since"),
    )
    .where(
        authenticator.c.account_id == account.c.id,
        authenticator.c.confirmed_at.is_not(None),
        authenticator.c.closed_at.is_(None),
    )
    .correlate(account)
    .lateral("held")
)
HOLDER_COLUMNS = (account.c.id, account.c.groups, account.c.disabled_at, _held.c.factors, _held.c.since)


def of_holder(found: FromClause, account_id: ColumnElement[Any]) -> FromClause:
    """This, joined with what `HOLDER_COLUMNS` need: the account with this id, if there is one."""
    return found.outerjoin(account, account.c.id == account_id).outerjoin(_held, true())


def read_holder(columns: Sequence[Any]) -> Holder | None:
    """The holder in `HOLDER_COLUMNS`; None for a grant that a client has for itself."""
    account_id, groups, disabled_at, factors, since = columns
    if account_id is None:
        return None
    trusted: dict[Factor, datetime] = {}
    for name, at in zip(factors or (), since or (), strict=True):
        if at is None:
            continue  # nobody could be told of it
        factor = Factor(name)
        trusted[factor] = min(at, trusted.get(factor, at))
    return Holder(account_id, frozenset(groups), disabled_at is not None, trusted)
