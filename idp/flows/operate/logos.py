"""An operator's work on the logo of a client, which people see where they sign in to it and allow it something."""

from dataclasses import replace

from idp.audit import ClientChanged
from idp.crypto import mac
from idp.flows.idp import Idp
from idp.flows.operate import pictures
from idp.flows.operate.confirming import confirmed_client
from idp.flows.operate.finding import find_client
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.permitting import permit
from idp.model import Client
from idp.policy import Act
from idp.sentences import sentence
from idp.store import audits
from idp.store.tokens import logos


def name_of(content: bytes) -> str:
    """By which name a picture is asked for: another picture has another."""
    return mac(b"logo", content).hex()[:32]


async def set_logo(idp: Idp, name_or_id: str, content: bytes | None) -> Client:
    """Show this picture (PNG, JPEG or WebP), or none any more. Raises `NotThere`; `NotAcceptable` for other bytes.

    What is shown already is no change.
    """
    permit(idp, Act.CHANGE_CLIENTS)
    client = await find_client(idp, name_or_id, to=Act.CHANGE_CLIENTS)
    picture = None if content is None else pictures.read(content)
    if isinstance(picture, str):
        raise NotAcceptable(sentence("The logo %(problem)s.", problem=picture))
    name = None if picture is None else name_of(picture.content)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        client = await confirmed_client(conn, idp, client, to=Act.CHANGE_CLIENTS)
        if client.logo == name:
            return client
        if picture is None:
            await logos.remove(conn, client_id=client.id)
        else:
            await logos.put(conn, client_id=client.id, kind=picture.kind, content=picture.content)
        await logos.name(conn, client_id=client.id, logo=name)
        change = ClientChanged(change="logo removed" if picture is None else "logo")
        await audits.add(conn, change, now=now, client_id=client.id)
    return replace(client, logo=name)
