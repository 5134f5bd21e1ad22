"""One's own e-mail address: named, verified by a link that was sent there, removed. Only a verified one counts.

The one before is told, and for the longer hold it is told whatever else happens: whoever changes an address silences
nobody.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from idp.audit import AccountChanged
from idp.flows.delivery.notices import tell
from idp.flows.delivery.outgoing import masked
from idp.flows.idp import ACCOUNT_PATH, INTERNAL, Idp, Visitor
from idp.flows.language import message_language
from idp.flows.people import links, rooms
from idp.flows.people.account import Done
from idp.flows.people.leaving import Last, Loses, without_mail
from idp.flows.people.rooms import Inside, Outside, TooOften, charge, enter, give_back, permission, settle, still
from idp.flows.signin.authorize import ToClient
from idp.flows.signin.destinations import Destination, charges, mailbox_key
from idp.limits import FOR_EVER, Closed
from idp.model import Account, AuthorizationRequest, Change, Factor, Notice
from idp.model.links import Link, LinkFor
from idp.model.mail import is_address
from idp.policy import Facts, May, Vouched
from idp.policy import permission as permitted
from idp.policy.changes import AT_ONCE
from idp.policy.transitions import LONGER
from idp.store import audits, rate_limits
from idp.store.engine import Connection
from idp.store.people import accounts
from idp.store.people import links as store_links

BY_PERSON = "person"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """What the page of the address shows. `waiting` is a link that was sent and not opened; `offers`: mail is sent."""

    inside: Inside
    waiting: Link | None
    offers: bool
    loss: Last | Loses


@dataclass(frozen=True, slots=True)
class Sent:
    """A link is on its way to the address."""


@dataclass(frozen=True, slots=True)
class NotAnAddress:
    """Nothing was sent. `same`: it is the verified one that they have."""

    same: bool = False


@dataclass(frozen=True, slots=True)
class NotNow:
    """Nothing may be sent to this address yet; again after `retry_after`."""

    retry_after: timedelta


@dataclass(frozen=True, slots=True)
class Verified:
    """The address is theirs, and counts."""


@dataclass(frozen=True, slots=True)
class Over:
    """The link does not work (any more), or the account is closed; nothing was changed."""


async def mailbox(idp: Idp, visitor: Visitor) -> Mailbox | Outside:
    """The address of whoever may change it."""
    inside = await enter(idp, visitor, rooms.EMAIL)
    if not isinstance(inside, Inside):
        return inside
    waiting = await store_links.waiting(
        idp.db, account_id=inside.account.id, purpose=LinkFor.VERIFY_EMAIL, now=inside.now
    )
    return Mailbox(inside, waiting, idp.settings.smtp_url is not None, without_mail(idp, inside))


async def ask(idp: Idp, visitor: Visitor, *, typed: str) -> Sent | NotAnAddress | NotNow | TooOften | Outside:
    """Send a link to an address. Until it is opened nothing is changed; one that was sent before works no more."""
    inside = await enter(idp, visitor, rooms.EMAIL)
    if not isinstance(inside, Inside):
        return inside
    address = typed.strip()
    if not is_address(address) or idp.settings.smtp_url is None:
        return NotAnAddress()
    if inside.account.mailbox == address:
        return NotAnAddress(same=True)
    if (refused := await charge(idp, inside)) is not None:
        return refused
    account_id, ttl = inside.account.id, idp.policy.links.verify_email
    async with idp.db.transaction() as conn:
        again = await still(conn, idp, visitor, rooms.EMAIL, account_id=account_id)
        if again is None:
            return ToClient(rooms.EMAIL, ())
        before = await store_links.waiting(conn, account_id=account_id, purpose=LinkFor.VERIFY_EMAIL, now=again.now)
        twice = before is not None and before.created_at > again.now - idp.policy.sessions.forgiven
        if before is not None and twice and before.fields.get("email") == address:
            await give_back(conn, idp, inside)
            return Sent()
        key = mailbox_key(idp, address)
        to = Destination(Factor.EMAIL, account_id, None, masked(address), idp.limits.email, key, used=False)
        refusal = await rate_limits.spend(conn, charges(idp, visitor, to, again.loaded.device), now=again.now)
        if refusal is not None:
            await give_back(conn, idp, inside)
            return NotNow(FOR_EVER if isinstance(refusal, Closed) else refusal.retry_after)
        await store_links.drop(conn, account_id=account_id, purpose=LinkFor.VERIFY_EMAIL, now=again.now)
        asked = {"email": address, "hold": permission(idp, again).hold.total_seconds()}
        made = links.new(
            idp, LinkFor.VERIFY_EMAIL, account_id, ttl=ttl, now=again.now, about=again.session.id, fields=asked
        )
        await links.make(conn, made, idp, locale=message_language(idp, visitor, again.account), to=address)
        await audits.add(conn, _changed("email asked"), now=again.now, account_id=account_id)
    return Sent()


def _changed(what: str) -> AccountChanged:
    return AccountChanged(change=what, by=BY_PERSON)


async def look(idp: Idp, token: str) -> Link | Verified | Over:
    """What the button behind this link would do. `Verified` once it did. Changes nothing, and signs nobody in."""
    link = await links.look(idp, LinkFor.VERIFY_EMAIL, token)
    if link is None:
        return Over()
    if link.works(idp.clock.now()):
        return link
    found = await accounts.by_id(idp.db, account_id=link.account_id)
    theirs = found is not None and found[0].mailbox == link.fields.get("email")
    return Verified() if theirs and link.used_at is not None else Over()


async def press(idp: Idp, token: str) -> Verified | Over:
    """Use the link up: the address is the person's from now on, in whatever browser it was opened.

    Exactly one press does anything; one behind it hears how things stand.
    """
    now = idp.clock.now()
    link = await links.look(idp, LinkFor.VERIFY_EMAIL, token)
    if link is None:
        return Over()
    async with idp.db.transaction() as conn:
        await accounts.lock(conn, account_id=link.account_id)
        found = await accounts.by_id(conn, account_id=link.account_id)
        if found is not None and _may_verify(idp, found[0], now=now):
            spent = await links.spend(conn, LinkFor.VERIFY_EMAIL, token, now=now)
            if spent is not None:
                hold = timedelta(seconds=spent.fields.get("hold", 0))
                await change(idp, conn, found[0], spent.fields["email"], now=now, by=BY_PERSON, hold=hold)
    stands = await look(idp, token)
    return stands if isinstance(stands, Verified) else Over()


def _may_verify(idp: Idp, account: Account, *, now: datetime) -> bool:
    request = AuthorizationRequest(INTERNAL, ACCOUNT_PATH, ())
    facts = Facts(now, idp.account_pages(), request, now, account=account, internal=True)
    return isinstance(permitted(facts, idp.policy, change=Change.VERIFY_EMAIL, vouched=Vouched.MAILBOX), May)


async def change(
    idp: Idp,
    conn: Connection,
    account: Account,
    email: str | None,
    *,
    now: datetime,
    by: str,
    verified: bool = True,
    hold: timedelta = AT_ONCE,
) -> bool:
    """Give a person another address, or none, and tell them at every place, the old one too. False: nothing changed.

    For the `hold` it recovers nothing by itself.
    """
    if not await accounts.set_email(
        conn,
        account_id=account.id,
        email=email,
        verified=verified and email is not None,
        former_until=now + LONGER * idp.policy.enrolment.hold,
        trusted_at=now + hold if hold else None,
        now=now,
    ):
        return False
    await audits.add(conn, AccountChanged(change="email", by=by), now=now, account_id=account.id)
    await tell(idp, conn, account, Notice.EMAIL_CHANGED, now=now)
    return True


async def remove(idp: Idp, visitor: Visitor) -> Done | Last | Outside:
    """Forget the address. The last way to sign in stays."""
    inside = await enter(idp, visitor, rooms.REMOVE_EMAIL)
    if not isinstance(inside, Inside):
        return inside
    async with idp.db.transaction() as conn:
        again = await still(conn, idp, visitor, rooms.REMOVE_EMAIL, account_id=inside.account.id)
        if again is None:
            return ToClient(rooms.REMOVE_EMAIL, ())
        if isinstance(loss := without_mail(idp, again), Last):
            return loss
        await change(idp, conn, again.account, None, now=again.now, by=BY_PERSON)
        await settle(conn, again, permission(idp, again), why="email")
    return Done()
