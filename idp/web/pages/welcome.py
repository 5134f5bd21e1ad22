"""Pages on which somebody sets up an account that nobody has used yet. What they show, no more."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from idp.web.pages.parts import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteLink:
    """Where the link of an invitation leads: a button, because GET spends nothing. An empty form to `action`."""

    template: ClassVar[str] = "invite_link.html"
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """What is set up and what is not. Links to `password` (None: chosen), `add_phone`, `add_app`, `renew_codes`.

    `add_passkey` is None where there can be none.

    `phones` and `apps` are how many there are, `codes` how many saved codes. An empty form to `finish`, which is None
    before they could sign in.
    """

    template: ClassVar[str] = "welcome.html"
    username: str | None
    password: str | None
    add_phone: str
    add_app: str
    renew_codes: str
    finish: str | None
    add_passkey: str | None = None
    phones: int = 0
    apps: int = 0
    codes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstPassword:
    """The first password. Posts `password` and `repeat`, of at least `least` characters; `username` where it is chosen.

    `fixed`: the username was given.
    """

    template: ClassVar[str] = "first_password.html"
    action: str
    back: str
    username: str = ""
    fixed: bool = True
    least: int = 8
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Who wants an account of their own. Posts `email` and `name` to `action`; `back` leads to the sign-in."""

    template: ClassVar[str] = "register.html"
    action: str
    back: str
    email: str = ""
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterSent:
    """A link is on its way, and works for `valid_for`. `again` asks for another."""

    template: ClassVar[str] = "register_sent.html"
    valid_for: timedelta
    again: str
