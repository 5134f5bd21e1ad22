"""A page of a paused request that cannot go on: the request starts again, or the way to the account page is shown."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from idp.flows.idp import OURS
from idp.flows.signin import authorize, restart
from idp.flows.signin.authorize import Gone, ToClient, ToInteraction
from idp.flows.signin.restart import Finished, Over
from idp.oidc.errors import PageError
from idp.web.answers import to_client, to_interaction, trouble
from idp.web.door import base_path, idp_of, visitor
from idp.web.pages import Trouble


async def gone(request: Request, interaction_id: UUID) -> Response:
    """No dead end: lost, too late or somebody else's, the stored request starts again in this browser.

    So does what was finished, as long as that asks for nothing: else one press starts it, for who wants it once more.
    """
    idp, who = idp_of(request), visitor(request)
    again = f"{base_path(idp)}/i/{interaction_id}/again"
    if who.token is None:
        # A browser that keeps no cookie would start again for ever: one press each time.
        stored = await restart.stored_request(idp, interaction_id)
        if stored is None or stored.pushed:
            return _nothing_left(request) if stored is None else _over(request, Over(stored))
        return trouble(request, Trouble.OTHER_BROWSER, ui_locales=stored.ui_locales, again=again)
    try:
        reopened = await restart.reopen(idp, interaction_id, who)
    except PageError:
        return _nothing_left(request)  # the client was removed in this very moment
    if isinstance(reopened, Over):
        return _over(request, reopened)
    if not isinstance(reopened, Finished):
        return _started(request, reopened)
    asked, person = reopened.request, reopened.account
    client = None if asked.client_id in OURS else idp.client(asked.client_id)
    return trouble(request, Trouble.FINISHED, ui_locales=asked.ui_locales, person=person, again=again, client=client)


async def _restart(request: Request, interaction_id: UUID) -> Response:
    try:
        return _started(request, await restart.restart(idp_of(request), interaction_id, visitor(request)))
    except PageError:
        return _nothing_left(request)


def _started(request: Request, restarted: ToInteraction | ToClient | Gone) -> Response:
    match restarted:
        case ToInteraction() as onward:
            return to_interaction(request, onward)
        case ToClient() as done:
            return to_client(request, done)
        case Gone():
            return _nothing_left(request)


def _over(request: Request, over: Over) -> Response:
    asked = over.request
    client = idp_of(request).client(asked.client_id)
    return trouble(request, Trouble.REQUEST_GONE, ui_locales=asked.ui_locales, client=client)


def _nothing_left(request: Request) -> Response:
    return trouble(request, Trouble.LINK_OLD)


async def again(request: Request) -> Response:
    """GET /i/{id}/again: the stored request from its beginning, in whatever browser this is."""
    interaction_id: UUID = request.path_params["id"]
    match await authorize.load(idp_of(request), interaction_id, visitor(request), now=idp_of(request).clock.now()):
        case Gone():
            return await _restart(request, interaction_id)
        case _:
            return to_interaction(request, ToInteraction(interaction_id))
