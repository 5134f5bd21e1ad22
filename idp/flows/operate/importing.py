"""An operator brings people and clients from another system: judged one by one, stored many at once.

Every batch is whole or not at all, and who is there is left alone: what was interrupted goes on when it is run again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from idp.audit import ClientChanged
from idp.errors import AlreadyThere
from idp.flows.idp import Idp
from idp.flows.operate.arriving import Terms, check_groups, judge
from idp.flows.operate.arriving_clients import client_of
from idp.flows.operate.keeping import client_kept, judge_kept
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.permitting import permit
from idp.flows.passkeys import relying
from idp.importing.incoming import Application, Entry, Left, Person
from idp.importing.written import Kept
from idp.model import Registration
from idp.policy import Act
from idp.store import audits
from idp.store.batches import BATCH
from idp.store.people import arrivals
from idp.store.people.arrivals import Arrival
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

    `rp_id` is that of the passkeys of another Stile.

    Raises `NotAcceptable` for a group that the policy does not have, and `Unreadable`, before anything is stored.
    """
    permit(idp, Act.IMPORT)
    check_groups(idp, terms)
    left: list[Left] = []
    arrived, wanted = _judged(idp, entries, terms, left, rp_id=rp_id)
    registered, clients_there = await _clients(idp, wanted, left, dry_run=dry_run)
    came, there = await _people(idp, arrived, left, dry_run=dry_run)
    ours = [each for each in arrived if each.account.username in came]
    groups = Counter(group for each in ours for group in each.account.groups)
    return Imported(
        people=tuple(sorted(came)),
        people_there=tuple(sorted(there)),
        clients=registered,
        clients_there=clients_there,
        groups=tuple(sorted(groups.items())),
        roles={group: role.name.lower() for group in groups if (role := idp.policy.role_of([group])) is not None},
        held=sum(one.authenticator.hold is not None for each in ours for one in each.enrolled),
        # Of who was there before nothing is changed, so nothing was left behind.
        left=tuple(each for each in left if each.who not in there),
    )


def _judged(
    idp: Idp, entries: Iterable[Entry | Kept | Registration], terms: Terms, left: list[Left], *, rp_id: str | None
) -> tuple[list[Arrival], list[Application | Registration]]:
    """Who may come, each once, by username; the clients; and into `left` what does not come."""
    now, us = idp.clock.now(), relying(idp)
    here = rp_id if us is not None and us.id == rp_id else None
    people: dict[str, Arrival] = {}
    wanted: list[Application | Registration] = []
    for entry in entries:
        judged: Iterable[Arrival | Left] = ()
        match entry:
            case Left():
                left.append(entry)
            case Application() | Registration():
                wanted.append(entry)
            case Person():
                judged = judge(idp, entry, terms, now=now)
            case Kept():
                judged = judge_kept(idp, entry, rp_id=here)
        for found in judged:
            if isinstance(found, Left):
                left.append(found)
            elif found.account.username in people:
                left.append(Left(found.account.username, "the person", "the file has this username twice"))
            else:
                people[found.account.username] = found
    return list(_once_each(people, left)), wanted


def _once_each(people: dict[str, Arrival], left: list[Left]) -> Iterator[Arrival]:
    """Of several people with one id, or one proved address, the first has it."""
    ids: set[UUID] = set()
    mailboxes: set[str] = set()
    for username, arrival in sorted(people.items()):
        account = arrival.account
        if account.id in ids:
            left.append(Left(username, "the person", "the file gives this id to two people"))
            continue
        ids.add(account.id)
        mailbox = (account.email or "").lower()
        if account.email_verified and mailbox in mailboxes:
            left.append(Left(username, "proved e-mail address", "somebody else in the file has proved it"))
            account = replace(account, email_verified=False)
        elif account.email_verified:
            mailboxes.add(mailbox)
        yield replace(arrival, account=account)


async def _people(idp: Idp, wanted: Sequence[Arrival], left: list[Left], *, dry_run: bool) -> tuple[set[str], set[str]]:
    """Who came, and who was there."""
    came: set[str] = set()
    for start in range(0, len(wanted), BATCH):
        batch = wanted[start : start + BATCH]
        if dry_run:
            added = await arrivals.would_add(idp.db, batch)
        else:
            added = await arrivals.add(idp.db, batch, now=idp.clock.now())
        for each in batch:
            if each.account.id in added:
                came.add(each.account.username)
                if each.account.email_verified and not added[each.account.id]:
                    left.append(Left(each.account.username, "proved e-mail address", "somebody here has proved it"))
    return came, {each.account.username for each in wanted} - came


async def _clients(
    idp: Idp, wanted: Sequence[Application | Registration], left: list[Left], *, dry_run: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The ids of those that are registered now, and of those that were."""
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
    return tuple(came), tuple(there)


async def _register(idp: Idp, new: Registration) -> None:
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        await registrations.add(conn, new, now=now)
        await audits.add(conn, ClientChanged(change="imported"), now=now, client_id=new.client.id)
