"""What an operator changes about one application: each a form of its own, which says what follows before it is sent."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from starlette.requests import Request

from idp.catalogue import mark
from idp.crypto import random_token
from idp.errors import NotThere
from idp.flows.idp import Idp
from idp.flows.operate.client_changes import version_of
from idp.flows.operate.clients import remove_client, set_client_disabled
from idp.flows.operate.finding import ClientId, find_client
from idp.flows.operate.logos import set_logo
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.secrets import (
    end_old_secret,
    new_client_secret,
    secret_consequences,
    secrets_version,
)
from idp.flows.people.console import CLIENTS_PATH
from idp.model import Client
from idp.policy import Act, parse_span
from idp.sentences import minute, sentence
from idp.web.console.forms import Change, Done, Kind
from idp.web.door import Form
from idp.web.pages.console import Input


async def _disable(idp: Idp, which: ClientId, _: Form, __: Client) -> Done:
    await set_client_disabled(idp, which, disabled=True)
    return Done(mark("The application is disabled: whatever it asks is refused."))


async def _enable(idp: Idp, which: ClientId, _: Form, __: Client) -> Done:
    await set_client_disabled(idp, which, disabled=False)
    return Done(mark("The application is enabled."))


async def _remove(idp: Idp, which: ClientId, form: Form, _: Client) -> Done:
    await remove_client(idp, which, expected=form.get("version") or None)
    return Done(mark("The application is removed."), gone=True)


async def _removal(idp: Idp, which: ClientId) -> Sequence[str]:
    return (await remove_client(idp, which, dry_run=True)).consequences


async def _secret(idp: Idp, which: ClientId, form: Form, client: Client) -> Done:
    if form.get("keep") not in dict(_KEEP.options):
        raise NotAcceptable(sentence("Choose how long the old secret works too."))
    given = await new_client_secret(
        idp,
        which,
        keep_old=parse_span(form.get("keep")),
        secret=form.get("secret"),
        expected=form.get("version") or None,
    )
    until = given.client.old_secret_until
    ends = mark("The old secret works no more.")
    follows = sentence(ends) if until is None else sentence("The old secret works until %(when)s.", when=minute(until))
    return Done(mark("The new secret is made."), given.secret, follows=(follows,) if client.secret_hash else ())


async def _end_old(idp: Idp, which: ClientId, _: Form, __: Client) -> Done:
    with suppress(NotThere):  # ended by the first of two presses, or by its time
        await end_old_secret(idp, which)
    return Done(mark("The old secret works no more."))


async def _logo(idp: Idp, which: ClientId, form: Form, _: Client) -> Done:
    content = form.files.get("logo", b"")
    if not content:
        raise NotAcceptable(sentence("Choose a picture first."))
    await set_logo(idp, which, content)
    return Done(mark("The logo is shown where people sign in to it."))


async def _no_logo(idp: Idp, which: ClientId, _: Form, __: Client) -> Done:
    await set_logo(idp, which, None)
    return Done(mark("The logo is shown no more."))


_PICTURE = Input(
    "logo",
    mark("Picture"),
    hint=mark("PNG, JPEG or WebP, 16 to 1024 pixels each way, 100 kB at most."),
    kind="file",
    required=True,
)
_KEEP = Input(
    "keep",
    mark("The old one works too, for"),
    "7d",
    mark("So that every process of the application can be given the new one."),
    options=(
        ("1h", mark("1 hour")),
        ("1d", mark("1 day")),
        ("7d", mark("7 days")),
        ("30d", mark("30 days")),
        ("", mark("Not at all: it stops working now")),
    ),
)
CHANGES: Mapping[str, Change[ClientId, Client]] = {
    "enable": Change(
        Act.CHANGE_CLIENTS,
        mark("Enable"),
        mark("Enable"),
        _enable,
        (mark("People can sign in to it again, and it is answered with what it had."),),
    ),
    "disable": Change(
        Act.CHANGE_CLIENTS,
        mark("Disable"),
        mark("Disable"),
        _disable,
        (mark("Whatever it asks is refused at once, and nobody signs in to it until it is enabled."),),
        grave=True,
    ),
    "secret": Change(
        Act.CHANGE_CLIENTS,
        mark("New secret"),
        mark("Make a new secret"),
        _secret,
        (mark("The application gets another secret, which is shown once: give it to whoever runs the application."),),
        lambda _, __: (_KEEP,),
        follows=secret_consequences,
        makes=lambda: {"secret": random_token()},
        version=secrets_version,
    ),
    "old-secret": Change(
        Act.CHANGE_CLIENTS,
        mark("End the old secret"),
        mark("End the old secret"),
        _end_old,
        (mark("Whatever still comes with the secret before is refused at once."),),
        grave=True,
        follows=secret_consequences,
    ),
    "logo": Change(
        Act.CHANGE_CLIENTS,
        mark("Logo"),
        mark("Show this logo"),
        _logo,
        (mark("People see it where they sign in to the application and where they allow it something."),),
        lambda _, __: (_PICTURE,),
        files=True,
    ),
    "no-logo": Change(
        Act.CHANGE_CLIENTS,
        mark("Remove the logo"),
        mark("Remove the logo"),
        _no_logo,
        (mark("People see the name alone."),),
    ),
    "remove": Change(
        Act.CHANGE_CLIENTS,
        mark("Remove"),
        mark("Remove for ever"),
        _remove,
        (mark("The application and all that it holds is deleted. This cannot be undone."),),
        grave=True,
        follows=_removal,
    ),
}  # fmt: skip


def _one_of(request: Request) -> ClientId:
    return ClientId(request.path_params["id"])


async def _find(idp: Idp, which: ClientId, act: Act) -> Client:
    return await find_client(idp, which, to=act)


APPLICATIONS = Kind(CLIENTS_PATH, CHANGES, _one_of, _find, lambda client: client.name, version_of)
