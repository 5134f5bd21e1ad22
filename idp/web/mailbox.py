"""The pages of one's own e-mail address, and of the link that verifies it: read, one flow, answer."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.flows.delivery.linking import LINK_PATH
from idp.flows.idp import ACCOUNT_PATH
from idp.flows.people import mailbox
from idp.flows.people.account import Done as Changed
from idp.flows.people.leaving import Last
from idp.flows.people.mailbox import Mailbox, NotAnAddress, NotNow, Over, Sent, Verified
from idp.flows.people.rooms import EMAIL_PATH, REMOVE_EMAIL_PATH, Inside, TooOften, enter
from idp.flows.people.rooms import REMOVE_EMAIL as ROOM
from idp.model import Factor
from idp.model.links import Link, LinkFor
from idp.web.answers import page, see_other
from idp.web.door import idp_of, own_form, visitor
from idp.web.notes import Note, after, note_of, see
from idp.web.pages import Done, EmailAddress, Message, Outcome, Problem, VerifyEmail
from idp.web.phones import loss_of
from idp.web.rooms import home_with, outside, too_often, url

_LINK = f"{LINK_PATH}/{LinkFor.VERIFY_EMAIL.value}/{{token}}"
_LONGEST = 254  # of what is shown again


async def address(request: Request) -> Response:
    """GET /account/email."""
    idp, note = idp_of(request), note_of(request)
    found = await mailbox.mailbox(idp, visitor(request))
    if not isinstance(found, Mailbox):
        return outside(request, found)
    account, waiting, wait = found.inside.account, found.waiting, note.wait(found.inside.now)
    unverified = None if account.email_verified or waiting is not None else account.email
    shown = EmailAddress(
        back=url(request, ACCOUNT_PATH),
        action=url(request, EMAIL_PATH) if found.offers else None,
        remove=None if account.email is None else url(request, REMOVE_EMAIL_PATH),
        current=account.email,
        verified=account.email_verified,
        refused=account.email_refused_at is not None,
        waiting=None if waiting is None else waiting.fields["email"],
        until=None if waiting is None else waiting.expires_at,
        zone=account.claims.get("zoneinfo"),
        typed=note.typed if note.typed is not None else unverified or "",
        codes=Factor.EMAIL in idp.policy.factors and account.mailbox is not None,
        loss=loss_of(found.loss, idp.policy),
        wait=wait,
        problems=note.problems,
    )
    return page(request, shown, status=note.status, retry_after=wait, person=account)


async def ask(request: Request) -> Response:
    """POST /account/email: a link is sent to the address."""
    form, idp = await own_form(request), idp_of(request)
    typed, here = form.get("email"), url(request, EMAIL_PATH)
    match await mailbox.ask(idp, visitor(request), typed=typed):
        case Sent():
            return see_other(here)
        case NotAnAddress(same):
            shape = Problem.EMAIL_SHAPE if typed.strip() else Problem.EMAIL_MISSING
            problem = Problem.EMAIL_SAME if same else shape
            return see(request, here, Note(400, problems=(problem,), typed=typed[:_LONGEST]))
        case NotNow(retry_after):
            until = after(idp, retry_after)
            return see(request, here, Note(429, problems=(Problem.EMAIL_WAIT,), typed=typed[:_LONGEST], until=until))
        case TooOften() as refused:
            return too_often(request, EMAIL_PATH, refused)
        case otherwise:
            return outside(request, otherwise)


async def removing(request: Request) -> Response:
    """GET /account/email/remove: to the page with the button, once it may be pressed."""
    inside = await enter(idp_of(request), visitor(request), ROOM)
    return see_other(url(request, EMAIL_PATH)) if isinstance(inside, Inside) else outside(request, inside)


async def remove(request: Request) -> Response:
    """POST /account/email/remove."""
    await own_form(request)
    match await mailbox.remove(idp_of(request), visitor(request)):
        case Changed():
            return home_with(request, Done.EMAIL_REMOVED)
        case Last():
            return see_other(url(request, EMAIL_PATH))  # which says why
        case otherwise:
            return outside(request, otherwise)


async def link(request: Request) -> Response:
    """GET /link/verify_email/{token}: a button. Spends nothing, whoever looks."""
    match await mailbox.look(idp_of(request), request.path_params["token"]):
        case Link(fields=told):
            return page(request, VerifyEmail(action=request.url.path, address=told["email"]))
        case Verified():
            return page(request, Message(outcome=Outcome.EMAIL_VERIFIED, home=url(request, ACCOUNT_PATH)))
        case Over():
            return page(request, Message(outcome=Outcome.EMAIL_OVER, home=url(request, ACCOUNT_PATH)), status=404)


async def press(request: Request) -> Response:
    """POST /link/verify_email/{token}: the address counts. 303 to the page that says how it stands, however often."""
    await own_form(request, anybody=True)
    found = await mailbox.press(idp_of(request), request.path_params["token"])
    if isinstance(found, Verified):
        return see_other(request.url.path)
    return page(request, Message(outcome=Outcome.EMAIL_OVER, home=url(request, ACCOUNT_PATH)), status=404)


ROUTES = [
    Route(EMAIL_PATH, address, methods=["GET"]),
    Route(EMAIL_PATH, ask, methods=["POST"]),
    Route(REMOVE_EMAIL_PATH, removing, methods=["GET"]),
    Route(REMOVE_EMAIL_PATH, remove, methods=["POST"]),
    Route(_LINK, link, methods=["GET"]),
    Route(_LINK, press, methods=["POST"]),
]
