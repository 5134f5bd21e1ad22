"""One line of `idp doctor`. What is looked at is beside."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

OK, WARN, FAIL = "ok", "warn", "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, what was found, and what to do about it."""

    what: str
    state: str
    found: str
    advice: str = ""


@dataclass(slots=True)
class Seen:
    """What somebody found who looked, and when; and whoever looks now."""

    at: datetime | None = None
    findings: tuple[Finding, ...] = ()
    look: "asyncio.Task[None] | None" = None
