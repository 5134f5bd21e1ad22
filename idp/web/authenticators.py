"""The pages of authenticator apps, and of what passkeys are called: read, one flow, answer."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.flows.delivery.notices import reaches
from idp.flows.idp import ACCOUNT_PATH
from idp.flows.people import apps, enrol
from idp.flows.people.account import Done as Changed
from idp.flows.people.apps import App
from idp.flows.people.enrol import Again, Enrolling, Slip
from idp.flows.people.leaving import Last
from idp.flows.people.recovery import Codes, Nothing
from idp.flows.people.rooms import (
    AUTHENTICATORS_PATH,
    ENROL,
    ENROL_PATH,
    Inside,
    TooOften,
    enter,
    permission,
)
from idp.model import Factor
from idp.web.answers import page, see_other, trouble
from idp.web.door import idp_of, own_form, visitor
from idp.web.notes import Note, after, note_of, see
from idp.web.pages import (
    BeginEnrolment,
    Done,
    EditAuthenticator,
    EnrolAuthenticator,
    Problem,
    Trouble,
)
from idp.web.phones import loss_of
from idp.web.recovery_codes import see_codes
from idp.web.rooms import home_with, outside, too_often, url

CONFIRM_PATH = f"{AUTHENTICATORS_PATH}/confirm"
_SLIPS = {
    Slip.NO_CODE: Problem.APP_CODE_MISSING,
    Slip.NO_CODE_AT_ALL: Problem.CODE_SHAPE,
    Slip.WRONG: Problem.CODE_WRONG,
    Slip.WAIT: Problem.CODE_WAIT,
    Slip.CLOSED: Problem.CODE_CLOSED,
    Slip.LABEL_TOO_LONG: Problem.LABEL_TOO_LONG,
    Slip.NO_LABEL: Problem.LABEL_MISSING,
}


async def new(request: Request) -> Response:
    """GET /account/authenticators/new: says what comes; never shows a key (TOTP-10)."""
    idp = idp_of(request)
    inside = await enter(idp, visitor(request), ENROL)
    if not isinstance(inside, Inside):
        return outside(request, inside)
    may, note = permission(idp, inside), note_of(request)
    wait = note.wait(inside.now)
    shown = BeginEnrolment(
        action=url(request, ENROL_PATH),
        back=url(request, ACCOUNT_PATH),
        hold=may.hold or None,
        reached=reaches(idp, inside.account, inside.loaded.authenticators),
        wait=wait,
        problems=note.problems,
    )
    return page(request, shown, status=note.status, retry_after=wait, person=inside.account)


async def begin(request: Request) -> Response:
    """POST /account/authenticators/new: make the key, which the page at the sealed address shows until it is used."""
    await own_form(request)
    match await enrol.begin(idp_of(request), visitor(request)):
        case Enrolling(id=made):
            return see(request, url(request, CONFIRM_PATH), Note(enrolment=made))
        case TooOften() as refused:
            return too_often(request, ENROL_PATH, refused)
        case otherwise:
            return outside(request, otherwise)


async def key(request: Request) -> Response:
    """GET /account/authenticators/confirm: the key, at the address that `begin` gave and nowhere else (TOTP-10)."""
    note = note_of(request)
    match await enrol.begun(idp_of(request), visitor(request), note.enrolment):
        case Enrolling() as enrolling:
            pass
        case Changed():
            return home_with(request, Done.AUTHENTICATOR_ADDED)
        case Nothing():
            return see_other(url(request, ENROL_PATH))
        case otherwise:
            return outside(request, otherwise)
    wait = note.wait(idp_of(request).clock.now())
    shown = EnrolAuthenticator(
        action=url(request, CONFIRM_PATH),
        back=url(request, ACCOUNT_PATH),
        uri=enrolling.uri,
        key=enrolling.key,
        label=note.typed or "",
        hold=enrolling.hold,
        wait=wait,
        problems=note.problems,
    )
    return page(request, shown, status=note.status, retry_after=wait, person=enrolling.account)


async def confirm(request: Request) -> Response:
    """POST /account/authenticators/confirm."""
    form, idp = await own_form(request), idp_of(request)
    label = form.get("label")
    match await enrol.confirm(idp, visitor(request), code=form.get("code"), label=label):
        case Changed():
            return home_with(request, Done.AUTHENTICATOR_ADDED)
        case Codes() as codes:
            return see_codes(request, codes)
        case Again(enrolling, slip, wait):
            again = Note(
                429 if slip in {Slip.WAIT, Slip.CLOSED} else 400,
                problems=(_SLIPS[slip],),
                typed=label[: 4 * enrol.LONGEST_LABEL],
                until=after(idp, wait),
                enrolment=enrolling.id,
            )
            return see(request, url(request, CONFIRM_PATH), again)
        case Nothing():
            return see(request, url(request, ENROL_PATH), Note(400, problems=(Problem.FORM_OLD,)))
        case otherwise:
            return outside(request, otherwise)


async def back(request: Request) -> Response:
    """GET where only a POST answers, as after a reload or a change of language: to the page with the button."""
    return see_other(url(request, f"{AUTHENTICATORS_PATH}/{request.path_params['id']}"))


async def edit(request: Request) -> Response:
    """GET /account/authenticators/{id}."""
    app_id: UUID = request.path_params["id"]
    match await apps.app(idp_of(request), visitor(request), app_id):
        case App() as app:
            return _edit_page(request, app, note_of(request))
        case Nothing():
            return trouble(request, Trouble.NOT_FOUND)
        case otherwise:
            return outside(request, otherwise)


def _edit_page(request: Request, app: App, note: Note) -> Response:
    idp = idp_of(request)
    here = url(request, f"{AUTHENTICATORS_PATH}/{request.path_params['id']}")
    shown = EditAuthenticator(
        factor=app.factor,
        label=app.label if note.typed is None else note.typed,
        rename=f"{here}/rename",
        remove=f"{here}/remove",
        back=url(request, ACCOUNT_PATH),
        last=app.last,
        loss=loss_of(app.loss, idp.policy),
        hold=idp.policy.enrolment.hold,
        problems=note.problems,
    )
    return page(request, shown, status=note.status, person=app.inside.account)


async def rename(request: Request) -> Response:
    """POST /account/authenticators/{id}/rename."""
    app_id: UUID = request.path_params["id"]
    form = await own_form(request)
    match await apps.rename(idp_of(request), visitor(request), app_id, label=form.get("label")):
        case Factor() as factor:
            passkey = factor is Factor.PASSKEY
            return home_with(request, Done.PASSKEY_RENAMED if passkey else Done.AUTHENTICATOR_RENAMED)
        case (App(), slip):
            typed = form.get("label")[: 4 * enrol.LONGEST_LABEL]
            here = url(request, f"{AUTHENTICATORS_PATH}/{app_id}")
            return see(request, here, Note(400, problems=(_SLIPS[slip],), typed=typed))
        case Nothing():
            return trouble(request, Trouble.NOT_FOUND)
        case otherwise:
            return outside(request, otherwise)


async def remove(request: Request) -> Response:
    """POST /account/authenticators/{id}/remove."""
    app_id: UUID = request.path_params["id"]
    await own_form(request)
    match await apps.remove(idp_of(request), visitor(request), app_id):
        case Factor() as factor:
            passkey = factor is Factor.PASSKEY
            return home_with(request, Done.PASSKEY_REMOVED if passkey else Done.AUTHENTICATOR_REMOVED)
        case Last():
            return see_other(url(request, f"{AUTHENTICATORS_PATH}/{app_id}"))  # which says why
        case Nothing():
            return trouble(request, Trouble.NOT_FOUND)
        case otherwise:
            return outside(request, otherwise)


ROUTES = [
    Route(ENROL_PATH, new, methods=["GET"]),
    Route(ENROL_PATH, begin, methods=["POST"]),
    Route(CONFIRM_PATH, key, methods=["GET"]),
    Route(CONFIRM_PATH, confirm, methods=["POST"]),
    Route(f"{AUTHENTICATORS_PATH}/{{id:uuid}}", edit, methods=["GET"]),
    Route(f"{AUTHENTICATORS_PATH}/{{id:uuid}}/rename", rename, methods=["POST"]),
    Route(f"{AUTHENTICATORS_PATH}/{{id:uuid}}/remove", remove, methods=["POST"]),
    Route(f"{AUTHENTICATORS_PATH}/{{id:uuid}}/rename", back, methods=["GET"]),
    Route(f"{AUTHENTICATORS_PATH}/{{id:uuid}}/remove", back, methods=["GET"]),
]
