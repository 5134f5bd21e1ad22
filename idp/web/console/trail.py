"""The audit trail and the messages in the console: lists to be searched, paged and taken away as CSV."""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from idp.audit import named
from idp.catalogue import mark
from idp.errors import IdpError, NotThere
from idp.flows.idp import Idp
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.sending import deliveries_page
from idp.flows.operate.trail import Search, audit_page, export
from idp.flows.people.console import AUDIT_PATH, MESSAGES_PATH, NUMBER_PATH, PEOPLE_PATH, SPENDING_PATH
from idp.store.audits import Entry
from idp.store.delivery.messages import Logged
from idp.web.console import tables
from idp.web.console.door import come_in, frame, missing, show
from idp.web.console.people import asked
from idp.web.console.words import EVENTS, MESSAGES, RESULTS, STATES
from idp.web.door import idp_of
from idp.web.pages.console import Cell, Link, Listing
from idp.web.rooms import url

PAGE = 50
_LATELY = timedelta(days=30)
_BADGES = {"sent": "good", "failed": "bad", "denied": "bad"}
_AUDIT = (mark("When"), mark("Event"), mark("Person"), mark("Application"), mark("By"), mark("Details"))
_MESSAGES = (mark("When"), mark("Person"), mark("To"), mark("What"), mark("State"), mark("Gateway"), mark("Result"))


_ELSEWHERE = frozenset({"operator", "by", "address", "browser"})
_LONG = re.compile(r"[0-9a-f-]{16,}|\d{4}-\d\d-\d\dT[\d:.+-]+")
_LINE = 32  # characters


def _search(given: dict[str, str]) -> Search:
    """What was typed: an operator has a colon, an event a name that there is; all else is a person. `person`: an id."""
    text = given.get("q", "").strip()
    try:
        who = UUID(given["person"]) if given.get("person") else None
    except ValueError:
        who = None
    if ":" in text:
        return Search(person=who, operator=text)
    if "." in text and named(text.removesuffix(".")):
        return Search(person=who, event=text)
    return Search(person=text or who)


def _details(entry: Entry) -> str:
    told = ((name, value) for name, value in entry.fields.items() if name != "operator" and value not in (None, ""))
    return ", ".join(f"{name}: {value if isinstance(value, str) else json.dumps(value)}" for name, value in told)


def _short(entry: Entry) -> str:
    """What fits into one line: not where it came from, no ids, no times. The page of the row has all of it."""
    values = [value for name, value in entry.fields.items() if name not in _ELSEWHERE]
    told = [value if isinstance(value, str) else " ".join(value) for value in values if isinstance(value, str | list)]
    text = ", ".join(one for one in told if one and not _LONG.fullmatch(one))
    return text if len(text) <= _LINE else f"{text[: _LINE - 1].rstrip()}…"


async def trail(request: Request) -> Response:
    """GET /admin/audit."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp, given, here = idp_of(request), asked(request), url(request, AUDIT_PATH)
    entries: Sequence[Entry] = ()
    following = None
    wrong: tuple[str, ...] = ()
    try:
        found = await audit_page(idp, _search(given), after=given.get("after") or None, limit=PAGE)
        entries, following = found.entries, found.after
    except (NotThere, NotAcceptable) as error:
        wrong = tuple(error.problems)
    kept = {name: given[name] for name in ("q", "person") if given.get(name)}
    shown = Listing(
        frame=frame(request, staff),
        title=mark("Audit trail"),
        columns=_AUDIT,
        rows=[_row(idp, one, here, url(request, PEOPLE_PATH)) for one in entries],
        here=here,
        search=given.get("q", ""),
        hint=mark("A username; an event, such as account.changed; or who did it, such as shell:ada."),
        following=f"{here}?{urlencode({**kept, 'after': following})}" if following else None,
        csv=f"{here}.csv?{urlencode(kept)}",
        said=wrong,
    )
    return show(request, staff, shown)


def _row(idp: Idp, one: Entry, here: str, people: str) -> Sequence[Cell]:
    person = one.username or ("" if one.account_id is None else str(one.account_id)[:8])
    return (
        Cell(at=one.at),
        Cell(EVENTS.get(one.name, one.name), href=f"{here}/{one.id}", ours=True),
        Cell(person, href=f"{people}/{one.account_id}" if one.username else None),
        Cell(_named(idp, one.client_id)),
        Cell(str(one.fields.get("operator", ""))),
        Cell(_short(one)),
    )


def _named(idp: Idp, client_id: str | None) -> str:
    client = None if client_id is None else idp.registered(client_id)
    return client_id or "" if client is None else client.name


async def trail_csv(request: Request) -> Response:
    """GET /admin/audit.csv."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp, search = idp_of(request), _search(asked(request))
    try:
        await audit_page(idp, search, limit=1)
    except IdpError as error:
        return missing(request, error)

    async def rows() -> AsyncIterator[Sequence[str]]:
        async for one in export(idp, search):
            who, by = one.username or str(one.account_id or ""), str(one.fields.get("operator", ""))
            yield (one.at.isoformat(), one.name, who, one.client_id or "", by, _details(one))

    return tables.download("audit", ("at", "event", "person", "client_id", "operator", "details"), rows())


async def messages(request: Request) -> Response:
    """GET /admin/messages."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp, given, here = idp_of(request), asked(request), url(request, MESSAGES_PATH)
    try:
        after = UUID(given["after"]) if given.get("after") else None
    except ValueError:
        after = None
    search, kept = _wanted(given), {"q": given["q"]} if given.get("q") else {}
    found = await deliveries_page(idp, **search, after=after, limit=PAGE, back=_LATELY)
    people = url(request, PEOPLE_PATH)
    shown = Listing(
        frame=frame(request, staff),
        title=mark("Messages"),
        columns=_MESSAGES,
        rows=[
            (
                Cell(at=one.message.created_at),
                Cell(one.message.username, href=f"{people}/{one.message.account_id}"),
                Cell(to),
                Cell(MESSAGES.get(one.message.kind, one.message.kind), ours=True),
                Cell(STATES.get(one.state, one.state), badge=_BADGES.get(one.state, "wait"), ours=True),
                Cell(one.gateway or ""),
                Cell(RESULTS.get(result := _result(one), result), ours=True),
            )
            for to, one in found.lines
        ],
        here=here,
        search=given.get("q", ""),
        hint=mark("A username; or waiting, sent, failed, expired or denied."),
        following=f"{here}?{urlencode({**kept, 'after': found.after})}" if found.after else None,
        csv=f"{here}.csv?{urlencode(kept)}",
        acts=(
            Link(mark("Money and closed numbers"), url(request, SPENDING_PATH)),
            Link(mark("Ask about a number"), url(request, NUMBER_PATH)),
        ),
    )
    return show(request, staff, shown)


def _wanted(given: Mapping[str, str]) -> dict[str, str]:
    """What was typed: a state as the commands call it; anything else is a person."""
    text = given.get("q", "").strip()
    if not text:
        return {}
    return {"state": text.lower()} if text.lower() in STATES else {"username": text}


def _result(one: Logged) -> str:
    return one.delivery or one.outcome or one.denied_by or ""


async def messages_csv(request: Request) -> Response:
    """GET /admin/messages.csv."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp, search = idp_of(request), _wanted(asked(request))

    async def rows() -> AsyncIterator[Sequence[str]]:
        after: UUID | None = None
        while True:
            found = await deliveries_page(idp, **search, after=after, limit=tables.PAGE, back=_LATELY)
            for to, one in found.lines:
                made = one.message.created_at.isoformat()
                yield (made, one.message.username, to, one.message.kind, one.state, one.gateway or "", _result(one))
            if (after := found.after) is None:
                return

    return tables.download("messages", ("at", "person", "to", "kind", "state", "gateway", "result"), rows())
