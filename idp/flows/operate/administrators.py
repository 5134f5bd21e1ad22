"""The last administrator: nobody but a shell takes the role from them, or keeps them out."""

from collections.abc import Iterable
from uuid import UUID

from idp.flows.idp import Idp
from idp.flows.operate.permitting import NotPermitted, permit
from idp.model import OPERATOR, Account, AssuranceLevel, Authenticator, Role
from idp.policy import Act, Policy
from idp.sentences import Sentence, sentence
from idp.store.engine import Conn, Connection
from idp.store.people import editing


async def keep_one(conn: Connection, idp: Idp, leaving: Account) -> None:
    """Go on if somebody else can still administrate without this person, in the transaction that takes them away.

    After `confirmed`, which lets one at a time touch an administrator. Raises `NotPermitted`.
    """
    if OPERATOR.get().scopes is None or idp.policy.role_of(leaving.groups) is not Role.ADMIN:
        return
    if not await _has_others(conn, idp, leaving):
        raise NotPermitted(_last(leaving))


async def keeps_on(idp: Idp, account: Account) -> str:
    """Why nobody in the console may keep this person out, as things are now; nothing where somebody may."""
    permit(idp, Act.SEE_PEOPLE)
    if idp.policy.role_of(account.groups) is not Role.ADMIN or await _has_others(idp.db, idp, account):
        return ""
    return _last(account)


def strong(policy: Policy, theirs: Iterable[Authenticator]) -> frozenset[UUID]:
    """Those of somebody's authenticators that an administrator signs in with: they keep one."""
    lifted = {factor for factor, level in policy.factors.items() if level >= AssuranceLevel.STRONG}
    return frozenset(one.id for one in theirs if one.factor in lifted)


async def _has_others(conn: Conn, idp: Idp, account: Account) -> bool:
    policy = idp.policy
    groups = [group for group in policy.groups if policy.role_of([group]) is Role.ADMIN]
    strong = [factor.value for factor, level in policy.factors.items() if level >= AssuranceLevel.STRONG]
    return await editing.has_others(conn, account_id=account.id, groups=groups, factors=strong)


def _last(account: Account) -> Sentence:
    return sentence(
        "%(who)s is the last administrator who can sign in: make somebody else one first, or do it at a shell"
        " of the provider's machine.",
        who=account.username,
    )
