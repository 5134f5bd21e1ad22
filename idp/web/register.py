"""The pages on which somebody asks for an account of their own: read, one flow, answer. Then comes `welcome`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.flows.idp import ACCOUNT_PATH
from idp.flows.people import registering
from idp.flows.people.registering import REGISTER_PATH, Asked, AskedTooOften, Unfit
from idp.web.answers import page, see_other, trouble, with_token
from idp.web.door import idp_of, own_form, visitor
from idp.web.notes import Note, after, note_of, see
from idp.web.pages import Problem, Register, RegisterSent, Trouble
from idp.web.reset import with_browser
from idp.web.rooms import url

SENT_PATH = f"{REGISTER_PATH}/sent"


async def show(request: Request) -> Response:
    """GET /register, where the policy lets people."""
    idp = idp_of(request)
    if not registering.offers(idp):
        return trouble(request, Trouble.NOT_FOUND)
    token, note = with_browser(request), note_of(request)
    wait = note.wait(idp.clock.now())
    shown = Register(
        action=url(request, REGISTER_PATH),
        back=url(request, ACCOUNT_PATH),
        email=note.typed or "",
        wait=wait,
        problems=note.problems,
    )
    return with_token(request, token, page(request, shown, status=note.status, retry_after=wait))


async def ask(request: Request) -> Response:
    """POST /register: the same answer whatever was typed."""
    form, idp, here = await own_form(request), idp_of(request), url(request, REGISTER_PATH)
    if not registering.offers(idp):
        return trouble(request, Trouble.NOT_FOUND)
    email = form.get("email")
    match await registering.ask(idp, visitor(request), email=email, name=form.get("name")):
        case Asked():
            return see_other(url(request, SENT_PATH))
        case Unfit(email=wrong_address):
            problem = Problem.NAME_LONG
            if wrong_address:
                problem = Problem.EMAIL_SHAPE if email.strip() else Problem.EMAIL_MISSING
            return see(request, here, Note(400, typed=email[:254], problems=(problem,)))
        case AskedTooOften(retry_after):
            note = Note(429, typed=email[:254], problems=(Problem.EMAIL_WAIT,), until=after(idp, retry_after))
            return see(request, here, note)


async def sent(request: Request) -> Response:
    """GET /register/sent."""
    valid_for = idp_of(request).policy.links.register
    return page(request, RegisterSent(valid_for=valid_for, again=url(request, REGISTER_PATH)))


ROUTES = [
    Route(REGISTER_PATH, show, methods=["GET"]),
    Route(REGISTER_PATH, ask, methods=["POST"]),
    Route(SENT_PATH, sent, methods=["GET"]),
]
