"""What protects a person now, and the one thing that would protect them best from here. Pure; pages say it in words."""

from collections.abc import Container, Iterable
from datetime import datetime
from enum import StrEnum

from idp.assurance import is_trusted
from idp.model import TRAITS, Authenticator, Factor

FEW_CODES = 2


class Guard(StrEnum):
    """The best second lock of an account, as it is now."""

    PASSKEY = "passkey"  # stops copies of our pages, too
    APP = "app"  # opens sensitive actions, too
    WAITING = "waiting"  # an app that signs in, and opens sensitive actions later
    PHONE = "phone"
    MAIL = "mail"
    CODES = "codes"  # saved ones alone


class Step(StrEnum):
    """The one thing to do next."""

    ADD_PASSKEY = "add_passkey"
    ADD_APP = "add_app"
    GET_CODES = "get_codes"
    MORE_CODES = "more_codes"
    UNLOCK = "unlock"  # what protected best is closed after too many wrong codes


def guard(authenticators: Iterable[Authenticator], *, mailbox: bool, closed: frozenset[Factor], now: datetime) -> Guard:
    """What protects beside the password: of what is open, the best."""
    usable = [each for each in authenticators if each.closed_at is None and each.factor not in closed]
    strong = [each for each in usable if TRAITS[each.factor].strong]
    trusted = {each.factor for each in strong if is_trusted(each, at=now)}
    if trusted:
        return Guard.PASSKEY if Factor.PASSKEY in trusted else Guard.APP
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
    passkeys: bool = False,
) -> Step | None:
    """The most worthwhile step among those that this person can take in this installation. None: all is well.

    `offered` are the factors that count for this person; `may_add` and `may_renew`: they can prove what adding an app
    and getting codes take; `passkeys`: there can be some here.
    """
    open_ = [each for each in authenticators if each.closed_at is None]
    strong = [each for each in open_ if TRAITS[each.factor].strong and each.factor in offered]
    if strong and all(each.factor in closed for each in strong):
        return Step.UNLOCK
    first = _first_to_add(offered, passkeys=passkeys) if may_add else None
    if not strong and first is not None:
        return first
    codes = [each for each in open_ if each.factor is Factor.RECOVERY]
    if Factor.RECOVERY in offered and may_renew:
        if not codes:
            return Step.GET_CODES
        if sum(each.remaining or 0 for each in codes) <= FEW_CODES:
            return Step.MORE_CODES
    has_passkey = any(each.factor is Factor.PASSKEY for each in strong)
    return Step.ADD_PASSKEY if first is Step.ADD_PASSKEY and not has_passkey else None


def _first_to_add(offered: Container[Factor], *, passkeys: bool) -> Step | None:
    if passkeys and Factor.PASSKEY in offered:
        return Step.ADD_PASSKEY
    return Step.ADD_APP if Factor.TOTP in offered else None
