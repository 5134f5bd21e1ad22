"""On what terms an operator changes what a person can prove: rows of the same table, carried out here."""

from datetime import datetime

from idp.audit import GrantRevoked, SignedOut
from idp.flows.idp import ACCOUNT_PATH, INTERNAL, Idp
from idp.model import Account, AuthorizationRequest, Change
from idp.policy import Ends, Facts, May, Vouched, permission
from idp.store import audits
from idp.store.engine import Connection
from idp.store.people import accounts
from idp.store.signin import sessions
from idp.store.tokens import grants


def terms(idp: Idp, account: Account, change: Change) -> May:
    """What the table of the policy says of an operator's change."""
    now, request = idp.clock.now(), AuthorizationRequest(INTERNAL, ACCOUNT_PATH, ())
    facts = Facts(now, idp.account_pages(), request, now, account=account, internal=True)
    granted = permission(facts, idp.policy, change=change, vouched=Vouched.OPERATOR)
    assert isinstance(granted, May), "whom an operator vouches for needs to prove nothing"
    return granted


async def settle(conn: Connection, idp: Idp, account: Account, change: Change, *, why: str, now: datetime) -> May:
    """What follows from an operator's change beside what it changes, in the transaction that makes it; its terms."""
    may = terms(idp, account, change)
    if may.ends is not Ends.NOTHING:
        await end_everything(conn, account, why=why, now=now)
    if may.closed:
        await accounts.close_strong(conn, account_id=account.id, until=now + may.closed)
    return may


async def end_everything(conn: Connection, account: Account, *, why: str, now: datetime) -> int:
    """All sessions and all tokens of a person, in the transaction of what made it necessary. How many sessions."""
    ended = await sessions.end_others(conn, account_id=account.id, keep=None, now=now)
    if ended:
        await audits.add(conn, SignedOut(why=why, sessions=ended), now=now, account_id=account.id)
    await grants.revoke_of_account(
        conn, account_id=account.id, except_session=None, audit=GrantRevoked(why=why), now=now
    )
    return ended
