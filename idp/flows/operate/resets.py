"""An operator's help for whoever forgot the password: a link, printed or mailed, that does what the mailed one does."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from idp.audit import ResetGiven
from idp.flows.delivery.linking import link_address, link_token
from idp.flows.idp import Idp
from idp.flows.operate.confirming import confirmed, link_before
from idp.flows.operate.finding import Person, find_user
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.reasons import kept_out, no_mail
from idp.flows.people import links
from idp.model.links import LinkFor
from idp.policy import Act
from idp.sentences import sentence
from idp.store import audits
from idp.store.people import links as store_links


@dataclass(frozen=True, slots=True)
class Given:
    """A link for one person. `address` is None where it was mailed: nobody but its reader has it."""

    person: Person
    expires_at: datetime
    address: str | None = field(repr=False)


async def give_link(idp: Idp, who: str | UUID, *, mail: bool, nonce: bytes | None = None) -> Given:
    """A link with which this person chooses another password, after the strongest factor they have.

    Nothing ends before it is used; links that were given before work no more. With the `nonce` of a form, one link
    however often that is sent; if that works no more, `Outdated` is raised.
    Raises `NotThere` or `NotAcceptable`.
    """
    person = await find_user(idp, who, to=Act.RESET)
    if mail and idp.settings.smtp_url is None:
        raise NotAcceptable(no_mail())
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        account = await confirmed(conn, idp, person.account, to=Act.RESET)
        if account.disabled:
            raise NotAcceptable(kept_out(account.username))
        if mail and account.mailbox is None:
            raise NotAcceptable(
                sentence("%(who)s has no verified e-mail address: ask for the link without mail.", who=account.username)
            )
        ttl, told = idp.policy.links.ticket, {"mailed": mail}
        made = links.new(idp, LinkFor.RESET, account.id, ttl=ttl, now=now, fields=told, nonce=nonce)
        if nonce is None or await link_before(conn, made) is None:
            await store_links.drop(conn, account_id=account.id, purpose=LinkFor.RESET, now=now)
            if mail:
                await links.make(conn, made, idp, locale=account.locale)
            else:
                await store_links.add(conn, made.link)
            await audits.add(conn, ResetGiven(mailed=mail), now=now, account_id=account.id)
    token = link_token(idp, LinkFor.RESET, nonce=made.nonce, key_id=made.key_id)
    address = None if mail else link_address(idp, LinkFor.RESET, token)
    return Given(person, made.link.expires_at, address)
