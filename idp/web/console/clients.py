"""Applications in the console: the list, and one with all that is registered."""

import sys
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from idp.catalogue import mark
from idp.errors import IdpError
from idp.flows.idp import Idp
from idp.flows.operate.finding import ClientId, client_page, find_client
from idp.flows.operate.registrations import WITH_SECRET
from idp.flows.people.console import CLIENTS_PATH, EXPLAIN_PATH, NEW_CLIENT_PATH, Staff
from idp.model import Client
from idp.policy import Act
from idp.web.console import client_fields, tables
from idp.web.console.door import come_in, frame, missing, said, show
from idp.web.console.people import asked
from idp.web.door import idp_of
from idp.web.pages.console import NO, YES, Cell, Detail, Fact, Link, Listing, Section
from idp.web.rooms import url

PAGE = 50
_COLUMNS = (mark("Name"), mark("Client id"), mark("Scopes"), mark("State"))


def standing(client: Client) -> Cell:
    """How it stands, in one word."""
    if client.disabled:
        return Cell(mark("Disabled"), badge="bad", ours=True)
    return Cell(mark("Enabled"), badge="good", ours=True)


async def applications(request: Request) -> Response:
    """GET /admin/applications."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp, given, here = idp_of(request), asked(request), url(request, CLIENTS_PATH)
    wanted = given.get("q", "").strip()
    found = await client_page(idp, containing=wanted, after=given.get("after") or None, limit=PAGE)
    may = staff.may(idp, Act.CHANGE_CLIENTS)
    shown = Listing(
        frame=frame(request, staff),
        title=mark("Applications"),
        columns=_COLUMNS,
        rows=[
            (Cell(one.name, href=f"{here}/{one.id}"), Cell(one.id), Cell(" ".join(sorted(one.scopes))), standing(one))
            for one in found.clients
        ],
        here=here,
        search=wanted,
        hint=mark("Part of a name or a client id."),
        count=found.count,
        following=f"{here}?{urlencode({'q': wanted, 'after': found.after})}" if found.after else None,
        csv=f"{here}.csv?{urlencode({'q': wanted})}",
        acts=[Link(mark("Register an application"), url(request, NEW_CLIENT_PATH), first=True)] if may else (),
        done=said(request).done,
    )
    return show(request, staff, shown)


async def applications_csv(request: Request) -> Response:
    """GET /admin/applications.csv."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp, wanted = idp_of(request), asked(request).get("q", "").strip()

    async def rows() -> AsyncIterator[Sequence[str]]:
        found = await client_page(idp, containing=wanted, limit=sys.maxsize)  # all of them are in one answer anyway
        for one in found.clients:
            uris, scopes = " ".join(one.redirect_uris), " ".join(sorted(one.scopes))
            yield (one.id, one.name, one.auth_method.value, uris, scopes, standing(one).text.lower())

    return tables.download("applications", ("id", "name", "auth_method", "redirect_uris", "scopes", "state"), rows())


async def application(request: Request) -> Response:
    """GET /admin/applications/ID."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp = idp_of(request)
    try:
        client = await find_client(idp, ClientId(request.path_params["id"]))
    except IdpError as error:
        return missing(request, error)
    told, here = said(request), url(request, f"{CLIENTS_PATH}/{client.id}")
    shown = Detail(
        frame=frame(request, staff),
        title=client.name,
        back=Link(mark("Applications"), url(request, CLIENTS_PATH)),
        standing=[standing(client)],
        sections=(
            *_sections(idp, client, acts=(trying(request, client),)),
            *_secrets(client, now=staff.inside.now),
        ),
        acts=[Link(label, f"{here}/{name}", grave=grave) for label, name, grave in _acts(idp, staff, client)],
        # Nobody is shown that of a disabled one.
        logo=None if client.logo is None or client.disabled else url(request, f"/logo/{client.logo}"),
        done=told.done,
        once=told.once or None,
        consequences=told.follows,
    )
    return show(request, staff, shown)


def _two_secrets(client: Client, *, now: datetime) -> bool:
    return client.old_secret_until is not None and client.old_secret_until > now


def _secrets(client: Client, *, now: datetime) -> Sequence[Section]:
    """The secrets of a client that has some, without them."""
    if client.auth_method not in WITH_SECRET:
        return ()
    facts = [Fact(mark("Set"), (Cell(YES if client.secret_hash else NO, ours=True),))]
    if _two_secrets(client, now=now):
        facts += [
            Fact(mark("The one before works until"), (Cell(at=client.old_secret_until),)),
            Fact(mark("The one before was last used"), (Cell(at=client.old_secret_used_at),)),
        ]
    return (Section(mark("Secret"), facts=facts),)


def trying(request: Request, client: Client) -> Link:
    """Where a sign-in to it is tried."""
    return Link(mark("Try a sign-in"), f"{url(request, EXPLAIN_PATH)}?{urlencode({'client': client.id})}")


def _acts(idp: Idp, staff: Staff, client: Client) -> Sequence[tuple[str, str, bool]]:
    if not staff.may(idp, Act.CHANGE_CLIENTS):
        return ()
    offered = (
        (mark("Edit"), "edit", False, True),
        (mark("New secret"), "secret", False, client.auth_method in WITH_SECRET),
        (mark("End the old secret"), "old-secret", True, _two_secrets(client, now=staff.inside.now)),
        (mark("Logo"), "logo", False, True),
        (mark("Remove the logo"), "no-logo", False, client.logo is not None),
        (mark("Enable"), "enable", False, client.disabled),
        (mark("Disable"), "disable", True, not client.disabled),
        (mark("Remove"), "remove", True, True),
    )
    return [(label, name, grave) for label, name, grave, makes_sense in offered if makes_sense]


def _sections(idp: Idp, client: Client, *, acts: Sequence[Link]) -> Sequence[Section]:
    """What it has to know of us, and how it is registered: what the form of it has, in the same words."""
    known = Section(
        mark("What it has to know"),
        facts=(
            Fact(mark("Issuer"), (Cell(idp.issuer),)),
            Fact(mark("Where it reads the rest"), (Cell(f"{idp.issuer}/.well-known/openid-configuration"),)),
            Fact(mark("Client id"), (Cell(client.id),)),
        ),
        acts=acts,
    )
    parts = client_fields.fieldsets(idp.policy, client_fields.values_of(client))
    return (
        known,
        *(
            Section(part.heading, facts=[Fact(one.label, client_fields.cells(one)) for one in part.inputs])
            for part in parts
        ),
    )
