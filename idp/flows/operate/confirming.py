"""Whom and what an operator found, confirmed under its lock, and the operator themselves, who may be nobody by now.

Between the look and the change somebody may have been given a role, or an application the operators' scopes, and the
operator may have lost theirs: whether they may is asked of what all are now. What came first holds: who is demoted
before a change has its locks changes nothing, and a change that has them is done before.
"""

from uuid import UUID

from idp.errors import NotThere, Outdated
from idp.flows.idp import OURS, Idp
from idp.flows.operate.permitting import NotPermitted, permit
from idp.flows.operate.reasons import works_no_more
from idp.flows.people import links
from idp.model import OPERATOR, Account, Client, Role
from idp.model.links import Link
from idp.policy import Act
from idp.sentences import sentence
from idp.store import removals
from idp.store.engine import Conn, Connection
from idp.store.people import accounts, authenticators, editing, operators
from idp.store.tokens import clients


async def confirmed(conn: Connection, idp: Idp, found: Account, *, to: Act) -> Account:
    """The person as they are now, whom nobody else changes before this transaction ends. First in it.

    Raises `NotThere`, and `NotPermitted` if the operator may not do this `to` them any more.
    """
    account = await accounts.locked(conn, account_id=found.id)
    if account is None:
        raise NotThere(sentence("There is no user named %(name)s.", name=repr(found.username)))
    if OPERATOR.get().scopes is not None and idp.policy.role_of(account.groups) is Role.ADMIN:
        # Of two administrators who would take each other away, one is too late.
        await editing.one_at_a_time(conn)
    await at_work(conn, idp)
    permit(idp, to, on=account.groups)
    return account


async def confirmed_client(conn: Connection, idp: Idp, found: Client, *, to: Act) -> Client:
    """As `confirmed`, for a client."""
    client = await clients.lock(conn, client_id=found.id)
    if client is None:
        raise NotThere(sentence("There is no client %(name)s.", name=repr(found.name)))
    await at_work(conn, idp)
    permit(idp, to, scopes=client.scopes)
    return client


async def at_work(conn: Conn, idp: Idp) -> None:
    """Go on if the operator lost nothing since they asked: after whatever the transaction waits for, in one statement.

    `confirmed` does so; what touches nobody who was there calls it last, and a list without end after each page.
    Raises `NotPermitted`. A shell loses nothing.
    """
    operator = OPERATOR.get()
    if operator.scopes is None:
        return
    now = await operators.standing(conn, account_id=operator.account_id, client_id=operator.client_id)
    role = idp.policy.role_of(now.groups)
    demoted = operator.role is not None and (role is None or role < operator.role)
    narrowed = operator.client_id not in OURS and not operator.scopes <= now.scopes
    if demoted or narrowed:
        raise NotPermitted(sentence("You may do less by now than when you asked, so nothing was changed."))


async def somebody_new(conn: Connection, account_id: UUID | None) -> None:
    """Go on if nobody who had this id was removed: a form that made them makes nobody else with their subject.

    After they were stored, which waited for a removal that was under way. Raises `Outdated`.
    """
    if account_id is not None and await removals.of_person(conn, account_id=account_id):
        raise Outdated(sentence("This page was open for too long, so nothing was changed. Please try again"))


async def link_before(conn: Connection, made: links.Made) -> Link | None:
    """The link that the first of two forms made; None if this is the first.

    Raises `Outdated` if it was used or replaced since: nobody is shown it as good.
    """
    found = await links.before(conn, made)
    if found is not None and not found.works(made.link.created_at):
        raise Outdated(works_no_more())
    return found


async def given_before(conn: Connection, authenticator_id: UUID) -> bool:
    """As `link_before`, for an authenticator: whether the first of two forms gave it."""
    found = await authenticators.is_open(conn, authenticator_id=authenticator_id)
    if found is False:
        raise Outdated(works_no_more())
    return found is not None
