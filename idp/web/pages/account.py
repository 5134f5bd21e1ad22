"""The pages of a signed-in person: applications, ways to sign in, sessions, activity. What they show, nothing else."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import ClassVar

from idp.catalogue import mark
from idp.model import TRAITS, Factor
from idp.policy.advice import Guard, Step
from idp.web.pages.done import Done
from idp.web.pages.loss import Loss
from idp.web.pages.parts import Problem, ScopeLine


class Standing(StrEnum):
    """What an authenticator is good for now."""

    TRUSTED = "trusted"
    ON_HOLD = "on_hold"  # signs in, but opens nothing sensitive before `trusted_at`
    UNTOLD = "untold"  # nor before `hold` has passed since its owner was told of it, which nobody was so far
    NOBODY = "nobody"  # and there is no channel to tell on
    CLOSED = "closed"  # too many wrong codes
    BARRED = "barred"  # a group of the person's lets it count for nothing


class Activity(Enum):
    """What happened, as a sentence for the person it happened to."""

    SIGNED_IN = mark("Signed in")
    STEPPED_UP = mark("Confirmed that it was you")
    PASSWORD_WRONG = mark("Somebody typed a wrong password")
    OWN_PASSWORD_WRONG = mark("You typed a wrong password")
    CODE_WRONG = mark("Somebody typed a wrong code")
    OWN_CODE_WRONG = mark("You typed a wrong code")
    SMS_SENT = mark("Asked for a code by text message")
    EMAIL_SENT = mark("Asked for a code by email")
    RECOVERY_MADE = mark("New recovery codes made")
    AUTHENTICATOR_ADDED = mark("Authenticator app added")
    AUTHENTICATOR_REMOVED = mark("Authenticator app removed")
    PASSKEY_BEHIND = mark("A passkey was refused, because it may have been copied")
    PASSKEY_ADDED = mark("Passkey added")
    PASSKEY_REMOVED = mark("Passkey removed")
    PHONE_ADDED = mark("Phone added")
    PASSWORD_CHANGED = mark("Password changed")
    CONSENT_GIVEN = mark("Application allowed")
    CONSENT_WITHDRAWN = mark("Application disconnected")
    SIGNED_OUT = mark("Signed out")
    SESSION_ENDED = mark("Signed out on another device")
    FROZEN = mark("Account frozen")
    DEVICE_FORGOTTEN = mark("Device forgotten")


class Fixed(Enum):
    """Why a row offers no change, and what would."""

    PHONE = mark("To change the number, ask the people who run this service.")
    ADDRESS = mark("To change the address, ask the people who run this service.")
    CODES = mark("To get new ones, use your authenticator app or one of these codes first.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatorRow:
    """One way to sign in. `hint` is the authenticator's, `remaining` counts codes, `change` leads to a page.

    Without that, `fixed` says why there is none. Of e-mail, `hint` is the masked address, and it says nothing of its
    last use. `copied`, of a passkey: it is on other devices of its owner too; None of everything else.
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
    fixed: Fixed | None = None
    copied: bool | None = None

    @property
    def strong(self) -> bool:
        """Whether it is of a kind that opens sensitive actions."""
        return TRAITS[self.factor].strong


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRow:
    """The e-mail address, masked, None where there is none. `change` leads to its page; without it `fixed` says why."""

    address: str | None = None
    verified: bool = False
    change: str | None = None
    fixed: Fixed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRow:
    """One application of this person: `open` leads there, where anybody knows the way.

    `scopes` are what it may do; `used_at` is when it was last given something. `withdraw` is the action of the button
    that takes all that back, which posts `client` = `value`; None where it holds nothing. `site`: it is one behind a
    proxy, which holds nothing and is open while the person is signed in here.
    """

    name: str
    value: str
    open: str | None = None
    scopes: tuple[ScopeLine, ...] = ()
    used_at: datetime | None = None
    withdraw: str | None = None
    site: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRow:
    """One browser that this person signed in from, or is signed in to. `place` is the address of its last sign-in.

    `end` is the action of the button that signs it out, which posts `session` = `value`; None for this one, and where
    nobody is signed in. `change` leads to the page of one that is known.
    """

    name: str
    last_seen_at: datetime
    place: str | None = None
    current: bool = False
    signed_in: bool = True
    value: str = ""
    end: str | None = None
    change: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityRow:
    """One thing that happened, so many `times`. `place` is the address that it came from, `factor` what was proved."""

    what: Activity
    at: datetime
    device: str | None = None
    place: str | None = None
    client_name: str | None = None
    factor: Factor | None = None
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The account page. `guard` is what protects now, `step` the one thing to do next, for codes at `renew_codes`.

    A form to `prefer` posts `factor`, one of `choices` or nothing, to be asked for first; `prefers` is so now.
    Links (GET) to `add_authenticator`, `add_phone`, `new_recovery_codes` (the first), `change_password`; None hides
    one. Without `add_authenticator` the page says whom to ask. Empty forms to `sign_out` and `end_others`. `now` is
    what "2 hours ago" is counted from, `zone` (a name of the IANA time zone database) what times are written in.
    `codes_at_hand`: asks, seldom, whether the saved codes are; an empty form says that they are.
    `frozen`, or `shut_until` then: nothing sensitive opens, and nothing can be changed. `refused` is the masked address
    that takes no mail.
    """

    template: ClassVar[str] = "home.html"
    now: datetime
    username: str
    sign_out: str
    guard: Guard
    step: Step | None = None
    zone: str | None = None
    refused: str | None = None
    name: str | None = None
    done: Done | None = None
    authenticators: tuple[AuthenticatorRow, ...] = ()
    apps: tuple[AppRow, ...] = ()
    devices: tuple[DeviceRow, ...] = ()
    activity: tuple[ActivityRow, ...] = ()
    choices: tuple[Factor, ...] = ()
    prefers: Factor | None = None
    prefer: str = ""
    add_authenticator: str | None = None
    add_phone: str | None = None
    add_passkey: str | None = None
    new_recovery_codes: str | None = None
    renew_codes: str | None = None
    codes_at_hand: str | None = None
    email: AddressRow = AddressRow()
    profile: str | None = None
    change_password: str | None = None
    end_others: str | None = None
    frozen: bool = False
    recover: str | None = None
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
class NewPasskey:
    """A new passkey. The script asks the browser for `options`, and posts its answer, `code`, and `label` to `action`.

    `hold` and `reached` as of `BeginEnrolment`.
    """

    template: ClassVar[str] = "new_passkey.html"
    action: str
    back: str
    options: str = field(repr=False)
    label: str = ""
    hold: timedelta | None = None
    reached: bool = True
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EditAuthenticator:
    """One authenticator app or passkey. Posts `label` to `rename`, an empty form to `remove`."""

    template: ClassVar[str] = "edit_authenticator.html"
    factor: Factor = Factor.TOTP
    label: str
    rename: str
    remove: str
    back: str
    loss: Loss | None = None
    last: bool = False  # the last one: nothing sensitive works afterwards
    hold: timedelta | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EditDevice:
    """One known browser, `told` as it tells of itself. Posts `label` to `rename`, an empty form to `forget`."""

    template: ClassVar[str] = "edit_device.html"
    told: str
    label: str
    since: datetime
    rename: str
    forget: str
    back: str
    zone: str | None = None
    current: bool = False
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
    """A new password. Posts `password` and `repeat`. `least` is the number of characters it needs.

    `hold` is for how long nothing sensitive opens afterwards; None where that is not so.
    """

    template: ClassVar[str] = "change_password.html"
    action: str
    username: str
    back: str
    least: int = 8
    hold: timedelta | None = None
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()
