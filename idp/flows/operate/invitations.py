"""An operator invites somebody: an account that nobody can sign in to, and a link with which they set it up."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from idp.audit import AccountChanged, AuthenticatorRemoved
from idp.errors import AlreadyThere, Outdated
from idp.flows.delivery.linking import link_address, link_token
from idp.flows.idp import Idp
from idp.flows.operate.confirming import at_work, confirmed, link_before, somebody_new
from idp.flows.operate.people import (
    Mistakes,
    NotAcceptable,
    described,
    parse_phone,
)
from idp.flows.operate.permitting import permit
from idp.flows.operate.reasons import no_mail
from idp.flows.operate.terms import end_everything, settle
from idp.flows.operate.vouching import store_phone
from idp.flows.people import links
from idp.model import Account, Change
from idp.model.links import LinkFor
from idp.policy import Act
from idp.sentences import sentence
from idp.store import audits
from idp.store.engine import Connection
from idp.store.people import accounts, authenticators
from idp.store.people import links as store_links


@dataclass(frozen=True, slots=True)
class Invited:
    """Somebody who may set up their account. `address` is None where the link was mailed."""

    account: Account
    expires_at: datetime
    address: str | None = field(repr=False)


async def invite(
    idp: Idp,
    *,
    username: str,
    mail: bool,
    email: str | None = None,
    phone: str | None = None,
    name: str | None = None,
    groups: Sequence[str] = (),
    locale: str | None = None,
    as_id: UUID | None = None,
    again: UUID | None = None,
    nonce: bytes | None = None,
) -> Invited:
    """A new person without a password, and the link. With `mail` it goes to the address, which it proves.

    A phone that is given is one the operator knows to be theirs: it is asked for before anything is set up. Who was
    invited before and never set a password gets another link; those before work no more, and neither does what was set
    up with them: somebody else may have opened one. Who has the id `as_id` is sent by the same form twice; with the
    `nonce` of a form there is one link however often that is sent. Who is invited `again` was found before: if nobody
    with this id has the name any more, or the link of the form works no more, `Outdated` is raised. Raises
    `NotAcceptable`, and `AlreadyThere` for who has a password.
    """
    permit(idp, Act.INVITE, into=groups)
    if phone is not None:
        permit(idp, Act.VOUCH)
    if groups:
        permit(idp, Act.SET_GROUPS, into=groups)
    wrong = Mistakes()
    new = described(idp, wrong, username=username, name=name, email=email, groups=groups, locale=locale)
    number = wrong.take("phone", lambda text: parse_phone(text, region=idp.settings.sms_region), phone)
    if mail and idp.settings.smtp_url is None:
        wrong.add("mail", no_mail())
    if mail and email is None:
        wrong.add("mail", sentence("There is no address to mail to: give one, or ask for the link without mail."))
    wrong.check()
    account, now = replace(new, id=as_id or new.id, invited=True), new.created_at
    username = account.username
    before = await accounts.by_username(idp.db, username=username)
    if again is not None and (before is None or before[0].id != again):
        raise Outdated(
            sentence("Somebody else changed %(who)s meanwhile: look at them again, then go on.", who=username)
        )
    async with idp.db.transaction() as conn:
        if before is None:
            await accounts.add(conn, account, password_hash=None)
            await somebody_new(conn, as_id)
            await at_work(conn, idp)
            if number is not None:
                await store_phone(idp, conn, account.id, number, now=now)
        else:
            account = await confirmed(conn, idp, before[0], to=Act.INVITE)
            if await accounts.password_hash(conn, account_id=account.id) is not None:
                raise AlreadyThere(
                    sentence(
                        "A user named %(name)s exists already: their page gives them a link for another password.",
                        at_shell=f"A user named {username!r} exists already: `idp user reset {username}` helps them.",
                        name=repr(username),
                    ),
                    field="username",
                )
            if account.id != as_id and (account.email != new.email or phone is not None or groups or name):
                raise NotAcceptable(
                    sentence(
                        "%(who)s was invited before: their page gives them another link, and changes what is known.",
                        at_shell=f"{username} was invited before: give the same --email and nothing else, or change"
                        " them first.",
                        who=username,
                    )
                )
        ttl, told = idp.policy.links.invite, {"mailed": mail}
        made = links.new(idp, LinkFor.INVITE, account.id, ttl=ttl, now=now, fields=told, nonce=nonce)
        token = link_token(idp, LinkFor.INVITE, nonce=made.nonce, key_id=made.key_id)
        address = None if mail else link_address(idp, LinkFor.INVITE, token)
        if nonce is not None and (sent := await link_before(conn, made)) is not None:
            return Invited(account, sent.expires_at, address)
        if before is not None:
            await _end_what_was_set_up(conn, account, now=now)
        await settle(conn, idp, account, Change.OPERATOR_INVITES, why="invited", now=now)
        await store_links.drop(conn, account_id=account.id, purpose=LinkFor.INVITE, now=now)
        if mail:
            await links.make(conn, made, idp, locale=account.locale)
        else:
            await store_links.add(conn, made.link)
        await audits.add(conn, AccountChanged(change="invited"), now=now, account_id=account.id)
    return Invited(account, made.link.expires_at, address)


async def _end_what_was_set_up(conn: Connection, account: Account, *, now: datetime) -> None:
    await end_everything(conn, account, why="invited", now=now)
    for which, factor in await authenticators.close_own(conn, account_id=account.id, now=now):
        removed = AuthenticatorRemoved(factor, str(which), by="operator")
        await audits.add(conn, removed, now=now, account_id=account.id)
