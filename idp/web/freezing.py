"""The link of a notice, "This wasn't me": read, one flow, answer. Works for whoever has it, signed in or not."""

import re
from typing import assert_never

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.flows.delivery.linking import LINK_PATH
from idp.flows.idp import ACCOUNT_PATH
from idp.flows.people import forgotten, freezing
from idp.flows.people.forgotten import FORGOT_PATH
from idp.flows.people.freezing import Frozen, NoLink, Offered, Spent
from idp.model import Notice
from idp.model.links import LinkFor
from idp.web import pages
from idp.web.answers import page, see_other
from idp.web.door import idp_of, own_form
from idp.web.pages import Message, Outcome
from idp.web.rooms import url

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def _token(request: Request) -> str | None:
    token: str = request.path_params["token"]
    return token if _TOKEN.fullmatch(token) else None


async def look(request: Request) -> Response:
    """GET /link/freeze/{token}: what the button does, or that it is done. Changes nothing."""
    token = _token(request)
    found = NoLink() if token is None else await freezing.look(idp_of(request), token)
    match found:
        case Offered(link, account):
            told = link.fields
            shown = pages.Freeze(
                action=request.url.path,
                notice=Notice(told["kind"]),
                at=link.created_at,
                zone=account.claims.get("zoneinfo"),
                device=told.get("device"),
                address=told.get("address"),
            )
            return page(request, shown, person=account)
        case Frozen(account):
            forgot = url(request, FORGOT_PATH) if forgotten.offers(idp_of(request)) else None
            return page(request, pages.Frozen(home=url(request, ACCOUNT_PATH), forgot=forgot), person=account)
        case Spent(account):
            return page(request, Message(outcome=Outcome.THAWED, home=url(request, ACCOUNT_PATH)), person=account)
        case NoLink():
            return page(request, Message(outcome=Outcome.NO_FREEZE, home=url(request, ACCOUNT_PATH)), status=404)
        case never:
            assert_never(never)


async def press(request: Request) -> Response:
    """POST /link/freeze/{token}: the account is frozen. 303 to the page that says how it stands, however often."""
    await own_form(request, anybody=True)
    token = _token(request)
    if token is not None:
        await freezing.press(idp_of(request), token)
    return see_other(request.url.path)


_PATH = f"{LINK_PATH}/{LinkFor.FREEZE.value}/{{token}}"
ROUTES = [Route(_PATH, look, methods=["GET"]), Route(_PATH, press, methods=["POST"])]
