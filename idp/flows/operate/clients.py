"""An operator's work on clients: register, explain, disable, remove. Changing one, and its secret, are beside."""

from dataclasses import dataclass, field, replace

from idp.audit import ClientChanged
from idp.crypto import digest, random_token
from idp.flows.idp import Idp
from idp.flows.operate.confirming import confirmed_client
from idp.flows.operate.finding import find_client
from idp.flows.operate.permitting import permit
from idp.flows.operate.registrations import WITH_SECRET, NewClient, parse
from idp.model import Client
from idp.policy import Act, left_out
from idp.store import audits
from idp.store.tokens import clients


@dataclass(frozen=True, slots=True)
class Registered:
    """A client and, this once, its secret; None for one that has none."""

    client: Client
    secret: str | None = field(repr=False)


async def add_client(idp: Idp, new: NewClient) -> Registered:
    """Register a client. Raises `NotAcceptable` or `AlreadyThere`."""
    permit(idp, Act.CHANGE_CLIENTS)
    client = parse(new, idp.policy)
    permit(idp, Act.CHANGE_CLIENTS, scopes=client.scopes)
    secret = random_token() if client.auth_method in WITH_SECRET else None
    if secret is not None:
        client = replace(client, secret_hash=digest(secret))
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        await clients.add(conn, client, now=now)
        await audits.add(conn, ClientChanged(change="added"), now=now, client_id=client.id)
    return Registered(client, secret)


async def explain_client(idp: Idp, name_or_id: str) -> tuple[Client, dict[str, str]]:
    """A client, and which of its scopes it can get from nobody, and why."""
    client = await find_client(idp, name_or_id)
    own = idp.policy.for_machines() if "client_credentials" in client.grant_types else frozenset()
    return client, left_out(idp.policy, client, sorted(client.scopes - own))


async def set_client_disabled(idp: Idp, name_or_id: str, *, disabled: bool) -> Client:
    """Refuse everything a client asks, or answer it again."""
    client = await find_client(idp, name_or_id, to=Act.CHANGE_CLIENTS)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        client = await confirmed_client(conn, idp, client, to=Act.CHANGE_CLIENTS)
        await clients.set_disabled(conn, client_id=client.id, disabled_at=now if disabled else None)
        change = ClientChanged(change="disabled" if disabled else "enabled")
        await audits.add(conn, change, now=now, client_id=client.id)
    return client


async def remove_client(idp: Idp, name_or_id: str) -> Client:
    """Delete a client with its consents and grants: its tokens are worth nothing from now on."""
    client = await find_client(idp, name_or_id, to=Act.CHANGE_CLIENTS)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        client = await confirmed_client(conn, idp, client, to=Act.CHANGE_CLIENTS)
        await clients.remove(conn, client_id=client.id)
        await audits.add(conn, ClientChanged(change="removed"), now=now, client_id=client.id)
    return client
