"""What several pages share: why something is asked, what was wrong, what else works. Values, sentences in English."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Protocol

from idp.catalogue import mark
from idp.model import SENT, Factor


class Page(Protocol):
    """What one page shows, nothing else. `template` names the file that says it."""

    @property
    def template(self) -> str:
        """The template's name, as in "sign_in.html"."""
        ...


@dataclass(frozen=True, slots=True)
class Who:
    """Whose password was right. `leave` starts this request again as nobody: an empty `account` posted to it.

    `lost` is the page for who lost what they prove themselves with.
    """

    username: str
    leave: str
    lost: str | None = None


class Why(StrEnum):
    """Why something is asked, in the words of `why()` in parts.html."""

    SIGN_IN = "sign_in"  # to continue to the client, or to the account pages
    AGAIN = "again"  # prompt=login or max_age: the client wants a fresh proof
    SCOPE = "scope"  # the scopes named need it
    APPROVAL = "approval"  # the person approves what the client asks for
    ACCOUNT = "account"  # a change to how this person signs in
    CONSOLE = "console"  # to open the operators' console


# Scopes that every deployment knows; others are said by their title in the policy, or by their name.
SCOPE_SENTENCES = {
    "openid": mark("Know that it is you"),
    "profile": mark("See your name and profile"),
    "email": mark("See your email address"),
    "phone": mark("See your phone number"),
    "address": mark("See your postal address"),
    "groups": mark("See which groups you are in"),
    "offline_access": mark("Stay connected when you are not using it"),
    "password:write": mark("Change your password and ways to sign in"),
    "transfers:write": mark("Make transfers"),
    "transfers:read": mark("See your transfers"),
    "accounts:read": mark("See your accounts"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeLine:
    """One scope as a person reads it. `title` is the operator's sentence; without it ours, or the bare name.

    An `optional` scope has a box, `ticked` to begin with; a `sensitive` one asks for a new proof each time, or if there
    is none `within` that time; a `new` one was not granted to this client before.
    """

    name: str
    title: str | None = None
    optional: bool = False
    ticked: bool = True
    sensitive: bool = False
    within: timedelta | None = None
    new: bool = False


# What stands above and beside details, where the policy has no words of its own: by title, and by the field's name.
TITLES = (mark("Make a payment"),)
FIELD_LABELS = {
    "amount": mark("Amount"),
    "payee": mark("To"),
    "account": mark("Account"),
    "reference": mark("Reference"),
    "date": mark("Date"),
    "count": mark("Number"),
}


@dataclass(frozen=True, slots=True)
class Money:
    """An amount, and the letters of its currency."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class DetailLine:
    """One field of what is approved. A page writes the value as its language does, a `grouped` one in fours."""

    name: str
    value: Money | date | int | str
    label: str | None = None
    grouped: bool = False


@dataclass(frozen=True, slots=True)
class Approval:
    """What a person approves by answering the page, from the stored bytes that `digest` is of.

    `things` are a title and lines each. `amount` is the one that the button repeats, `payee` who gets it. `scopes` are
    agreed to besides. `not_mine` is posted to by who did not ask for it.
    """

    digest: str
    things: tuple[tuple[str, tuple[DetailLine, ...]], ...]
    not_mine: str
    amount: DetailLine | None = None
    payee: str | None = None
    scopes: tuple[ScopeLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What the proof is for. `scopes` are those that need it, for `Why.SCOPE`. No client: our own account pages.

    `approval` is what it approves, for `Why.APPROVAL`; `logo` the name of the client's picture.
    """

    why: Why = Why.SIGN_IN
    client_name: str | None = None
    scopes: tuple[ScopeLine, ...] = ()
    approval: Approval | None = None
    logo: str | None = None


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another factor that would do here, and the link (GET, changes nothing) to its page. `hint` masks where to.

    `send` is the form's action where a message has to leave before there is anything to type. It posts `phone`, which
    of several it goes to: `hint` is its own then, `label` what the person calls it.
    """

    factor: Factor
    href: str
    hint: str | None = None
    send: str | None = None
    phone: str | None = None
    label: str = ""

    @property
    def sent(self) -> bool:
        """Whether it is a code that has to travel."""
        return self.factor in SENT


class Delivery(StrEnum):
    """How far the message got, as far as the gateway says."""

    UNKNOWN = "unknown"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    SWAPPED = "swapped"  # nothing is sent: the SIM was changed lately


class Problem(Enum):
    """What was wrong with a form: the id of the field to mend (or None) and the sentence.

    `%(wait)s` and `%(least)s` come from the page's `wait` and `least`.
    """

    USERNAME_MISSING = ("username", mark("Enter your username"))
    PASSWORD_MISSING = ("password", mark("Enter your password"))
    # The same sentence whether the name or the password was wrong, or there is no such person (promise 9).
    SIGN_IN_WRONG = ("username", mark("The username or the password is not right"))
    PASSWORD_WRONG = ("password", mark("The password is not right"))
    SIGN_IN_WAIT = ("password", mark("Too many tries. Try again in %(wait)s"))
    SIGN_IN_WAIT_HERE = (
        "password",
        mark(
            "Too many tries. Try again in %(wait)s, or at once with a recovery code, or in a browser that you have "
            "signed in with before"
        ),
    )
    # What the page of SIGN_IN_WAIT_HERE says when a recovery code was typed: it goes on asking for it.
    SIGN_IN_WRONG_HERE = ("password", mark("The username or the password is not right"))
    SMS_CODE_MISSING = ("code", mark("Enter the 6 numbers from the text message"))
    EMAIL_CODE_MISSING = ("code", mark("Enter the 6 numbers from the email"))
    APP_CODE_MISSING = ("code", mark("Enter the 6 numbers from your authenticator app"))
    APP_CODE_ALL = ("code", mark("Enter all the numbers that your authenticator app shows"))
    CODE_SHAPE = ("code", mark("A code is 6 numbers, such as 042 917"))
    CODE_WRONG = ("code", mark("The code is not right"))
    CODE_USED = ("code", mark("This code was used already. Wait for the next one in your app"))
    CODE_WAIT = ("code", mark("Too many wrong codes. Try again in %(wait)s"))
    CODE_CLOSED = (
        "code",
        mark("Too many wrong codes. This way is closed now: use another one, or ask for help"),
    )
    CODE_EXPIRED = ("resend", mark("The code no longer works. Ask for a new one"))
    CODE_DEAD = ("resend", mark("No tries are left for this code. Ask for a new one"))
    RESEND_WAIT = ("resend", mark("You can ask for a new code in %(wait)s"))
    SEND_FAILED = ("resend", mark("The text message could not be sent, but nothing is wrong with your account"))
    RECOVERY_MISSING = ("code", mark("Enter one of your recovery codes"))
    RECOVERY_WRONG = ("code", mark("The recovery code is not right, or was used already"))
    USERNAME_TAKEN = ("username", mark("Somebody has this username. Choose another"))
    USERNAME_SHAPE = ("username", mark("Use 1 to 64 letters, numbers and signs, without spaces"))
    WHO_MISSING = ("username", mark("Enter your email address or your username"))
    LINK_WAIT = ("username", mark("You can ask for another link in %(wait)s. One that you have still works"))
    PASSKEY_MISSING = (
        "passkey",
        mark("Your browser sent no passkey. Passkeys need scripts: allow them for this page, or use another way"),
    )
    PASSKEY_WRONG = ("passkey", mark("This passkey was not accepted. Try again, or use another way"))
    PASSKEY_BEHIND = (
        "passkey",
        mark("This passkey may have been copied, so we did not accept it. Use another way, and tell us"),
    )
    PASSKEY_BARRED = (
        "passkey",
        mark("Your passkey is right, but your account does not take passkeys. Use your password"),
    )
    PASSKEY_OLD = ("passkey", mark("This page was open for too long. Press the button again"))
    PASSKEY_UNFIT = ("passkey", mark("This passkey cannot be used here. Try again, or choose another kind"))
    PASSKEY_THERE = ("passkey", mark("This passkey is set up already"))
    LABEL_TOO_LONG = ("label", mark("Use a name of at most 60 characters"))
    LABEL_MISSING = ("label", mark("Enter a name"))
    PHONE_MISSING = ("number", mark("Enter a mobile number"))
    PHONE_SHAPE = ("number", mark("Enter a mobile number with + and the country code, such as +372 5123 4567"))
    PHONE_NOT_MOBILE = ("number", mark("Text messages do not reach this number. Enter a mobile number"))
    PHONE_COUNTRY = ("number", mark("We send no text messages to this country. Enter another number, or ask for help"))
    PHONE_THERE = ("number", mark("This number is on your account already. Enter another one"))
    PHONES_ENOUGH = ("number", mark("You have as many phones as one person can have. Remove one of them first"))
    PHONE_WAIT = ("number", mark("No code can be sent to this number now. Try again in %(wait)s"))
    EMAIL_MISSING = ("email", mark("Enter your email address"))
    EMAIL_SHAPE = ("email", mark("Enter an email address such as ada@example.com"))
    EMAIL_SAME = ("email", mark("This is your address already. Enter another one"))
    EMAIL_WAIT = ("email", mark("No link can be sent to this address now. Try again in %(wait)s"))
    NAME_LONG = ("name", mark("Use at most 200 characters"))
    GIVEN_NAME_LONG = ("given_name", mark("Use at most 200 characters"))
    FAMILY_NAME_LONG = ("family_name", mark("Use at most 200 characters"))
    NICKNAME_LONG = ("nickname", mark("Use at most 200 characters"))
    WEBSITE_SHAPE = ("website", mark("Enter an address that begins with https://, or leave it empty"))
    ZONE_UNKNOWN = ("zoneinfo", mark("Choose a time zone of the list"))
    LANGUAGE_UNKNOWN = ("locale", mark("Choose a language of the list"))
    SAVED_MISSING = ("saved", mark("Tick the box when you have put the codes somewhere safe"))
    NEW_PASSWORD_MISSING = ("password", mark("Enter a new password"))
    PASSWORD_SHORT = ("password", mark("Use at least %(least)s characters"))
    PASSWORD_LONG = ("password", mark("Use at most 1,000 characters"))
    PASSWORD_UNREADABLE = ("password", mark("Use letters, numbers, signs and spaces only"))
    PASSWORD_COMMON = ("password", mark("This password is easy to guess, because many people use it. Choose another"))
    PASSWORD_SAME = ("password", mark("Choose a password that differs from the one you have"))
    PASSWORD_REPEAT = ("repeat", mark("The two passwords are not the same"))
    CHANGES_WAIT = (None, mark("Too many changes of how you sign in. Try again in %(wait)s"))
    FORM_OLD = (None, mark("This page was open for too long, so nothing was changed. Please try again"))

    @property
    def field(self) -> str | None:
        """The id of the field that the summary links to; None when there is none to mend."""
        field: str | None = self.value[0]
        return field

    @property
    def sentence(self) -> str:
        """The sentence in English, with its placeholders."""
        sentence: str = self.value[1]
        return sentence
