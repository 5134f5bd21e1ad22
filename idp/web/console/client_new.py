"""An application registered: what kind it is, a short form, and its page, which shows the secret this once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response

from idp.catalogue import mark
from idp.crypto import digest, random_token
from idp.errors import AlreadyThere, IdpError, NotThere
from idp.flows.idp import Idp
from idp.flows.operate.client_changes import version_of
from idp.flows.operate.clients import add_client, removals
from idp.flows.operate.finding import ClientId, find_client
from idp.flows.operate.permitting import NotPermitted
from idp.flows.operate.registrations import NewClient, parse
from idp.flows.people.console import CLIENTS_PATH, NEW_CLIENT_PATH, Staff
from idp.model import AuthMethod, Client
from idp.policy import Act
from idp.web.answers import trouble
from idp.web.console import client_fields
from idp.web.console.client_edit import inputs_of, mistakes, secrets_of, values_in
from idp.web.console.door import (
    Late,
    come_in,
    come_in_with_all,
    done,
    frame,
    missing,
    said,
    seen_again,
    show,
    status_of,
)
from idp.web.console.forms import made, with_made
from idp.web.door import Form, idp_of
from idp.web.pages import Trouble
from idp.web.pages.console import Input, Link
from idp.web.pages.registering import ClientForm, Fieldset, Kinds
from idp.web.rooms import url


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of application: its words, how it is registered, and what is asked of it."""

    title: str
    what: str
    preset: NewClient
    asks: tuple[str, ...]


_OF_PEOPLE = (
    "name",
    "redirect_uris",
    "post_logout_redirect_uris",
    "scopes",
    "home_uri",
    "first_party",
    "groups",
    "level",
)
_NONE_FOR_MACHINES = mark("No scope is for machines until a row of the policy says so: machine = true.")
_SIGNS_IN = NewClient(name="", scopes=("openid",))
KINDS: Mapping[str, Kind] = {
    "web": Kind(
        mark("A web application"),
        mark("It runs on a server, where it keeps a secret."),
        _SIGNS_IN,
        _OF_PEOPLE,
    ),
    "page": Kind(
        mark("A single-page application"),
        mark("It runs in the browser, where nothing can be kept secret."),
        replace(_SIGNS_IN, public=True),
        (*_OF_PEOPLE, "origins"),
    ),
    "native": Kind(
        mark("An app on a phone or a computer"),
        mark("It keeps no secret. People come back to it by a scheme of its own, by its address, or on loopback."),
        replace(_SIGNS_IN, public=True, native=True),
        _OF_PEOPLE,
    ),
    "machine": Kind(
        mark("A machine"),
        mark("It acts for itself, and signs nobody in."),
        NewClient(name="", grant_types=("client_credentials",), auth_method=AuthMethod.BASIC.value),
        ("name", "scopes", "audience", "auth_method", "jwks"),
    ),
}  # fmt: skip


async def ask(request: Request) -> Response:
    """GET /admin/applications/-new: the kinds, or the form of one."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    if not staff.may(idp_of(request), Act.CHANGE_CLIENTS):
        return trouble(request, Trouble.FORBIDDEN)
    told = said(request)
    if told.typed:
        form = Form(dict(told.typed), frozenset())
        return _once_more(request, staff, form, wrong=told.at, waiting=told.waiting, status=told.status)
    kind = KINDS.get(request.query_params.get("kind", ""))
    if kind is None:
        return _kinds(request, staff)
    return show(request, staff, _page(request, staff, request.query_params["kind"], _fieldsets(idp_of(request), kind)))


def _client_made() -> Mapping[str, str]:
    """From what the id and the secret are derived."""
    return {"once": random_token()}


def _kinds(request: Request, staff: Staff) -> Response:
    here = url(request, NEW_CLIENT_PATH)
    shown = Kinds(
        frame=frame(request, staff),
        back=Link(mark("Applications"), url(request, CLIENTS_PATH)),
        kinds=[(Link(kind.title, f"{here}?kind={name}"), kind.what) for name, kind in KINDS.items()],
    )
    return show(request, staff, shown)


def _fieldsets(idp: Idp, kind: Kind) -> Sequence[Fieldset]:
    preset = kind.preset
    machine = "client_credentials" in preset.grant_types
    scopes = idp.policy.for_machines() if machine else {name for name, row in idp.policy.scopes.items() if row.people}
    own = Input("client_id", mark("Client id"), "", mark("1 to 64 letters, digits and . _ ~ -. Empty: a random one."))

    def asked(one: Input) -> Input:
        if one.name == "name" and machine:
            return replace(one, hint="")
        if one.name == "scopes":
            offered = [each for each in one.options if each[0] in scopes]
            return replace(one, options=offered, hint="" if scopes else _NONE_FOR_MACHINES)
        if one.name == "auth_method":
            return replace(one, options=[each for each in one.options if each[0] != AuthMethod.NONE])
        return one

    found = client_fields.fieldsets(idp.policy, client_fields.values_of(preset))
    kept = [Fieldset(part.heading, [asked(one) for one in part.inputs if one.name in kind.asks]) for part in found]
    first, *others = [part for part in kept if part.inputs]
    return [Fieldset(mark("What it is"), [*first.inputs, own]), *others]


def _page(request: Request, staff: Staff, name: str, shown: Sequence[Fieldset]) -> ClientForm:
    return ClientForm(
        frame=frame(request, staff),
        title=KINDS[name].title,
        about="",
        action=url(request, NEW_CLIENT_PATH),
        back=Link(mark("Register an application"), url(request, NEW_CLIENT_PATH)),
        button=mark("Register"),
        fieldsets=shown,
        hidden=(("kind", name), ("made", made(request, _client_made))),
    )


def _once_more(
    request: Request,
    staff: Staff,
    form: Form,
    *,
    wrong: Sequence[tuple[str, str]] = (),
    waiting: bool = False,
    prove: str | None = None,
    status: int = 200,
) -> Response:
    """The form with what was typed, as the answer: nothing was registered."""
    kind = KINDS.get(form.get("kind"))
    if kind is None:
        return _kinds(request, staff)
    page = _page(request, staff, form.get("kind"), _typed(request, kind, form))
    wrong = client_fields.in_order(wrong, page.fieldsets)
    return show(request, staff, replace(page, wrong=wrong, waiting=waiting, prove=prove), status=status)


def _typed(request: Request, kind: Kind, form: Form) -> Sequence[Fieldset]:
    shown = _fieldsets(idp_of(request), kind)
    return client_fields.with_values(shown, client_fields.typed(form, inputs_of(shown)))


async def make(request: Request) -> Response:
    """POST /admin/applications/-new."""
    found = await come_in_with_all(request, to=Act.CHANGE_CLIENTS)
    if isinstance(found, Response):
        return found
    if isinstance(found, Late):
        return _once_more(request, found.staff, found.form, prove=request.url.path, status=403)
    staff, form = found
    if not staff.may(idp_of(request), Act.CHANGE_CLIENTS):
        return trouble(request, Trouble.FORBIDDEN)
    kind = KINDS.get(form.get("kind"))
    if kind is None:
        return _kinds(request, staff)
    try:
        once = with_made(request, form).get("once")
        new = _described(kind, values_in(_typed(request, kind, form)), once)
        client_id = new.client_id or ""
        # The form of one that was removed registers another one.
        secrets = secrets_of(request, client_id, f"{once} {await removals(idp_of(request), client_id)}")
        try:
            registered = await add_client(idp_of(request), new, secret=secrets[0])
            client, secret = registered.client, registered.secret
        except AlreadyThere as error:
            client, secret = await _first(request, new, secrets, error)
    except NotPermitted as error:
        return missing(request, error)
    except IdpError as error:
        status, wrong = status_of(error), mistakes(error)
        typed = {name: value for name, value in form.fields.items() if name != "made"}
        again = seen_again(request, typed, wrong, status=status)
        return again or _once_more(request, staff, form, wrong=wrong, status=status)
    return done(request, f"{CLIENTS_PATH}/{client.id}", mark("The application is registered."), once=secret)


def _described(kind: Kind, values: Mapping[str, str], once: str) -> NewClient:
    wanted = client_fields.read(values)
    if wanted.get("auth_method") != AuthMethod.PRIVATE_KEY_JWT:
        wanted.pop("jwks", None)
    # Sent twice, it is the same one; by who went back and named another, another.
    wanted["client_id"] = wanted["client_id"] or digest(f"{once} {wanted['name']}").hex()[:24]
    return replace(kind.preset, **wanted)


async def _first(
    request: Request, new: NewClient, secrets: Sequence[str], error: AlreadyThere
) -> tuple[Client, str | None]:
    """What the first of two presses registered, with its secret. Raises the `error` if it was somebody else."""
    idp = idp_of(request)
    try:
        client = await find_client(idp, ClientId(new.client_id or ""), to=Act.CHANGE_CLIENTS)
    except NotThere:
        raise error from None
    secret = next((each for each in secrets if digest(each) == client.secret_hash), None)
    same = version_of(client) == version_of(parse(new, idp.policy))
    if not same or (client.secret_hash is not None and secret is None):
        raise error
    return client, secret
