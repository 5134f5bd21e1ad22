"""All that an operator sees of one person, and where they are signed in. Nothing is changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from idp.flows.idp import Idp
from idp.flows.operate.administrators import keeps_on
from idp.flows.operate.deliveries import masked_address
from idp.flows.operate.finding import Person, find_user
from idp.flows.operate.unlocking import holding_up
from idp.flows.people.home import App, apps
from idp.model import Account, Authenticator
from idp.model.links import Link
from idp.store.delivery import messages
from idp.store.delivery.messages import Logged
from idp.store.engine import Conn, Connection
from idp.store.people import accounts, home, links
from idp.store.people.devices import Known
from idp.store.people.home import Browser, Happened, Seen

LATELY, MESSAGES = 50, 20


@dataclass(frozen=True, slots=True)
class Shown:
    """A person as an operator sees them, everything newest first.

    `has_password`: they have set one. `sessions` are browsers that they are signed in to with two factors; `devices`
    those that are known. `messages` are tries to send, each with its masked address; `links` work still; `waits` says
    what makes them wait (`unlock_user` ends it); `last`, of the last administrator, why nobody here may keep them out.
    """

    person: Person
    has_password: bool
    sessions: Sequence[Browser]
    devices: Sequence[Known]
    applications: Sequence[App]
    happened: Sequence[Happened]
    messages: Sequence[tuple[str, Logged]]
    links: Sequence[Link]
    waits: Sequence[str]
    last: str = ""


async def show_person(idp: Idp, who: str | UUID) -> Shown:
    """All that there is of a person but what is secret, in seven statements; of an administrator eight.

    Raises `NotThere` or `NotPermitted`.
    """
    person = await find_user(idp, who)
    account, now = person.account, idp.clock.now()
    seen = await _seen(idp.db, idp, account.id, now=now, limit=LATELY)
    logged = await messages.log(idp.db, account_id=account.id, limit=MESSAGES)
    opened = await links.open_of(idp.db, account_id=account.id, now=now)
    return Shown(
        person=person,
        has_password=await accounts.password_hash(idp.db, account_id=account.id) is not None,
        sessions=seen.browsers,
        devices=seen.devices,
        applications=_used(idp, account, seen),
        happened=seen.happened,
        messages=[(masked_address(idp, one), one) for one in logged],
        links=opened,
        waits=await holding_up(idp, person),
        last=await keeps_on(idp, account),
    )


async def list_sessions(idp: Idp, who: str | UUID) -> Sequence[Browser]:
    """The browsers that a person is signed in to with two factors, newest first. Raises `NotThere`."""
    person = await find_user(idp, who)
    return (await _seen(idp.db, idp, person.account.id, now=idp.clock.now(), limit=0)).browsers


async def list_devices(idp: Idp, who: str | UUID) -> Sequence[Known]:
    """The browsers that are known as a person's, newest first. Raises `NotThere`."""
    person = await find_user(idp, who)
    return (await _seen(idp.db, idp, person.account.id, now=idp.clock.now(), limit=0)).devices


@dataclass(frozen=True, slots=True)
class Theirs:
    """What ends with a person: browsers that they are signed in to, applications, authenticators, open links."""

    sessions: Sequence[Browser]
    applications: Sequence[App]
    authenticators: Sequence[Authenticator]
    links: Sequence[Link]


async def theirs(conn: Connection, idp: Idp, account: Account) -> Theirs:
    """All of it as it is now, of somebody who is locked."""
    now = idp.clock.now()
    found = await accounts.by_id(conn, account_id=account.id)
    seen = await _seen(conn, idp, account.id, now=now, limit=0)
    opened = await links.open_of(conn, account_id=account.id, now=now)
    return Theirs(seen.browsers, _used(idp, account, seen), () if found is None else found[1], opened)


def _used(idp: Idp, account: Account, seen: Seen) -> Sequence[App]:
    return [app for app in apps(idp.applications(), account, seen) if app.used_at or app.agreed_at]


async def _seen(conn: Conn, idp: Idp, account_id: UUID, *, now: datetime, limit: int) -> Seen:
    lives = idp.policy.sessions
    return await home.load(
        conn,
        account_id=account_id,
        session_id=None,
        begun_since=now - lives.life,
        seen_since=now - lives.idle,
        not_since=now,
        names=None,
        limit=limit,
        keys=(),
        now=now,
    )
