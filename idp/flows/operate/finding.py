"""Whom and what an operator asks for: people, clients. Nothing is changed; what a look does not need is not loaded."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from idp.errors import NotThere, SealBroken
from idp.flows.idp import Idp
from idp.flows.operate.confirming import at_work
from idp.flows.operate.permitting import permit
from idp.flows.sealed import NUMBER, bound
from idp.model import Account, Authenticator, Client, Factor
from idp.policy import Act
from idp.sentences import sentence
from idp.sms.phone import textable
from idp.store import audits
from idp.store.people import accounts, authenticators, pages
from idp.store.people.pages import State, Wanted
from idp.store.tokens import clients
from idp.typed import fold


@dataclass(frozen=True, slots=True)
class Person:
    """A person with their open authenticators and what happened lately: time, name, client id, fields.

    `by_mail`: codes can go to their e-mail address, so that they can sign in without any authenticator.
    """

    account: Account
    authenticators: tuple[Authenticator, ...]
    events: Sequence[tuple[datetime, str, str | None, dict[str, object]]] = ()
    by_mail: bool = False


async def find_user(idp: Idp, who: str | UUID, *, to: Act = Act.SEE_PEOPLE, events: int = 0) -> Person:
    """A person by username or by account id, for an operator who may do this `to` them, with their newest audit events.

    Raises `NotThere`, and `NotPermitted`.
    """
    permit(idp, to)
    if isinstance(who, UUID):
        found = await accounts.by_id(idp.db, account_id=who)
    else:
        found = await accounts.by_username(idp.db, username=fold(who))
    if found is None:
        raise NotThere(
            sentence("There is no such person.")
            if isinstance(who, UUID)
            else sentence("There is no user named %(name)s.", name=repr(fold(who)))
        )
    account, theirs = found
    permit(idp, to, on=account.groups)
    happened = await audits.of_account(idp.db, account_id=account.id, limit=events) if events else ()
    return Person(account, theirs, happened, by_mail=by_mail(idp, account))


def by_mail(idp: Idp, account: Account) -> bool:
    """Whether codes can go to their e-mail address."""
    return account.mailbox is not None and Factor.EMAIL in idp.policy.factors


async def out_of_reach(idp: Idp, person: Person) -> Sequence[Authenticator]:
    """The person's phones that are no mobile numbers by today's numbering plans. One that does not open is not told."""
    permit(idp, Act.SEE_PEOPLE)
    lost = set()
    for id_, sealed, _ in await authenticators.sealed(idp.db, account_id=person.account.id, factor=Factor.SMS):
        with suppress(SealBroken):  # `idp doctor` tells of it
            number = idp.secrets.unseal(sealed, purpose=NUMBER, bound_to=bound(person.account.id, id_)).decode()
            if not textable(number):
                lost.add(id_)
    return [one for one in person.authenticators if one.id in lost]


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Some people by username, `after` which the next page begins (None: this was the last), and how many match."""

    people: Sequence[Account]
    after: str | None
    count: int


async def people_page(
    idp: Idp,
    *,
    containing: str = "",
    after: str | None = None,
    limit: int = 100,
    group: str | None = None,
    state: State | None = None,
) -> PeoplePage:
    """People whose username, name or e-mail address contains this, from `after` the one of that username on."""
    permit(idp, Act.SEE_PEOPLE)
    # PostgreSQL takes no NUL, and nobody has one.
    wanted = Wanted(containing.replace("\0", ""), group and group.replace("\0", ""), state)
    found, count = await pages.some(
        idp.db, wanted, after=None if after is None else after.replace("\0", ""), limit=limit + 1
    )
    shown = found[:limit]
    return PeoplePage(shown, shown[-1].username if len(found) > limit else None, count)


async def every_person(idp: Idp, *, containing: str = "", at_a_time: int = 1000) -> AsyncIterator[Account]:
    """All whose username, name or e-mail address contains this, by username, read while they are taken.

    Raises `NotPermitted` in the middle, when the operator may not look any more.
    """
    permit(idp, Act.SEE_PEOPLE)
    wanted, after = Wanted(containing.replace("\0", "").lower()), None
    while found := await pages.uncounted(idp.db, wanted, after=after, limit=at_a_time):
        for one in found:
            yield one
        if len(found) < at_a_time:
            return
        after = found[-1].username
        await at_work(idp.db, idp)


async def list_clients(idp: Idp) -> Sequence[Client]:
    """Every client, disabled ones too, by name."""
    permit(idp, Act.SEE_CLIENTS)
    return await clients.all_clients(idp.db)


@dataclass(frozen=True, slots=True)
class ClientPage:
    """Some clients by name, `after` which the next page begins (None: this was the last), and how many match in all."""

    clients: Sequence[Client]
    after: str | None
    count: int


async def client_page(idp: Idp, *, containing: str = "", after: str | None = None, limit: int = 100) -> ClientPage:
    """Clients whose name or id contains this, disabled ones too, from `after` the one of that name on."""
    permit(idp, Act.SEE_CLIENTS)
    wanted = containing.casefold()
    found = sorted(
        (
            one
            for one in await clients.all_clients(idp.db)
            if wanted in one.name.casefold() or wanted in one.id.casefold()
        ),
        key=lambda client: _order(client.name),
    )
    left = found if after is None else [one for one in found if _order(one.name) > _order(after)]
    shown = left[:limit]
    return ClientPage(shown, shown[-1].name if len(left) > limit else None, len(found))


def _order(name: str) -> tuple[str, str]:
    return name.casefold(), name


class ClientId(str):
    """The id of a client, from an address. Who is named by it is never found by name: that may be another one."""

    __slots__ = ()


async def find_client(idp: Idp, name_or_id: str, *, to: Act = Act.SEE_CLIENTS) -> Client:
    """A client by its id, else by its name, for who may do this `to` it. Raises `NotThere` or `NotPermitted`."""
    permit(idp, to)
    everyone = await clients.all_clients(idp.db)
    found = [client for client in everyone if client.id == name_or_id]
    if not isinstance(name_or_id, ClientId):
        found += [client for client in everyone if client.name == name_or_id]
    for client in found:
        permit(idp, to, scopes=client.scopes)
        return client
    raise NotThere(sentence("There is no client %(name)s.", name=repr(name_or_id)))
