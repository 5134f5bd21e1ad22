"""Applications in the console: the list, and one with all that is registered."""

from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from idp.catalogue import mark
from idp.errors import IdpError
from idp.flows.idp import Idp
from idp.flows.operate.finding import ClientId, client_page, find_client
from idp.flows.people.console import CLIENTS_PATH, EXPLAIN_PATH, Staff
from idp.model import Client
from idp.policy import Act
from idp.web.console import tables
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
        done=said(request).done,
    )
    return show(request, staff, shown)


async def applications_csv(request: Request) -> Response:
    """GET /admin/applications.csv."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    found = await client_page(idp_of(request), containing=asked(request).get("q", "").strip(), limit=tables.MOST)

    async def rows() -> AsyncIterator[Sequence[str]]:
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
        sections=(Section(mark("How it is registered"), facts=_facts(client), acts=(trying(request, client),)),),
        acts=[Link(label, f"{here}/{name}", grave=grave) for label, name, grave in _acts(idp, staff, client)],
        done=told.done,
        once=told.once or None,
        consequences=told.follows,
    )
    return show(request, staff, shown)


def trying(request: Request, client: Client) -> Link:
    """Where a sign-in to it is tried."""
    return Link(mark("Try a sign-in"), f"{url(request, EXPLAIN_PATH)}?{urlencode({'client': client.id})}")


def _acts(idp: Idp, staff: Staff, client: Client) -> Sequence[tuple[str, str, bool]]:
    if not staff.may(idp, Act.CHANGE_CLIENTS):
        return ()
    offered = (
        (mark("Edit"), "edit", False, True),
        (mark("Enable"), "enable", False, client.disabled),
        (mark("Disable"), "disable", True, not client.disabled),
        (mark("Remove"), "remove", True, True),
    )
    return [(label, name, grave) for label, name, grave, makes_sense in offered if makes_sense]


def _facts(client: Client) -> Sequence[Fact]:
    def some(values: Sequence[str]) -> Sequence[Cell]:
        return [Cell(value) for value in values]

    def whether(value: bool) -> Sequence[Cell]:  # noqa: FBT001 - what is shown
        return (Cell(YES if value else NO, ours=True),)

    return (
        Fact(mark("Client id"), some([client.id])),
        Fact(mark("Redirect URIs"), some(client.redirect_uris)),
        Fact(mark("After signing out"), some(client.post_logout_redirect_uris)),
        Fact(mark("Home page"), some([client.home_uri] if client.home_uri else [])),
        Fact(mark("Scopes"), some(sorted(client.scopes))),
        Fact(mark("For groups"), some(sorted(client.groups))),
        Fact(mark("Authenticates with"), some([client.auth_method.value])),
        Fact(mark("Grant types"), some(sorted(client.grant_types))),
        Fact(mark("Ours, so nobody is asked to agree"), whether(client.first_party)),
        Fact(mark("PKCE required"), whether(client.require_pkce)),
        Fact(mark("Signature algorithm"), some([client.signing_alg])),
        Fact(mark("Audience"), some(client.audience)),
    )
