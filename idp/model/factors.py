"""The kinds of proof there are, one row each, and the levels that they lift to. No behaviour.

How a factor is parsed, judged, used up and shown is said once in each layer above; a new one makes mypy name every
place (decision 0011).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import assert_never


class AssuranceLevel(IntEnum):
    """How sure we are who this is, weakest first. Nothing below `TWO_FACTOR` is ever issued."""

    NONE = 0
    ONE_FACTOR = 1
    TWO_FACTOR = 2
    STRONG = 3
    PHISHING_RESISTANT = 4
    HARDWARE_BOUND = 5


class Factor(StrEnum):
    """A kind of proof. The value is the name in policy.toml and in the database."""

    PASSWORD = "password"
    SMS = "sms"
    EMAIL = "email"
    TOTP = "totp"
    RECOVERY = "recovery"
    PASSKEY = "passkey"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What is so of a factor by its nature, whatever an operator's policy says.

    `most` is the level that it can lift to at best. `amr` are its names for clients. `sent`: a code travels first, so
    asking costs money and is limited. `place` orders the second factors on a page, the smaller the earlier. `fresh`:
    it can prove that somebody is there now. `once`: each proof uses up one of a few, so it is offered last. `enrolled`:
    it is proved by an authenticator of the person's.
    """

    most: AssuranceLevel
    amr: tuple[str, ...]
    place: int = 0
    sent: bool = False
    fresh: bool = True
    once: bool = False
    enrolled: bool = True

    @property
    def second(self) -> bool:
        """Whether it counts on top of a password."""
        return self.most >= AssuranceLevel.TWO_FACTOR

    @property
    def strong(self) -> bool:
        """Whether it can open what a text message never opens (promise 3)."""
        return self.most >= AssuranceLevel.STRONG


# RFC 8176 2 for `amr`. A saved recovery code has no value there: `otp` stands for the algorithms of RFC 4226 and 6238,
# `kba` for questions about one's life. It shows as `mfa` alone, which the RFC allows: naming the methods beside `mfa`
# is optional. A code by e-mail has none either, and applications should be able to tell it from a text message: `email`
# is our own word.
def _traits(factor: Factor) -> Traits:
    # Promise 3: what was sent or written on paper never opens what needs an app. Nor does an app stop phishing.
    match factor:
        case Factor.PASSWORD:
            return Traits(most=AssuranceLevel.ONE_FACTOR, amr=("pwd",), enrolled=False)
        case Factor.SMS:
            return Traits(most=AssuranceLevel.TWO_FACTOR, amr=("sms",), place=1, sent=True)
        case Factor.EMAIL:
            # Whoever reads somebody's mail reads it for days: a code sent there signs in, and proves nothing afresh.
            return Traits(
                most=AssuranceLevel.TWO_FACTOR, amr=("email",), place=3, sent=True, fresh=False, enrolled=False
            )
        case Factor.TOTP:
            return Traits(most=AssuranceLevel.STRONG, amr=("otp",), place=2)
        case Factor.RECOVERY:
            return Traits(most=AssuranceLevel.TWO_FACTOR, amr=(), place=4, once=True)
        case Factor.PASSKEY:
            # A browser signs for the page that it is on, so a copy of ours gets nothing. Where the key is kept is said
            # only of one whose maker vouched for it (`assurance`); that somebody touched it is always checked.
            return Traits(most=AssuranceLevel.HARDWARE_BOUND, amr=("swk", "user"), place=0)
        case _:
            assert_never(factor)


TRAITS: Mapping[Factor, Traits] = MappingProxyType({factor: _traits(factor) for factor in Factor})
SECOND = tuple(sorted((each for each in Factor if TRAITS[each].second), key=lambda each: TRAITS[each].place))
SENT = frozenset(each for each in Factor if TRAITS[each].sent)
STRONG = frozenset(each for each in Factor if TRAITS[each].strong)
NEVER_FRESH = frozenset(each for each in Factor if not TRAITS[each].fresh)
