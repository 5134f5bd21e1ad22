"""The forms of a page with details that ask for no code: the button that approves, and "This wasn't me"."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.flows.signin import approving
from idp.web.door import idp_of, own_form, visitor
from idp.web.interaction import back, elsewhere, onward


async def approve(request: Request) -> Response:
    """POST /i/{id}/approve: the button of a page with details that asks for no code."""
    interaction_id: UUID = request.path_params["id"]
    form = await own_form(request)
    outcome = await approving.by_button(
        idp_of(request), interaction_id, visitor(request), digest=form.get("approves"), ticked=form.scopes
    )
    return elsewhere(request, interaction_id) if outcome is None else onward(request, interaction_id, outcome)


async def not_mine(request: Request) -> Response:
    """POST /i/{id}/not-mine: what is to be approved is not theirs."""
    interaction_id: UUID = request.path_params["id"]
    await own_form(request)
    return onward(request, interaction_id, await approving.not_mine(idp_of(request), interaction_id, visitor(request)))


ROUTES = [
    Route("/i/{id:uuid}/approve", approve, methods=["POST"]),
    Route("/i/{id:uuid}/not-mine", not_mine, methods=["POST"]),
    *(Route(f"/i/{{id:uuid}}/{step}", back, methods=["GET"]) for step in ("approve", "not-mine")),
]
