"""The policy and the signing keys in the console. A text is tried here, and never stored."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from idp.catalogue import mark
from idp.errors import IdpError
from idp.flows.idp import CONSOLE_PATH
from idp.flows.operate.keys import list_keys, rotate_keys
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.policies import policy_text, try_policy
from idp.flows.people.console import EXPLAIN_PATH, KEYS_PATH, POLICY_PATH, TRY_PATH, Staff
from idp.flows.tokens.keys import TooEarly
from idp.policy import Act
from idp.sentences import sentence
from idp.web.answers import trouble
from idp.web.console.door import come_in, come_in_with, done, frame, missing, refused, said, show
from idp.web.door import idp_of
from idp.web.pages import Trouble
from idp.web.pages.console import NO, YES, Cell, Detail, Edit, Fact, Input, Link, Section
from idp.web.rooms import url

_CHANGED = "%(row)s: %(before)s → %(after)s"  # nothing to translate


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
    may = staff.may(idp, Act.CHANGE_KEYS)
    rotating = (Link(mark("Sign with the next keys"), url(request, KEYS_PATH), grave=True),) if may else ()
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
                    Fact(mark("Mistakes"), [Cell(problem, ours=True) for problem in written.problems]),
                ),
            ),
            Section(mark("Who must prove what, for what"), text=written.text),
            Section(
                mark("Signing keys"),
                columns=(mark("Key id"), mark("Algorithm"), mark("State"), mark("Since")),
                rows=[(Cell(key.kid), Cell(key.alg), Cell(key.state), Cell(at=key.created_at)) for key in keys],
                acts=rotating,
            ),
        ),
        acts=(
            Link(mark("Explain a decision"), url(request, EXPLAIN_PATH)),
            Link(mark("Try another text"), url(request, TRY_PATH)),
        ),
        done=told.done,
        consequences=told.follows,
    )
    return show(request, staff, shown)


async def ask_try(request: Request) -> Response:
    """GET /admin/policy/try: the text in use, to be changed and tried."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    try:
        written = await policy_text(idp_of(request))
    except IdpError as error:
        return missing(request, error)
    # What a form keeps while its sender proves something is its beginning only, and no policy: the one in use is there.
    return show(request, staff, _trying(request, staff, written.text))


async def try_text(request: Request) -> Response:
    """POST /admin/policy/try: its mistakes, or what it would change. Nothing changes, so the answer is the page."""
    found = await come_in_with(request)
    if isinstance(found, Response):
        return found
    staff, form = found
    text = form.get("text").replace("\r\n", "\n")
    try:
        tried = await try_policy(idp_of(request), text)
    except IdpError as error:
        return missing(request, error)
    rows = [sentence(_CHANGED, row=row, before=before or "–", after=after or "–") for row, before, after in tried.rows]
    shown = _trying(
        request,
        staff,
        text,
        said=tried.problems,
        follows=(*tried.consequences, *rows),
        same=not tried.problems and not rows,
    )
    return show(request, staff, shown, status=422 if tried.problems else 200)


def _trying(
    request: Request,
    staff: Staff,
    text: str,
    *,
    said: tuple[str, ...] = (),
    follows: Sequence[str] = (),
    same: bool = False,
) -> Edit:
    about = mark("You see its mistakes, and what it would change here. Nothing is changed by trying.")
    return Edit(
        frame=frame(request, staff),
        title=mark("Try another text"),
        about="",
        action=url(request, TRY_PATH),
        back=url(request, POLICY_PATH),
        button=mark("Try it"),
        consequences=(about, mark("It says what the policy in use says.")) if same else (about,),
        follows=follows,
        inputs=(Input("text", mark("Policy"), text, kind="textarea", required=True, rows=8),),
        wrong=[("text", each) for each in said],
    )


async def ask_rotation(request: Request) -> Response:
    """GET /admin/policy/keys."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    if not staff.may(idp_of(request), Act.CHANGE_KEYS):
        return trouble(request, Trouble.FORBIDDEN)
    told = said(request)
    early = Input(
        "early",
        mark("At once: a key is known to somebody else"),
        told.typed.get("early", ""),
        kind="checkbox",
    )
    shown = Edit(
        frame=frame(request, staff),
        title=mark("Sign with the next keys"),
        about="",
        action=url(request, KEYS_PATH),
        back=url(request, POLICY_PATH),
        button=mark("Sign with the next keys"),
        consequences=(
            mark("Tokens are signed with the next keys from now on. Those before still verify for two days."),
            mark("Applications have to know the next keys for a day before. At once, some may refuse new tokens."),
        ),
        inputs=(early,),
        version=" ".join(key.kid for key in await list_keys(idp_of(request)) if key.state == "current"),
        grave=True,
        wrong=told.at,
        waiting=told.waiting,
    )
    return show(request, staff, shown, status=told.status)


async def rotate(request: Request) -> Response:
    """POST /admin/policy/keys."""
    found = await come_in_with(request)
    if isinstance(found, Response):
        return found
    _, form = found
    try:
        seen = form.get("version").split()
        await rotate_keys(idp_of(request), early=bool(form.get("early")), instead_of=seen)
    except TooEarly as error:
        return refused(request, form, NotAcceptable(*error.problems))
    except IdpError as error:
        return missing(request, error)
    return done(request, POLICY_PATH, mark("Tokens are signed with the next keys from now on."))
