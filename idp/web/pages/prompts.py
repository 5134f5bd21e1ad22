"""The pages of an interaction, one per prompt and factor. What they show, nothing about how it came about."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from idp.model import OUR_CODES, AppCodes
from idp.web.pages.parts import Alternative, Delivery, Problem, Purpose, ScopeLine, Who


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """Username and password. Posts `username`, `password` to `action`; an empty form with `cancel` to `cancel`.

    `saved`: a recovery code helps now, and is posted as `recovery_code`.
    With `options` a passkey does instead: the script asks for them and posts the answer, `code`, to `passkey`.
    `username` is what was typed or hinted; `fixed` when only this person may go on, who then cannot be edited.
    `another` is where to sign in as somebody else, `forgot` where a forgotten password leads,
    `register` where an account is made.
    """

    template: ClassVar[str] = "sign_in.html"
    action: str
    purpose: Purpose
    username: str = ""
    fixed: bool = False
    another: str | None = None
    forgot: str | None = None
    register: str | None = None
    saved: bool = False
    passkey: str | None = None
    options: str | None = field(default=None, repr=False)
    cancel: str | None = None
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsCode:
    """A code by text message. Posts `code` to `action`; an empty form to `resend`; `cancel` to `cancel`.

    `hint` is `Authenticator.hint`. With `valid_for` None no code is outstanding (none sent yet, none left, or
    expired): the page then offers to send one. `asked`: a code was sent in this interaction, or was to be. `resend_in`
    is how long until `resend` is possible, None for now; the code it sends is then the last for `last_for`, if that is
    longer than a code lives.
    `tries_left` None says nothing about tries.
    """

    template: ClassVar[str] = "sms_code.html"
    action: str
    purpose: Purpose
    hint: str
    resend: str
    valid_for: timedelta | None
    asked: bool = True
    resend_in: timedelta | None = None
    last_for: timedelta | None = None
    tries_left: int | None = None
    delivery: Delivery = Delivery.UNKNOWN
    who: Who | None = None
    alternatives: tuple[Alternative, ...] = ()
    cancel: str | None = None
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailCode:
    """A code by e-mail, in all else as `SmsCode`. `hint` is the masked address."""

    template: ClassVar[str] = "email_code.html"
    action: str
    purpose: Purpose
    hint: str
    resend: str
    valid_for: timedelta | None
    asked: bool = True
    resend_in: timedelta | None = None
    last_for: timedelta | None = None
    tries_left: int | None = None
    delivery: Delivery = Delivery.UNKNOWN
    who: Who | None = None
    alternatives: tuple[Alternative, ...] = ()
    cancel: str | None = None
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatorCode:
    """A code from the authenticator app. Posts `code` to `action`; `cancel` to `cancel`.

    `strong` when nothing but the app will do: the page then says that text messages still sign in (who has a phone) but
    do not do this, and how long a new app has to wait (`hold`). With `again` no try is left: no field, a button that
    posts there for new ones. `codes` is how all their apps make theirs; None: not all the same.
    """

    template: ClassVar[str] = "authenticator_code.html"
    action: str
    purpose: Purpose
    strong: bool = False
    has_phone: bool = True
    hold: timedelta | None = None
    label: str | None = None
    codes: AppCodes | None = OUR_CODES
    tries_left: int | None = None
    again: str | None = None
    who: Who | None = None
    alternatives: tuple[Alternative, ...] = ()
    cancel: str | None = None
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UsePasskey:
    """A passkey as the second factor. The script asks for `options` and posts the answer, `code`, to `action`.

    `strong` when nothing less will do; `again` as of `AuthenticatorCode`.
    """

    template: ClassVar[str] = "use_passkey.html"
    action: str
    purpose: Purpose
    options: str | None = field(repr=False)
    strong: bool = False
    again: str | None = None
    who: Who | None = None
    alternatives: tuple[Alternative, ...] = ()
    cancel: str | None = None
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCode:
    """One of the saved codes. Posts `code` to `action`; `cancel` to `cancel`. `again` as of `AuthenticatorCode`."""

    template: ClassVar[str] = "recovery_code.html"
    action: str
    purpose: Purpose
    tries_left: int | None = None
    again: str | None = None
    who: Who | None = None
    alternatives: tuple[Alternative, ...] = ()
    cancel: str | None = None
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolAuthenticator:
    """A new authenticator app, shown once. Posts `code` and `label` to `action`.

    `uri` is the otpauth URI in the QR code, `key` the same seed in base32 for typing. `hold` is how long the app will
    not open sensitive things; None when it is trusted at once.
    """

    template: ClassVar[str] = "enrol_authenticator.html"
    action: str
    back: str
    uri: str = field(repr=False)
    key: str = field(repr=False)
    label: str = ""
    client_name: str | None = None
    hold: timedelta | None = None
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCodes:
    """New recovery codes, shown once. Posts `saved` to `action`, and `codes` (space-separated) to `download`.

    Both forms carry the codes, because nobody else has them: the server keeps hashes and must check them before it
    answers with a file.
    """

    template: ClassVar[str] = "recovery_codes.html"
    action: str
    codes: tuple[str, ...] = field(repr=False)
    download: str | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Whether the client may. Posts `decision` (`allow` or `deny`) and a `scope` for each ticked optional scope.

    `host` is where the client lives, as proved by its redirect URI; names can be anything.
    """

    template: ClassVar[str] = "consent.html"
    action: str
    client_name: str
    scopes: tuple[ScopeLine, ...]
    host: str | None = None
    logo: str | None = None
    who: Who | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """What is asked for, with a button and no code. Posts `approves` and each ticked `scope` to `action`."""

    template: ClassVar[str] = "approve.html"
    action: str
    purpose: Purpose
    who: Who | None = None
    cancel: str | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfReach:
    """Why somebody cannot approve what is asked. Posts an empty form to `cancel`, which answers the client.

    `why` is what the client hears as `unmet`; `until` when it will do, said in the person's `zone`.
    """

    template: ClassVar[str] = "out_of_reach.html"
    client_name: str
    why: str
    account: str
    cancel: str
    until: datetime | None = None
    zone: str | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountChoice:
    """One signed-in person to choose; `value` is posted as `account`."""

    value: str
    username: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectAccount:
    """Who goes on. Posts `account`, empty for somebody else; `cancel` to `cancel`.

    `refused` is who is signed in, where the client is not for this person.
    """

    template: ClassVar[str] = "select_account.html"
    action: str
    purpose: Purpose
    accounts: tuple[AccountChoice, ...]
    cancel: str | None = None
    refused: AccountChoice | None = None
    problems: tuple[Problem, ...] = ()
