"""Where people are signed in and how they stand, by the API: browsers, applications, messages, links, waits."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from idp.flows.operate.deliveries import sent_to
from idp.flows.operate.leaving import end_sessions, forget_devices
from idp.flows.operate.looking import list_devices, list_sessions, show_person
from idp.policy import Act
from idp.web.api.endpoints import Asked, Done, Endpoint, Query, key_in
from idp.web.api.sending import Delivery, delivery


class SessionShown(msgspec.Struct, frozen=True, kw_only=True):
    """A browser that somebody is signed in to with two factors."""

    id: UUID
    seen_at: datetime
    browser: str


class Sessions(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    sessions: list[SessionShown]


class DeviceShown(msgspec.Struct, frozen=True, kw_only=True):
    """A browser that is known as theirs."""

    id: str
    label: str
    browser: str
    address: str | None
    created_at: datetime
    seen_at: datetime


class Devices(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    devices: list[DeviceShown]


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How many browsers they were signed out of."""

    ended: int


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """How many browsers count as a stranger's from now on."""

    forgotten: int


class ApplicationShown(msgspec.Struct, frozen=True, kw_only=True):
    """An application that they use or may open."""

    client_id: str
    name: str
    scopes: list[str]
    agreed_at: datetime | None
    used_at: datetime | None


class LinkShown(msgspec.Struct, frozen=True, kw_only=True):
    """A link that works still, without itself."""

    purpose: str
    created_at: datetime
    expires_at: datetime


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Whether they have set a password, what they use, which links of theirs work, and what makes them wait."""

    has_password: bool
    applications: list[ApplicationShown]
    links: list[LinkShown]
    waits: list[str]


class Latest(Query, frozen=True, kw_only=True):
    """How many."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 20


class Messages(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first, one line for each try."""

    messages: list[Delivery]


async def _sessions(asked: Asked) -> Done:
    found = await list_sessions(asked.idp, asked.id)
    shown = [SessionShown(id=one.session_id, seen_at=one.seen_at, browser=one.user_agent) for one in found]
    return Done(Sessions(sessions=shown))


async def _end_all(asked: Asked) -> Done:
    return Done(Ended(ended=await end_sessions(asked.idp, asked.id)))


async def _end(asked: Asked) -> Done:
    await end_sessions(asked.idp, asked.id, asked.path["session"])
    return Done()


async def _devices(asked: Asked) -> Done:
    shown = [
        DeviceShown(
            id=one.key.hex(),
            label=one.label,
            browser=one.user_agent,
            address=one.address,
            created_at=one.created_at,
            seen_at=one.seen_at,
        )
        for one in await list_devices(asked.idp, asked.id)
    ]
    return Done(Devices(devices=shown))


async def _forget_all(asked: Asked) -> Done:
    return Done(Forgotten(forgotten=await forget_devices(asked.idp, asked.id)))


async def _forget(asked: Asked) -> Done:
    await forget_devices(asked.idp, asked.id, key_in(asked.path["device"]))
    return Done()


async def _standing(asked: Asked) -> Done:
    found = await show_person(asked.idp, asked.id)
    apps = [
        ApplicationShown(
            client_id=one.client_id,
            name=one.name,
            scopes=list(one.scopes),
            agreed_at=one.agreed_at,
            used_at=one.used_at,
        )
        for one in found.applications
    ]
    links = [
        LinkShown(purpose=one.purpose.value, created_at=one.created_at, expires_at=one.expires_at)
        for one in found.links
    ]
    return Done(Standing(has_password=found.has_password, applications=apps, links=links, waits=list(found.waits)))


async def _messages(asked: Asked) -> Done:
    query: Latest = asked.query
    found = await sent_to(asked.idp, asked.id, limit=query.limit)
    return Done(Messages(messages=[delivery(to, one) for to, one in found]))


_ONE = "/people/{id:uuid}"
_SEE, _END = Act.SEE_PEOPLE, Act.END_SESSIONS

ENDPOINTS = (
    Endpoint("GET", f"{_ONE}/standing", "show_standing", _SEE, _standing, "How somebody stands", answers=Standing),
    Endpoint(
        "GET", f"{_ONE}/sessions", "list_sessions", _SEE, _sessions, "Where somebody is signed in", answers=Sessions
    ),
    Endpoint(
        "DELETE",
        f"{_ONE}/sessions",
        "end_sessions",
        _END,
        _end_all,
        "Sign somebody out everywhere",
        "All tokens of theirs end, too.",
        answers=Ended,
    ),
    Endpoint("DELETE", f"{_ONE}/sessions/{{session:uuid}}", "end_session", _END, _end, "Sign out of one browser"),
    Endpoint("GET", f"{_ONE}/devices", "list_devices", _SEE, _devices, "Browsers known as theirs", answers=Devices),
    Endpoint(
        "DELETE", f"{_ONE}/devices", "forget_devices", _END, _forget_all, "Forget every browser", answers=Forgotten
    ),
    Endpoint(
        "DELETE", f"{_ONE}/devices/{{device}}", "forget_device", _END, _forget, "Forget a browser, which signs it out"
    ),
    Endpoint(
        "GET",
        f"{_ONE}/messages",
        "list_messages",
        Act.SEE_SENDING,
        _messages,
        "What was sent to somebody",
        query=Latest,
        answers=Messages,
    ),
)
