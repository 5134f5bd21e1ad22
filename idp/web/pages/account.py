"""The pages of a signed-in person: ways to sign in, applications, sessions, activity. What they show, nothing else."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import ClassVar

from idp.catalogue import mark
from idp.model import TRAITS, Factor
from idp.web.pages.parts import Problem, ScopeLine


class Standing(StrEnum):
    """What an authenticator is good for now."""

    TRUSTED = "trusted"
    ON_HOLD = "on_hold"  # signs in, but opens nothing sensitive before `trusted_at`
    UNTOLD = "untold"  # nor before `hold` has passed since its owner was told of it, which nobody was so far
    NOBODY = "nobody"  # and there is no channel to tell on
    CLOSED = "closed"  # too many wrong codes


class Activity(Enum):
    """What happened, as a sentence for the person it happened to."""

    SIGNED_IN = mark("Signed in")
    SIGN_IN_FAILED = mark("Somebody typed a wrong password")
    CODE_FAILED = mark("Somebody typed wrong codes")
    STEPPED_UP = mark("Confirmed with the authenticator app")
    SMS_SENT = mark("Asked for a code by text message")
    EMAIL_SENT = mark("Asked for a code by email")
    RECOVERY_USED = mark("Signed in with a recovery code")
    RECOVERY_MADE = mark("New recovery codes made")
    AUTHENTICATOR_ADDED = mark("Authenticator app added")
    AUTHENTICATOR_REMOVED = mark("Authenticator app removed")
    PHONE_ADDED = mark("Phone added")
    PASSWORD_CHANGED = mark("Password changed")
    CONSENT_GIVEN = mark("Application allowed")
    CONSENT_WITHDRAWN = mark("Application disconnected")
    SIGNED_OUT = mark("Signed out")
    SESSION_ENDED = mark("Signed out on another device")


class Done(Enum):
    """What was just done, said once at the top of the account page."""

    PASSWORD_CHANGED = mark("Your password was changed. Every other browser has to sign in again.")
    AUTHENTICATOR_ADDED = mark("Your authenticator app is set up.")
    AUTHENTICATOR_RENAMED = mark("The authenticator app has a new name.")
    AUTHENTICATOR_REMOVED = mark("The authenticator app was removed. Every other browser has to sign in again.")
    RECOVERY_MADE = mark("Your new recovery codes are ready, and no older ones work.")
    CONSENT_WITHDRAWN = mark("The application is disconnected.")
    SESSION_ENDED = mark("That device is signed out.")
    OTHERS_SIGNED_OUT = mark("Every other browser has to sign in again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatorRow:
    """One way to sign in. `hint` is the authenticator's, `remaining` counts codes, `change` leads to a page.

    Of e-mail, `hint` is the masked address, and it says nothing of its last use.
    """

    factor: Factor
    label: str = ""
    hint: str = ""
    standing: Standing = Standing.TRUSTED
    trusted_at: datetime | None = None
    hold: timedelta | None = None
    last_used_at: datetime | None = None
    remaining: int | None = None
    change: str | None = None

    @property
    def strong(self) -> bool:
        """Whether it is of a kind that opens sensitive actions."""
        return TRAITS[self.factor].strong


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedApp:
    """One application with a consent. `withdraw` is the action of its button, which posts `client` = `value`."""

    name: str
    value: str
    scopes: tuple[ScopeLine, ...]
    since: datetime
    withdraw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One signed-in browser. `end` is the action of its button, which posts `session` = `value`; None for this one."""

    device: str
    value: str
    last_seen_at: datetime
    place: str | None = None
    current: bool = False
    end: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityRow:
    """One thing that happened."""

    what: Activity
    at: datetime
    device: str | None = None
    client_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The account page. Links (GET) to `add_authenticator`, `new_recovery_codes`, `change_password`; None hides one.

    Without `add_authenticator` the page says whom to ask. Empty forms to `sign_out` and `end_others`. `now` is what
    "2 hours ago" is counted from. `frozen`, or `shut_until` then: nothing sensitive opens, and nothing can be changed.
    """

    template: ClassVar[str] = "home.html"
    now: datetime
    username: str
    sign_out: str
    name: str | None = None
    done: Done | None = None
    authenticators: tuple[AuthenticatorRow, ...] = ()
    apps: tuple[ConnectedApp, ...] = ()
    sessions: tuple[SessionRow, ...] = ()
    activity: tuple[ActivityRow, ...] = ()
    add_authenticator: str | None = None
    new_recovery_codes: str | None = None
    change_password: str | None = None
    end_others: str | None = None
    frozen: bool = False
    shut_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginEnrolment:
    """Before an authenticator app is added, because its key is shown once. An empty form to `action`.

    `hold` is how long the app will not open sensitive things after its owner was told, for which there is a channel
    where `reached`; None when it is trusted at once.
    """

    template: ClassVar[str] = "begin_enrolment.html"
    action: str
    back: str
    hold: timedelta | None = None
    reached: bool = True
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EditAuthenticator:
    """One authenticator app. Posts `label` to `rename`, an empty form to `remove`."""

    template: ClassVar[str] = "edit_authenticator.html"
    label: str
    rename: str
    remove: str
    back: str
    last: bool = False  # the last one: nothing sensitive works afterwards
    hold: timedelta | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecoveryCodes:
    """Before new recovery codes are made, because the old ones die. An empty form to `action`.

    `remaining` is None for a person who has none yet.
    """

    template: ClassVar[str] = "new_recovery_codes.html"
    action: str
    back: str
    remaining: int | None = 0
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePassword:
    """A new password. Posts `password` and `repeat`. `least` is the number of characters it needs."""

    template: ClassVar[str] = "change_password.html"
    action: str
    username: str
    back: str
    least: int = 8
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()
