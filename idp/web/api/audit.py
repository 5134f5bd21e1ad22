"""The audit trail by the API."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from idp.flows.operate.trail import Search, audit_event, audit_page
from idp.policy import Act
from idp.store.audits import Entry
from idp.web.api.endpoints import Asked, Done, Endpoint, Paged

_Name = Annotated[str, msgspec.Meta(max_length=200)]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A row. `username` is what the person is called today; `operator` among the fields is who did it."""

    id: int
    at: datetime
    event: str
    account_id: UUID | None
    username: str | None
    client_id: str | None
    fields: dict[str, Any]


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    events: list[Event]
    next: str | None


class EventSearch(Paged, frozen=True, kw_only=True):
    """Which rows. `person` is a username or an id; `operator` is as person:ada, or any: caused by an operator."""

    person: Annotated[str, msgspec.Meta(max_length=300, description="A username, or an id.")] | None = None
    client_id: _Name | None = None
    event: Annotated[str, msgspec.Meta(max_length=100, description="As account.changed, or account.")] | None = None
    operator: Annotated[str, msgspec.Meta(max_length=300, description="As person:ada, or any.")] | None = None
    since: Annotated[datetime, msgspec.Meta(tz=True, description="From then on.")] | None = None
    until: Annotated[datetime, msgspec.Meta(tz=True, description="Before then.")] | None = None


async def _search(asked: Asked) -> Done:
    query: EventSearch = asked.query
    search = Search(
        person=_person(query.person),
        client_id=query.client_id,
        event=query.event,
        operator=query.operator,
        since=query.since,
        until=query.until,
    )
    page = await audit_page(asked.idp, search, after=query.after, limit=query.limit)
    return Done(Events(events=[_shown(one) for one in page.entries], next=page.after))


def _shown(one: Entry) -> Event:
    return Event(
        id=one.id,
        at=one.at,
        event=one.name,
        account_id=one.account_id,
        username=one.username,
        client_id=one.client_id,
        fields=dict(one.fields),
    )


async def _one(asked: Asked) -> Done:
    named = str(asked.path["event_id"])
    entry, _ = await audit_event(asked.idp, int(named) if named.isascii() and named.isdecimal() else -1)
    return Done(_shown(entry))


def _person(named: str | None) -> str | UUID | None:
    try:
        return None if named is None else UUID(named)
    except ValueError:
        return named


ENDPOINTS = (
    Endpoint(
        "GET", "/audit", "search_audit", Act.SEE_AUDIT, _search, "The audit trail", query=EventSearch, answers=Events
    ),
    Endpoint("GET", "/audit/{event_id}", "show_event", Act.SEE_AUDIT, _one, "One row of it", answers=Event),
)
