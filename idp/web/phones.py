"""The pages of one's own phones: read, one flow, answer."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.flows.idp import ACCOUNT_PATH
from idp.flows.people import new_phone, phones, verify_phone
from idp.flows.people.account import Done as Changed
from idp.flows.people.enrol import LONGEST_LABEL
from idp.flows.people.enrol import Slip as LabelSlip
from idp.flows.people.leaving import Last, Loses
from idp.flows.people.new_phone import Again, NotNow, NotUsable, Sent, Slip
from idp.flows.people.phones import Phone
from idp.flows.people.recovery import Nothing
from idp.flows.people.rooms import NEW_PHONE_PATH, PHONES_PATH, Inside, TooOften, enter, permission
from idp.flows.people.verify_phone import Replaced, Verifying
from idp.flows.signin.destinations import phones_of
from idp.policy import Policy
from idp.web.answers import page, see_other, trouble
from idp.web.door import idp_of, own_form, visitor
from idp.web.notes import Note, after, note_of, see
from idp.web.pages import Delivery, Done, EditPhone, Kept, Loss, NewPhone, Problem, Trouble, VerifyPhone
from idp.web.purposes import scope_line
from idp.web.rooms import home_with, outside, too_often, url

CONFIRM_PATH = f"{PHONES_PATH}/confirm"
SEND_PATH = f"{CONFIRM_PATH}/send"
_LONGEST_NUMBER = 60  # of what is shown again
_NOT_USABLE = {
    NotUsable.MISSING: Problem.PHONE_MISSING,
    NotUsable.NOT_A_NUMBER: Problem.PHONE_SHAPE,
    NotUsable.NOT_MOBILE: Problem.PHONE_NOT_MOBILE,
    NotUsable.COUNTRY: Problem.PHONE_COUNTRY,
    NotUsable.THERE: Problem.PHONE_THERE,
    NotUsable.ENOUGH: Problem.PHONES_ENOUGH,
}
_SLIPS = {
    Slip.NO_CODE: Problem.SMS_CODE_MISSING,
    Slip.NO_CODE_AT_ALL: Problem.CODE_SHAPE,
    Slip.WRONG: Problem.CODE_WRONG,
    Slip.DEAD: Problem.CODE_EXPIRED,
    Slip.WAIT: Problem.CODE_WAIT,
    Slip.PACED: Problem.RESEND_WAIT,
    Slip.CLOSED: Problem.CODE_CLOSED,
    Slip.LABEL_TOO_LONG: Problem.LABEL_TOO_LONG,
}


def _one(request: Request) -> UUID | None:
    found: UUID | None = request.path_params.get("id")
    return found


async def new(request: Request) -> Response:
    """GET /account/phones/new and /account/phones/{id}/number: asks for the number."""
    idp, old = idp_of(request), _one(request)
    inside = await enter(idp, visitor(request), new_phone.room_of(old))
    if not isinstance(inside, Inside):
        return outside(request, inside)
    replaced = next((each for each in phones_of(inside.loaded.authenticators) if each.id == old), None)
    if old is not None and replaced is None:
        return trouble(request, Trouble.NOT_FOUND)
    may, note = permission(idp, inside), note_of(request)
    wait = note.wait(inside.now)
    shown = NewPhone(
        action=request.url.path,
        back=url(request, ACCOUNT_PATH if old is None else f"{PHONES_PATH}/{old}"),
        number=note.typed or "",
        replaces=None if replaced is None else replaced.hint,
        hold=may.hold or None,
        wait=wait,
        problems=note.problems,
    )
    return page(request, shown, status=note.status, retry_after=wait, person=inside.account)


async def begin(request: Request) -> Response:
    """POST to the same: send a code to the number."""
    form, idp, old = await own_form(request), idp_of(request), _one(request)
    number = form.get("number")
    here, typed = request.url.path, number[:_LONGEST_NUMBER]
    match await new_phone.begin(idp, visitor(request), number=number, replaces=old):
        case Sent():
            return see_other(url(request, CONFIRM_PATH))
        case NotUsable() as why:
            return see(request, here, Note(400, problems=(_NOT_USABLE[why],), typed=typed))
        case NotNow(retry_after):
            problem, until = Problem.PHONE_WAIT, after(idp, retry_after)
            return see(request, here, Note(429, problems=(problem,), typed=typed, until=until))
        case TooOften() as refused:
            return too_often(request, new_phone.room_of(old).redirect_uri, refused)
        case Nothing():
            return trouble(request, Trouble.NOT_FOUND)
        case otherwise:
            return outside(request, otherwise)


async def verify(request: Request) -> Response:
    """GET /account/phones/confirm: asks for the code."""
    note = note_of(request)
    match await verify_phone.verifying(idp_of(request), visitor(request)):
        case Verifying() as asked:
            pass
        case Changed():
            return home_with(request, Done.PHONE_ADDED)
        case Nothing():
            return see_other(url(request, NEW_PHONE_PATH))
        case otherwise:
            return outside(request, otherwise)
    wait = note.wait(idp_of(request).clock.now())
    shown = VerifyPhone(
        action=url(request, CONFIRM_PATH),
        resend=url(request, SEND_PATH),
        other=url(request, new_phone.room_of(asked.replaces).redirect_uri),
        back=url(request, ACCOUNT_PATH),
        hint=asked.hint,
        label=note.typed or "",
        replaces=asked.replaces is not None,
        hold=asked.hold,
        valid_for=asked.valid_for,
        resend_in=asked.resend_in,
        tries_left=asked.attempts_left if note.problems else None,
        delivery=Delivery(asked.delivery),
        wait=wait,
        problems=note.problems,
    )
    return page(request, shown, status=note.status, retry_after=wait, person=asked.account)


async def confirm(request: Request) -> Response:
    """POST /account/phones/confirm."""
    form, idp = await own_form(request), idp_of(request)
    label = form.get("label")
    match await verify_phone.confirm(idp, visitor(request), code=form.get("code"), label=label):
        case Changed():
            return home_with(request, Done.PHONE_ADDED)
        case Replaced():
            return home_with(request, Done.PHONE_CHANGED)
        case Again() as again:
            return _again(request, again, typed=label[: 4 * LONGEST_LABEL])
        case Nothing():
            return see(request, url(request, NEW_PHONE_PATH), Note(400, problems=(Problem.FORM_OLD,)))
        case otherwise:
            return outside(request, otherwise)


async def send(request: Request) -> Response:
    """POST /account/phones/confirm/send: the code once more."""
    await own_form(request)
    match await new_phone.send(idp_of(request), visitor(request)):
        case Sent():
            return see_other(url(request, CONFIRM_PATH))
        case Again() as again:
            return _again(request, again)
        case Nothing():
            return see(request, url(request, NEW_PHONE_PATH), Note(400, problems=(Problem.FORM_OLD,)))
        case otherwise:
            return outside(request, otherwise)


def _again(request: Request, again: Again, *, typed: str | None = None) -> Response:
    status = 429 if again.slip in {Slip.WAIT, Slip.PACED, Slip.CLOSED} else 400
    until = after(idp_of(request), again.retry_after)
    return see(
        request, url(request, CONFIRM_PATH), Note(status, problems=(_SLIPS[again.slip],), typed=typed, until=until)
    )


async def edit(request: Request) -> Response:
    """GET /account/phones/{id}."""
    phone_id: UUID = request.path_params["id"]
    match await phones.phone(idp_of(request), visitor(request), phone_id):
        case Phone() as phone:
            return _edit_page(request, phone, note_of(request))
        case Nothing():
            return trouble(request, Trouble.NOT_FOUND)
        case otherwise:
            return outside(request, otherwise)


def loss_of(found: Last | Loses, policy: Policy) -> Loss:
    """What a page says of it."""
    match found:
        case Last(floor):
            return Loss(kept=Kept.GROUP if floor else Kept.LAST)
        case Loses(scopes, codes_only, no_phone):
            lines = tuple(scope_line(scope, policy) for scope in scopes)
            return Loss(scopes=lines, codes_only=codes_only, no_phone=no_phone)


def _edit_page(request: Request, phone: Phone, note: Note) -> Response:
    here = url(request, f"{PHONES_PATH}/{request.path_params['id']}")
    shown = EditPhone(
        hint=phone.hint,
        label=phone.label if note.typed is None else note.typed,
        rename=f"{here}/rename",
        replace=f"{here}/number",
        remove=f"{here}/remove",
        prefer=None if phone.first else f"{here}/first",
        others=phone.others,
        back=url(request, ACCOUNT_PATH),
        loss=loss_of(phone.loss, idp_of(request).policy),
        problems=note.problems,
    )
    return page(request, shown, status=note.status, person=phone.inside.account)


async def rename(request: Request) -> Response:
    """POST /account/phones/{id}/rename."""
    phone_id: UUID = request.path_params["id"]
    form = await own_form(request)
    match await phones.rename(idp_of(request), visitor(request), phone_id, label=form.get("label")):
        case Changed():
            return home_with(request, Done.PHONE_RENAMED)
        case (Phone(), slip):
            problem = Problem.LABEL_MISSING if slip is LabelSlip.NO_LABEL else Problem.LABEL_TOO_LONG
            typed = form.get("label")[: 4 * LONGEST_LABEL]
            here = url(request, f"{PHONES_PATH}/{phone_id}")
            return see(request, here, Note(400, problems=(problem,), typed=typed))
        case Nothing():
            return trouble(request, Trouble.NOT_FOUND)
        case otherwise:
            return outside(request, otherwise)


async def first(request: Request) -> Response:
    """POST /account/phones/{id}/first."""
    await own_form(request)
    match await phones.prefer(idp_of(request), visitor(request), request.path_params["id"]):
        case Changed():
            return home_with(request, Done.PHONE_FIRST)
        case Nothing():
            return trouble(request, Trouble.NOT_FOUND)
        case otherwise:
            return outside(request, otherwise)


async def remove(request: Request) -> Response:
    """POST /account/phones/{id}/remove."""
    phone_id: UUID = request.path_params["id"]
    await own_form(request)
    match await phones.remove(idp_of(request), visitor(request), phone_id):
        case Changed():
            return home_with(request, Done.PHONE_REMOVED)
        case Last():
            return see_other(url(request, f"{PHONES_PATH}/{phone_id}"))  # which says why
        case Nothing():
            return trouble(request, Trouble.NOT_FOUND)
        case otherwise:
            return outside(request, otherwise)


async def back(request: Request) -> Response:
    """GET where only a POST answers, as after a reload or a change of language: to the page with the button."""
    return see_other(request.url.path.rpartition("/")[0])


_ID = f"{PHONES_PATH}/{{id:uuid}}"
ROUTES = [
    Route(NEW_PHONE_PATH, new, methods=["GET"]),
    Route(NEW_PHONE_PATH, begin, methods=["POST"]),
    Route(CONFIRM_PATH, verify, methods=["GET"]),
    Route(CONFIRM_PATH, confirm, methods=["POST"]),
    Route(SEND_PATH, send, methods=["POST"]),
    Route(_ID, edit, methods=["GET"]),
    Route(f"{_ID}/number", new, methods=["GET"]),
    Route(f"{_ID}/number", begin, methods=["POST"]),
    Route(f"{_ID}/rename", rename, methods=["POST"]),
    Route(f"{_ID}/first", first, methods=["POST"]),
    Route(f"{_ID}/remove", remove, methods=["POST"]),
    Route(SEND_PATH, back, methods=["GET"]),
    *(Route(f"{_ID}/{step}", back, methods=["GET"]) for step in ("rename", "first", "remove")),
]
