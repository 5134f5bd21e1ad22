"""Telling a person at once what happened to their account, on every channel, because it may not have been them."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from idp.flows.idp import Idp
from idp.model import Account, Authenticator, Factor
from idp.sms.text import Notice
from idp.store.delivery import messages, untold
from idp.store.engine import Conn


async def tell(
    idp: Idp,
    conn: Conn,
    account: Account,
    notice: Notice,
    *,
    now: datetime,
    locale: str | None = None,
    also: UUID | None = None,
    about: UUID | None = None,
) -> int:
    """Put a notice to every open phone (and the closed one `also`) into the outbox, in the transaction of `conn`.

    Where mail can be sent, one goes to the e-mail address too. `locale` is what `message_language` says; without a
    visitor it is the language of the person. The hold of the authenticator that it is `about` begins when a provider
    took one of them.
    """
    return await messages.notice(
        conn,
        account_id=account.id,
        kind=notice.value,
        locale=locale or account.locale,
        now=now,
        expires_at=now + idp.policy.notices.ttl,
        also=also,
        mail=idp.settings.smtp_url is not None,
        about=about,
    )


async def tell_again(idp: Idp) -> int:
    """Another round of notices about authenticators whose owners nobody could tell so far; how many."""
    now = idp.clock.now()
    mail = idp.settings.smtp_url is not None
    told = idp.policy.notices
    return await untold.tell_again(idp.db, expires_at=now + told.ttl, tried_for=told.tried_for, mail=mail, now=now)


def reaches(idp: Idp, account: Account, authenticators: Iterable[Authenticator]) -> bool:
    """Whether there is any channel on which this person can be told."""
    by_mail = idp.settings.smtp_url is not None and account.email is not None
    return by_mail or any(each.factor is Factor.SMS and each.closed_at is None for each in authenticators)
