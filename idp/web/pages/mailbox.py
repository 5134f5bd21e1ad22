"""The pages of one's own e-mail address: change it, verify it by the link of a mail. What they show, nothing else."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from idp.web.pages.loss import Loss
from idp.web.pages.parts import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailAddress:
    """One's own address. Posts `email` to `action`, an empty form to `remove`.

    `current` is the one there is, `verified` if it counts, `refused` if it takes no mail. `waiting` is the one that a
    link was sent to, which works `until` then. Without `action` no mail is sent here, and nothing can be verified.
    """

    template: ClassVar[str] = "email_address.html"
    back: str
    action: str | None = None
    remove: str | None = None
    current: str | None = None
    verified: bool = False
    refused: bool = False
    waiting: str | None = None
    until: datetime | None = None
    zone: str | None = None
    typed: str = ""
    codes: bool = False  # codes by e-mail are a way to sign in
    loss: Loss | None = None
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyEmail:
    """What a link leads to that verifies an address. An empty form to `action`."""

    template: ClassVar[str] = "verify_email.html"
    action: str
    address: str
