"""The account page, applications, sessions, the password, the language: read, one flow, answer."""

import re
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.catalogue import languages
from idp.factors import strength
from idp.flows.idp import ACCOUNT_PATH, CONSOLE_PATH
from idp.flows.people import account as flow
from idp.flows.people import console, preference
from idp.flows.people import home as home_flow
from idp.flows.people.account import Weak
from idp.flows.people.home import Home
from idp.flows.people.recovery import Nothing
from idp.flows.people.rooms import CANCELLED_PATH, PASSWORD, PASSWORD_PATH, Inside, TooOften, enter, permission
from idp.flows.people.welcome import WELCOME_PATH
from idp.model import SECOND, Factor
from idp.oidc.answer import MAX_LOCATION
from idp.oidc.params import collect
from idp.web.answers import page, see_other, trouble
from idp.web.door import A_YEAR, base_path, idp_of, own_form, query, set_cookie, visitor
from idp.web.home import END_OTHERS_PATH, END_PATH, PREFER_PATH, SIGN_OUT_PATH, WITHDRAW_PATH, home_page
from idp.web.notes import Note, note_of, see
from idp.web.pages import ChangePassword, Done, Message, Outcome, Problem, Trouble
from idp.web.password_form import unfit
from idp.web.rooms import done_of, home_with, outside, too_often, url

# Plain segments, so that there is no way to write another host (OAU-20).
_INTERNAL = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+(\?[A-Za-z0-9._~%+&=-]*)?")


async def home(request: Request) -> Response:
    """GET /account."""
    idp = idp_of(request)
    found = await home_flow.home(idp, visitor(request))
    if not isinstance(found, Home):
        return outside(request, found)
    if found.inside.facts.invited_at is not None:
        return see_other(url(request, WELCOME_PATH))  # where each step of setting up an account leads back
    done = done_of(request, collect(query(request)).values)
    shown = home_page(found, idp.policy, base=base_path(idp), done=done)
    return page(request, shown, person=found.inside.account)


async def withdraw(request: Request) -> Response:
    """POST /account/apps/withdraw."""
    form = await own_form(request)
    found = await flow.withdraw(idp_of(request), visitor(request), client_id=form.get("client"))
    return home_with(request, Done.CONSENT_WITHDRAWN) if isinstance(found, flow.Done) else outside(request, found)


async def end_session(request: Request) -> Response:
    """POST /account/sessions/end."""
    form = await own_form(request)
    try:
        session_id = UUID(form.get("session"))
    except ValueError:
        return trouble(request, Trouble.BAD_REQUEST, detail="session is not one of yours.")
    found = await flow.end_session(idp_of(request), visitor(request), session_id=session_id)
    return home_with(request, Done.SESSION_ENDED) if isinstance(found, flow.Done) else outside(request, found)


async def end_others(request: Request) -> Response:
    """POST /account/sessions/end-others."""
    await own_form(request)
    found = await flow.end_other_sessions(idp_of(request), visitor(request))
    return home_with(request, Done.OTHERS_SIGNED_OUT) if isinstance(found, flow.Done) else outside(request, found)


async def prefer(request: Request) -> Response:
    """POST /account/first: which second factor to be asked for first; empty for whatever fits."""
    form = await own_form(request)
    named = form.get("factor")
    if named and named not in SECOND:
        return trouble(request, Trouble.BAD_REQUEST, detail="factor is none that there is.")
    match await preference.prefer(idp_of(request), visitor(request), Factor(named) if named else None):
        case flow.Done():
            return home_with(request, Done.PREFERENCE_SAVED)
        case Nothing():
            return see_other(url(request, ACCOUNT_PATH))
        case otherwise:
            return outside(request, otherwise)


async def back(request: Request) -> Response:
    """GET where only a button of the account page leads: to that page."""
    return see_other(url(request, ACCOUNT_PATH))


async def password(request: Request) -> Response:
    """GET /account/password."""
    found = await enter(idp_of(request), visitor(request), PASSWORD)
    if not isinstance(found, Inside):
        return outside(request, found)
    note = note_of(request)
    wait = note.wait(found.now)
    shown = ChangePassword(
        action=url(request, PASSWORD_PATH),
        username=found.account.username,
        back=url(request, ACCOUNT_PATH),
        least=strength.MIN_CHARACTERS,
        hold=permission(idp_of(request), found).closed or None,
        wait=wait,
        problems=note.problems,
    )
    return page(request, shown, status=note.status, retry_after=wait, person=found.account)


async def change_password(request: Request) -> Response:
    """POST /account/password."""
    form = await own_form(request)
    idp, who = idp_of(request), visitor(request)
    new = form.get("password")
    if not new:
        return _wrong(request, Problem.NEW_PASSWORD_MISSING)
    if new != form.get("repeat"):
        return _wrong(request, Problem.PASSWORD_REPEAT)
    match await flow.change_password(idp, who, new=new):
        case flow.Done():
            return home_with(request, Done.PASSWORD_CHANGED)
        case Weak() as weak:
            return _wrong(request, *unfit(weak))
        case TooOften() as refused:
            return too_often(request, PASSWORD_PATH, refused)
        case otherwise:
            return outside(request, otherwise)


def _wrong(request: Request, *problems: Problem) -> Response:
    return see(request, url(request, PASSWORD_PATH), Note(400, problems=problems))


async def cancelled(request: Request) -> Response:
    """GET /account/cancelled: where "cancel" leads from a question of our own pages; `to` is what it was asked for."""
    wanted = next((value for name, value in query(request) if name == "to"), "")
    again = url(request, wanted) if console.room_at(wanted) is not None else None
    shown = Message(outcome=Outcome.CANCELLED, home=url(request, ACCOUNT_PATH), again=again)
    return page(request, shown, here=request.url.path)


async def language(request: Request) -> Response:
    """POST /language: another language for this browser, and back to the page it was chosen on."""
    form, idp = await own_form(request, anybody=True), idp_of(request)
    chosen, here = form.get("language"), form.get("here")
    base = base_path(idp)
    if chosen not in languages(idp.settings.templates) or not is_internal(here, base):
        return trouble(request, Trouble.BAD_REQUEST, detail="No such language, or no page of ours to go back to.")
    response = see_other(here)
    set_cookie(response, idp, chosen, kind="-language", life=A_YEAR)
    return response


def is_internal(path: str, base: str) -> bool:
    """Whether this is a path of ours and can be read as nothing else."""
    under = f"{path.partition('?')[0]}/".startswith(f"{base}/")
    return under and len(path) <= MAX_LOCATION and bool(_INTERNAL.fullmatch(path))


async def front(request: Request) -> Response:
    """GET /: to the account page, which asks whoever is not signed in."""
    return see_other(url(request, ACCOUNT_PATH))


async def console_front(request: Request) -> Response:
    """GET /admin/: to the console, as people type it."""
    return see_other(url(request, CONSOLE_PATH))


ROUTES = [
    Route("/", front, methods=["GET"]),
    Route(f"{CONSOLE_PATH}/", console_front, methods=["GET"]),
    Route(ACCOUNT_PATH, home, methods=["GET"]),
    Route(WITHDRAW_PATH, withdraw, methods=["POST"]),
    Route(END_PATH, end_session, methods=["POST"]),
    Route(END_OTHERS_PATH, end_others, methods=["POST"]),
    Route(PREFER_PATH, prefer, methods=["POST"]),
    Route(PASSWORD_PATH, password, methods=["GET"]),
    Route(PASSWORD_PATH, change_password, methods=["POST"]),
    Route(CANCELLED_PATH, cancelled, methods=["GET"]),
    *(
        Route(path, back, methods=["GET"])
        for path in (WITHDRAW_PATH, PREFER_PATH, END_PATH, END_OTHERS_PATH, SIGN_OUT_PATH)
    ),
    Route("/language", language, methods=["POST"]),
]
