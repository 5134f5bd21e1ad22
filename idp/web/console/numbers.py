"""One phone number in the console: what would become of a code to it, and messages go to it again.

It is posted, never asked for by an address, for no number stands in one.
"""

from collections.abc import Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from idp.catalogue import mark
from idp.errors import IdpError
from idp.flows.operate.deliveries import unblock_number
from idp.flows.operate.people import NotAcceptable, parse_phone
from idp.flows.operate.spending import Explained, explain_number
from idp.flows.people.console import MESSAGES_PATH, NUMBER_PATH, OPEN_NUMBER_PATH, SPENDING_PATH, Staff
from idp.policy import Act
from idp.web.answers import trouble
from idp.web.console.door import come_in, come_in_with, done, frame, missing, refused, said, show
from idp.web.door import idp_of
from idp.web.pages import Trouble
from idp.web.pages.console import Cell, Detail, Edit, Fact, Input, Link, Query, Section
from idp.web.rooms import url

_PHONE = Input("phone", mark("Phone"), hint=mark("With + and the country code."), kind="tel", required=True)


async def ask_number(request: Request) -> Response:
    """GET /admin/messages/number."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    return show(request, staff, _asking(request, staff, said(request).typed.get("phone", "")))


async def explain(request: Request) -> Response:
    """POST /admin/messages/number: nothing is sent and nothing changes, so the answer is the page."""
    found = await come_in_with(request)
    if isinstance(found, Response):
        return found
    staff, form = found
    typed = form.get("phone").strip()[:60]
    try:
        explained = await explain_number(idp_of(request), typed)
    except NotAcceptable as error:
        return show(request, staff, _asking(request, staff, typed, wrong=tuple(error.problems)), status=422)
    except IdpError as error:
        return missing(request, error)
    return show(request, staff, _asking(request, staff, typed, explained))


def _asking(
    request: Request, staff: Staff, typed: str, explained: Explained | None = None, *, wrong: tuple[str, ...] = ()
) -> Detail:
    may = staff.may(idp_of(request), Act.CHANGE_SENDING)
    query = Query(
        action=url(request, NUMBER_PATH),
        about=mark("Whether a code would be sent to it now, and why. Nothing is sent by asking."),
        button=mark("Ask"),
        inputs=(replace(_PHONE, value=typed),),
        said=wrong,
        secret=True,
    )
    return Detail(
        frame=frame(request, staff),
        title=mark("Ask about a number"),
        ours=True,
        back=Link(mark("Messages"), url(request, MESSAGES_PATH)),
        query=query,
        sections=() if explained is None else _answers(explained),
        acts=(Link(mark("Let messages go to a number again"), url(request, OPEN_NUMBER_PATH)),) if may else (),
    )


def _answers(explained: Explained) -> Sequence[Section]:
    return (
        Section(
            mark("What comes of it"),
            facts=(
                Fact(mark("Phone"), (Cell(explained.phone),)),
                Fact(mark("Country"), (Cell(explained.region or ""),)),
                Fact(mark("For somebody who never verified it"), (Cell(explained.answer, ours=True),)),
                Fact(mark("For somebody who did"), (Cell(explained.answer_verified, ours=True),)),
            ),
        ),
        Section(
            mark("Why, for somebody who never verified it"),
            columns=(mark("Rule"), mark("Mode"), mark("What it found")),
            rows=[
                (Cell(one.rule.value), Cell(one.mode.value), Cell(one.found, ours=True)) for one in explained.unverified
            ],
        ),
    )


async def ask_unblock(request: Request) -> Response:
    """GET /admin/messages/number/open."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    if not staff.may(idp_of(request), Act.CHANGE_SENDING):
        return trouble(request, Trouble.FORBIDDEN)
    told = said(request)
    shown = Edit(
        frame=frame(request, staff),
        title=mark("Let messages go to a number again"),
        about="",
        action=url(request, OPEN_NUMBER_PATH),
        back=url(request, NUMBER_PATH),
        button=mark("Let messages go there"),
        consequences=(
            mark("A number is closed when a provider calls it wrong, or its owner wrote STOP. Ask them first."),
        ),
        inputs=(replace(_PHONE, value=told.typed.get("phone", "")),),
        wrong=told.at,
        waiting=told.waiting,
    )
    return show(request, staff, shown, status=told.status)


async def unblock(request: Request) -> Response:
    """POST /admin/messages/number/open."""
    found = await come_in_with(request)
    if isinstance(found, Response):
        return found
    _, form = found
    idp = idp_of(request)
    try:
        why = await unblock_number(idp, parse_phone(form.get("phone"), region=idp.settings.sms_region))
    except IdpError as error:
        return refused(request, form, error)
    if why is None:
        return done(request, SPENDING_PATH, mark("Nothing was in the way of messages to this number."))
    return done(request, SPENDING_PATH, mark("Messages go to this number again."))
