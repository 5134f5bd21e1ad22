"""The logo of a client, by the name that pages ask for it."""

from idp.flows.idp import Idp
from idp.store.tokens import logos


async def logo(idp: Idp, name: str) -> tuple[str, bytes] | None:
    """Its media type and bytes; None for a name that no client's logo has, which costs no look at the database."""
    client = next((each for each in idp.clients.values() if each.logo == name), None)
    return None if client is None else await logos.load(idp.db, client_id=client.id, logo=name)
