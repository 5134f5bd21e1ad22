"""The pages of a forgotten password: read, one flow, answer."""

from datetime import timedelta
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.factors import strength
from idp.flows.delivery.linking import LINK_PATH
from idp.flows.idp import ACCOUNT_PATH, session_token
from idp.flows.people import forgotten, reset
from idp.flows.people.account import Done, Weak
from idp.flows.people.forgotten import FORGOT_PATH, LOST_PATH, Asked, AskedTooOften
from idp.flows.people.reset import RESET_PATH, Barred, Opened, Over
from idp.flows.people.rooms import TooOften
from idp.flows.signin.authorize import ToInteraction
from idp.model.links import Link, LinkFor
from idp.policy import UNSURE
from idp.web.answers import page, see_other, to_interaction, with_token
from idp.web.door import idp_of, meet, own_form, visitor
from idp.web.notes import Note, after, note_of, see
from idp.web.pages import Forgot, ForgotSent, Lost, Message, NewPassword, Outcome, Problem, ResetLink
from idp.web.password_form import unfit
from idp.web.rooms import url

SENT_PATH = f"{FORGOT_PATH}/sent"
DONE_PATH = f"{RESET_PATH}/done"
_LINK = f"{LINK_PATH}/{LinkFor.RESET.value}/{{token}}"


def with_browser(request: Request) -> str | None:
    """A browser needs a cookie for its form to be known by: a new one for who has none, which the answer has to set."""
    if visitor(request).token is not None:
        return None
    token = session_token(idp_of(request).secrets, uuid4())
    meet(request, token)
    return token


async def forgot(request: Request) -> Response:
    """GET /forgot."""
    idp, token = idp_of(request), with_browser(request)
    note = note_of(request)
    wait = note.wait(idp.clock.now())
    shown = Forgot(
        action=url(request, FORGOT_PATH) if forgotten.offers(idp) else None,
        back=url(request, ACCOUNT_PATH),
        username=note.typed or "",
        wait=wait,
        problems=note.problems,
    )
    return with_token(request, token, page(request, shown, status=note.status, retry_after=wait))


async def ask(request: Request) -> Response:
    """POST /forgot: the same answer whatever was typed."""
    form, idp = await own_form(request), idp_of(request)
    typed = form.get("username")
    if not forgotten.offers(idp):
        return see_other(url(request, FORGOT_PATH))
    if not typed.strip() or len(typed) > 254:
        return see(request, url(request, FORGOT_PATH), Note(400, typed=typed[:254], problems=(Problem.WHO_MISSING,)))
    match await forgotten.ask(idp, visitor(request), typed=typed):
        case Asked():
            return see_other(url(request, SENT_PATH))
        case AskedTooOften(retry_after):
            note = Note(429, typed=typed, problems=(Problem.LINK_WAIT,), until=after(idp, retry_after))
            return see(request, url(request, FORGOT_PATH), note)


async def lost(request: Request) -> Response:
    """GET /lost: what to do without phone and app, in each situation."""
    idp = idp_of(request)
    shown = Lost(
        account=url(request, ACCOUNT_PATH),
        forgot=url(request, FORGOT_PATH) if forgotten.offers(idp) else None,
        hold=idp.policy.enrolment.hold,
    )
    return page(request, shown)


async def sent(request: Request) -> Response:
    """GET /forgot/sent."""
    valid_for: timedelta = idp_of(request).policy.links.reset
    return page(request, ForgotSent(valid_for=valid_for, again=url(request, FORGOT_PATH)))


async def link(request: Request) -> Response:
    """GET /link/reset/{token}: a button. Spends nothing, whoever looks."""
    token = with_browser(request)
    match await reset.look(idp_of(request), visitor(request), request.path_params["token"]):
        case Link():
            return with_token(request, token, page(request, ResetLink(action=request.url.path)))
        case ToInteraction() as onward:
            return to_interaction(request, onward)
        case None:
            return _over(request)


async def press(request: Request) -> Response:
    """POST /link/reset/{token}: the link is used up, and what is asked next is asked."""
    await own_form(request)
    onward = await reset.press(idp_of(request), visitor(request), request.path_params["token"])
    return _over(request) if onward is None else to_interaction(request, onward)


async def choose(request: Request) -> Response:
    """GET /reset: the page for the new password, for who proved what it takes."""
    match await reset.enter(idp_of(request), visitor(request)):
        case Opened() as opened:
            note = note_of(request)
            wait = note.wait(opened.now)
            shown = NewPassword(
                action=url(request, RESET_PATH),
                username=opened.account.username,
                least=strength.MIN_CHARACTERS,
                hold=opened.may.closed or None,
                wait=wait,
                problems=note.problems,
            )
            return page(request, shown, status=note.status, retry_after=wait, person=opened.account)
        case otherwise:
            return _outside(request, otherwise)


async def chosen(request: Request) -> Response:
    """POST /reset."""
    form = await own_form(request)
    new, here = form.get("password"), url(request, RESET_PATH)
    if not new or new != form.get("repeat"):
        problem = Problem.PASSWORD_REPEAT if new else Problem.NEW_PASSWORD_MISSING
        return see(request, here, Note(400, problems=(problem,)))
    match await reset.choose(idp_of(request), visitor(request), new=new):
        case Weak() as weak:
            return see(request, here, Note(400, problems=unfit(weak)))
        case TooOften(retry_after):
            until = after(idp_of(request), retry_after)
            return see(request, here, Note(429, problems=(Problem.CHANGES_WAIT,), until=until))
        case otherwise:
            return _outside(request, otherwise)


def _outside(request: Request, answer: ToInteraction | Barred | Over | Done) -> Response:
    match answer:
        case ToInteraction() as onward:
            return to_interaction(request, onward)
        case Done():
            return see_other(url(request, DONE_PATH))
        case Over():
            return _over(request)
        case Barred(refuse, person):
            outcome = Outcome.SIM_UNSURE if refuse.error == UNSURE else Outcome.RESET_BARRED
            return page(request, Message(outcome=outcome), status=403, person=person)


def _over(request: Request) -> Response:
    shown = Message(outcome=Outcome.LINK_OVER, again=url(request, FORGOT_PATH))
    return page(request, shown, status=400)


async def done(request: Request) -> Response:
    """GET /reset/done."""
    return page(request, Message(outcome=Outcome.RESET_DONE, home=url(request, ACCOUNT_PATH)))


ROUTES = [
    Route(FORGOT_PATH, forgot, methods=["GET"]),
    Route(FORGOT_PATH, ask, methods=["POST"]),
    Route(SENT_PATH, sent, methods=["GET"]),
    Route(LOST_PATH, lost, methods=["GET"]),
    Route(_LINK, link, methods=["GET"]),
    Route(_LINK, press, methods=["POST"]),
    Route(RESET_PATH, choose, methods=["GET"]),
    Route(RESET_PATH, chosen, methods=["POST"]),
    Route(DONE_PATH, done, methods=["GET"]),
]
