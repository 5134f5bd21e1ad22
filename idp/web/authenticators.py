"""The pages of authenticator apps and recovery codes: read, one flow, answer."""

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from idp.flows import apps, enrol, recovery
from idp.flows.account import Done as Changed
from idp.flows.apps import App
from idp.flows.enrol import Again, Enrolling, Slip
from idp.flows.idp import ACCOUNT_PATH
from idp.flows.notices import reaches
from idp.flows.recovery import Codes, Nothing
from idp.flows.rooms import AUTHENTICATORS_PATH, ENROL, ENROL_PATH, RECOVERY, RECOVERY_PATH, Inside, enter, permission
from idp.policy import MayEnrol
from idp.web.answers import page, see_other, trouble
from idp.web.door import Form, idp_of, own_form, path_uuid, visitor
from idp.web.pages import (
    BeginEnrolment,
    Done,
    EditAuthenticator,
    EnrolAuthenticator,
    NewRecoveryCodes,
    Problem,
    RecoveryCodes,
    Trouble,
)
from idp.web.rooms import home_with, outside, url

CONFIRM_PATH = f"{AUTHENTICATORS_PATH}/confirm"
SAVED_PATH = f"{RECOVERY_PATH}/saved"
DOWNLOAD_PATH = f"{RECOVERY_PATH}/download"
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
    return await _new(request)


async def _new(request: Request, *problems: Problem) -> Response:
    idp = idp_of(request)
    inside = await enter(idp, visitor(request), ENROL)
    if not isinstance(inside, Inside):
        return outside(request, inside)
    may = permission(idp, inside)
    assert isinstance(may, MayEnrol)
    shown = BeginEnrolment(
        action=url(request, ENROL_PATH),
        back=url(request, ACCOUNT_PATH),
        hold=may.hold or None,
        reached=reaches(idp, inside.account, inside.loaded.authenticators),
        problems=problems,
    )
    return page(request, shown, status=400 if problems else 200, person=inside.account)


async def begin(request: Request) -> Response:
    """POST /account/authenticators/new: the key, once, in answer to this POST alone."""
    await own_form(request)
    found = await enrol.begin(idp_of(request), visitor(request))
    return _key_page(request, found) if isinstance(found, Enrolling) else outside(request, found)


async def confirm(request: Request) -> Response:
    """POST /account/authenticators/confirm."""
    form = await own_form(request)
    label = form.get("label")
    match await enrol.confirm(idp_of(request), visitor(request), code=form.get("code"), label=label):
        case Changed():
            return home_with(request, Done.AUTHENTICATOR_ADDED)
        case Codes() as codes:
            return _codes_page(request, codes)
        case Again(enrolling, slip, wait):
            return _key_page(request, enrolling, slip, label=label, wait=wait)
        case Nothing():
            return await _new(request, Problem.FORM_OLD)
        case otherwise:
            return outside(request, otherwise)


def _key_page(
    request: Request,
    enrolling: Enrolling,
    slip: Slip | None = None,
    *,
    label: str = "",
    wait: timedelta | None = None,
) -> Response:
    shown = EnrolAuthenticator(
        action=url(request, CONFIRM_PATH),
        back=url(request, ACCOUNT_PATH),
        uri=enrolling.uri,
        key=enrolling.key,
        label=label[: 4 * enrol.LONGEST_LABEL],
        hold=enrolling.hold,
        wait=wait,
        problems=() if slip is None else (_SLIPS[slip],),
    )
    status = 200 if slip is None else 429 if slip in {Slip.WAIT, Slip.CLOSED} else 400
    return page(request, shown, status=status, retry_after=wait, person=enrolling.account)


async def back(request: Request) -> Response:
    """GET where only a POST answers, as after a reload or a change of language: from the beginning."""
    beginning = ENROL_PATH if request.url.path.endswith(CONFIRM_PATH) else ACCOUNT_PATH
    app_id = path_uuid(request, "id")
    return see_other(url(request, beginning if app_id is None else f"{AUTHENTICATORS_PATH}/{app_id}"))


async def edit(request: Request) -> Response:
    """GET /account/authenticators/{id}."""
    app_id = path_uuid(request, "id")
    if app_id is None:
        return trouble(request, Trouble.NOT_FOUND)
    match await apps.app(idp_of(request), visitor(request), app_id):
        case App() as app:
            return _edit_page(request, app)
        case Nothing():
            return trouble(request, Trouble.NOT_FOUND)
        case otherwise:
            return outside(request, otherwise)


def _edit_page(request: Request, app: App, *problems: Problem, label: str | None = None) -> Response:
    idp = idp_of(request)
    here = url(request, f"{AUTHENTICATORS_PATH}/{request.path_params['id']}")
    shown = EditAuthenticator(
        label=app.label if label is None else label[: 4 * enrol.LONGEST_LABEL],
        rename=f"{here}/rename",
        remove=f"{here}/remove",
        back=url(request, ACCOUNT_PATH),
        last=app.last,
        hold=idp.policy.hold,
        problems=problems,
    )
    return page(request, shown, status=400 if problems else 200, person=app.inside.account)


async def rename(request: Request) -> Response:
    """POST /account/authenticators/{id}/rename."""
    app_id = path_uuid(request, "id")
    if app_id is None:
        return trouble(request, Trouble.NOT_FOUND)
    form = await own_form(request)
    match await apps.rename(idp_of(request), visitor(request), app_id, label=form.get("label")):
        case Changed():
            return home_with(request, Done.AUTHENTICATOR_RENAMED)
        case (App() as app, slip):
            return _edit_page(request, app, _SLIPS[slip], label=form.get("label"))
        case Nothing():
            return trouble(request, Trouble.NOT_FOUND)
        case otherwise:
            return outside(request, otherwise)


async def remove(request: Request) -> Response:
    """POST /account/authenticators/{id}/remove."""
    app_id = path_uuid(request, "id")
    if app_id is None:
        return trouble(request, Trouble.NOT_FOUND)
    await own_form(request)
    match await apps.remove(idp_of(request), visitor(request), app_id):
        case Changed():
            return home_with(request, Done.AUTHENTICATOR_REMOVED)
        case Nothing():
            return trouble(request, Trouble.NOT_FOUND)
        case otherwise:
            return outside(request, otherwise)


async def recovery_codes(request: Request) -> Response:
    """GET /account/recovery-codes: asks first, because the old ones die."""
    inside = await enter(idp_of(request), visitor(request), RECOVERY)
    if not isinstance(inside, Inside):
        return outside(request, inside)
    saved = recovery.open_set(inside)
    shown = NewRecoveryCodes(
        action=url(request, RECOVERY_PATH),
        back=url(request, ACCOUNT_PATH),
        remaining=None if saved is None else saved.remaining,
    )
    return page(request, shown, person=inside.account)


async def renew(request: Request) -> Response:
    """POST /account/recovery-codes: the new codes, once, in answer to this POST alone."""
    await own_form(request)
    found = await recovery.renew(idp_of(request), visitor(request))
    return _codes_page(request, found) if isinstance(found, Codes) else outside(request, found)


def _codes_page(request: Request, made: Codes, *problems: Problem) -> Response:
    shown = RecoveryCodes(
        action=url(request, SAVED_PATH), codes=made.codes, download=url(request, DOWNLOAD_PATH), problems=problems
    )
    return page(request, shown, status=400 if problems else 200, person=made.account)


async def saved(request: Request) -> Response:
    """POST /account/recovery-codes/saved: on, once the person says that the codes are somewhere safe."""
    form = await own_form(request)
    if form.get("saved") == "1":
        return home_with(request, Done.RECOVERY_MADE)
    found = await _sent_back(request, form)
    return _codes_page(request, found, Problem.SAVED_MISSING) if isinstance(found, Codes) else found


async def download(request: Request) -> Response:
    """POST /account/recovery-codes/download: the codes as a file."""
    found = await _sent_back(request, await own_form(request))
    if not isinstance(found, Codes):
        return found
    headers = {"Content-Disposition": 'attachment; filename="recovery-codes.txt"', "Cache-Control": "no-store"}
    return PlainTextResponse("\r\n".join((*found.codes, "")), headers=headers)


async def _sent_back(request: Request, form: Form) -> Codes | Response:
    match await recovery.known_codes(idp_of(request), visitor(request), typed=form.get("codes")):
        case Codes() as codes:
            return codes
        case Nothing():
            return trouble(request, Trouble.LINK_OLD)
        case otherwise:
            return outside(request, otherwise)


ROUTES = [
    Route(ENROL_PATH, new, methods=["GET"]),
    Route(ENROL_PATH, begin, methods=["POST"]),
    Route(CONFIRM_PATH, back, methods=["GET"]),
    Route(CONFIRM_PATH, confirm, methods=["POST"]),
    Route(f"{AUTHENTICATORS_PATH}/{{id}}", edit, methods=["GET"]),
    Route(f"{AUTHENTICATORS_PATH}/{{id}}/rename", rename, methods=["POST"]),
    Route(f"{AUTHENTICATORS_PATH}/{{id}}/remove", remove, methods=["POST"]),
    Route(f"{AUTHENTICATORS_PATH}/{{id}}/rename", back, methods=["GET"]),
    Route(f"{AUTHENTICATORS_PATH}/{{id}}/remove", back, methods=["GET"]),
    Route(RECOVERY_PATH, recovery_codes, methods=["GET"]),
    Route(RECOVERY_PATH, renew, methods=["POST"]),
    Route(SAVED_PATH, back, methods=["GET"]),
    Route(SAVED_PATH, saved, methods=["POST"]),
    Route(DOWNLOAD_PATH, back, methods=["GET"]),
    Route(DOWNLOAD_PATH, download, methods=["POST"]),
]
