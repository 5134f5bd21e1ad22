"""One line of `idp doctor`. What is looked at is in `checkup` and `check_settings`."""

from dataclasses import dataclass

OK, WARN, FAIL = "ok", "warn", "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, what was found, and what to do about it."""

    what: str
    state: str
    found: str
    advice: str = ""
