"""Telling a person at once what happened to their account, on every channel, because it may not have been them."""

from datetime import datetime, timedelta
from uuid import UUID

from idp.flows.idp import Idp
from idp.model import Account
from idp.sms.text import Notice
from idp.store import messages
from idp.store.engine import Conn

NOTICE_LIFE = timedelta(hours=24)


async def tell(
    idp: Idp,
    conn: Conn,
    account: Account,
    notice: Notice,
    *,
    now: datetime,
    locale: str | None = None,
    also: UUID | None = None,
) -> int:
    """Put a notice to every open phone (and the closed one `also`) into the outbox, in the transaction of `conn`.

    Where mail can be sent, one goes to the e-mail address too. `locale` is what `message_language` says; without a
    visitor it is the language of the person.
    """
    return await messages.notice(
        conn,
        account_id=account.id,
        kind=notice.value,
        fields={},
        locale=locale or account.locale,
        now=now,
        expires_at=now + NOTICE_LIFE,
        also=also,
        mail=idp.settings.smtp_url is not None,
    )
