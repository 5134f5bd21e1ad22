"""What every page of a signed-in person shares: the way out of a room, and word of what was just done."""

from typing import assert_never
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from idp.crypto import equal
from idp.flows.idp import ACCOUNT_PATH
from idp.flows.people.rooms import SIGN_IN_PATH, Barred, Outside, SignIn, TooOften
from idp.flows.signin.authorize import ToClient, ToInteraction
from idp.oidc.params import Params
from idp.policy import UNMET, UNSURE, Barrier, Refuse
from idp.web.answers import page, see_other, to_client, to_interaction, trouble
from idp.web.door import base_path, csrfs, idp_of, visitor
from idp.web.notes import Note, after, see
from idp.web.pages import Done, Message, Outcome, Problem, Trouble

DONE = "done"


def url(request: Request, path: str) -> str:
    """A path of ours as a page writes it."""
    return base_path(idp_of(request)) + path


def too_often(request: Request, path: str, refused: TooOften) -> Response:
    """303 to the page of the form, which says how long to wait."""
    until = after(idp_of(request), refused.retry_after)
    return see(request, url(request, path), Note(429, problems=(Problem.CHANGES_WAIT,), until=until))


def outside(request: Request, answer: Outside) -> Response:
    """For somebody who may not come in (yet): what is missing is asked, or why it is no use is said."""
    match answer:
        case ToInteraction():
            return to_interaction(request, answer)
        case ToClient():
            return to_client(request, answer)
        case SignIn(path):
            return see_other(f"{url(request, SIGN_IN_PATH)}?{urlencode({'to': path})}")
        case Barred(refuse, person):
            if refuse.error not in {UNMET, UNSURE}:
                return trouble(request, Trouble.FORBIDDEN, person=person)
            until = refuse.retry_at if refuse.barrier else None
            shown = Message(outcome=_why(refuse), home=url(request, ACCOUNT_PATH), until=until)
            return page(request, shown, status=Trouble.FORBIDDEN.status, person=person)
        case never:
            assert_never(never)


def _why(refuse: Refuse) -> Outcome:
    match refuse.barrier:
        case Barrier.FROZEN:
            return Outcome.FROZEN
        case Barrier.CLOSED:
            return Outcome.SHUT
        case Barrier.GROUP:
            return Outcome.GROUP
        case None:
            return Outcome.APP_NEEDED if refuse.error == UNMET else Outcome.SIM_UNSURE
        case never:
            assert_never(never)


def home_with(request: Request, done: Done) -> Response:
    """303 to the account page, which says once what was done."""
    return see_other(f"{url(request, ACCOUNT_PATH)}?{DONE}={quote(_words(request, done)[0])}")


def done_of(request: Request, params: Params) -> Done | None:
    """What `home_with` wrote in this very session; a link from elsewhere cannot make us say it."""
    given = params.get(DONE, "").encode()
    return next((done for done in Done if any(equal(given, word.encode()) for word in _words(request, done))), None)


def _words(request: Request, done: Done) -> list[str]:
    return [word[:32] for word in csrfs(idp_of(request), visitor(request).session_id, f"{DONE}/{done.name}")]
