"""Telling a person at once what happened to their account, on every channel, because it may not have been them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from idp.addresses import ORIGIN, UNKNOWN_ADDRESS, address_bucket, device
from idp.crypto import digest, random_bytes
from idp.flows.delivery.linking import link_token
from idp.flows.idp import Idp
from idp.model import LINKLESS, OPERATOR, Account, Authenticator, Factor, Notice
from idp.model.links import LinkFor
from idp.store.delivery import messages, untold
from idp.store.delivery.messages import FreezeLink, Telling
from idp.store.engine import Conn

_NONCE_BYTES = 16


def telling(
    idp: Idp,
    account: Account,
    notice: Notice,
    *,
    now: datetime,
    locale: str | None = None,
    also: UUID | None = None,
    about: UUID | None = None,
) -> Telling:
    """A notice as it is put into the outbox, by `tell` or in the statement that makes what it tells of.

    It says from where the request came that did it; what no request did, those did who run the service. `locale` is
    what `message_language` says; without a visitor it is the language of the person.
    """
    return Telling(
        account_id=account.id,
        kind=notice.value,
        fields=_circumstances(),
        locale=locale or account.locale,
        expires_at=now + idp.policy.notices.ttl,
        texting=idp.policy.notices.texting(notice),
        mail=idp.settings.smtp_url is not None,
        also=also,
        about=about,
        link=None if notice in LINKLESS else freeze_link(idp, now=now),
    )


def freeze_link(idp: Idp, *, now: datetime) -> FreezeLink:
    """A link that nobody stored yet, for the mail of one notice."""
    nonce, key_id = random_bytes(_NONCE_BYTES), idp.secrets.current
    token = link_token(idp, LinkFor.FREEZE, nonce=nonce, key_id=key_id)
    return FreezeLink(digest(token), nonce, key_id, now + idp.policy.links.freeze)


def _circumstances() -> dict[str, Any]:
    """What a message keeps of whoever did it: no more of a browser than its kind, of an address whom it stands for."""
    # Where an operator sits is nobody else's business.
    if (origin := ORIGIN.get()) is None or OPERATOR.get().name is not None:
        return {"by": "operator"}
    told = {"device": device(origin.browser), "address": address_bucket(origin.address)}
    return {name: value for name, value in told.items() if value not in {None, UNKNOWN_ADDRESS}}


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

    Where mail can be sent, one goes to the e-mail address too; the policy says which may cost text messages. The hold
    of the authenticator that it is `about` begins when a provider took one of them.
    """
    made = telling(idp, account, notice, now=now, locale=locale, also=also, about=about)
    return await messages.notice(conn, made, now=now)


async def tell_again(idp: Idp) -> int:
    """Another round of notices about authenticators whose owners nobody could tell so far; how many."""
    now = idp.clock.now()
    mail = idp.settings.smtp_url is not None
    told = idp.policy.notices
    async with idp.db.transaction() as conn:
        made = await untold.tell_again(conn, expires_at=now + told.ttl, tried_for=told.tried_for, mail=mail, now=now)
        links = {message_id: freeze_link(idp, now=now) for message_id in made.linkless}
        await untold.link(conn, links, now=now)
    return made.told


def reaches(idp: Idp, account: Account, authenticators: Iterable[Authenticator]) -> bool:
    """Whether there is any channel on which this person can be told."""
    by_mail = idp.settings.smtp_url is not None and account.email is not None and account.email_refused_at is None
    return by_mail or any(each.factor is Factor.SMS and each.closed_at is None for each in authenticators)
