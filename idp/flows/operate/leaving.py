"""An operator signs a person out, forgets their browsers, or removes them. What ends is said before and after."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from idp.audit import AccountRemoved, DeviceForgotten, SignedOut
from idp.errors import NotThere
from idp.flows.idp import Idp
from idp.flows.operate.administrators import keep_one
from idp.flows.operate.confirming import confirmed
from idp.flows.operate.editing import as_seen
from idp.flows.operate.finding import find_user
from idp.flows.operate.looking import Theirs, theirs
from idp.flows.operate.terms import end_everything
from idp.flows.people.links import withdraw
from idp.model import Account
from idp.policy import Act
from idp.sentences import plural, sentence
from idp.store import audits
from idp.store.people import devices, editing
from idp.store.signin import sessions


async def end_sessions(idp: Idp, who: str | UUID, session_id: UUID | None = None) -> int:
    """Sign a person out of one session, or everywhere, and say of how many.

    Everywhere means all tokens of theirs, too; of one session those without offline_access. Raises `NotThere`.
    """
    person = await find_user(idp, who, to=Act.END_SESSIONS)
    account_id, now = person.account.id, idp.clock.now()
    async with idp.db.transaction() as conn:
        account = await confirmed(conn, idp, person.account, to=Act.END_SESSIONS)
        if session_id is None:
            return await end_everything(conn, account, why="operator", now=now)
        ended = await sessions.end_elsewhere(conn, session_id=session_id, account_id=account_id, now=now)
        if not ended:
            raise NotThere(sentence("%(who)s has no such session, or it ended meanwhile.", who=person.account.username))
        await audits.add(conn, SignedOut(why="operator"), now=now, account_id=account_id)
    return ended


async def forget_devices(idp: Idp, who: str | UUID, key: bytes | None = None) -> int:
    """One browser, or every one, counts as a stranger's from now on and is signed out; says how many were known.

    Raises `NotThere`.
    """
    person = await find_user(idp, who, to=Act.END_SESSIONS)
    account_id, now, forgotten = person.account.id, idp.clock.now(), 0
    async with idp.db.transaction() as conn:
        await confirmed(conn, idp, person.account, to=Act.END_SESSIONS)
        for each in [key] if key is not None else await devices.keys(conn, account_id=account_id):
            if not await devices.forget(conn, account_id=account_id, key=each):
                continue
            forgotten += 1
            for session_id in await devices.signed_in(conn, account_id=account_id, key=each):
                await sessions.end_elsewhere(conn, session_id=session_id, account_id=account_id, now=now)
            await audits.add(conn, DeviceForgotten(device=each.hex()), now=now, account_id=account_id)
        if key is not None and not forgotten:
            raise NotThere(
                sentence("%(who)s has no such browser, or it was forgotten meanwhile.", who=person.account.username)
            )
    return forgotten


@dataclass(frozen=True, slots=True)
class Ending:
    """What a removal ends, one sentence each; and whether it was done."""

    account: Account
    consequences: tuple[str, ...]
    done: bool


async def remove_person(idp: Idp, who: str | UUID, *, expected: str | None = None, dry_run: bool = False) -> Ending:
    """Delete a person with all that is theirs, for ever, in favour of exactly one caller. The audit trail stays.

    `expected` is the version that the operator saw (`version_of`). Raises `NotThere`, `Outdated`, and `NotPermitted`,
    for the last administrator, too.
    """
    found, now = (await find_user(idp, who, to=Act.REMOVE_PERSON)).account, idp.clock.now()
    async with idp.db.transaction() as conn:
        account = await confirmed(conn, idp, found, to=Act.REMOVE_PERSON)
        as_seen(account, expected)
        await keep_one(conn, idp, account)
        ends = tuple(_ends(account, await theirs(conn, idp, account)))
        if not dry_run:
            await end_everything(conn, account, why="removed", now=now)
            await withdraw(conn, idp, account, now=now)
            await editing.remove(conn, account_id=account.id, now=now)
            key = idp.secrets.index(account.username, purpose="username").hex()
            await audits.add(conn, AccountRemoved(person=key), now=now, account_id=account.id)
    return Ending(account, ends, done=not dry_run)


def _ends(account: Account, has: Theirs) -> Iterator[str]:
    if has.sessions:
        yield plural(
            "They are signed out of %(num)s browser.", "They are signed out of %(num)s browsers.", len(has.sessions)
        )
    if names := ", ".join(app.name for app in has.applications):
        yield sentence(
            "What these hold for them ends: %(names)s. Access tokens that are out last to their end.", names=names
        )
    if has.authenticators:
        yield plural(
            "%(num)s authenticator of theirs ends with them.",
            "%(num)s authenticators of theirs end with them.",
            len(has.authenticators),
        )
    if has.links:
        yield plural(
            "%(num)s open link that they were given ends with them.",
            "%(num)s open links that they were given end with them.",
            len(has.links),
        )
    yield sentence("Applications know them by a subject that nobody will ever have again.")
    yield sentence("The name %(name)s is free again; the audit trail stays, without the name.", name=account.username)
