"""Who is given a role, or a higher one, begins anew: what others chose for them before is no way in any more."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from idp.audit import AuthenticatorRemoved
from idp.flows.delivery.notices import tell
from idp.flows.idp import Idp
from idp.flows.operate.terms import end_everything
from idp.model import OPERATOR, Account, Factor, Notice
from idp.model.links import LinkFor
from idp.policy import Policy
from idp.sentences import plural, sentence
from idp.store import audits
from idp.store.engine import Connection
from idp.store.people import authenticators, given, links


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of a person's ways in another operator chose: whether the password, and which authenticators."""

    password: bool = False
    authenticators: Sequence[tuple[UUID, Factor]] = ()


def is_raised(policy: Policy, before: Account, after: Account) -> bool:
    """Whether it gives them a role, or a higher one."""
    had, has = policy.role_of(before.groups), policy.role_of(after.groups)
    return has is not None and (had is None or has > had)


async def chosen_by_others(conn: Connection, account: Account) -> Chosen:
    """What another operator than this one chose, unless at a shell."""
    operator = OPERATOR.get().key or ""
    return Chosen(
        await given.password_by_another(conn, account_id=account.id, operator=operator),
        await given.authenticators_by_another(conn, account_id=account.id, operator=operator),
    )


def consequences(chosen: Chosen) -> Iterator[str]:
    """What follows for them, one sentence each."""
    yield sentence(
        "They are signed out everywhere, and links that they were given before work no more, whoever has one."
    )
    if chosen.password:
        yield sentence("Another operator chose their password: they have to change it when they sign in next.")
    if chosen.authenticators:
        yield plural(
            "%(num)s authenticator that another operator gave them is closed.",
            "%(num)s authenticators that another operator gave them are closed.",
            len(chosen.authenticators),
        )


async def begin_anew(conn: Connection, idp: Idp, account: Account, chosen: Chosen, *, now: datetime) -> None:
    """Make it so, in the transaction that gives the role."""
    # Who gave a link to somebody without a role may have kept it, or begun with it.
    await end_everything(conn, account, why="role", now=now)
    for purpose in (LinkFor.RESET, LinkFor.INVITE, LinkFor.RECOVER):
        await links.drop(conn, account_id=account.id, purpose=purpose, now=now)
    if chosen.password:
        await given.make_temporary(conn, account_id=account.id, until=now + idp.policy.links.ticket)
    for which, factor in chosen.authenticators:
        await authenticators.close(conn, authenticator_id=which, account_id=account.id, now=now)
        removed = AuthenticatorRemoved(factor=factor, authenticator=str(which), by="operator")
        await audits.add(conn, removed, now=now, account_id=account.id)
        await tell(idp, conn, account, Notice.AUTHENTICATOR_REMOVED, now=now, also=which)
