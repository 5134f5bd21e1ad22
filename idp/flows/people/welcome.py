"""Setting an account up that nobody has used yet, in a session that an invitation opened. Nobody is signed in by it.

The ways to sign in are added in their own rooms, which such a session opens; here are the link, the password, the end.
"""

from dataclasses import dataclass
from datetime import datetime

from idp.audit import AccountChanged, PasswordChanged, SignedOut
from idp.errors import AlreadyThere
from idp.factors import password as passwords
from idp.factors.strength import acceptable
from idp.flows.idp import Idp, Visitor
from idp.flows.people import links, rooms
from idp.flows.people.account import Done, Weak
from idp.flows.people.rooms import Inside, Outside, TooOften, charge, enter
from idp.model import Account, Authenticator, Factor
from idp.model.links import INVITES, Link, LinkFor
from idp.store import audits
from idp.store.people import accounts, newcomers
from idp.store.signin import sessions
from idp.typed import username_of

WELCOME_PATH = "/welcome"


@dataclass(frozen=True, slots=True)
class Welcome:
    """What is there so far. `chosen`: a password was; `open_`: the ways to prove a second factor.

    `names`: the person chooses the username, too. `ready`: there is all that it takes to sign in.
    """

    now: datetime
    account: Account
    chosen: bool
    open_: tuple[Authenticator, ...]

    @property
    def names(self) -> bool:
        """Whether the username is theirs to choose, with the password."""
        return self.account.provisional_until is not None

    @property
    def ready(self) -> bool:
        """Whether they could sign in now. Who was vouched for by nobody needs a phone."""
        able = [each for each in self.open_ if each.remaining != 0]
        return self.chosen and any(not self.names or each.factor is Factor.SMS for each in able)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """This browser has no invitation open."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Somebody has this username, or nobody can: nothing was changed."""

    taken: bool


@dataclass(frozen=True, slots=True)
class Onward:
    """To the page that sets the account up; `token` is a new cookie, None to keep the one there is."""

    token: str | None = None


async def look(idp: Idp, visitor: Visitor, purpose: LinkFor, token: str) -> Link | Onward | None:
    """The link while it works; on, in the very browser that it was pressed in; else None."""
    found = await links.look(idp, purpose, token)
    if found is None:
        return None
    return found if found.works(idp.clock.now()) else await _again(idp, visitor, found, token)


async def press(idp: Idp, visitor: Visitor, purpose: LinkFor, token: str) -> Onward | None:
    """Use the link up and begin the session that it opens; a mailed one proves its mailbox. None if it does not work.

    Exactly one browser gets in. A form that it sends twice gets the same answer twice.
    """
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        link = await links.spend(conn, purpose, token, now=now)
        if link is not None:
            proved = await newcomers.verify_mailbox(conn, account_id=link.account_id, now=now) if mailed(link) else True
            if not proved:
                return None  # whoever has an account with this address meanwhile makes no second one, however often
            _, cookie = await links.open_session(conn, idp, visitor, link, token, now=now)
            event = AccountChanged(change=f"{purpose.value}_link_used", by="person")
            await audits.add(conn, event, now=now, account_id=link.account_id)
            return Onward(cookie)
    found = await links.look(idp, purpose, token)
    return None if found is None else await _again(idp, visitor, found, token)


def mailed(link: Link) -> bool:
    """Whether it came by mail, so that who has it reads that mailbox."""
    return bool(link.fields.get("mailed"))


async def _again(idp: Idp, visitor: Visitor, link: Link, token: str) -> Onward | None:
    """Whoever comes back to the link, in the browser where it is open; also one that never heard the answer."""
    if visitor.token is not None and (cookie := await links.opened_here(idp, visitor, token)) is not None:
        return Onward(cookie)
    inside = await enter(idp, visitor, rooms.HOME)
    mine = isinstance(inside, Inside) and inside.session.link in INVITES and inside.account.id == link.account_id
    return Onward() if mine else None


async def welcome(idp: Idp, visitor: Visitor) -> Welcome | Outside | Elsewhere:
    """How far this account is; what was given with the invitation is asked for first."""
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return Elsewhere() if isinstance(inside, rooms.SignIn) else inside
    if inside.session.link not in INVITES:
        return Elsewhere()
    hashed = await accounts.password_hash(idp.db, account_id=inside.account.id)
    open_ = tuple(each for each in inside.loaded.authenticators if each.closed_at is None)
    return Welcome(inside.now, inside.account, hashed is not None, open_)


async def choose(
    idp: Idp, visitor: Visitor, *, username: str, new: str
) -> Done | Weak | Taken | TooOften | Outside | Elsewhere:
    """Set the first password, and where it is the person's to choose, the username. Exactly one caller does."""
    found = await enter(idp, visitor, rooms.HOME)
    if not isinstance(found, Inside):
        return Elsewhere() if isinstance(found, rooms.SignIn) else found
    account = found.account
    if found.session.link not in INVITES:
        return Elsewhere()
    name: str | None = account.username
    if account.provisional_until is not None and (name := username_of(username)) is None:
        return Taken(taken=False)
    assert name is not None
    words = (idp.settings.brand, account.name or "", (account.email or "").partition("@")[0])
    problems = acceptable(new, username=name, words=words)
    parsed = passwords.parse(new)
    if problems or parsed is None:
        return Weak(tuple(problems))
    if (refused := await charge(idp, found)) is not None:
        return refused
    hashed = await idp.passwords.hash_password(parsed)
    try:
        async with idp.db.transaction() as conn:
            set_ = await newcomers.set_first_password(
                conn, account_id=account.id, username=name, password_hash=hashed, now=found.now
            )
            if set_:
                await audits.add(conn, PasswordChanged(), now=found.now, account_id=account.id)
    except AlreadyThere:
        return Taken(taken=True)
    return Done()


async def finish(idp: Idp, visitor: Visitor) -> Done | Welcome | Outside | Elsewhere:
    """The account is set up: the session ends, and the person signs in. Not before they can."""
    found = await welcome(idp, visitor)
    if not isinstance(found, Welcome) or not found.ready:
        return found
    assert visitor.session_id is not None
    async with idp.db.transaction() as conn:
        await newcomers.settle(conn, account_id=found.account.id)
        if await sessions.end(conn, session_id=visitor.session_id, now=found.now, account_id=found.account.id):
            await audits.add(conn, SignedOut(why="set_up"), now=found.now, account_id=found.account.id)
    return Done()
