"""An application edited: every field on one form, what follows before anything is saved, and then once more a button.

Until it is saved nothing is changed, so the form is answered with the page itself: a list of addresses is longer than
what goes into one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from idp.catalogue import mark
from idp.crypto import digest, random_token
from idp.errors import AlreadyThere, IdpError, NotThere, Outdated
from idp.flows.idp import Idp
from idp.flows.operate.client_changes import ChangedClient, edit_client, version_of
from idp.flows.operate.finding import ClientId, find_client
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.permitting import NotPermitted
from idp.flows.operate.registrations import Misdescribed
from idp.flows.people.console import CLIENTS_PATH, Staff
from idp.model import Client
from idp.policy import Act
from idp.web.console import client_fields
from idp.web.console.door import Late, come_in, come_in_with_all, done, frame, missing, said, show, status_of, to
from idp.web.door import Form, idp_of, visitor
from idp.web.pages.console import Input, Link
from idp.web.pages.registering import ClientForm, Consequences, Fieldset
from idp.web.rooms import url

_SAVED = mark("What you changed is saved.")


def secrets_of(request: Request, once: str) -> list[str]:
    """The secret of a form, under every key, the one in use first: sent twice, it is the same one (decision 0010)."""
    return idp_of(request).secrets.successors(f"{visitor(request).session_id}{once}", purpose="client_secret")


def inputs_of(fieldsets: Sequence[Fieldset]) -> Sequence[Input]:
    """All fields of a form."""
    return [each for one in fieldsets for each in one.inputs]


def values_in(fieldsets: Sequence[Fieldset]) -> dict[str, str]:
    """What is in the fields of a form."""
    return {one.name: one.value for one in inputs_of(fieldsets)}


def mistakes(error: IdpError) -> Sequence[tuple[str, str]]:
    """What is wrong with what was typed, each with its field. Raises what is no fault of the form."""
    status_of(error)
    match error:
        case Misdescribed():
            return error.at
        case AlreadyThere():
            return [(error.field, str(error))]
        case _:
            return [("", each) for each in error.problems]


async def ask(request: Request) -> Response:
    """GET /admin/applications/ID/edit."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp = idp_of(request)
    try:
        client = await find_client(idp, _which(request), to=Act.CHANGE_CLIENTS)
    except IdpError as error:
        return missing(request, error)
    told, there = said(request), client_fields.values_of(client)
    shown = client_fields.fieldsets(idp.policy, there)
    version, once = version_of(client), random_token()
    if told.typed:
        sent = Form(dict(told.typed), frozenset())
        shown = client_fields.with_values(shown, client_fields.typed(sent, inputs_of(shown)))
        version, once = sent.get("version"), sent.get("once")
    page = _page(request, staff, shown, name=client.name, version=version, once=once)
    return show(request, staff, replace(page, waiting=told.waiting))


def _which(request: Request) -> ClientId:
    return ClientId(request.path_params["id"])


def _once_more(
    request: Request,
    staff: Staff,
    form: Form,
    shown: Sequence[Fieldset],
    *,
    name: str = "",
    wrong: Sequence[tuple[str, str]] = (),
    status: int = 200,
    prove: str | None = None,
) -> Response:
    """The form with what was typed, as the answer: nothing was changed."""
    page = replace(
        _page(request, staff, shown, name=name, version=form.get("version"), once=form.get("once")),
        wrong=wrong,
        prove=prove,
    )
    return show(request, staff, page, status=status)


def _page(
    request: Request, staff: Staff, shown: Sequence[Fieldset], *, name: str, version: str, once: str
) -> ClientForm:
    return ClientForm(
        frame=frame(request, staff),
        title=mark("Edit"),
        about=name,
        action=request.url.path,
        back=Link(mark("Back to the application"), url(request, f"{CLIENTS_PATH}/{_which(request)}")),
        button=mark("Save"),
        fieldsets=shown,
        hidden=(("version", version), ("once", once)),
    )


async def make(request: Request) -> Response:
    """POST /admin/applications/ID/edit: what would follow; or, once that was seen, the change."""
    found = await come_in_with_all(request)
    if isinstance(found, Response):
        return found
    if isinstance(found, Late):
        shown = _typed(idp_of(request), found.form)
        return _once_more(request, found.staff, found.form, shown, status=403, prove=request.url.path)
    staff, form = found
    try:
        client = await find_client(idp_of(request), _which(request), to=Act.CHANGE_CLIENTS)
        return await _judged(request, staff, form, client)
    except NotThere:
        return to(request, CLIENTS_PATH)  # removed meanwhile
    except Outdated as error:
        return await _outdated(request, staff, form, error)
    except NotPermitted as error:
        return missing(request, error)


async def _judged(request: Request, staff: Staff, form: Form, client: Client) -> Response:
    shown = _typed(idp_of(request), form, client)
    if form.get("again"):
        return _once_more(request, staff, form, shown, name=client.name)
    try:
        changes = client_fields.changes(values_in(shown), client)
        if not changes:
            return _saved(request, client, form)
        if not form.get("sure"):
            made = await _edit(request, changes, form, dry_run=True)
            if made.consequences:
                return _look(request, staff, made, shown, form)
        made = await _edit(request, changes, form)
    except (NotThere, Outdated, NotPermitted):
        raise
    except IdpError as error:
        status, wrong = status_of(error), mistakes(error)
        return _once_more(request, staff, form, shown, name=client.name, wrong=wrong, status=status)
    back = f"{CLIENTS_PATH}/{client.id}"
    return done(request, back, _SAVED, follows=made.consequences, once=made.secret)


async def _edit(request: Request, changes: Mapping[str, Any], form: Form, *, dry_run: bool = False) -> ChangedClient:
    return await edit_client(
        idp_of(request),
        _which(request),
        changes,
        expected=form.get("version"),
        dry_run=dry_run,
        secret=secrets_of(request, form.get("once"))[0],
    )


def _typed(idp: Idp, form: Form, client: Client | None = None) -> Sequence[Fieldset]:
    """The form with what was typed; boxes are those that the policy has now, and those of the client."""
    there = {} if client is None else client_fields.values_of(client)
    offered = client_fields.fieldsets(idp.policy, there)
    return client_fields.with_values(offered, client_fields.typed(form, inputs_of(offered)))


def _saved(request: Request, client: Client, form: Form) -> Response:
    """It is like that already: by the first of two presses, whose secret is shown by the second, too."""
    ours = secrets_of(request, form.get("once"))
    once = next((each for each in ours if client.secret_hash == digest(each)), None)
    return done(request, f"{CLIENTS_PATH}/{client.id}", _SAVED, once=once)


def _look(request: Request, staff: Staff, made: ChangedClient, shown: Sequence[Fieldset], form: Form) -> Response:
    """What would follow, with everything that was typed."""
    before, after = (
        {one.name: one for one in inputs_of(client_fields.fieldsets(idp_of(request).policy, values))}
        for values in (client_fields.values_of(made.before), client_fields.values_of(made.after))
    )
    page = Consequences(
        frame=frame(request, staff),
        title=mark("Look before you save"),
        about=made.before.name,
        action=request.url.path,
        changes=[
            (after[name].label, client_fields.cells(before[name]), client_fields.cells(after[name]))
            for name in made.changed
            if name in before.keys() & after.keys()
        ],
        follows=made.consequences,
        hidden=(
            *client_fields.kept(inputs_of(shown)),
            ("version", form.get("version")),
            ("once", form.get("once")),
        ),
    )
    return show(request, staff, page)


async def _outdated(request: Request, staff: Staff, form: Form, error: Outdated) -> Response:
    """What somebody else made of it, beside what was typed; nothing but word of it where both are the same."""
    idp = idp_of(request)
    client = await find_client(idp, _which(request), to=Act.CHANGE_CLIENTS)
    shown = _typed(idp, form, client)
    there = client_fields.values_of(client)
    try:
        different = client_fields.changes(values_in(shown), client)
    except NotAcceptable:
        different = {"jwks": None}
    if not different:
        return _saved(request, client, form)
    page = _page(request, staff, shown, name=client.name, version=version_of(client), once=form.get("once"))
    now = [
        (one.label, client_fields.cells(replace(one, value=there[one.name])))
        for one in inputs_of(shown)
        if one.name in different
    ]
    return show(request, staff, replace(page, wrong=[("", str(error))], now=now), status=409)
