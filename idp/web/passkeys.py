"""The page of a new passkey: read, one flow, answer. Changing one is in `authenticators`."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from idp.flows.delivery.notices import reaches
from idp.flows.idp import ACCOUNT_PATH
from idp.flows.passkeys import relying
from idp.flows.people import passkeys
from idp.flows.people.account import Done as Changed
from idp.flows.people.enrol import LONGEST_LABEL
from idp.flows.people.passkeys import NotAdded, NotHere, Offering
from idp.flows.people.recovery import Codes
from idp.flows.people.rooms import PASSKEY_PATH, TooOften
from idp.web.answers import page, trouble
from idp.web.door import idp_of, own_form, visitor
from idp.web.notes import Note, note_of, see
from idp.web.pages import Done, NewPasskey, Problem, Trouble
from idp.web.recovery_codes import see_codes
from idp.web.rooms import home_with, outside, too_often, url

_NOT_ADDED = {
    NotAdded.NONE: Problem.PASSKEY_MISSING,
    NotAdded.UNFIT: Problem.PASSKEY_UNFIT,
    NotAdded.OLD: Problem.PASSKEY_OLD,
    NotAdded.THERE: Problem.PASSKEY_THERE,
    NotAdded.LABEL_TOO_LONG: Problem.LABEL_TOO_LONG,
}


async def new(request: Request) -> Response:
    """GET /account/passkeys/new: what the browser is asked to make. Nothing is stored."""
    idp, note = idp_of(request), note_of(request)
    match await passkeys.offer(idp, visitor(request)):
        case Offering(inside, options, hold):
            wait = note.wait(inside.now)
            shown = NewPasskey(
                action=url(request, PASSKEY_PATH),
                back=url(request, ACCOUNT_PATH),
                options=options,
                label=note.typed or "",
                hold=hold,
                reached=reaches(idp, inside.account, inside.loaded.authenticators),
                wait=wait,
                problems=note.problems,
            )
            return page(request, shown, status=note.status, retry_after=wait, person=inside.account)
        case NotHere(person):
            return trouble(request, Trouble.NOT_FOUND, person=person)
        case otherwise:
            return outside(request, otherwise)


async def add(request: Request) -> Response:
    """POST /account/passkeys/new: keep what the browser made."""
    form = await own_form(request)
    label = form.get("label")
    match await passkeys.add(idp_of(request), visitor(request), answer=form.get("code"), label=label):
        case Changed():
            return home_with(request, Done.PASSKEY_ADDED)
        case Codes() as codes:
            return see_codes(request, codes)
        case NotAdded() as why:
            again = Note(400, problems=(_NOT_ADDED[why],), typed=label[: 4 * LONGEST_LABEL])
            return see(request, url(request, PASSKEY_PATH), again)
        case TooOften() as refused:
            return too_often(request, PASSKEY_PATH, refused)
        case otherwise:
            return outside(request, otherwise)


async def related(request: Request) -> Response:
    """GET /.well-known/webauthn: the other origins that may use our passkeys (WebAuthn 5.11.1). None: not there."""
    us = relying(idp_of(request))
    if us is None or len(us.origins) == 1:
        return trouble(request, Trouble.NOT_FOUND)
    return JSONResponse({"origins": list(us.origins)}, headers={"Cache-Control": "public, max-age=300"})


ROOT_ROUTES = [Route("/.well-known/webauthn", related, methods=["GET"])]
ROUTES = [
    Route(PASSKEY_PATH, new, methods=["GET"]),
    Route(PASSKEY_PATH, add, methods=["POST"]),
]
