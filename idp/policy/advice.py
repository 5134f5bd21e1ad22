"""What protects a person now, and the one thing that would protect them best from here. Pure; pages say it in words."""

from collections.abc import Container, Iterable
from datetime import datetime
from enum import StrEnum

from idp.assurance import is_trusted
from idp.model import STRONG, TRAITS, Authenticator, Factor

FEW_CODES = 2


class Guard(StrEnum):
    """The best second lock of an account, as it is now."""

    APP = "app"  # opens sensitive actions, too
    WAITING = "waiting"  # an app that signs in, and opens sensitive actions later
    PHONE = "phone"
    MAIL = "mail"
    CODES = "codes"  # saved ones alone


class Step(StrEnum):
    """The one thing to do next."""

    ADD_APP = "add_app"
    GET_CODES = "get_codes"
    MORE_CODES = "more_codes"
    UNLOCK = "unlock"  # what protected best is closed after too many wrong codes


def guard(authenticators: Iterable[Authenticator], *, mailbox: bool, closed: frozenset[Factor], now: datetime) -> Guard:
    """What protects beside the password: of what is open, the best."""
    usable = [each for each in authenticators if each.closed_at is None and each.factor not in closed]
    strong = [each for each in usable if TRAITS[each.factor].strong]
    if any(is_trusted(each, at=now) for each in strong):
        return Guard.APP
    if strong:
        return Guard.WAITING
    if any(each.factor is Factor.SMS for each in usable):
        return Guard.PHONE
    return Guard.MAIL if mailbox and Factor.EMAIL not in closed else Guard.CODES


def next_step(
    authenticators: Iterable[Authenticator],
    *,
    offered: Container[Factor],
    closed: frozenset[Factor],
    may_add: bool,
    may_renew: bool,
) -> Step | None:
    """The most worthwhile step among those that this person can take in this installation. None: all is well.

    `offered` are the factors that count for this person; `may_add` and `may_renew`: they can prove what adding an app
    and getting codes take.
    """
    open_ = [each for each in authenticators if each.closed_at is None]
    strong = [each for each in open_ if TRAITS[each.factor].strong and each.factor in offered]
    if strong and all(each.factor in closed for each in strong):
        return Step.UNLOCK
    if not strong and may_add and any(factor in offered for factor in STRONG):
        return Step.ADD_APP
    if Factor.RECOVERY not in offered or not may_renew:
        return None
    codes = [each for each in open_ if each.factor is Factor.RECOVERY]
    if not codes:
        return Step.GET_CODES
    return Step.MORE_CODES if sum(each.remaining or 0 for each in codes) <= FEW_CODES else None
