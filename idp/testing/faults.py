"""How the fake provider fails, by the last three digits of the number. What that looks like is each dialect's."""

from enum import StrEnum


class Fault(StrEnum):
    """What becomes of a message."""

    NONE = "accepted and delivered"
    INVALID = "refused: no such number"
    LANDLINE = "refused: not a mobile number"
    OPTED_OUT = "refused: the person opted out"
    COUNTRY = "refused: the country is closed"
    FRAUD = "refused: looks like fraud"
    BLOCKED = "refused: blocked by the carrier"
    FUNDS = "refused: no money left"
    SENDER = "refused: unknown sender"
    CREDENTIALS = "refused: wrong credentials"
    THROTTLED = "refused: too many, try again in 7 s"
    SERVER_ERROR = "server error"
    SILENCE = "accepted, then no answer"
    SLOW = "accepted, after a while"
    HANG_UP = "the connection ends without an answer"
    MALFORMED = "an answer that breaks off"
    HUGE = "an answer of 100 KiB"
    REDIRECT = "sent elsewhere by a redirect"
    UNDELIVERED = "accepted, not delivered"
    EXPIRED = "accepted, too late for the phone"
    NO_RECEIPT = "accepted, no receipt"
    TWICE = "delivered, receipt twice"
    EARLY = "delivered, receipt before the answer"
    LATE = "delivered, receipt late"
    FORGED = "a receipt that somebody else wrote"


REFUSED = (
    Fault.INVALID,
    Fault.LANDLINE,
    Fault.OPTED_OUT,
    Fault.COUNTRY,
    Fault.FRAUD,
    Fault.BLOCKED,
    Fault.FUNDS,
    Fault.SENDER,
    Fault.CREDENTIALS,
    Fault.THROTTLED,
)
BY_ENDING = {
    **{str(901 + i): fault for i, fault in enumerate(REFUSED)},
    "921": Fault.SERVER_ERROR,
    "922": Fault.SILENCE,
    "923": Fault.SLOW,
    "924": Fault.HANG_UP,
    "925": Fault.MALFORMED,
    "926": Fault.HUGE,
    "927": Fault.REDIRECT,
    "941": Fault.UNDELIVERED,
    "942": Fault.EXPIRED,
    "943": Fault.NO_RECEIPT,
    "944": Fault.TWICE,
    "945": Fault.EARLY,
    "946": Fault.LATE,
    "947": Fault.FORGED,
}
_ENDINGS = {fault: ending for ending, fault in BY_ENDING.items()}


def fault_of(number: str) -> Fault:
    """What becomes of a message to this number."""
    return BY_ENDING.get(number[-3:], Fault.NONE)


def number_for(fault: Fault) -> str:
    """An Estonian mobile number that ends so."""
    return f"+37256789{_ENDINGS.get(fault, '045')}"
