"""Events of accounts: made, changed, closed, recovered, removed. Pure."""

from dataclasses import dataclass

from idp.audit.event import Event


@dataclass(frozen=True, slots=True)
class AccountChanged(Event):
    """An account was made, disabled, unlocked or changed, `by` an operator or its person; `change` says what."""

    name = "account.changed"
    change: str
    by: str = "operator"


@dataclass(frozen=True, slots=True)
class AccountRemoved(Event):
    """An operator removed an account. `person` is a keyed hash of the username: who knows that one finds the row."""

    name = "account.removed"
    person: str
    by: str = "operator"


@dataclass(frozen=True, slots=True)
class AccountImported(Event):
    """An account came from another system, into these groups, with these factors; those in `held` are on hold."""

    name = "account.imported"
    source: str
    password: bool
    groups: list[str]
    factors: list[str]
    held: list[str]
    by: str = "operator"


@dataclass(frozen=True, slots=True)
class Registering(Event):
    """Somebody wants to make an account, and a link was mailed; without an account nobody was written to."""

    name = "account.registering"


@dataclass(frozen=True, slots=True)
class RecoveryAsked(Event):
    """An operator wants to recover an account, and a second one has to confirm it."""

    name = "account.recovery_asked"
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class AccountRecovered(Event):
    """An operator's ticket: all that there was is closed, and what is strong for `closed` seconds more."""

    name = "account.recovered"
    reason: str
    by: str
    confirmed_by: str | None = None
    closed: int = 0


@dataclass(frozen=True, slots=True)
class AccountFrozen(Event):
    """Nothing sensitive opens until the account is recovered: the person said so by a link, or an operator did."""

    name = "account.frozen"
    by: str
    sessions: int
    about: str | None = None  # the notice whose link it was
