"""A password that an operator sets for somebody. With a form that is sent twice it is set once."""

from uuid import UUID

from idp.audit import PasswordChanged
from idp.errors import Outdated
from idp.flows.delivery.notices import tell
from idp.flows.idp import Idp
from idp.flows.operate.confirming import confirmed
from idp.flows.operate.finding import Person, find_user
from idp.flows.operate.people import parse_password
from idp.flows.operate.terms import settle
from idp.model import OPERATOR, Account, Change, Notice
from idp.policy import Act
from idp.sentences import sentence
from idp.store import audits
from idp.store.people import accounts


async def set_password(
    idp: Idp, who: str | UUID, password: str, *, temporary: bool = False, expected: str | None = None
) -> Person:
    """Set a password. All sessions and tokens of the person end, and every phone is told.

    A `temporary` one has to be changed when it is used first, within the time that the policy says. `expected` is the
    version that the operator saw (`password_version`): if it is another now, nothing is done where they have this very
    password, as after the first of two presses; else `Outdated` is raised. Raises `NotThere`, `NotAcceptable`.
    """
    person = await find_user(idp, who, to=Act.SET_PASSWORD)
    account = person.account
    words = [*(account.name or "").split(), (account.email or "").partition("@")[0]]
    typed = parse_password(idp, password, username=account.username, words=words)
    hashed = await idp.passwords.hash_password(typed)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        account = await confirmed(conn, idp, account, to=Act.SET_PASSWORD)
        if expected is None or expected == password_version(account):
            until, by = now + idp.policy.links.ticket if temporary else None, OPERATOR.get().key
            await accounts.set_password(conn, account_id=account.id, password_hash=hashed, now=now, until=until, by=by)
            await audits.add(conn, PasswordChanged(by="operator"), now=now, account_id=account.id)
            await settle(conn, idp, account, Change.OPERATOR_SETS_PASSWORD, why="password", now=now)
            await tell(idp, conn, account, Notice.PASSWORD_CHANGED, now=now)
            return person
        there = await accounts.password_hash(conn, account_id=account.id)
    # Compared when nobody waits for the row any more: it takes its time.
    if there is not None and await idp.passwords.verify(typed, hashed=there):
        return person
    raise Outdated(
        sentence("Somebody else changed %(who)s meanwhile: look at them again, then go on.", who=account.username)
    )


def password_version(account: Account) -> str:
    """A short name for somebody as they are now: another one as soon as they have another password."""
    return account.updated_at.isoformat()
