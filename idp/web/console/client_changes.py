"""What an operator changes about one application: each a form of its own, which says what follows before it is sent."""

from collections.abc import Mapping, Sequence

from starlette.requests import Request

from idp.catalogue import mark
from idp.flows.idp import Idp
from idp.flows.operate.client_changes import version_of
from idp.flows.operate.clients import remove_client, set_client_disabled
from idp.flows.operate.finding import ClientId, find_client
from idp.flows.people.console import CLIENTS_PATH
from idp.model import Client
from idp.policy import Act
from idp.web.console.forms import Change, Done, Kind
from idp.web.door import Form


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
