"""A password that an operator gave: whoever signed in with it chooses one of their own before anything else."""

from uuid import UUID

from idp import limits
from idp.audit import PasswordChanged
from idp.factors import password as passwords
from idp.factors.strength import acceptable
from idp.flows.delivery.notices import tell
from idp.flows.idp import Idp, Visitor
from idp.flows.language import message_language
from idp.flows.people.account import Weak
from idp.flows.people.rooms import TooOften
from idp.flows.signin.authorize import Gone, Show, ToInteraction, load
from idp.limits import Closed, Refused
from idp.model import Account, Notice
from idp.policy import Kind
from idp.store import audits, rate_limits
from idp.store.people import accounts


async def choose(
    idp: Idp, interaction_id: UUID, visitor: Visitor, *, new: str
) -> ToInteraction | Weak | TooOften | Gone:
    """Set a password in place of the one that was given, and go on with what was asked for.

    Nothing else ends: all that there was before ended when the password was given.
    """
    now = idp.clock.now()
    found = await load(idp, interaction_id, visitor, now=now)
    if isinstance(found, Gone):
        return found
    if not isinstance(found, Show) or found.ask.kind is not Kind.NEW_PASSWORD:
        return ToInteraction(interaction_id)  # who presses twice is where the first press led
    account = found.facts.account
    assert account is not None
    words = (idp.settings.brand, account.name or "", (account.email or "").partition("@")[0])
    problems = acceptable(new, username=account.username, words=words)
    parsed = passwords.parse(new)
    if problems or parsed is None:
        return Weak(tuple(problems))
    if (refused := await _charge(idp, account)) is not None:
        return refused
    old = await accounts.password_hash(idp.db, account_id=account.id)
    if old is not None and await idp.passwords.verify(parsed, hashed=old):
        return Weak(same=True)
    hashed = await idp.passwords.hash_password(parsed)
    async with idp.db.transaction() as conn:
        await accounts.lock(conn, account_id=account.id)
        if await accounts.set_own_password(conn, account_id=account.id, old_hash=old, password_hash=hashed, now=now):
            await audits.add(conn, PasswordChanged(), now=now, account_id=account.id)
            locale = message_language(idp, visitor, account)
            await tell(idp, conn, account, Notice.PASSWORD_CHANGED, locale=locale, now=now)
    return ToInteraction(interaction_id)


async def _charge(idp: Idp, account: Account) -> TooOften | None:
    key = limits.subject(idp.limits.enrolments, account.id)
    match await rate_limits.spend(idp.db, [(idp.limits.enrolments, key)], now=idp.clock.now()):
        case None:
            return None
        case Closed():
            return TooOften(limits.FOR_EVER, account)
        case Refused(retry_after):
            return TooOften(retry_after, account)
