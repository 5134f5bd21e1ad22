"""What stops working when an authenticator is removed: said before the button, and asked again when it is pressed."""

from dataclasses import dataclass
from uuid import UUID

from idp.assurance import within_reach
from idp.flows.idp import Idp
from idp.flows.people.rooms import PASSWORD, Inside
from idp.model import AssuranceLevel, Factor


@dataclass(frozen=True, slots=True)
class Last:
    """It is the last way to sign in, so it stays. `floor`: there are others, but none that their groups take."""

    floor: bool = False


@dataclass(frozen=True, slots=True)
class Loses:
    """It may go. `scopes` need more than what is left; `codes_only`: saved codes are all that is left.

    `no_phone`: no text message reaches the person any more.
    """

    scopes: tuple[str, ...] = ()
    codes_only: bool = False
    no_phone: bool = False


def without(idp: Idp, inside: Inside, authenticator_id: UUID) -> Last | Loses:
    """What a person has left without one of theirs."""
    account, policy = inside.account, idp.policy.of(inside.account.groups)
    open_ = [each for each in inside.loaded.authenticators if each.closed_at is None]
    rest = [each for each in open_ if each.id != authenticator_id]
    before, after = (
        within_reach(
            these,
            interaction_id=None,
            lifts=policy.factors,
            now=inside.now,
            mailbox=account.mailbox is not None,
            closed_until=account.closed_until,
        )
        for these in (open_, rest)
    )
    best = max(after.values(), default=AssuranceLevel.ONE_FACTOR)
    if not after:
        return Last()
    if best < policy.floor_of(account.groups) <= max(before.values()):
        return Last(floor=True)
    asked = {*PASSWORD.scopes, *(scope for client in idp.clients.values() for scope in client.scopes)}
    return Loses(
        scopes=tuple(
            name for name, rule in policy.scopes.items() if rule.people and name in asked and rule.level > best
        ),
        codes_only=set(after) == {Factor.RECOVERY},
        no_phone=Factor.SMS in before and Factor.SMS not in after,
    )
