"""What is written when a person approves details: the request is finished, the sum charged, consent remembered. Once.

It is a part of the statement that records the proof (`proofs`), or a statement of its own where a button is enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from idp.audit import Event
from idp.policy import Charge
from idp.store.audits import AUDITED, audit_values
from idp.store.engine import Conn
from idp.store.signin.attempts import LOCKED
from idp.store.sql import Sql
from idp.store.tokens.consents import remembering


@dataclass(frozen=True, slots=True)
class Approval:
    """What an approval brings besides its proof: the scopes ticked beside it, and what is charged for being small.

    `remember` and `refuse` are those of the scopes that later requests know of.
    """

    ticked: Sequence[str]
    remember: Sequence[str]
    refuse: Sequence[str]
    charge: Charge | None
    audit: Event

    def values(self, account_id: UUID, client_id: str) -> dict[str, Any]:
        """The values of `approved`."""
        charged: dict[str, Any] = {}
        if self.charge is not None:
            money = self.charge.amount
            charged = {"sum_type": money.type, "sum_currency": money.currency}
            charged |= {"sum_amount": money.amount, "sum_most": self.charge.most}
        return {
            "ticked": self.ticked,
            "remember": self.remember,
            "refuse": self.refuse,
            **charged,
            **audit_values(self.audit, account_id=account_id, client_id=client_id, prefix="approval"),
        }


@dataclass(frozen=True, slots=True)
class Unapproved:
    """It was proved, but approves nothing: the sum of the person's small amounts has no room for this one any more."""


# Where nothing else is to be asked, the client is answered with what this was proved for.
FINISHED = """finished AS (
    UPDATE interaction SET finished_at = :now WHERE id = :interaction_id AND :finishes AND EXISTS (SELECT FROM event)
)"""

_RECENT = "x.at > :now::timestamptz - interval '24 h'"
# The row is locked by the upsert itself, and what it holds is looked at then: of small ones at the same time those that
# come later wait, and find what the first ones left.
_SUMMED = f"""summed AS (
    INSERT INTO approved_sum (account_id, type, currency, amounts, times, expires_at)
    SELECT :account_id, :sum_type, :sum_currency, ARRAY[:sum_amount::numeric], ARRAY[:now::timestamptz],
           :now::timestamptz + interval '24 h'
    WHERE EXISTS (SELECT FROM {{of}}) AND :sum_amount::numeric <= :sum_most::numeric
    ON CONFLICT (account_id, type, currency) DO UPDATE SET (amounts, times, expires_at) = (
        SELECT array_agg(x.amount ORDER BY x.at), array_agg(x.at ORDER BY x.at), excluded.expires_at
        FROM unnest(approved_sum.amounts || excluded.amounts, approved_sum.times || excluded.times) AS x (amount, at)
        WHERE {_RECENT})
    WHERE (SELECT coalesce(sum(x.amount), 0) FROM unnest(approved_sum.amounts, approved_sum.times) AS x (amount, at)
           WHERE {_RECENT}) + :sum_amount::numeric <= :sum_most::numeric
    RETURNING type
),
"""


def approved(of: str, *, charged: bool) -> str:
    """CTEs that finish the request, if the CTE `of` has a row and the sum has room: then `approved` has one too."""
    return f"""{_SUMMED.format(of=of) if charged else ""}approved AS (
    SELECT :client_id::text AS client_id FROM {of}{" WHERE EXISTS (SELECT FROM summed)" if charged else ""}
),
finished AS (
    UPDATE interaction SET finished_at = :now, consented = :ticked
    WHERE id = :interaction_id AND EXISTS (SELECT FROM approved)
),
{remembering("approved")},
approval_told AS ({AUDITED.replace(":audit_", ":approval_")} WHERE EXISTS (SELECT FROM approved))"""


@cache
def _approve_statement(*, charged: bool) -> Sql:
    return Sql(f"""
WITH same AS (SELECT),
{LOCKED},
{approved("locked", charged=charged)}
SELECT EXISTS (SELECT FROM approved) AS approved""")


@dataclass(frozen=True, slots=True)
class InSession:
    """Where a button is pressed: the session, and the token that it must have still."""

    session_id: UUID
    token: bytes = field(repr=False)


async def approve(
    conn: Conn,
    approval: Approval,
    *,
    here: InSession,
    interaction_id: UUID,
    account_id: UUID,
    client_id: str,
    now: datetime,
) -> bool:
    """Approve without another proof. True for exactly one caller; False too where the sum has no room any more."""
    return bool(
        await conn.value(
            _approve_statement(charged=approval.charge is not None),
            session_id=here.session_id,
            old_token=here.token,
            interaction_id=interaction_id,
            account_id=account_id,
            client_id=client_id,
            **approval.values(account_id, client_id),
            now=now,
        )
    )
