"""The last administrator: nobody but a shell takes the role from them, or keeps them out."""

from idp.flows.idp import Idp
from idp.flows.operate.permitting import NotPermitted
from idp.model import OPERATOR, Account, AssuranceLevel, Role
from idp.sentences import sentence
from idp.store.engine import Connection
from idp.store.people import editing


async def keep_one(conn: Connection, idp: Idp, leaving: Account) -> None:
    """Go on if somebody else can still administrate without this person, in the transaction that takes them away.

    Of two who take each other away one is too late. Raises `NotPermitted`.
    """
    policy = idp.policy
    if OPERATOR.get().scopes is None or policy.role_of(leaving.groups) is not Role.ADMIN:
        return
    groups = [group for group in policy.groups if policy.role_of([group]) is Role.ADMIN]
    strong = [factor.value for factor, level in policy.factors.items() if level >= AssuranceLevel.STRONG]
    if not await editing.has_others(conn, account_id=leaving.id, groups=groups, factors=strong):
        raise NotPermitted(
            sentence(
                "%(who)s is the last administrator who can sign in: make somebody else one first, or do it at a shell"
                " of the provider's machine.",
                who=leaving.username,
            )
        )
