"""The door of the account pages: whoever is not signed in gives the password here, in the form of all others."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.flows.people import console
from idp.flows.people.rooms import SIGN_IN_PATH, room_at
from idp.flows.signin.authorize import Show, ToClient, Unstored
from idp.flows.signin.begin import begin_here
from idp.flows.signin.choices import cancelled
from idp.model import AuthorizationRequest
from idp.web import password_form
from idp.web.answers import see_other, to_client, to_interaction, trouble
from idp.web.door import idp_of, own_form, query, visitor
from idp.web.pages import Trouble
from idp.web.rooms import url


def _room(request: Request) -> AuthorizationRequest | None:
    to = dict(query(request)).get("to", "")
    return room_at(to) or console.room_at(to)


async def sign_in(request: Request) -> Response:
    """GET /account/sign-in: the page that asks for the password, or on to the room."""
    room = _room(request)
    if room is None:
        return trouble(request, Trouble.NOT_FOUND)
    match await begin_here(idp_of(request), room, visitor(request)):
        case ToClient() as done:
            return to_client(request, done)
        case Show() as show:
            return password_form.ask(request, show, url(request, SIGN_IN_PATH), _written(room))
        case interaction:
            return to_interaction(request, interaction)


async def password(request: Request) -> Response:
    """POST /account/sign-in/password."""
    form, room = await own_form(request), _room(request)
    if room is None:
        return trouble(request, Trouble.NOT_FOUND)
    return await password_form.typed(request, form, Unstored(room, request.url.query), here=_here(request))


async def with_passkey(request: Request) -> Response:
    """POST /account/sign-in/with-passkey."""
    form, room = await own_form(request), _room(request)
    if room is None:
        return trouble(request, Trouble.NOT_FOUND)
    return await password_form.with_passkey(request, form, Unstored(room, request.url.query), here=_here(request))


async def cancel(request: Request) -> Response:
    """POST /account/sign-in/cancel."""
    await own_form(request)
    room = _room(request)
    return trouble(request, Trouble.NOT_FOUND) if room is None else to_client(request, cancelled(idp_of(request), room))


async def back(request: Request) -> Response:
    """GET where only a POST answers: to the page."""
    return see_other(_here(request))


def _written(room: AuthorizationRequest) -> str:
    return urlencode({"to": room.redirect_uri})


def _here(request: Request) -> str:
    return f"{url(request, SIGN_IN_PATH)}?{request.url.query}"


ROUTES = [
    Route(SIGN_IN_PATH, sign_in, methods=["GET"]),
    Route(f"{SIGN_IN_PATH}/password", password, methods=["POST"]),
    Route(f"{SIGN_IN_PATH}/with-passkey", with_passkey, methods=["POST"]),
    Route(f"{SIGN_IN_PATH}/cancel", cancel, methods=["POST"]),
    *(Route(f"{SIGN_IN_PATH}/{form}", back, methods=["GET"]) for form in ("password", "with-passkey", "cancel")),
]
