"""What `idp doctor` says, in the console: all of it on a page of its own, and what is wrong on the overview."""

from collections.abc import Iterable, Sequence

from starlette.requests import Request
from starlette.responses import Response

from idp.catalogue import mark
from idp.errors import IdpError
from idp.flows.checks.findings import FAIL, OK, WARN, Finding
from idp.flows.idp import CONSOLE_PATH
from idp.flows.operate.checkup import Checkup, checkup
from idp.flows.people.console import CHECKUP_PATH, Staff
from idp.web.console.door import come_in, come_in_with, frame, missing, show
from idp.web.console.words import CHECKED
from idp.web.door import idp_of
from idp.web.pages.console import Cell, Check, Checks, Link
from idp.web.rooms import url

_STATES = {
    OK: Cell(mark("All right"), badge="good", ours=True),
    WARN: Cell(mark("Warning"), badge="wait", ours=True),
    FAIL: Cell(mark("Fails"), badge="bad", ours=True),
}


def checks(findings: Iterable[Finding]) -> Sequence[Check]:
    """Findings as a page shows them."""
    return [Check(_STATES[one.state], CHECKED[one.what], one.found, one.advice) for one in findings]


async def ask(request: Request) -> Response:
    """GET /admin/doctor: what is at hand, and what others answered lately."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    try:
        found = await checkup(idp_of(request))
    except IdpError as error:
        return missing(request, error)
    return _shown(request, staff, found)


async def look(request: Request) -> Response:
    """POST /admin/doctor: others are asked, too. Nothing changes, so the answer is the page."""
    entered = await come_in_with(request)
    if isinstance(entered, Response):
        return entered
    staff, _ = entered
    try:
        found = await checkup(idp_of(request), ask=True)
    except IdpError as error:
        return missing(request, error)
    return _shown(request, staff, found)


def _shown(request: Request, staff: Staff, found: Checkup) -> Response:
    shown = Checks(
        frame=frame(request, staff),
        back=Link(mark("Overview"), url(request, CONSOLE_PATH)),
        action=url(request, CHECKUP_PATH),
        at=found.at,
        whole=found.whole,
        looking=found.looking,
        troubles=checks(found.troubles),
        rest=checks(one for one in found.findings if one.state == OK),
    )
    return show(request, staff, shown)
