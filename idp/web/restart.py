"""A page of a paused request that cannot go on: the request starts again, or the way to the account page is shown."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from idp.flows import authorize
from idp.flows.authorize import Gone, ToClient, ToInteraction
from idp.oidc.errors import PageError
from idp.web.answers import to_client, to_interaction, trouble
from idp.web.door import base_path, idp_of, path_uuid, visitor
from idp.web.pages import Trouble


async def gone(request: Request, interaction_id: UUID) -> Response:
    """No dead end: lost, finished, too late or somebody else's, the stored request starts again in this browser."""
    idp = idp_of(request)
    if visitor(request).token is not None:
        return await _restart(request, interaction_id)
    # A browser that keeps no cookie would start again for ever: one press each time.
    stored = await authorize.stored_request(idp, interaction_id)
    if stored is None:
        return _nothing_left(request)
    again = f"{base_path(idp)}/i/{interaction_id}/again"
    return trouble(request, Trouble.OTHER_BROWSER, ui_locales=stored.ui_locales, again=again)


async def _restart(request: Request, interaction_id: UUID) -> Response:
    try:
        restarted = await authorize.restart(idp_of(request), interaction_id, visitor(request))
    except PageError:
        return _nothing_left(request)  # the client was removed in this very moment
    match restarted:
        case ToInteraction() as onward:
            return to_interaction(request, onward)
        case ToClient() as done:
            return to_client(request, done)
        case Gone():
            return _nothing_left(request)


def _nothing_left(request: Request) -> Response:
    return trouble(request, Trouble.LINK_OLD)


async def again(request: Request) -> Response:
    """GET /i/{id}/again: the stored request from its beginning, in whatever browser this is."""
    interaction_id = path_uuid(request, "id")
    if interaction_id is None:
        return trouble(request, Trouble.NOT_FOUND)
    match await authorize.load(idp_of(request), interaction_id, visitor(request), now=idp_of(request).clock.now()):
        case Gone():
            return await _restart(request, interaction_id)
        case _:
            return to_interaction(request, ToInteraction(interaction_id))
