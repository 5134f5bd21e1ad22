"""The audit trail, for who may read it: searched, followed, taken away. Nothing is changed."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher
from uuid import UUID

from idp import audit
from idp.errors import NotThere
from idp.flows.idp import Idp
from idp.flows.operate.confirming import at_work
from idp.flows.operate.finding import list_clients
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.permitting import NotPermitted, permit
from idp.model import Client
from idp.policy import Act
from idp.sentences import sentence
from idp.store import audits
from idp.store.audits import Entry, Wanted
from idp.store.people import accounts
from idp.typed import fold

PAGE, MOST = 1000, 10_000
_NAMED = 10  # the most like it
# A row is there when its transaction ends, which may be a little after the time that it says.
_LATE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Trail:
    """Some rows, newest first, and `after` which the next page begins; None: this was the last."""

    entries: Sequence[Entry]
    after: str | None


@dataclass(frozen=True, slots=True)
class Search:
    """Which rows. `person` is a username, or an account id, which finds who is there no more, too.

    `event` is a name, as account.changed, or what several begin with, as account. `operator` is one as the trail has
    it (shell:ada), or `any`: caused by an operator. `since` is in, `until` is not. An event that there is not, and a
    client that there never was, are mistakes.
    """

    person: str | UUID | None = None
    client_id: str | None = None
    event: str | None = None
    operator: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def audit_page(idp: Idp, search: Search, *, after: str | None = None, limit: int = 100) -> Trail:
    """The newest rows, `MOST` at most. Raises `NotThere`, and `NotAcceptable` for a place that is none."""
    permit(idp, Act.SEE_AUDIT)
    limit = max(1, min(limit, MOST))
    found = await audits.some(idp.db, await _wanted(idp, search), before=_read(after), limit=limit + 1)
    return Trail(found[:limit], _written(found[limit - 1]) if len(found) > limit else None)


async def audit_event(idp: Idp, id_: int) -> tuple[Entry, str | None]:
    """One row, and the name of the application that it is about if that is registered today. Raises `NotThere`."""
    permit(idp, Act.SEE_AUDIT)
    found = await audits.one(idp.db, id_=id_)
    if found is None:
        raise NotThere("There is no such row in the audit trail.")
    return found


async def export(idp: Idp, search: Search) -> AsyncIterator[Entry]:
    """Every row, newest first. What happens meanwhile is not among them.

    Raises `NotPermitted` in the middle, when the operator may not look any more.
    """
    permit(idp, Act.SEE_AUDIT)
    wanted, before = await _wanted(idp, search), None
    while found := await audits.some(idp.db, wanted, before=before, limit=PAGE):
        for entry in found:
            yield entry
        if len(found) < PAGE:
            return
        before = found[-1].at, found[-1].id
        await at_work(idp.db, idp)


async def follow(idp: Idp, search: Search, *, every: timedelta = timedelta(seconds=1)) -> AsyncIterator[Entry]:
    """The rows that are added from now on, or since `search.since`, oldest first, each once. It has no end."""
    permit(idp, Act.SEE_AUDIT)
    wanted = await _wanted(idp, replace(search, until=None))
    since, shown = search.since or idp.clock.now(), dict[int, datetime]()
    while True:
        found = [each async for each in _since(idp, replace(wanted, since=since)) if each.id not in shown]
        for entry in reversed(found):
            shown[entry.id] = entry.at
            yield entry
        since = max(since, idp.clock.now() - _LATE)
        shown = {id_: at for id_, at in shown.items() if at >= since}
        await asyncio.sleep(every.total_seconds())


async def _since(idp: Idp, wanted: Wanted) -> AsyncIterator[Entry]:
    before = None
    while found := await audits.some(idp.db, wanted, before=before, limit=PAGE):
        for entry in found:
            yield entry
        before = found[-1].at, found[-1].id


async def _wanted(idp: Idp, search: Search) -> Wanted:
    for text in (search.client_id, search.event, search.operator):
        if text is not None and not text.isprintable():
            raise NotAcceptable(sentence("What is searched for has printable characters alone."))
    name = search.event and search.event.removesuffix(".")
    if name is not None and not audit.named(name):
        there = ", ".join(audit.like(name))
        said = sentence("There is no event %(name)s: there are %(there)s.", name=repr(name), there=there)
        raise NotAcceptable(said, fields=["event"])
    if search.client_id is not None:
        await _check_client(idp, search.client_id)
    account_id = search.person
    if isinstance(account_id, str):
        account_id = await _named(idp, account_id)
    anybody = search.operator == "any"
    return Wanted(
        account_id=account_id,
        client_id=search.client_id,
        name=name,
        operator=None if anybody else search.operator,
        operated=True if anybody else None,
        since=_moment(search.since),
        until=_moment(search.until),
    )


async def _check_client(idp: Idp, client_id: str) -> None:
    """Go on if there is such a client, or was: whoever mistypes is not told that nothing happened."""
    if idp.client(client_id) is not None or await audits.some(
        idp.db, Wanted(client_id=client_id), before=None, limit=1
    ):
        return
    told = sentence("Nothing has happened that is about an application with the id %(id)s.", id=repr(client_id))
    with suppress(NotPermitted):
        if known := await list_clients(idp):
            nearest = sorted(known, key=lambda one: _likeness(client_id, one), reverse=True)
            names = ", ".join(f"{one.id} ({one.name})" for one in nearest[:_NAMED])
            raise NotAcceptable(told, sentence("There are %(there)s.", there=names), fields=["client_id", "client_id"])
    raise NotAcceptable(told, fields=["client_id"])


def _likeness(typed: str, client: Client) -> float:
    """How much a client is like what was typed, by its id or by its name."""
    return max(SequenceMatcher(a=typed.lower(), b=each.lower()).ratio() for each in (client.id, client.name))


def _moment(at: datetime | None) -> datetime | None:
    if at is not None and (at := _utc(at)) is None:
        raise NotAcceptable(sentence("A time is searched for with its zone, in the years from 1 to 9999."))
    return at


def _utc(at: datetime) -> datetime | None:
    """The same moment as the database has it; None where it has none: no zone, or a year that there is not."""
    try:
        return None if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        return None


async def _named(idp: Idp, username: str) -> UUID:
    """Whoever has this username, or had it when they were removed."""
    name = fold(username)
    found = await accounts.by_username(idp.db, username=name)  # their rows tell the name all the same
    if found is not None:
        return found[0].id
    removed = await audits.removed(idp.db, person=idp.secrets.index(name, purpose="username").hex())
    if removed is None:
        raise NotThere(sentence("There is no user named %(name)s.", name=repr(name)))
    return removed


def _written(entry: Entry) -> str:
    """The place of a row, for who goes on from it."""
    return f"{entry.at.isoformat()}_{entry.id}"


def _read(after: str | None) -> tuple[datetime, int] | None:
    if after is None:
        return None
    at, _, id_ = after.rpartition("_")
    try:
        when = _utc(datetime.fromisoformat(at))
    except ValueError:
        when = None
    if when is None or not re.fullmatch("[0-9]{1,18}", id_):
        raise NotAcceptable(sentence("There is no such place to go on from: begin again at the first page."))
    return when, int(id_)
