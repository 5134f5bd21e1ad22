"""What a gateway answered, made fit to be kept: plug-ins hand on what providers say. Deciding what follows is not here.

Whatever the database would refuse would leave a message unmarked that was sent, and it would be sent again.
"""

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from idp.sms import Outcome, Reason, Sent

_ID = re.compile(r"[\x21-\x7e]{1,200}")
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_CURRENCY = re.compile(r"[A-Za-z0-9_.-]{1,10}")
_MOST_SEGMENTS = 999
_LONGEST_WAIT = timedelta(days=1)
_DIGITS = 6, 12  # before and after the point


def fit(sent: object) -> Sent | None:
    """The answer without what cannot be meant; None if it is no answer at all."""
    if not isinstance(sent, Sent) or not isinstance(sent.outcome, Outcome):
        return None
    return replace(
        sent,
        provider_id=_matching(_ID, sent.provider_id),
        reason=sent.reason if isinstance(sent.reason, Reason) else None,
        provider_code=_matching(_CODE, sent.provider_code),
        segments=sent.segments if _counts(sent.segments) else None,
        cost=amount(sent.cost),
        currency=_matching(_CURRENCY, sent.currency),
        retry_after=_wait(sent.retry_after),
    )


def amount(value: object) -> Decimal | None:
    """The money, if one message can cost so much and it can be added up; None for anything else."""
    if not isinstance(value, Decimal) or not value.is_finite():
        return None
    whole, part = _DIGITS
    exponent = value.as_tuple().exponent
    return value if isinstance(exponent, int) and exponent >= -part and value.adjusted() < whole else None


def _matching(shape: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and shape.fullmatch(value) else None


def _counts(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_SEGMENTS


def _wait(value: object) -> timedelta | None:
    return max(timedelta(0), min(value, _LONGEST_WAIT)) if isinstance(value, timedelta) else None
