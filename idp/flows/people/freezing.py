"""Freezing an account: signed out everywhere, and nothing sensitive opens until it is recovered. Restores nothing.

Whoever holds the mailbox may do it, signed in or not: it takes away and gives nothing (design 5).
"""

from dataclasses import dataclass
from datetime import datetime

from idp.audit import AccountFrozen, AuthenticatorRemoved, GrantRevoked
from idp.flows.delivery.notices import tell
from idp.flows.idp import ACCOUNT_PATH, INTERNAL, Idp
from idp.flows.people import links
from idp.model import Account, AuthorizationRequest, Change, Notice
from idp.model.links import Link, LinkFor
from idp.policy import Ends, Facts, May, Vouched, permission
from idp.store import audits
from idp.store.engine import Connection
from idp.store.people import accounts, authenticators, devices
from idp.store.signin import sessions
from idp.store.tokens import grants


@dataclass(frozen=True, slots=True)
class Offered:
    """The button would freeze the account of this person; of `link` the fields say what they were told of."""

    link: Link
    account: Account


@dataclass(frozen=True, slots=True)
class Frozen:
    """The account is frozen, by this link or before it was pressed."""

    account: Account


@dataclass(frozen=True, slots=True)
class Spent:
    """The account has been recovered since the link was made, or used; it does nothing any more."""

    account: Account


@dataclass(frozen=True, slots=True)
class NoLink:
    """There is no such link, or it is too old. It does nothing."""


Freezing = Offered | Frozen | Spent | NoLink


async def look(idp: Idp, token: str) -> Freezing:
    """What the button behind this link would do. Changes nothing."""
    link = await links.look(idp, LinkFor.FREEZE, token)
    found = None if link is None else await accounts.by_id(idp.db, account_id=link.account_id)
    if link is None or found is None:
        return NoLink()
    account, _ = found
    if link.works(idp.clock.now()):
        return Offered(link, account)
    if account.frozen_at is not None:
        return Frozen(account)
    return Spent(account) if link.used_at is not None else NoLink()


async def press(idp: Idp, token: str) -> None:
    """Use the link up and freeze the account of whoever it was sent to. `look` says afterwards how things stand.

    Exactly one press does anything; one of a second link ends what was begun since the first.
    """
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        link = await links.spend(conn, LinkFor.FREEZE, token, now=now)
        found = None if link is None else await accounts.by_id(conn, account_id=link.account_id)
        if link is not None and found is not None:
            about = link.fields.get("kind")
            await freeze(conn, idp, found[0], by="link", vouched=Vouched.MAILBOX, about=about, now=now)


async def freeze(
    conn: Connection,
    idp: Idp,
    account: Account,
    *,
    by: str,
    vouched: Vouched,
    now: datetime,
    about: str | None = None,
) -> bool:
    """End every session, token and code of a person, and close what is sensitive. False: it was closed already.

    What is on hold is closed for ever: it may be what this is about, and would begin to count meanwhile. They are told
    on every channel, once.
    """
    request = AuthorizationRequest(INTERNAL, ACCOUNT_PATH, ())
    facts = Facts(now, idp.account_pages(), request, now, account=account, internal=True)
    may = permission(facts, idp.policy, change=Change.FREEZE, vouched=vouched)
    assert isinstance(may, May)
    assert may.freezes
    assert may.ends is Ends.EVERYTHING
    await accounts.lock(conn, account_id=account.id)
    await links.withdraw(conn, idp, account, now=now)
    new = await accounts.freeze(conn, account_id=account.id, now=now)
    for which, factor in await authenticators.close_held(conn, account_id=account.id, now=now) if new else ():
        removed = AuthenticatorRemoved(factor, str(which), by="freeze")
        await audits.add(conn, removed, now=now, account_id=account.id)
    # A code under way dies with its session.
    ended = await sessions.end_others(conn, account_id=account.id, keep=None, now=now)
    await devices.forget_all(conn, account_id=account.id)
    await grants.revoke_of_account(
        conn, account_id=account.id, except_session=None, audit=GrantRevoked(why="frozen"), now=now
    )
    if new or ended:
        frozen = AccountFrozen(by=by, sessions=ended, about=about)
        await audits.add(conn, frozen, now=now, account_id=account.id)
    if new:
        await tell(idp, conn, account, Notice.FROZEN, now=now)
    return new
