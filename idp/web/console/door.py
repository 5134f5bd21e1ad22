"""The door of the console's pages: who comes in, what their forms say, where they go on. Nothing is done here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from idp.catalogue import mark
from idp.errors import AlreadyThere, IdpError, NotThere, Outdated, Unavailable
from idp.flows.idp import ACCOUNT_PATH, CONSOLE_PATH
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.permitting import NotPermitted
from idp.flows.people import console
from idp.flows.people.console import Staff, Stranger
from idp.model import Role
from idp.policy import Act
from idp.sentences import Json, read, written
from idp.web.answers import page, trouble
from idp.web.door import Form, idp_of, own_form, visitor
from idp.web.home import SIGN_OUT_PATH
from idp.web.notes import NOTE, NOTHING, Note, note_of, saying, see
from idp.web.pages import Trouble
from idp.web.pages.console import Frame, Link
from idp.web.pages.parts import Page
from idp.web.rooms import outside, url

ROLES = {Role.AUDITOR: mark("Auditor"), Role.HELPDESK: mark("Helpdesk"), Role.ADMIN: mark("Administrator")}
_SECTIONS = (
    (mark("Overview"), CONSOLE_PATH, Act.SEE_PEOPLE),
    (mark("People"), console.PEOPLE_PATH, Act.SEE_PEOPLE),
    (mark("Applications"), console.CLIENTS_PATH, Act.SEE_CLIENTS),
    (mark("Policy"), console.POLICY_PATH, Act.SEE_POLICY),
    (mark("Messages"), console.MESSAGES_PATH, Act.SEE_SENDING),
    (mark("Audit"), console.AUDIT_PATH, Act.SEE_AUDIT),
)
_LONGEST = 1500  # characters of a form that are kept while its sender proves something
_WITH_URI = 2  # an app's key and the address of its QR code; more are saved codes
_ROOM = 1800  # bytes of what a page is told; more does not fit into its address


@dataclass(frozen=True, slots=True)
class Said:
    """What a page says beside what it shows: what was `typed`, what was wrong `at` which field of it, what was `done`.

    `waiting`: the form came before its proof, and was not obeyed.
    """

    typed: Mapping[str, str] = field(default_factory=dict, repr=False)
    at: tuple[tuple[str, str], ...] = ()
    done: str = ""
    once: str = field(default="", repr=False)
    uri: str = field(default="", repr=False)
    codes: tuple[str, ...] = field(default=(), repr=False)
    follows: tuple[str, ...] = ()
    waiting: bool = False
    status: int = 200


async def come_in(request: Request) -> Staff | Response:
    """The operator who asks for this page, or what it takes. For somebody without a role there is no such page."""
    query = "&".join(part for part in request.url.query.split("&") if not part.startswith(f"{NOTE}="))
    return await _enter(request, _path(request) + (f"?{query}" if query else ""))


async def come_in_with(request: Request, *, files: bool = False) -> tuple[Staff, Form] | Response:
    """The same for who posts a form. One that comes too late for its proof is on the page again after the next.

    With `files` it may have some, which are not kept.
    """
    form = await own_form(request, files=files)
    staff = await _enter(request, _back_with(request, _kept(form)))
    return staff if isinstance(staff, Response) else (staff, form)


def _kept(form: Form) -> str:
    return _fitting({"typed": _short(form.fields), "waiting": True}, {"waiting": True})


def _back_with(request: Request, kept: str) -> str:
    return saying(request, url(request, _path(request)), Note(200, typed=kept)).removeprefix(url(request, ""))


@dataclass(frozen=True, slots=True)
class Late:
    """A form that is longer than an address, and came too late for its proof: its sender sees it again, as it was."""

    staff: Staff
    form: Form = field(repr=False)


async def come_in_with_all(request: Request, *, to: Act) -> tuple[Staff, Form] | Late | Response:
    """As `come_in_with`, for a form of any length: nothing that was typed is lost by who may do this."""
    form = await own_form(request)
    kept = _kept(form)
    fits = json.loads(kept).get("typed") == {name: value for name, value in form.fields.items() if name != "made"}
    staff = await _enter(request, _back_with(request, kept))
    if isinstance(staff, Staff):
        return staff, form
    known = None if fits else await console.known(idp_of(request), visitor(request))
    return Late(known, form) if known is not None and known.may(idp_of(request), to) else staff


async def _enter(request: Request, address: str) -> Staff | Response:
    room = console.room_at(address) or console.room_at(_path(request))
    if room is None:
        return trouble(request, Trouble.NOT_FOUND)
    match await console.enter(idp_of(request), visitor(request), room):
        case Staff() as staff:
            return staff
        case Stranger():
            return trouble(request, Trouble.NOT_FOUND)
        case otherwise:
            return outside(request, otherwise)


def _path(request: Request) -> str:
    return request.url.path.removeprefix(url(request, ""))


def _short(fields: Mapping[str, str]) -> dict[str, str]:
    left, short = _LONGEST, {}
    for name, value in fields.items():
        if name == "made":
            continue  # another is made for the page that is shown again
        short[name] = value[: max(left, 0)]
        left -= len(value)
    return short


def frame(request: Request, staff: Staff) -> Frame:
    """What is around a page of this operator."""
    idp, account, here = idp_of(request), staff.inside.account, _path(request)
    links = [(label, path) for label, path, act in _SECTIONS if staff.may(idp, act)]
    at = max((path for _, path in links if here == path or here.startswith((f"{path}/", f"{path}."))), key=len)
    return Frame(
        who=account.username,
        role=ROLES[staff.operator.role] if staff.operator.role is not None else "",
        links=tuple(Link(label, url(request, path), here=path == at) for label, path in links),
        account=url(request, ACCOUNT_PATH),
        sign_out=url(request, SIGN_OUT_PATH),
        now=staff.inside.now,
        zone=account.claims.get("zoneinfo"),
    )


def show(request: Request, staff: Staff, shown: Page, *, status: int = 200) -> Response:
    """The page, in the language of this operator."""
    return page(request, shown, status=status, person=staff.inside.account)


def said(request: Request) -> Said:
    """What the answer to a form left for the page that is shown now."""
    note = note_of(request)
    if note is NOTHING or note.typed is None:
        return Said()
    told = json.loads(note.typed)
    return Said(
        typed=told.get("typed", {}),
        at=tuple((name, each) for name, one in told.get("at", ()) for each in _told((one,))),
        done=told.get("done", ""),
        once=note.codes[0] if note.codes and len(note.codes) <= _WITH_URI else "",
        uri=note.codes[1] if len(note.codes) == _WITH_URI else "",
        codes=note.codes if len(note.codes) > _WITH_URI else (),
        follows=_told(told.get("follows", ())),
        waiting=told.get("waiting", False),
        status=note.status,
    )


def _told(sentences: Sequence[Json]) -> tuple[str, ...]:
    return tuple(each for one in sentences if isinstance(each := read(one), str))


def done(
    request: Request,
    path: str,
    sentence: str,
    *,
    follows: tuple[str, ...] = (),
    once: Sequence[str] | str | None = None,
) -> Response:
    """303 to a page that says what was done, and shows what is shown once: a secret, a key with its address, codes."""
    told = _fitting(
        *({"done": sentence, "follows": [written(each) for each in follows[:most]]} for most in range(8, -1, -1))
    )
    return see(
        request,
        url(request, path),
        Note(200, typed=told, codes=(once,) if isinstance(once, str) else tuple(once or ())),
    )


def refused(request: Request, form: Form, error: IdpError) -> Response:
    """303 to the page of the form, which says why and has what was typed. Raises what is no fault of the form."""
    status = status_of(error)
    at = [(name, written(each)) for name, each in zip(_fields(error), error.problems, strict=True)]
    told = _fitting(
        {"typed": _short(form.fields), "at": at},
        *({"at": at[:most]} for most in range(len(at), 0, -1)),
        {"at": [("", error.problems[0][:300])]},
    )
    return see(request, request.url.path, Note(status, typed=told))


def _fields(error: IdpError) -> Sequence[str]:
    """The field of each problem; empty where that is not said."""
    match error:
        case NotAcceptable():
            return error.fields
        case AlreadyThere():
            return [error.field] * len(error.problems)
        case _:
            return [""] * len(error.problems)


def seen_again(
    request: Request, typed: Mapping[str, str], at: Sequence[tuple[str, str]] = (), *, status: int = 200
) -> Response | None:
    """303 to the page of the form, with what was typed and what is wrong at which field. None: an address has no room.

    Then the page itself is the answer.
    """
    told: dict[str, object] = {"typed": dict(typed), "at": [(name, written(each)) for name, each in at]}
    if _fitting(told, {}) == "{}":
        return None
    return see(request, request.url.path, Note(status, typed=_fitting(told)))


def _fitting(*tellings: Mapping[str, object]) -> str:
    """The first of these for which an address has room; the last one has to do."""
    written = [json.dumps(told, ensure_ascii=False) for told in tellings]
    # It is quoted once more on its way.
    return next((each for each in written if len(json.dumps(each, ensure_ascii=False).encode()) <= _ROOM), written[-1])


def status_of(error: IdpError) -> int:
    """The status of a form that was refused for this. Raises what is no fault of the form."""
    match error:
        case NotPermitted():
            return 403
        case NotThere():
            return 404
        case AlreadyThere() | Outdated():
            return 409
        case NotAcceptable():
            return 422
        case _:
            raise error


def missing(request: Request, error: IdpError) -> Response:
    """For what is not there, or not for this operator."""
    if isinstance(error, Unavailable):
        raise error
    kind = Trouble.FORBIDDEN if isinstance(error, NotPermitted) else Trouble.NOT_FOUND
    return trouble(request, kind)


def gone(request: Request, path: str, follows: Sequence[str] = ()) -> Response:
    """303 to where it would be seen: it was removed meanwhile, or by the first of two presses."""
    return done(request, path, mark("It is not there any more, so nothing was changed."), follows=tuple(follows))
