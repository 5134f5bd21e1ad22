"""Whom and what an operator found, confirmed under its lock. First in the transaction of everything that changes it.

Between the look and the change somebody may have been given a role, or an application the operators' scopes: whether
the operator may is asked of what they are now.
"""

from uuid import UUID

from idp.audit import AccountRemoved
from idp.errors import NotThere, Outdated
from idp.flows.idp import Idp
from idp.flows.operate.permitting import permit
from idp.model import Account, Client
from idp.policy import Act
from idp.sentences import sentence
from idp.store import audits
from idp.store.audits import Wanted
from idp.store.engine import Connection
from idp.store.people import accounts
from idp.store.tokens import clients


async def confirmed(conn: Connection, idp: Idp, found: Account, *, to: Act) -> Account:
    """The person as they are now, whom nobody else changes before this transaction ends.

    Raises `NotThere`, and `NotPermitted` if the operator may not do this `to` them any more.
    """
    account = await accounts.locked(conn, account_id=found.id)
    if account is None:
        raise NotThere(sentence("There is no user named %(name)s.", name=repr(found.username)))
    permit(idp, to, on=account.groups)
    return account


async def confirmed_client(conn: Connection, idp: Idp, found: Client, *, to: Act) -> Client:
    """As `confirmed`, for a client."""
    client = await clients.lock(conn, client_id=found.id)
    if client is None:
        raise NotThere(sentence("There is no client %(name)s.", name=repr(found.name)))
    permit(idp, to, scopes=client.scopes)
    return client


async def somebody_new(conn: Connection, account_id: UUID | None) -> None:
    """Go on if nobody who had this id was removed: a form that made them makes nobody else with their subject.

    After they were stored, which waited for a removal that was under way. Raises `Outdated`.
    """
    before = Wanted(account_id=account_id, name=AccountRemoved.name)
    if account_id is not None and await audits.some(conn, before, before=None, limit=1):
        raise Outdated(sentence("This page was open for too long, so nothing was changed. Please try again"))
