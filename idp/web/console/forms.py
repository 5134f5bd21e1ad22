"""The page of one change, and what happens when its button is pressed: read, one operation, answer."""

from collections.abc import Sequence
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from idp.errors import IdpError, NotThere
from idp.flows.idp import Idp
from idp.flows.operate.editing import version_of
from idp.flows.operate.finding import Person, find_user
from idp.flows.operate.permitting import NotPermitted
from idp.flows.people.console import PEOPLE_PATH
from idp.web.console.changes import CHANGES, Change
from idp.web.console.door import Said, come_in, come_in_with, done, frame, missing, refused, said, show, to
from idp.web.console.people import one_of
from idp.web.door import idp_of
from idp.web.pages.console import Edit, Input
from idp.web.rooms import url


def _change_of(request: Request) -> Change:
    try:
        return CHANGES[request.path_params["change"]]
    except KeyError:
        raise NotThere("There is no such change.") from None


async def ask(request: Request) -> Response:
    """GET /admin/people/ID/CHANGE."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp = idp_of(request)
    try:
        change, who = _change_of(request), one_of(request)
        person = await find_user(idp, who, to=change.act)
        follows, wrong = await _follows(idp, change, who)
    except IdpError as error:
        return missing(request, error)
    told = said(request)
    there = change.inputs(idp, person)
    shown = Edit(
        frame=frame(request, staff),
        title=change.title,
        about=_about(person),
        action=request.url.path,
        back=url(request, f"{PEOPLE_PATH}/{who}"),
        button=change.button,
        consequences=change.consequences,
        follows=follows,
        inputs=[again(one, told) for one in there],
        # What was typed was typed beside what was seen then.
        version=told.typed.get("version", "") if told.waiting and told.typed else version_of(person.account),
        now=[(one.label, one.value or "–") for one in there if told.status == 409 and again(one, told) != one],
        grave=change.grave,
        said=told.wrong or wrong,
        waiting=told.waiting,
    )
    return show(request, staff, shown, status=403 if wrong else told.status)


async def _follows(idp: Idp, change: Change, who: UUID) -> tuple[Sequence[str], str]:
    """What would follow; or nothing, and why this is not to be done to them by anybody in the console."""
    if change.follows is None:
        return (), ""
    try:
        return tuple(await change.follows(idp, who)), ""
    except NotPermitted as error:
        return (), str(error)


def again(one: Input, told: Said) -> Input:
    """A field with what was typed into it before."""
    if not told.typed:
        return one
    return Input(one.name, one.label, told.typed.get(one.name, ""), one.hint, one.kind, one.options, one.required)


def _about(person: Person) -> str:
    account = person.account
    return f"{account.name} ({account.username})" if account.name else account.username


async def make(request: Request) -> Response:
    """POST /admin/people/ID/CHANGE."""
    found = await come_in_with(request)
    if isinstance(found, Response):
        return found
    _, form = found
    idp = idp_of(request)
    try:
        change, who = _change_of(request), one_of(request)
    except NotThere as error:
        return missing(request, error)
    try:
        person = await find_user(idp, who, to=change.act)
        made = await change.do(idp, who, form, person)
    except NotThere:
        return to(request, PEOPLE_PATH)  # removed meanwhile, or by the first of two presses
    except IdpError as error:
        return refused(request, form, error)
    back = PEOPLE_PATH if made.gone else f"{PEOPLE_PATH}/{who}"
    return done(request, back, made.sentence, follows=made.follows, once=made.once)
