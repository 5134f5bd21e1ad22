"""People in the console: the list, and one person with all that is known. Changes are beside."""

from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlencode
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from idp.catalogue import mark
from idp.errors import IdpError, NotThere
from idp.flows.idp import Idp
from idp.flows.operate.administrators import strong
from idp.flows.operate.finding import every_person, people_page
from idp.flows.operate.looking import Shown, show_person
from idp.flows.people.console import AUDIT_PATH, EXPLAIN_PATH, PEOPLE_PATH, Staff
from idp.formats import own_name
from idp.model import Account
from idp.oidc.strictjson import storable
from idp.policy import Act
from idp.web.activity import device
from idp.web.console import tables
from idp.web.console.door import come_in, frame, missing, said, show
from idp.web.console.recoveries import asked_to_recover, waits_for
from idp.web.console.words import EVENTS, FACTORS, LINKS, MESSAGES, STATES, named
from idp.web.door import idp_of, query
from idp.web.pages.console import NO, YES, Cell, Detail, Fact, Link, Listing, Section
from idp.web.rooms import url

PAGE = 50
_WAYS = (mark("Kind"), mark("Name"), mark("Last used"), mark("Trusted from"))
_GIVEN = ((mark("Give an app"), "app"), (mark("Give a phone"), "phone"), (mark("Make recovery codes"), "codes"))
_COLUMNS = (mark("Username"), mark("Name"), mark("Email address"), mark("Groups"), mark("State"))


def asked(request: Request) -> dict[str, str]:
    """The parameters of a list; what is no text, or too long, is not there."""
    return {name: value for name, value in query(request) if storable(value) and len(value) <= 300}


def one_of(request: Request) -> UUID:
    """The account id in the address. Raises `NotThere`."""
    try:
        return UUID(request.path_params["id"])
    except ValueError:
        raise NotThere("There is no such person.") from None


def standing(account: Account) -> Cell:
    """How an account stands, in one word."""
    if account.disabled:
        return Cell(mark("Disabled"), badge="bad", ours=True)
    if account.frozen_at is not None:
        return Cell(mark("Frozen"), badge="wait", ours=True)
    if account.invited:
        return Cell(mark("Invited"), badge="wait", ours=True)
    return Cell(mark("Enabled"), badge="good", ours=True)


async def people(request: Request) -> Response:
    """GET /admin/people."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp, given = idp_of(request), asked(request)
    wanted, here = given.get("q", "").strip(), url(request, PEOPLE_PATH)
    found = await people_page(idp, containing=wanted, after=given.get("after") or None, limit=PAGE)
    acts = []
    if staff.may(idp, Act.INVITE):
        acts.append(Link(mark("Invite somebody"), f"{here}/invite", first=True))
    if staff.may(idp, Act.ADD_PERSON):
        acts.append(Link(mark("Add somebody"), f"{here}/add"))
    shown = Listing(
        frame=frame(request, staff),
        title=mark("People"),
        columns=_COLUMNS,
        rows=[
            (
                Cell(one.username, href=f"{here}/{one.id}"),
                Cell(one.name or ""),
                Cell(one.email or ""),
                Cell(", ".join(sorted(one.groups))),
                standing(one),
            )
            for one in found.people
        ],
        here=here,
        search=wanted,
        hint=mark("Part of a username, name or email address."),
        count=found.count,
        following=f"{here}?{urlencode({'q': wanted, 'after': found.after})}" if found.after else None,
        csv=f"{here}.csv?{urlencode({'q': wanted})}",
        acts=acts,
        done=said(request).done,
    )
    return show(request, staff, shown)


async def people_csv(request: Request) -> Response:
    """GET /admin/people.csv."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp, wanted = idp_of(request), asked(request).get("q", "").strip()

    async def rows() -> AsyncIterator[Sequence[str]]:
        async for one in every_person(idp, containing=wanted):
            groups, state = " ".join(sorted(one.groups)), standing(one).text.lower()
            yield (str(one.id), one.username, one.name or "", one.email or "", groups, state)

    return tables.download("people", ("id", "username", "name", "email", "groups", "state"), rows())


async def person(request: Request) -> Response:
    """GET /admin/people/ID."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp = idp_of(request)
    try:
        found = await show_person(idp, one_of(request))
    except IdpError as error:
        return missing(request, error)
    account, told = found.person.account, said(request)
    here = url(request, f"{PEOPLE_PATH}/{account.id}")
    shown = Detail(
        frame=frame(request, staff),
        title=account.name or account.username,
        back=Link(mark("People"), url(request, PEOPLE_PATH)),
        standing=[standing(account), *(Cell(group, badge="") for group in sorted(account.groups))],
        sections=_sections(
            idp,
            staff,
            found,
            here=here,
            trail=url(request, f"{AUDIT_PATH}?{urlencode({'person': account.id})}"),
            trying=url(request, f"{EXPLAIN_PATH}?{urlencode({'username': account.username})}"),
        ),
        acts=[Link(label, f"{here}/{name}", grave=grave) for label, name, grave in _acts(idp, staff, found)],
        done=told.done,
        once=told.once or None,
        uri=told.uri,
        codes=told.codes,
        consequences=told.follows,
    )
    return show(request, staff, shown)


def _acts(idp: Idp, staff: Staff, found: Shown) -> Sequence[tuple[str, str, bool]]:
    account, asked = found.person.account, asked_to_recover(found)
    offered = (
        (Act.EDIT_PERSON, mark("Edit"), "edit", False, True),
        (Act.SET_GROUPS, mark("Change groups"), "groups", False, bool(idp.policy.groups)),
        (Act.UNLOCK, mark("Let them try again"), "unlock", False, bool(found.waits)),
        (Act.INVITE, mark("Invite again"), "invite-again", False, not found.has_password),
        (Act.RESET, mark("Link for another password"), "reset", False, found.has_password),
        (Act.SET_PASSWORD, mark("Temporary password"), "password", False, True),
        (Act.END_SESSIONS, mark("Sign out everywhere"), "sign-out", False, True),
        (Act.FREEZE, mark("Freeze"), "freeze", True, account.frozen_at is None and not found.last),
        (Act.RECOVER, mark("Confirm the recovery"), "confirm", True, asked is not None and not asked.by_you),
        (Act.RECOVER, mark("Recover"), "recover", True, found.has_password and asked is None and not found.last),
        (Act.DISABLE, mark("Enable"), "enable", False, account.disabled),
        (Act.DISABLE, mark("Disable"), "disable", True, not account.disabled and not found.last),
        (Act.REMOVE_PERSON, mark("Remove"), "remove", True, not found.last),
    )  # fmt: skip
    return [
        (label, name, grave)
        for act, label, name, grave, makes_sense in offered
        if makes_sense and staff.may(idp, act, on=account.groups)
    ]


def _sections(idp: Idp, staff: Staff, found: Shown, *, here: str, trail: str, trying: str) -> Sequence[Section]:
    account, asked = found.person.account, asked_to_recover(found)

    def may(act: Act) -> bool:
        return staff.may(idp, act, on=account.groups)

    there = mark("A temporary one") if account.password_until else YES if found.has_password else NO
    gives, removes, ends = may(Act.GIVE_AUTHENTICATOR), may(Act.REMOVE_AUTHENTICATOR), may(Act.END_SESSIONS)

    about = Section(
        mark("About them"),
        facts=(
            Fact(mark("Username"), (Cell(account.username),)),
            Fact(mark("Account id"), (Cell(str(account.id)),)),
            Fact(mark("Email address"), (Cell(account.email or ""),)),
            Fact(mark("Address verified"), (Cell(YES if account.email_verified else NO, ours=True),)),
            Fact(mark("Language"), (Cell(own_name(account.locale) if account.locale else ""),)),
            Fact(mark("Added"), (Cell(at=account.created_at),)),
            Fact(mark("Password set"), (Cell(there, ours=True, at=account.password_until),)),
            Fact(mark("What makes them wait"), tuple(Cell(each, ours=True) for each in found.waits)),
            *((Fact(mark("Stays"), (Cell(found.last, ours=True),)),) if found.last else ()),
            Fact(
                mark("Links that work"),
                tuple(Cell(LINKS[one.purpose], ours=True, at=one.expires_at) for one in found.links),
            ),
        ),
    )
    signs_in = strong(idp.policy, found.person.authenticators)
    ways = Section(
        mark("Ways to sign in"),
        columns=(*_WAYS, *_more(removes)),
        rows=[
            (
                Cell(FACTORS[one.factor], ours=True),
                Cell(named(one), ours=True),
                Cell(at=one.last_used_at),
                Cell(at=one.trusted_at),
                *(
                    (Cell(""),)
                    if removes and found.last and not signs_in - {one.id}
                    else _link(mark("Remove"), f"{here}/authenticator?which={one.id}", removes)
                ),
            )
            for one in found.person.authenticators
        ],
        acts=(
            *(Link(label, f"{here}/{name}") for label, name in _GIVEN if gives),
            Link(mark("What would they be asked?"), trying),
        ),
    )  # fmt: skip
    sessions = Section(
        mark("Signed in"),
        columns=(mark("Browser"), mark("Last seen"), *_more(ends)),
        rows=[
            (
                Cell(device(one.user_agent)),
                Cell(at=one.seen_at),
                *_link(mark("Sign out"), f"{here}/session?session={one.session_id}", ends),
            )
            for one in found.sessions
        ],
    )
    known = Section(
        mark("Known browsers"),
        columns=(mark("Browser"), mark("Address"), mark("Last seen"), *_more(ends)),
        rows=[
            (
                Cell(one.label or device(one.user_agent)),
                Cell(one.address or ""),
                Cell(at=one.seen_at),
                *_link(mark("Forget it"), f"{here}/device?device={one.key.hex()}", ends),
            )
            for one in found.devices
        ],
    )
    apps = Section(
        mark("Applications"),
        columns=(mark("Application"), mark("May"), mark("Last used")),
        rows=[(Cell(one.name), Cell(" ".join(one.scopes)), Cell(at=one.used_at)) for one in found.applications],
    )
    messages = Section(
        mark("Messages"),
        columns=(mark("When"), mark("What"), mark("To"), mark("State"), mark("Sent by")),
        rows=[
            (
                Cell(at=one.message.created_at),
                Cell(MESSAGES.get(one.message.kind, one.message.kind), ours=True),
                Cell(to),
                Cell(STATES.get(one.state, one.state), ours=True),
                Cell(one.gateway or ""),
            )
            for to, one in found.messages
        ],
    )
    happened = Section(
        mark("What happened"),
        columns=(mark("When"), mark("What"), mark("By")),
        rows=[
            (
                Cell(at=one.at),
                Cell(EVENTS.get(one.name, one.name), ours=True),
                Cell(str(one.fields.get("operator", ""))),
            )
            for one in found.happened[:20]
        ],
        acts=(Link(mark("All of it in the audit trail"), trail),),
    )
    return (*((waits_for(asked),) if asked else ()), about, ways, sessions, known, apps, messages, happened)


def _more(offered: bool) -> Sequence[str]:  # noqa: FBT001 - whether there is one more column
    return (mark("Change"),) if offered else ()


def _link(label: str, href: str, offered: bool) -> Sequence[Cell]:  # noqa: FBT001
    return (Cell(label, href=href, ours=True),) if offered else ()
