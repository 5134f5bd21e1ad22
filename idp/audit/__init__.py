"""The names and fields of all audit events. Pure. None holds a code, a token, a password or a whole phone number."""

from dataclasses import dataclass

from idp.audit.accounts import (
    AccountChanged,
    AccountFrozen,
    AccountImported,
    AccountRecovered,
    AccountRemoved,
    RecoveryAsked,
    Registering,
)
from idp.audit.event import Event
from idp.audit.messages import (
    BlockOpened,
    BudgetReached,
    CountryClosed,
    MailboxRefused,
    MessageDenied,
    MessageSent,
    NumberSuppressed,
    NumberUnblocked,
    SimSwapped,
)


@dataclass(frozen=True, slots=True)
class FactorVerified(Event):
    """A proof was accepted. `sim_swap`, of a text message: what was known of the SIM when the code was sent."""

    name = "factor.verified"
    factor: str
    interaction: str
    authenticator: str | None = None
    for_client: str | None = None
    sim_swap: str | None = None


@dataclass(frozen=True, slots=True)
class FactorRefused(Event):
    """A wrong answer was compared and counted; `known` where it was typed in a browser that this person has used.

    `kept_out`: the password was right, and why that is not said to anybody: `disabled`, `expired`, `unfinished` or
    `no_second_factor`.
    """

    name = "factor.refused"
    factor: str
    interaction: str
    attempts_left: int | None = None
    known: bool | None = None
    kept_out: str | None = None


@dataclass(frozen=True, slots=True)
class PasskeyBehind(Event):
    """A passkey told a lower count of signatures than before: there may be two of it, or two tabs were at once."""

    name = "passkey.behind"
    authenticator: str
    interaction: str


@dataclass(frozen=True, slots=True)
class CodeSent(Event):
    """A one-time code was put into the outbox, for this (masked) phone or address; `authenticator`: to verify it."""

    name = "code.sent"
    interaction: str | None = None
    authenticator: str | None = None
    phone: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Authorized(Event):
    """An authorization code was issued."""

    name = "authorization.granted"
    grant: str
    scopes: list[str]
    acr: str


@dataclass(frozen=True, slots=True)
class TokensIssued(Event):
    """A code or a refresh token was turned into tokens."""

    name = "tokens.issued"
    grant: str
    grant_type: str
    scopes: list[str]


@dataclass(frozen=True, slots=True)
class GrantRevoked(Event):
    """A grant and all its tokens died; `why` is reuse, revoked, logout, withdrawn, password and so on."""

    name = "grant.revoked"
    why: str
    grant: str | None = None


@dataclass(frozen=True, slots=True)
class ApprovalGiven(Event):
    """A person approved details, with at least this level: `digest` is the SHA-256 of what stood on the page."""

    name = "approval.given"
    transaction: str
    types: list[str]
    digest: str
    level: str
    amount: str | None = None


@dataclass(frozen=True, slots=True)
class ApprovalRefused(Event):
    """A person said that what they were to approve was not theirs."""

    name = "approval.refused"
    transaction: str
    digest: str


@dataclass(frozen=True, slots=True)
class ConsentGiven(Event):
    """The consent page was answered with yes."""

    name = "consent.given"
    scopes: list[str]


@dataclass(frozen=True, slots=True)
class ConsentWithdrawn(Event):
    """A person disconnected an application."""

    name = "consent.withdrawn"


@dataclass(frozen=True, slots=True)
class AuthenticatorAdded(Event):
    """An authenticator was confirmed: trusted from then, or `hold` seconds after its owner was told of it."""

    name = "authenticator.added"
    factor: str
    authenticator: str
    trusted_at: str | None = None
    hold: int | None = None
    by: str = "person"


@dataclass(frozen=True, slots=True)
class AuthenticatorRemoved(Event):
    """An authenticator was closed."""

    name = "authenticator.removed"
    factor: str
    authenticator: str
    by: str = "person"


@dataclass(frozen=True, slots=True)
class RecoveryCodesMade(Event):
    """A new set of recovery codes replaced the old one."""

    name = "recovery_codes.made"
    authenticator: str


@dataclass(frozen=True, slots=True)
class RecoveryCodesChecked(Event):
    """A person said that the saved codes are still at hand."""

    name = "recovery_codes.checked"
    authenticator: str


@dataclass(frozen=True, slots=True)
class PasswordChanged(Event):
    """A password was set; strong scopes are closed for `hold` seconds where it took less than the person has."""

    name = "password.changed"
    by: str = "person"
    hold: int | None = None


@dataclass(frozen=True, slots=True)
class ResetAsked(Event):
    """Somebody forgot a password, and a link was sent; without an account nobody was written to."""

    name = "password.reset_asked"


@dataclass(frozen=True, slots=True)
class ResetGiven(Event):
    """An operator gave somebody a link for a new password, printed or mailed."""

    name = "password.reset_given"
    mailed: bool
    by: str = "operator"


@dataclass(frozen=True, slots=True)
class ResetBegun(Event):
    """The link for a forgotten password was used; what it leads to asks for a second factor."""

    name = "password.reset_begun"


@dataclass(frozen=True, slots=True)
class SignedOut(Event):
    """A session ended on request; `sessions` says how many."""

    name = "session.ended"
    why: str
    sessions: int = 1


@dataclass(frozen=True, slots=True)
class DeviceForgotten(Event):
    """A browser is known no more, and was signed out; `device` is its key."""

    name = "device.forgotten"
    device: str


@dataclass(frozen=True, slots=True)
class Exported(Event):
    """Everything was about to be given out; `secrets` is none, sealed or clear."""

    name = "everything.exported"
    secrets: str
    by: str = "operator"


@dataclass(frozen=True, slots=True)
class ClientChanged(Event):
    """An operator made or changed a client."""

    name = "client.changed"
    change: str
    by: str = "operator"


@dataclass(frozen=True, slots=True)
class KeysRotated(Event):
    """The signing keys moved on."""

    name = "keys.rotated"
    current: list[str]


NAMES = frozenset(each.name for each in Event.__subclasses__())
"""Every event that there is."""


def named(text: str) -> bool:
    """Whether an event has this name, or a name that begins with these words: account.changed, or account."""
    return any(name == text or name.startswith(f"{text}.") for name in NAMES)


def like(text: str) -> list[str]:
    """What may have been meant by a name that no event has: those with the same first word, else all first words."""
    first = text.partition(".")[0]
    return sorted(name for name in NAMES if name.startswith(f"{first}.")) or sorted(
        {name.partition(".")[0] for name in NAMES}
    )
