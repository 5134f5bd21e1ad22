"""The policy and the signing keys in the console."""

from starlette.requests import Request
from starlette.responses import Response

from idp.catalogue import mark
from idp.errors import IdpError
from idp.flows.idp import CONSOLE_PATH
from idp.flows.operate.keys import list_keys
from idp.flows.operate.policies import policy_text
from idp.web.console.door import come_in, frame, missing, said, show
from idp.web.door import idp_of
from idp.web.pages.console import NO, YES, Cell, Detail, Fact, Link, Section
from idp.web.rooms import url


async def policy(request: Request) -> Response:
    """GET /admin/policy."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp = idp_of(request)
    try:
        written, keys = await policy_text(idp), await list_keys(idp)
    except IdpError as error:
        return missing(request, error)
    told = said(request)
    shown = Detail(
        frame=frame(request, staff),
        title=mark("Policy"),
        ours=True,
        back=Link(mark("Overview"), url(request, CONSOLE_PATH)),
        sections=(
            Section(
                mark("Where it is"),
                facts=(
                    Fact(mark("File"), (Cell(written.where),) if written.where else ()),
                    Fact(mark("In use as it is written"), (Cell(YES if written.in_use else NO, ours=True),)),
                    Fact(mark("Mistakes"), [Cell(problem) for problem in written.problems]),
                ),
            ),
            Section(mark("Who must prove what, for what"), text=written.text),
            Section(
                mark("Signing keys"),
                columns=(mark("Key id"), mark("Algorithm"), mark("State"), mark("Since")),
                rows=[(Cell(key.kid), Cell(key.alg), Cell(key.state), Cell(at=key.created_at)) for key in keys],
            ),
        ),
        done=told.done,
    )
    return show(request, staff, shown)
