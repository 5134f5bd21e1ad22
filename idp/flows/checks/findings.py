"""One line of `idp doctor`. What is looked at is beside."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from idp.sentences import Sentence, as_it_is

OK, WARN, FAIL = "ok", "warn", "FAIL"
_NOTHING = as_it_is("")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, what was found, and what to do about it."""

    what: str
    state: str
    found: Sentence
    advice: Sentence = _NOTHING


@dataclass(slots=True)
class Seen:
    """What somebody found who looked, and when; and whoever looks now."""

    at: datetime | None = None
    findings: tuple[Finding, ...] = ()
    look: "asyncio.Task[None] | None" = None
