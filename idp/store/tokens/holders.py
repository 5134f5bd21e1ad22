"""The holder of a grant, read beside it: what of a person a token depends on (`idp.policy.recheck`)."""

from datetime import datetime

from idp.model import UNTIL_RECOVERED, Factor, Holder
from idp.store.engine import Row

HOLDER = """holder.id AS holder_id, holder.groups, holder.disabled_at, holder.frozen_at, holder.strong_from,
    held.factors, held.since"""
# Of the grant `g`; nobody for one that a client has for itself.
HOLDER_OF = """
LEFT JOIN account holder ON holder.id = g.account_id
LEFT JOIN LATERAL (
    SELECT array_agg(a.factor) AS factors, array_agg(a.trusted_at) AS since FROM authenticator a
    WHERE a.account_id = holder.id AND a.confirmed_at IS NOT NULL AND a.closed_at IS NULL
) held ON true"""


def read_holder(row: Row) -> Holder | None:
    """The person in the columns `HOLDER`; None for a grant that a client has for itself."""
    if row["holder_id"] is None:
        return None
    trusted: dict[Factor, datetime] = {}
    for name, at in zip(row["factors"] or (), row["since"] or (), strict=True):
        if at is None:
            continue  # nobody could be told of it
        factor = Factor(name)
        trusted[factor] = min(at, trusted.get(factor, at))
    return Holder(
        row["holder_id"],
        frozenset(row["groups"]),
        disabled=row["disabled_at"] is not None,
        closed_until=row["strong_from"] if row["frozen_at"] is None else UNTIL_RECOVERED,
        trusted=trusted,
    )
