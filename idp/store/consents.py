"""What people agreed to: for one request, and remembered for the next ones until they withdraw it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Text, Uuid, bindparam, delete, exists, func, literal_column, or_, select, update
from sqlalchemy import text as sql_text
from sqlalchemy.dialects.postgresql import insert as pg_insert

from idp.audit import Event
from idp.store.audits import audit_values, audited
from idp.store.composed import Statement
from idp.store.engine import Conn
from idp.store.schema import Texts, Time, client, consent, interaction

_now = bindparam("now", type_=Time)

_answered = (
    update(interaction)
    .where(
        interaction.c.id == bindparam("interaction_id"),
        interaction.c.session_id == bindparam("session_id", type_=Uuid),
        interaction.c.finished_at.is_(None),
        interaction.c.expires_at > _now,
    )
    .values(consented=bindparam("ticked", type_=Texts))
    .returning(interaction.c.id, interaction.c.client_id)
    .cte("answered")
)


def _agreed_before() -> ColumnElement[bool]:
    """Whether there is anything to take back."""
    return exists(
        select(literal_column("1"))
        .select_from(consent)
        .where(
            consent.c.account_id == bindparam("account_id", type_=Uuid), consent.c.client_id == _answered.c.client_id
        )
    )


_remembered = (
    pg_insert(consent)
    .from_select(
        ["account_id", "client_id", "scopes", "granted_at"],
        select(bindparam("account_id", type_=Uuid), client.c.id, bindparam("remember", type_=Texts), _now)
        # A client that was removed meanwhile has no consents; its row is locked as the foreign key would lock it.
        .select_from(_answered.join(client, client.c.id == _answered.c.client_id))
        .where(or_(func.cardinality(bindparam("remember", type_=Texts)) > 0, _agreed_before()))
        .with_for_update(read=True, key_share=True, of=client),
    )
    .on_conflict_do_update(
        index_elements=[consent.c.account_id, consent.c.client_id],
        set_={
            "scopes": func.array(
                select(literal_column("DISTINCT s", Text))
                .select_from(sql_text("unnest(consent.scopes || excluded.scopes) AS s"))
                .where(literal_column("s", Text) != func.all(bindparam("refuse", type_=Texts)))
                .scalar_subquery()
            ),
            "granted_at": _now,
        },
    )
    .returning(consent.c.client_id)
    .cte("remembered")
)
_ANSWER = Statement(select(func.count()).select_from(_answered).add_cte(_remembered, audited(_answered)))


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
    row = await conn.one(
        _ANSWER,
        interaction_id=interaction_id,
        session_id=session_id,
        account_id=account_id,
        ticked=list(ticked),
        remember=list(remember),
        refuse=list(refuse),
        now=now,
        **audit_values(audit, account_id=account_id, client_id=client_id),
    )
    return row is not None and row[0] > 0


_OF_ACCOUNT = Statement(
    select(consent.c.client_id, consent.c.scopes, consent.c.granted_at)
    .where(consent.c.account_id == bindparam("account_id"))
    .order_by(consent.c.granted_at.desc())
)
_WITHDRAW = Statement(
    delete(consent)
    .where(consent.c.account_id == bindparam("account_id"), consent.c.client_id == bindparam("client_id"))
    .returning(consent.c.client_id)
)


async def of_account(conn: Conn, *, account_id: UUID) -> Sequence[tuple[str, tuple[str, ...], datetime]]:
    """Client id, scopes and time of every consent of a person, newest first."""
    rows = await conn.all(_OF_ACCOUNT, account_id=account_id)
    return [(client_id, tuple(scopes), granted_at) for client_id, scopes, granted_at in rows]


async def withdraw(conn: Conn, *, account_id: UUID, client_id: str) -> bool:
    """Forget a consent. False if there was none."""
    return await conn.one(_WITHDRAW, account_id=account_id, client_id=client_id) is not None
