"""Pages for whoever forgot the password: ask for a link, press its button, choose another. What they show, no more."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from idp.web.pages.parts import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgot:
    """Who forgot the password. Posts `username` to `action`; `back` leads to the sign-in.

    Without an `action` no mail can be sent here, and the page says whom to ask.
    """

    template: ClassVar[str] = "forgot.html"
    action: str | None
    back: str
    username: str = ""
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgotSent:
    """If there is such a person, a link is on its way, and works for `valid_for`. `again` asks for another."""

    template: ClassVar[str] = "forgot_sent.html"
    valid_for: timedelta
    again: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """What who lost phone and app can do, by what they have still. `forgot` is None where no mail can be sent."""

    template: ClassVar[str] = "lost.html"
    account: str
    forgot: str | None
    hold: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetLink:
    """Where the link of the mail leads: a button, because GET spends nothing. An empty form to `action`."""

    template: ClassVar[str] = "reset_link.html"
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPassword:
    """Another password instead of the forgotten one. Posts `password` and `repeat`, of at least `least` characters.

    `hold` is for how long nothing sensitive opens afterwards; None where all that the person has was proved.
    `given`: it comes in the place of one that an operator gave, and signing in goes on.
    """

    template: ClassVar[str] = "new_password.html"
    action: str
    username: str
    least: int = 8
    hold: timedelta | None = None
    given: bool = False
    cancel: str | None = None
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()
