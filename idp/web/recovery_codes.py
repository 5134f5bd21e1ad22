"""The pages of recovery codes: read, one flow, answer."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from idp.flows.idp import ACCOUNT_PATH
from idp.flows.people import recovery
from idp.flows.people.account import Done as Changed
from idp.flows.people.recovery import Codes, Nothing
from idp.flows.people.rooms import RECOVERY, RECOVERY_PATH, Inside, TooOften, enter
from idp.web.answers import page, see_other
from idp.web.door import Form, idp_of, own_form, visitor
from idp.web.home import AT_HAND_PATH
from idp.web.notes import Note, note_of, see
from idp.web.pages import Done, NewRecoveryCodes, Problem, RecoveryCodes
from idp.web.rooms import home_with, outside, too_often, url

SAVED_PATH = f"{RECOVERY_PATH}/saved"
DOWNLOAD_PATH = f"{RECOVERY_PATH}/download"


async def recovery_codes(request: Request) -> Response:
    """GET /account/recovery-codes: asks first, because the old ones die."""
    inside = await enter(idp_of(request), visitor(request), RECOVERY)
    if not isinstance(inside, Inside):
        return outside(request, inside)
    saved, note = recovery.open_set(inside), note_of(request)
    wait = note.wait(inside.now)
    shown = NewRecoveryCodes(
        action=url(request, RECOVERY_PATH),
        back=url(request, ACCOUNT_PATH),
        remaining=None if saved is None else saved.remaining,
        wait=wait,
        problems=note.problems,
    )
    return page(request, shown, status=note.status, retry_after=wait, person=inside.account)


async def renew(request: Request) -> Response:
    """POST /account/recovery-codes: new codes, which the page at the sealed address shows."""
    await own_form(request)
    match await recovery.renew(idp_of(request), visitor(request)):
        case Codes() as codes:
            return see_codes(request, codes)
        case TooOften() as refused:
            return too_often(request, RECOVERY_PATH, refused)
        case otherwise:
            return outside(request, otherwise)


def see_codes(request: Request, made: Codes, *problems: Problem) -> Response:
    """303 to the page that shows them."""
    # The address holds them sealed, for this session and ten minutes: nobody else has them, the server keeps hashes.
    return see(request, url(request, SAVED_PATH), Note(400 if problems else 200, problems=problems, codes=made.codes))


async def at_hand(request: Request) -> Response:
    """POST /account/recovery-codes/at-hand: they are, says the person."""
    await own_form(request)
    found = await recovery.at_hand(idp_of(request), visitor(request))
    return home_with(request, Done.CODES_AT_HAND) if isinstance(found, Changed) else outside(request, found)


async def codes(request: Request) -> Response:
    """GET /account/recovery-codes/saved: the codes, at the address that made them and nowhere else."""
    note = note_of(request)
    match await recovery.known_codes(idp_of(request), visitor(request), typed=" ".join(note.codes)):
        case Codes() as made:
            shown = RecoveryCodes(
                action=url(request, SAVED_PATH),
                codes=made.codes,
                download=url(request, DOWNLOAD_PATH),
                problems=note.problems,
            )
            return page(request, shown, status=note.status, person=made.account)
        case Nothing():
            return see_other(url(request, ACCOUNT_PATH))
        case otherwise:
            return outside(request, otherwise)


async def saved(request: Request) -> Response:
    """POST /account/recovery-codes/saved: on, once the person says that the codes are somewhere safe."""
    form = await own_form(request)
    if form.get("saved") == "1":
        return home_with(request, Done.RECOVERY_MADE)
    found = await _sent_back(request, form)
    return see_codes(request, found, Problem.SAVED_MISSING) if isinstance(found, Codes) else found


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
            return see_other(url(request, ACCOUNT_PATH))
        case otherwise:
            return outside(request, otherwise)


async def back(request: Request) -> Response:
    """GET where only a POST answers, as after a reload or a change of language: to the account page."""
    return see_other(url(request, ACCOUNT_PATH))


ROUTES = [
    Route(RECOVERY_PATH, recovery_codes, methods=["GET"]),
    Route(RECOVERY_PATH, renew, methods=["POST"]),
    Route(AT_HAND_PATH, back, methods=["GET"]),
    Route(AT_HAND_PATH, at_hand, methods=["POST"]),
    Route(SAVED_PATH, codes, methods=["GET"]),
    Route(SAVED_PATH, saved, methods=["POST"]),
    Route(DOWNLOAD_PATH, back, methods=["GET"]),
    Route(DOWNLOAD_PATH, download, methods=["POST"]),
]
