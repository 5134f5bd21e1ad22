"""An application edited: every field on one form, what follows before anything is saved, and then once more a button.

What is new in a draft goes in the address of the page that shows it, as all that our pages are told; where there is no
room for it, the form is answered with that page itself, for nothing is changed by it (decision 0010).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from idp.catalogue import mark
from idp.crypto import digest, random_token
from idp.errors import AlreadyThere, IdpError, NotThere
from idp.flows.idp import Idp
from idp.flows.operate.client_changes import ChangedClient, edit_client, version_of
from idp.flows.operate.finding import ClientId, find_client
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.permitting import NotPermitted
from idp.flows.people.console import CLIENTS_PATH, Staff
from idp.model import Client
from idp.policy import Act
from idp.web.console import client_fields
from idp.web.console.door import (
    Late,
    come_in,
    come_in_with_all,
    done,
    frame,
    gone,
    missing,
    said,
    seen_again,
    show,
    status_of,
)
from idp.web.door import Form, idp_of, visitor
from idp.web.pages.console import Cell, Input, Link
from idp.web.pages.registering import ClientForm, Consequences, Fieldset
from idp.web.rooms import url

_OUTDATED = 409
_SAVED = mark("What you changed is saved.")


def secrets_of(request: Request, client_id: str, once: str) -> list[str]:
    """The secret that a form gives this client, under every key, the one in use first.

    Sent twice, it is the same one (decision 0010); filled in anew for another client, it is another.
    """
    token = f"{visitor(request).session_id} {client_id} {once}"
    return idp_of(request).secrets.successors(token, purpose="client_secret")


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
        case NotAcceptable():
            return tuple(zip(error.fields, error.problems, strict=True))
        case AlreadyThere():
            return [(error.field, str(error))]
        case _:
            return [("", each) for each in error.problems]


@dataclass(frozen=True, slots=True)
class _Draft:
    """What was typed so far: beside which version, and what is wrong with it. `look`: what would follow is shown."""

    values: Mapping[str, str] = field(repr=False)
    version: str
    once: str
    look: bool = False
    wrong: tuple[tuple[str, str], ...] = ()
    status: int = 200
    waiting: bool = False
    prove: str | None = None


async def ask(request: Request) -> Response:
    """GET /admin/applications/ID/edit: the form, or what would follow from what was typed into it."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp = idp_of(request)
    try:
        client = await find_client(idp, _which(request), to=Act.CHANGE_CLIENTS)
        return await _show(request, staff, client, _found(request, client))
    except IdpError as error:
        return missing(request, error)


def _which(request: Request) -> ClientId:
    return ClientId(request.path_params["id"])


def _found(request: Request, client: Client) -> _Draft:
    """What the page was told of a draft; without one, how the application is."""
    told, there = said(request), client_fields.values_of(client)
    if not told.typed:
        return _Draft(there, version_of(client), random_token())
    version, once = told.typed.get("version", ""), told.typed.get("once", "")
    if told.waiting:
        form = Form(dict(told.typed), frozenset())
        return _Draft(values_in(_typed(idp_of(request), form, client)), version, once, waiting=True)
    values = {name: told.typed.get(name, value) for name, value in there.items()}
    return _Draft(values, version, once, look="look" in told.typed, wrong=told.at, status=told.status)


async def make(request: Request) -> Response:
    """POST /admin/applications/ID/edit: what would follow; or, once that was seen, the change."""
    found = await come_in_with_all(request, to=Act.CHANGE_CLIENTS)
    if isinstance(found, Response):
        return found
    idp = idp_of(request)
    if isinstance(found, Late):
        form = found.form
        values = values_in(_typed(idp, form))
        late = _Draft(values, form.get("version"), form.get("once"), status=403, prove=request.url.path)
        return show(request, found.staff, _page(request, found.staff, None, late), status=late.status)
    staff, form = found
    try:
        client = await find_client(idp, _which(request), to=Act.CHANGE_CLIENTS)
        values = values_in(_typed(idp, form, client))
        draft = _Draft(values, form.get("version"), form.get("once"))
        return await _judged(request, staff, client, draft, sure=bool(form.get("sure")), again=bool(form.get("again")))
    except NotThere:
        return gone(request, CLIENTS_PATH)
    except NotPermitted as error:
        return missing(request, error)


async def _judged(
    request: Request, staff: Staff, client: Client, draft: _Draft, *, sure: bool, again: bool
) -> Response:
    if again:
        return await _answer(request, staff, client, draft)
    try:
        changes = client_fields.changes(draft.values, client)
        if not changes:
            return _saved(request, client, draft)
        if not sure and (await _edit(request, changes, draft, dry_run=True)).consequences:
            return await _answer(request, staff, client, replace(draft, look=True))
        made = await _edit(request, changes, draft)
    except (NotThere, NotPermitted):
        raise
    except IdpError as error:
        refused = replace(draft, wrong=tuple(mistakes(error)), status=status_of(error))
        return await _answer(request, staff, client, refused)
    if not made.changed:
        return _saved(request, made.after, draft)
    return done(request, f"{CLIENTS_PATH}/{client.id}", _SAVED, follows=made.consequences, once=made.secret)


async def _edit(request: Request, changes: Mapping[str, Any], draft: _Draft, *, dry_run: bool = False) -> ChangedClient:
    return await edit_client(
        idp_of(request),
        _which(request),
        changes,
        expected=draft.version,
        dry_run=dry_run,
        secret=secrets_of(request, _which(request), draft.once)[0],
    )


async def _answer(request: Request, staff: Staff, client: Client, draft: _Draft) -> Response:
    """303 to the page of this draft; or, where an address has no room for what is new in it, the page."""
    there = client_fields.values_of(client)
    typed = {name: value for name, value in draft.values.items() if value != there[name]}
    typed |= {"version": draft.version, "once": draft.once} | ({"look": "1"} if draft.look else {})
    return seen_again(request, typed, draft.wrong, status=draft.status) or await _show(request, staff, client, draft)


async def _show(request: Request, staff: Staff, client: Client, draft: _Draft) -> Response:
    """The page of a draft. Nothing is changed by it."""
    try:
        different = client_fields.changes(draft.values, client)
        if draft.look:
            return await _look(request, staff, different, draft) if different else _saved(request, client, draft)
    except (NotThere, NotPermitted):
        raise
    except IdpError as error:
        different = {}
        draft = replace(draft, wrong=draft.wrong or tuple(mistakes(error)), status=status_of(error), look=False)
    now: Sequence[tuple[str, Sequence[Cell]]] = ()
    if draft.status == _OUTDATED and draft.version != version_of(client):
        draft = replace(draft, version=version_of(client))
        there = inputs_of(client_fields.fieldsets(idp_of(request).policy, client_fields.values_of(client)))
        now = [(one.label, client_fields.cells(one)) for one in there if one.name in different]
    return show(request, staff, replace(_page(request, staff, client, draft), now=now), status=draft.status)


def _page(request: Request, staff: Staff, client: Client | None, draft: _Draft) -> ClientForm:
    shown = _fieldsets(idp_of(request), draft.values, client)
    return ClientForm(
        frame=frame(request, staff),
        title=mark("Edit"),
        about="" if client is None else client.name,
        action=request.url.path,
        back=Link(mark("Back to the application"), url(request, f"{CLIENTS_PATH}/{_which(request)}")),
        button=mark("Save"),
        fieldsets=shown,
        hidden=(("version", draft.version), ("once", draft.once)),
        wrong=client_fields.in_order(draft.wrong, shown),
        waiting=draft.waiting,
        prove=draft.prove,
    )


def _fieldsets(idp: Idp, values: Mapping[str, str], client: Client | None = None) -> Sequence[Fieldset]:
    """The form with these values; boxes are those that the policy has now, and those of the client."""
    offered = client_fields.fieldsets(idp.policy, {} if client is None else client_fields.values_of(client))
    return client_fields.with_values(offered, values)


def _typed(idp: Idp, form: Form, client: Client | None = None) -> Sequence[Fieldset]:
    """The same with what was typed."""
    offered = _fieldsets(idp, {}, client)
    return client_fields.with_values(offered, client_fields.typed(form, inputs_of(offered)))


def _saved(request: Request, client: Client, draft: _Draft) -> Response:
    """It is like that already: by the first of two presses, whose secret is shown by the second, too."""
    ours = secrets_of(request, client.id, draft.once)
    once = next((each for each in ours if client.secret_hash == digest(each)), None)
    return done(request, f"{CLIENTS_PATH}/{client.id}", _SAVED, once=once)


async def _look(request: Request, staff: Staff, changes: Mapping[str, Any], draft: _Draft) -> Response:
    """What would follow, with everything that was typed."""
    made = await _edit(request, changes, draft, dry_run=True)
    idp = idp_of(request)
    before, after = (
        {one.name: one for one in inputs_of(client_fields.fieldsets(idp.policy, client_fields.values_of(client)))}
        for client in (made.before, made.after)
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
            *client_fields.kept(inputs_of(_fieldsets(idp, draft.values, made.before))),
            ("version", draft.version),
            ("once", draft.once),
        ),
    )
    return show(request, staff, page)
