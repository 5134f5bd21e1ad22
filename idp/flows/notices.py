"""Telling a person at once what happened to their account, on every phone, because it may not have been them."""

from datetime import datetime, timedelta
from uuid import UUID

from idp.model import Account
from idp.sms.text import Notice
from idp.store import messages
from idp.store.engine import Conn

NOTICE_LIFE = timedelta(hours=24)


async def tell(
    conn: Conn, account: Account, notice: Notice, *, now: datetime, locale: str | None = None, also: UUID | None = None
) -> int:
    """Put a notice to every open phone (and the closed one `also`) into the outbox, in the transaction of `conn`."""
    return await messages.notice(
        conn,
        account_id=account.id,
        kind=notice.value,
        fields={},
        locale=account.locale or locale,
        now=now,
        expires_at=now + NOTICE_LIFE,
        also=also,
    )
