"""What may come of asking for a code, or of typing one. Values only."""

from dataclasses import dataclass
from datetime import timedelta

from idp.flows.signin.authorize import Gone, Show, ToClient, ToInteraction
from idp.model import Factor


@dataclass(frozen=True, slots=True)
class NotOffered:
    """This factor is not asked for here, so it is not looked at (promise 3)."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """What was typed cannot be a code; no attempt was spent."""

    show: Show
    factor: Factor
    empty: bool


@dataclass(frozen=True, slots=True)
class WrongCode:
    """Compared, and not right. `used`: it is the code that was accepted last, and cost no try.

    `behind`: a passkey that there may be two of, which cost none either.
    """

    show: Show
    factor: Factor
    attempts_left: int
    used: bool = False
    behind: bool = False


@dataclass(frozen=True, slots=True)
class DeadCode:
    """There is nothing to compare with any more: a new code has to be asked for."""

    show: Show
    factor: Factor


@dataclass(frozen=True, slots=True)
class Paused:
    """A limit refused; nothing was compared or sent. None: waiting does not help."""

    show: Show
    factor: Factor
    retry_after: timedelta | None
    sending: bool


SecondFactor = ToInteraction | ToClient | NotOffered | Malformed | WrongCode | DeadCode | Paused | Gone
