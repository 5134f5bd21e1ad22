"""What people agreed to: for one request, and remembered for the next ones until they withdraw it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from idp.audit import Event
from idp.store.audits import AUDITED, audit_values
from idp.store.engine import Conn
from idp.store.sql import Sql


def remembering(of: str) -> str:
    """A CTE that remembers what was agreed to, if the CTE `of` has a row, with the `client_id`."""
    return f"""consented AS (
    INSERT INTO consent (account_id, client_id, scopes, granted_at)
    SELECT :account_id, client.id, :remember::text[], :now
    -- A client that was removed meanwhile has no consents; its row is locked as the foreign key would lock it.
    FROM {of} JOIN client ON client.id = {of}.client_id
    WHERE cardinality(:remember::text[]) > 0
       -- Is there anything to take back?
       OR EXISTS (SELECT FROM consent WHERE account_id = :account_id AND client_id = {of}.client_id)
    FOR KEY SHARE OF client
    ON CONFLICT (account_id, client_id) DO UPDATE
    SET scopes = ARRAY(SELECT DISTINCT s FROM unnest(consent.scopes || excluded.scopes) s WHERE s <> ALL (:refuse)),
        granted_at = :now
)"""


_ANSWER = Sql(f"""
WITH answered AS (
    UPDATE interaction SET consented = :ticked
    WHERE id = :interaction_id AND session_id = :session_id AND finished_at IS NULL AND expires_at > :now
    RETURNING client_id
),
{remembering("answered")},
audited AS ({AUDITED} WHERE EXISTS (SELECT FROM answered))
SELECT EXISTS (SELECT FROM answered) AS answered""")
_WITHDRAW = Sql("DELETE FROM consent WHERE account_id = :account_id AND client_id = :client_id RETURNING client_id")


async def answer(
    conn: Conn,
    *,
    interaction_id: UUID,
    session_id: UUID,
    account_id: UUID,
    client_id: str,
    ticked: Sequence[str],
    remember: Sequence[str],
    refuse: Sequence[str],
    audit: Event,
    now: datetime,
) -> bool:
    """Store the answer to the consent page: for this request what was ticked, for later what may be remembered.

    What was shown and not ticked, `refuse`, is remembered no more.
    False, and nothing is stored, unless the request is still open in this session: somebody else may have taken over.
    """
    return bool(
        await conn.value(
            _ANSWER,
            interaction_id=interaction_id,
            session_id=session_id,
            account_id=account_id,
            ticked=ticked,
            remember=remember,
            refuse=refuse,
            now=now,
            **audit_values(audit, account_id=account_id, client_id=client_id),
        )
    )


async def withdraw(conn: Conn, *, account_id: UUID, client_id: str) -> bool:
    """Forget a consent. False if there was none."""
    return await conn.one(_WITHDRAW, account_id=account_id, client_id=client_id) is not None
