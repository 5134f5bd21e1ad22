"""The pages on which an account is set up after an invitation: read, one flow, answer."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.factors import strength
from idp.flows.delivery.linking import LINK_PATH
from idp.flows.idp import ACCOUNT_PATH
from idp.flows.passkeys import relying
from idp.flows.people import welcome as flow
from idp.flows.people.account import Done, Weak
from idp.flows.people.rooms import ENROL_PATH, NEW_PHONE_PATH, PASSKEY_PATH, RECOVERY_PATH, Outside, TooOften
from idp.flows.people.welcome import WELCOME_PATH, Elsewhere, Onward, Taken
from idp.model import SENT, TRAITS, Factor
from idp.model.links import Link, LinkFor
from idp.web.answers import page, see_other, with_token
from idp.web.door import idp_of, own_form, visitor
from idp.web.notes import Note, after, note_of, see
from idp.web.pages import FirstPassword, InviteLink, Message, Outcome, Problem, Welcome
from idp.web.password_form import unfit
from idp.web.reset import with_browser
from idp.web.rooms import outside, url

PASSWORD_PATH = f"{WELCOME_PATH}/password"
FINISH_PATH = f"{WELCOME_PATH}/finish"
DONE_PATH = f"{WELCOME_PATH}/done"
_LINKS = [f"{LINK_PATH}/{purpose.value}/{{token}}" for purpose in (LinkFor.INVITE, LinkFor.REGISTER)]


def _purpose(request: Request) -> LinkFor:
    return LinkFor(request.url.path.split("/")[-2])


async def link(request: Request) -> Response:
    """GET /link/invite/{token}: a button. Spends nothing, whoever looks."""
    cookie = with_browser(request)
    match await flow.look(idp_of(request), visitor(request), _purpose(request), request.path_params["token"]):
        case Link():
            return with_token(request, cookie, page(request, InviteLink(action=request.url.path)))
        case Onward(cookie):
            return with_token(request, cookie, see_other(url(request, WELCOME_PATH)))
        case None:
            return _over(request)


async def press(request: Request) -> Response:
    """POST /link/invite/{token}: the link is used up, and the account can be set up in this browser."""
    await own_form(request)
    onward = await flow.press(idp_of(request), visitor(request), _purpose(request), request.path_params["token"])
    if onward is None:
        return _over(request)
    return with_token(request, onward.token, see_other(url(request, WELCOME_PATH)))


async def show(request: Request) -> Response:
    """GET /welcome: what is set up and what is not."""
    match await flow.welcome(idp_of(request), visitor(request)):
        case flow.Welcome() as found:
            saved = next((each for each in found.open_ if each.factor is Factor.RECOVERY), None)
            shown = Welcome(
                username=None if found.names and not found.chosen else found.account.username,
                password=None if found.chosen else url(request, PASSWORD_PATH),
                add_phone=url(request, NEW_PHONE_PATH),
                add_app=url(request, ENROL_PATH),
                add_passkey=url(request, PASSKEY_PATH) if relying(idp_of(request)) else None,
                renew_codes=url(request, RECOVERY_PATH),
                finish=url(request, FINISH_PATH) if found.ready else None,
                phones=sum(each.factor in SENT for each in found.open_),
                apps=sum(TRAITS[each.factor].strong for each in found.open_),
                codes=0 if saved is None else saved.remaining or 0,
            )
            return page(request, shown, person=found.account)
        case otherwise:
            return _outside(request, otherwise)


async def password(request: Request) -> Response:
    """GET /welcome/password."""
    match await flow.welcome(idp_of(request), visitor(request)):
        case flow.Welcome(chosen=True):
            return see_other(url(request, WELCOME_PATH))
        case flow.Welcome() as found:
            note = note_of(request)
            wait = note.wait(found.now)
            shown = FirstPassword(
                action=url(request, PASSWORD_PATH),
                back=url(request, WELCOME_PATH),
                username=(note.typed or "") if found.names else found.account.username,
                fixed=not found.names,
                least=strength.MIN_CHARACTERS,
                wait=wait,
                problems=note.problems,
            )
            return page(request, shown, status=note.status, retry_after=wait, person=found.account)
        case otherwise:
            return _outside(request, otherwise)


async def choose(request: Request) -> Response:
    """POST /welcome/password."""
    form, idp = await own_form(request), idp_of(request)
    new, here, name = form.get("password"), url(request, PASSWORD_PATH), form.get("username")[:254]
    if not new or new != form.get("repeat"):
        problem = Problem.PASSWORD_REPEAT if new else Problem.NEW_PASSWORD_MISSING
        return see(request, here, Note(400, typed=name, problems=(problem,)))
    match await flow.choose(idp, visitor(request), username=name, new=new):
        case Done():
            return see_other(url(request, WELCOME_PATH))
        case Weak() as weak:
            return see(request, here, Note(400, typed=name, problems=unfit(weak)))
        case Taken(taken):
            problem = Problem.USERNAME_TAKEN if taken else Problem.USERNAME_SHAPE
            return see(request, here, Note(400, typed=name, problems=(problem,)))
        case TooOften(retry_after):
            until = after(idp, retry_after)
            return see(request, here, Note(429, typed=name, problems=(Problem.CHANGES_WAIT,), until=until))
        case otherwise:
            return _outside(request, otherwise)


async def finish(request: Request) -> Response:
    """POST /welcome/finish: nobody is signed in by it; the person signs in with what they just set up."""
    await own_form(request)
    match await flow.finish(idp_of(request), visitor(request)):
        case Done():
            return see_other(url(request, DONE_PATH))
        case flow.Welcome():
            return see_other(url(request, WELCOME_PATH))
        case otherwise:
            return _outside(request, otherwise)


def _outside(request: Request, answer: Outside | Elsewhere) -> Response:
    # Whoever has no invitation open here is told so, or sees their own account.
    return see_other(url(request, ACCOUNT_PATH)) if isinstance(answer, Elsewhere) else outside(request, answer)


def _over(request: Request) -> Response:
    return page(request, Message(outcome=Outcome.INVITATION_OVER, home=url(request, ACCOUNT_PATH)), status=400)


async def done(request: Request) -> Response:
    """GET /welcome/done."""
    return page(request, Message(outcome=Outcome.SET_UP, home=url(request, ACCOUNT_PATH)))


async def back(request: Request) -> Response:
    """GET where only a POST answers: to the page."""
    return see_other(url(request, WELCOME_PATH))


ROUTES = [
    Route(WELCOME_PATH, show, methods=["GET"]),
    Route(PASSWORD_PATH, password, methods=["GET"]),
    Route(PASSWORD_PATH, choose, methods=["POST"]),
    Route(FINISH_PATH, back, methods=["GET"]),
    Route(FINISH_PATH, finish, methods=["POST"]),
    Route(DONE_PATH, done, methods=["GET"]),
    *(Route(path, link, methods=["GET"]) for path in _LINKS),
    *(Route(path, press, methods=["POST"]) for path in _LINKS),
]
