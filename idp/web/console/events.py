"""The page of one row of the audit trail: what happened, in words, with all that is known of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from idp.catalogue import mark
from idp.errors import IdpError
from idp.flows.operate.trail import audit_event
from idp.flows.people.console import AUDIT_PATH, CLIENTS_PATH, PEOPLE_PATH, Staff
from idp.policy import Act, in_units
from idp.store.audits import Entry
from idp.web.activity import device
from idp.web.console.door import come_in, frame, missing, show
from idp.web.console.words import EVENTS, FIELDS
from idp.web.door import idp_of
from idp.web.pages.console import NO, YES, Cell, Detail, Fact, Link, Section
from idp.web.rooms import url

_MOMENTS, _SPANS = frozenset({"trusted_at", "until"}), frozenset({"hold"})
_OF_WHO = frozenset({"operator", "address", "browser"})


async def event(request: Request) -> Response:
    """GET /admin/audit/ID."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    try:
        entry, application = await audit_event(idp_of(request), request.path_params["id"])
    except IdpError as error:
        return missing(request, error)
    trail = url(request, AUDIT_PATH)
    told = {name: value for name, value in entry.fields.items() if name not in _OF_WHO and value is not None}
    details = Section(mark("Details"), facts=[Fact(FIELDS.get(name, name), _cells(name, told[name])) for name in told])
    shown = Detail(
        frame=frame(request, staff),
        title=EVENTS.get(entry.name, entry.name),
        ours=True,
        back=Link(mark("Audit trail"), trail),
        sections=(
            Section(mark("What happened"), facts=_facts(request, staff, entry, application)),
            *((details,) if told else ()),
        ),
        acts=[Link(label, f"{trail}?{urlencode(search)}") for label, search in _more(entry)],
    )
    return show(request, staff, shown)


def _facts(request: Request, staff: Staff, entry: Entry, application: str | None) -> Sequence[Fact]:
    idp, fields = idp_of(request), entry.fields
    person = Cell(entry.username or str(entry.account_id or ""))
    if entry.username is not None and staff.may(idp, Act.SEE_PEOPLE):
        person = Cell(entry.username, href=f"{url(request, PEOPLE_PATH)}/{entry.account_id}")
    client = Cell(entry.client_id or "")
    if application is not None and staff.may(idp, Act.SEE_CLIENTS):
        client = Cell(application, href=f"{url(request, CLIENTS_PATH)}/{entry.client_id}")
    known = (
        Fact(mark("When"), (Cell(at=entry.at),)),
        Fact(mark("Event"), (Cell(entry.name),)),
        Fact(mark("Person"), (person,)),
        Fact(mark("Application"), (client,)),
        Fact(mark("By"), (Cell(str(fields.get("operator", ""))),)),
        Fact(mark("From"), (Cell(str(fields.get("address", ""))),)),
        Fact(mark("Browser"), (Cell(device(fields["browser"]) if fields.get("browser") else ""),)),
    )
    return [one for one in known if any(cell.text or cell.at for cell in one.cells)]


def _more(entry: Entry) -> Iterator[tuple[str, Mapping[str, object]]]:
    """What else somebody may want to see who sees this."""
    if entry.account_id is not None:
        yield mark("All about this person"), {"person": entry.account_id}
    if operator := entry.fields.get("operator"):
        yield mark("All that was done by them"), {"q": operator}
    yield mark("All of this kind"), {"q": entry.name}


def _cells(name: str, value: Any) -> Sequence[Cell]:  # noqa: ANN401 - what JSON has
    match value:
        case bool():
            return (Cell(YES if value else NO, ours=True),)
        case list():
            return [Cell(_plain(each)) for each in value]
        case int() if name in _SPANS:
            return (Cell(in_units(timedelta(seconds=value)), ours=True),)
        case str() if name in _MOMENTS:
            return (_moment(value),)
        case _:
            return (Cell(_plain(value)),)


def _moment(text: str) -> Cell:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return Cell(text)
    return Cell(at=at) if at.tzinfo is not None else Cell(text)


def _plain(value: Any) -> str:  # noqa: ANN401 - what JSON has
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
