"""The kinds of proof there are, and what others need to know about each. The verifiers are in the modules."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from idp.factors import email, password, recovery, sms, totp
from idp.model import Factor


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of proof.

    `parse` reads what was posted (a string; anything else is refused) into the answer its verifier takes, or None:
    answer that with 400 before a try is spent. `sent`: a code has to travel first, so asking costs money and is
    limited. `second`: it counts on top of a password.
    """

    factor: Factor
    parse: Callable[[object], object | None]
    sent: bool = False
    second: bool = True


KINDS: Mapping[Factor, Kind] = MappingProxyType(
    {
        kind.factor: kind
        for kind in (
            Kind(password.FACTOR, password.parse, second=False),
            Kind(sms.FACTOR, sms.normalise_answer, sent=True),
            Kind(email.FACTOR, email.normalise_answer, sent=True),
            Kind(totp.FACTOR, totp.normalise_answer),
            Kind(recovery.FACTOR, recovery.normalise_answer),
        )
    }
)
