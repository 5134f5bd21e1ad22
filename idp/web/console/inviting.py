"""The page where an operator invites somebody: a new account, and the link that its owner sets it up with."""

from collections.abc import Sequence
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from idp.catalogue import mark
from idp.errors import AlreadyThere, IdpError
from idp.flows.idp import Idp
from idp.flows.operate.invitations import Invited, invite
from idp.flows.operate.spending import never_texted
from idp.flows.people.console import PEOPLE_PATH, Staff
from idp.policy import Act
from idp.web.answers import trouble
from idp.web.console.adding import about_somebody_new, boxes, groups_in
from idp.web.console.door import come_in, come_in_with, done, frame, refused, said, show
from idp.web.console.forms import again, made, nonce_of, one_link, with_made
from idp.web.console.recoveries import MAIL
from idp.web.door import Form, idp_of
from idp.web.pages import Trouble
from idp.web.pages.console import Edit, Input
from idp.web.rooms import url


def _inputs(idp: Idp, staff: Staff) -> Sequence[Input]:
    said_here = about_somebody_new(idp, staff)
    # The link proves an address.
    return (*(one for one in said_here if one.name != "email_verified"), MAIL)


async def ask(request: Request) -> Response:
    """GET /admin/people/invite."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    if not staff.may(idp_of(request), Act.INVITE):
        return trouble(request, Trouble.FORBIDDEN)
    told = said(request)
    shown = Edit(
        frame=frame(request, staff),
        title=mark("Invite somebody"),
        about="",
        action=request.url.path,
        back=url(request, PEOPLE_PATH),
        button=mark("Invite"),
        consequences=(mark("They get a link, with which they choose a password and set up a second step."),),
        inputs=[again(one, told) for one in _inputs(idp_of(request), staff)],
        groups=boxes(idp_of(request), staff, told),
        made=made(request, one_link),
        wrong=told.at,
        waiting=told.waiting,
    )
    return show(request, staff, shown, status=told.status)


async def make(request: Request) -> Response:
    """POST /admin/people/invite."""
    found = await come_in_with(request)
    if isinstance(found, Response):
        return found
    _, form = found
    idp = idp_of(request)
    try:
        filled = with_made(request, form)
        try:
            invited = await _invited(idp, filled)
        except AlreadyThere:
            invited = await _invited(idp, filled)  # if it was the first of two presses, in this moment, it is there now
    except IdpError as error:
        return refused(request, form, error)
    phone = form.get("phone").strip() or None
    warning = None if phone is None else never_texted(idp, phone)
    return done(
        request,
        f"{PEOPLE_PATH}/{invited.account.id}",
        mark("The invitation is made."),
        follows=() if warning is None else (warning,),
        once=invited.address,
    )


async def _invited(idp: Idp, form: Form) -> Invited:
    return await invite(
        idp,
        username=form.get("username"),
        mail=bool(form.get("mail")),
        email=form.get("email").strip() or None,
        phone=form.get("phone").strip() or None,
        name=form.get("name").strip() or None,
        groups=groups_in(idp, form),
        locale=form.get("locale") or None,
        as_id=UUID(form.get("id")),
        nonce=nonce_of(form),
    )
