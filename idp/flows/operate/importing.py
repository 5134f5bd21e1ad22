"""An operator brings people and clients from another system: judged one by one, stored many at once.

Every batch is whole or not at all, and who is there is left alone: what was interrupted goes on when it is run again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from idp.audit import ClientChanged
from idp.errors import AlreadyThere
from idp.flows.idp import Idp
from idp.flows.operate.arriving import Terms, check_groups
from idp.flows.operate.arriving_clients import client_of
from idp.flows.operate.bringing import Arriving
from idp.flows.operate.keeping import client_kept
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.permitting import permit
from idp.importing.incoming import PERSON, Application, Entry, Left, Person
from idp.importing.written import Kept
from idp.model import Registration
from idp.policy import Act
from idp.store import audits
from idp.store.tokens import clients, registrations


@dataclass(frozen=True, slots=True)
class Imported:
    """Who and what came over, who was there already, and what does not come.

    `groups` are how many came into each, and `roles` those that a group gives. `held`: apps and phones on hold.
    """

    people: tuple[str, ...]
    people_there: tuple[str, ...]
    clients: tuple[str, ...]
    clients_there: tuple[str, ...]
    groups: tuple[tuple[str, int], ...]
    roles: Mapping[str, str]
    held: int
    left: tuple[Left, ...]


async def bring(
    idp: Idp,
    entries: Iterable[Entry | Kept | Registration],
    terms: Terms,
    *,
    dry_run: bool = False,
    rp_id: str | None = None,
) -> Imported:
    """Store everybody who is not there yet. With `dry_run` the same is said, and nothing stored.

    `entries` are gone through twice, before anything is stored and then person by person. `rp_id` is that of the
    passkeys of another Stile.

    Raises `NotAcceptable` for a group that the policy does not have, and `Unreadable`, before anything is stored.
    """
    permit(idp, Act.IMPORT)
    check_groups(idp, terms)
    wanted: list[Application | Registration] = []
    left: list[Left] = []
    for entry in entries:
        if isinstance(entry, Application | Registration):
            wanted.append(entry)
        elif isinstance(entry, Left) and not _is_of_a_person(entry):
            left.append(entry)
    registered, clients_there, known = await _clients(idp, wanted, left, dry_run=dry_run)
    arriving = Arriving(idp, terms, rp_id, known, dry_run=dry_run)
    of_them: list[Left] = []
    for entry in entries:
        match entry:
            case Left(what=what) if what == PERSON:
                arriving.left.append(entry)  # who could not be read
                of_them = []
            case Left():
                of_them += [entry] if _is_of_a_person(entry) else []
            case Person() | Kept():
                await arriving.take(entry, of_them)
                of_them = []
    await arriving.store()
    groups = arriving.groups
    return Imported(
        people=tuple(sorted(arriving.came)),
        people_there=tuple(sorted(arriving.there)),
        clients=registered,
        clients_there=clients_there,
        groups=tuple(sorted(groups.items())),
        roles={group: role.name.lower() for group in groups if (role := idp.policy.role_of([group])) is not None},
        held=arriving.held,
        left=(*left, *arriving.left, *of_them),
    )


def _is_of_a_person(left: Left) -> bool:
    return left.what == PERSON or (bool(left.who) and not left.who.startswith("client "))


async def _clients(
    idp: Idp, wanted: Sequence[Application | Registration], left: list[Left], *, dry_run: bool
) -> tuple[tuple[str, ...], tuple[str, ...], frozenset[str]]:
    """The ids of those that are registered now, of those that were, and of all that there are then."""
    registered = await clients.all_clients(idp.db)
    known, names = {client.id for client in registered}, {client.name for client in registered}
    came, there = [], []
    for application in wanted:
        client_id = application.client.id if isinstance(application, Registration) else application.client_id
        who = f"client {client_id}"
        if client_id in known:
            there.append(client_id)
            left[:] = [each for each in left if each.who != who]
            continue
        try:
            if isinstance(application, Registration):
                new, lost = client_kept(application, idp.policy)
            else:
                client, lost = client_of(application, idp.policy)
                new = Registration(client, idp.clock.now())
            if new.client.name in names or client_id in came:
                left.append(Left(who, "the client", f"a client named {new.client.name!r} exists already"))
                continue
            if not dry_run:
                await _register(idp, new)
        except (NotAcceptable, AlreadyThere) as error:
            left.append(Left(who, "the client", str(error)))
            continue
        left += [Left(who, each.what, each.why) for each in lost]
        came.append(client_id)
        names.add(new.client.name)
    return tuple(came), tuple(there), frozenset((*known, *came))


async def _register(idp: Idp, new: Registration) -> None:
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        await registrations.add(conn, new, now=now)
        await audits.add(conn, ClientChanged(change="imported"), now=now, client_id=new.client.id)
