"""What stops working when an authenticator is removed: said before the button, and asked again when it is pressed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from idp.assurance import within_reach
from idp.flows.idp import Idp
from idp.flows.people.rooms import PASSWORD, Inside
from idp.model import AssuranceLevel, Authenticator, Factor


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
    rest = [each for each in _open(inside) if each.id != authenticator_id]
    return _loses(idp, inside, _reach(idp, inside, rest, mailbox=inside.account.mailbox is not None))


def without_mail(idp: Idp, inside: Inside) -> Last | Loses:
    """What a person has left without their e-mail address."""
    return _loses(idp, inside, _reach(idp, inside, _open(inside), mailbox=False))


def _open(inside: Inside) -> list[Authenticator]:
    return [each for each in inside.loaded.authenticators if each.closed_at is None]


def _reach(
    idp: Idp, inside: Inside, these: Iterable[Authenticator], *, mailbox: bool
) -> Mapping[Factor, AssuranceLevel]:
    closed_until = inside.account.closed_until
    return within_reach(
        these,
        interaction_id=None,
        lifts=idp.policy.of(inside.account.groups).factors,
        now=inside.now,
        mailbox=mailbox,
        closed_until=closed_until,
    )


def _loses(idp: Idp, inside: Inside, after: Mapping[Factor, AssuranceLevel]) -> Last | Loses:
    account, policy = inside.account, idp.policy.of(inside.account.groups)
    before = _reach(idp, inside, _open(inside), mailbox=account.mailbox is not None)
    best = max(after.values(), default=AssuranceLevel.ONE_FACTOR)
    if not after:
        return Last()
    could = max(before.values(), default=AssuranceLevel.ONE_FACTOR)
    if best < policy.floor_of(account.groups) <= could:
        return Last(floor=True)
    asked = {*PASSWORD.scopes, *(scope for client in idp.clients.values() for scope in client.scopes)}
    return Loses(
        scopes=tuple(
            name for name, rule in policy.scopes.items() if rule.people and name in asked and best < rule.level <= could
        ),
        codes_only=set(after) == {Factor.RECOVERY},
        no_phone=Factor.SMS in before and Factor.SMS not in after,
    )
