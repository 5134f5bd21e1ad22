"""An operator's work on clients: register, explain, disable, remove. Changing one, and its secret, are beside."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from idp.audit import ClientChanged
from idp.crypto import digest, random_token
from idp.flows.idp import Idp
from idp.flows.operate.client_changes import as_seen
from idp.flows.operate.confirming import at_work, confirmed_client
from idp.flows.operate.finding import find_client
from idp.flows.operate.permitting import permit
from idp.flows.operate.registrations import WITH_SECRET, NewClient, parse
from idp.model import AuthMethod, Client
from idp.policy import Act, left_out
from idp.sentences import plural, sentence
from idp.store import audits
from idp.store import removals as removed
from idp.store.tokens import clients

_MOST_COUNTED = 1000  # people that are told of one by one


@dataclass(frozen=True, slots=True)
class Registered:
    """A client and, this once, its secret; None for one that has none."""

    client: Client
    secret: str | None = field(repr=False)


async def add_client(idp: Idp, new: NewClient, *, secret: str | None = None) -> Registered:
    """Register a client. Raises `NotAcceptable` or `AlreadyThere`.

    `secret` is the one that it gets if it has one: of full entropy, or None for a random one.
    """
    permit(idp, Act.CHANGE_CLIENTS)
    client = parse(new, idp.policy)
    permit(idp, Act.CHANGE_CLIENTS, scopes=client.scopes)
    secret = (secret or random_token()) if client.auth_method in WITH_SECRET else None
    if secret is not None:
        client = replace(client, secret_hash=digest(secret))
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        await clients.add(conn, client, now=now)
        await audits.add(conn, ClientChanged(change="added"), now=now, client_id=client.id)
        await at_work(conn, idp)
    return Registered(client, secret)


async def removals(idp: Idp, client_id: str) -> int:
    """How often a client with this id was removed lately: whoever registers one once more registers another."""
    permit(idp, Act.CHANGE_CLIENTS)
    return await removed.of_client(idp.db, client_id=client_id)


async def explain_client(idp: Idp, name_or_id: str) -> tuple[Client, dict[str, str]]:
    """A client, and which of its scopes it can get from nobody, and why."""
    client = await find_client(idp, name_or_id)
    own = idp.policy.for_machines() if "client_credentials" in client.grant_types else frozenset()
    return client, left_out(idp.policy, client, sorted(client.scopes - own))


async def set_client_disabled(idp: Idp, name_or_id: str, *, disabled: bool) -> Client:
    """Refuse everything a client asks, or answer it again. The trail has it once."""
    client = await find_client(idp, name_or_id, to=Act.CHANGE_CLIENTS)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        client = await confirmed_client(conn, idp, client, to=Act.CHANGE_CLIENTS)
        if client.disabled is not disabled:
            await clients.set_disabled(conn, client_id=client.id, disabled_at=now if disabled else None)
            change = ClientChanged(change="disabled" if disabled else "enabled")
            await audits.add(conn, change, now=now, client_id=client.id)
    return client


@dataclass(frozen=True, slots=True)
class ClientEnding:
    """What the removal of a client ends, one sentence each; and whether it was done."""

    client: Client
    consequences: tuple[str, ...]
    done: bool


async def remove_client(
    idp: Idp, name_or_id: str, *, expected: str | None = None, dry_run: bool = False
) -> ClientEnding:
    """Delete a client with its consents and grants, in favour of exactly one caller: its tokens are worth nothing then.

    `expected` is the version that the operator saw (`version_of`). Raises `NotThere`, `Outdated` and `NotPermitted`.
    """
    found = await find_client(idp, name_or_id, to=Act.CHANGE_CLIENTS)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        client = found if dry_run else await confirmed_client(conn, idp, found, to=Act.CHANGE_CLIENTS)
        as_seen(client, expected)
        agreed, signed_in = await clients.held(conn, client_id=client.id, most=_MOST_COUNTED + 1, now=now)
        if not dry_run:
            await clients.remove(conn, client_id=client.id, now=now)
            await audits.add(conn, ClientChanged(change="removed"), now=now, client_id=client.id)
    return ClientEnding(client, tuple(_ends(client, agreed, signed_in)), done=not dry_run)


def _ends(client: Client, agreed: int, signed_in: int) -> Iterator[str]:
    yield sentence("Whatever names %(id)s is refused: nobody signs in to it any more.", id=client.id)
    if signed_in:
        yield sentence(
            "What it holds for %(people)s ends; access tokens that are out last to their end.",
            people=_people(signed_in),
        )
    if agreed:
        yield sentence("What %(people)s agreed to is forgotten.", people=_people(agreed))
    if client.auth_method is not AuthMethod.NONE:
        yield sentence("What it authenticates with is forgotten: registered again, it has to be set up again.")
    yield sentence("The audit trail stays.")


def _people(count: int) -> str:
    if count > _MOST_COUNTED:
        return sentence("more than %(num)s people", num=_MOST_COUNTED)
    return plural("%(num)s person", "%(num)s people", count)
