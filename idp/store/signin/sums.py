"""What a person approved in a day by rows of the policy that take less: read where a request has details."""

from collections.abc import Sequence
from decimal import Decimal

from idp.policy import Sums


def sums_of(request: str) -> str:
    """What the account `p` approved in a day by rows that take less, if this request has details (`approving`)."""
    return f"""CASE WHEN {request} ? 'details' THEN (
    SELECT jsonb_agg(jsonb_build_array(a.type, a.currency, (
        SELECT sum(x.amount)::text FROM unnest(a.amounts, a.times) AS x (amount, at)
        WHERE x.at > :now::timestamptz - interval '24 h')))
    FROM approved_sum a WHERE a.account_id = p.id) END"""


def read_sums(items: Sequence[Sequence[str | None]] | None) -> Sums:
    """What `sums_of` wrote."""
    return {(str(type_), str(currency)): Decimal(sum_ or 0) for type_, currency, sum_ in items or ()}
