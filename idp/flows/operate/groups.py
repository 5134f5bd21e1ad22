"""An operator's word on which groups a person is in, and what follows from it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from idp.audit import AccountChanged
from idp.errors import NotThere
from idp.flows.idp import Idp
from idp.flows.operate.finding import find_user
from idp.flows.operate.people import known_group
from idp.flows.operate.permitting import permit
from idp.model import Account, Client
from idp.policy import Act, Policy, is_for
from idp.store import audits
from idp.store.people import accounts
from idp.store.tokens import clients


@dataclass(frozen=True, slots=True)
class ChangedGroups:
    """A person before and after, and what follows from it, one sentence each."""

    before: Account
    after: Account
    consequences: tuple[str, ...]


async def set_groups(idp: Idp, username: str, groups: Sequence[str]) -> ChangedGroups:
    """Put a person into exactly these groups. Nothing is kept in memory: it holds everywhere at once.

    Raises `NotThere`, or `NotAcceptable` for a group without a row in the policy, unless they are in it already.
    """
    found = (await find_user(idp, username, to=Act.SET_GROUPS)).account
    registered = await clients.all_clients(idp.db)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        # Two operators at once: what is said to follow is from what the first made of it.
        await accounts.lock(conn, account_id=found.id)
        locked = await accounts.by_id(conn, account_id=found.id)
        if locked is None:
            raise NotThere(f"There is no user named {found.username!r}.")
        before, _ = locked
        permit(idp, Act.SET_GROUPS, on=before.groups, into=groups)
        wanted = frozenset(group if group in before.groups else known_group(group, idp.policy) for group in groups)
        if wanted != before.groups:
            await accounts.set_groups(conn, account_id=before.id, groups=wanted, now=now)
            change = AccountChanged(change=f"groups: {' '.join(sorted(wanted)) or 'none'}")
            await audits.add(conn, change, now=now, account_id=before.id)
    after = (await find_user(idp, username)).account
    return ChangedGroups(before, after, tuple(_consequences(before, after, registered, idp.policy)))


def _consequences(before: Account, after: Account, registered: Sequence[Client], policy: Policy) -> Iterator[str]:
    old, new = policy.floor_of(before.groups), policy.floor_of(after.groups)
    if new > old:
        need = f"They need {new.name.lower()} for anything from now on"
        yield f"{need}; what applications hold from less ends at their next refresh."
    elif new < old:
        yield f"They need {new.name.lower()} for what does not ask for more by itself."
    if (counts := set(policy.of(after.groups).factors)) != set(policy.of(before.groups).factors):
        yield f"What counts for them as a second factor: {', '.join(sorted(counts)) or 'nothing'}."
    for client in registered:
        was, is_now = is_for(client, before.groups), is_for(client, after.groups)
        if was and not is_now:
            yield f"They may not use {client.name} any more: what it holds for them ends at its next refresh."
        elif is_now and not was:
            yield f"They may use {client.name}."
