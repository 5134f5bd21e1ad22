"""The page where an operator adds somebody with a password for once, and says how they prove themselves."""

from collections.abc import Mapping, Sequence
from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.responses import Response

from idp.catalogue import languages, mark
from idp.crypto import digest, random_token
from idp.errors import IdpError
from idp.factors import password as passwords
from idp.flows.idp import Idp
from idp.flows.operate.people import add_user
from idp.flows.operate.spending import never_texted
from idp.flows.people.console import PEOPLE_PATH, Staff
from idp.formats import own_name
from idp.policy import Act
from idp.sentences import sentence
from idp.web.answers import trouble
from idp.web.console.door import ROLES, Said, come_in, come_in_with, frame, refused, said, show
from idp.web.console.forms import Done, again, finished, made, with_made
from idp.web.door import Form, idp_of
from idp.web.pages import Trouble
from idp.web.pages.console import Edit, Input
from idp.web.rooms import url


def tongues_of(idp: Idp) -> Sequence[tuple[str, str]]:
    """The languages that somebody may be written to in, each as it calls itself."""
    return [("", mark("Not chosen")), *((name, own_name(name)) for name in languages(idp.settings.templates))]


def about_somebody_new(idp: Idp, staff: Staff) -> Sequence[Input]:
    """What is said of whoever is added or invited."""
    known = Input("email_verified", mark("I know that the address is theirs"), kind="checkbox")
    # To say that an address counts is an administrator's.
    return (
        Input("username", mark("Username"), required=True),
        Input("name", mark("Name")),
        Input("email", mark("Email address")),
        *((known,) if staff.may(idp, Act.GIVE_AUTHENTICATOR) else ()),
        Input("phone", mark("Phone"), hint=mark("With + and the country code, if you know that it is theirs.")),
        Input("locale", mark("Language of our messages"), options=tongues_of(idp)),
    )


def boxes(idp: Idp, staff: Staff, told: Said) -> Sequence[Input]:
    """A box for each group, of whoever may put people into it."""
    offered = [group for group in idp.policy.groups if staff.may(idp, Act.SET_GROUPS, into=[group])]
    return [again(box(idp, group), told) for group in offered]


def box(idp: Idp, group: str, *, ticked: bool = False) -> Input:
    """The box of one group, with the role that it gives."""
    role = idp.policy.roles.get(group)
    hint = "" if role is None else ROLES[role]
    return Input(f"group-{group}", group, "on" if ticked else "", hint, kind="checkbox", ours=False)


def groups_in(idp: Idp, form: Form) -> Sequence[str]:
    """The groups that were ticked."""
    return [group for group in idp.policy.groups if form.get(f"group-{group}")]


def _made() -> Mapping[str, str]:
    return {"id": str(uuid4()), "drawn": random_token()}


def _password_of(filled: Form) -> str:
    """That of this form, as it was filled in: somebody else who is added with it has another."""
    return passwords.temporary(digest(f"{filled.get('drawn')} {filled.get('id')}")[:16])


async def ask(request: Request) -> Response:
    """GET /admin/people/add."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp = idp_of(request)
    if not staff.may(idp, Act.ADD_PERSON):
        return trouble(request, Trouble.FORBIDDEN)
    told = said(request)
    shown = Edit(
        frame=frame(request, staff),
        title=mark("Add somebody"),
        about="",
        action=request.url.path,
        back=url(request, PEOPLE_PATH),
        button=mark("Add"),
        consequences=(
            mark("A password is made and shown to you once. It has to be changed when it is used first."),
            mark("Without a phone they cannot sign in before they are given an app."),
        ),
        inputs=[again(one, told) for one in about_somebody_new(idp, staff)],
        groups=boxes(idp, staff, told),
        made=made(request, _made),
        wrong=told.at,
        waiting=told.waiting,
    )
    return show(request, staff, shown, status=told.status)


async def make(request: Request) -> Response:
    """POST /admin/people/add."""
    found = await come_in_with(request)
    if isinstance(found, Response):
        return found
    _, form = found
    idp = idp_of(request)
    phone = form.get("phone").strip() or None
    try:
        filled = with_made(request, form)
        password = _password_of(filled)
        person = await add_user(
            idp,
            username=filled.get("username"),
            password=password,
            phone=phone,
            name=filled.get("name").strip() or None,
            email=filled.get("email").strip() or None,
            email_verified=bool(filled.get("email_verified")),
            groups=groups_in(idp, filled),
            locale=filled.get("locale") or None,
            temporary=True,
            as_id=UUID(filled.get("id")),
        )
    except IdpError as error:
        return refused(request, form, error)
    warning = None if phone is None else never_texted(idp, phone)
    follows = [] if warning is None else [warning]
    if not person.authenticators and not person.by_mail:
        follows.append(sentence("They cannot sign in before they are given an app or a phone."))
    done = Done(mark("They are added. This is their password."), password, follows=tuple(follows))
    return finished(request, f"{PEOPLE_PATH}/{person.account.id}", done)
