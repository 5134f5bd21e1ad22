"""What a decision is made from, and what it can be. Values only; deciding is in `checks`."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from idp.model import (
    Account,
    AssuranceLevel,
    AuthenticationContext,
    AuthenticationEvent,
    Authenticator,
    AuthorizationRequest,
    Client,
    Factor,
)
from idp.policy.details import Due, Sums

UNSURE = "temporarily_unavailable"  # RFC 6749 4.1.2.1: try again later; a change is refused in doubt
UNMET = "unmet_authentication_requirements"  # OpenID Connect Core Error Code unmet_authentication_requirements 1.0


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known at `now` about one authorization request, and all that `decide` looks at.

    `started_at` is when the interaction began; `interaction_id` is None while there is none yet. `account` is the
    person of the browser session, `events` that session's proofs, `authenticators` the confirmed ones of that person.
    `consented` are the scopes remembered for person and client; `consented_here` those ticked by this person in this
    very interaction, None while the consent page has not been answered. `account_chosen`: "continue as" was pressed in
    this interaction. `internal`: our own account pages ask, so nobody has to be asked for consent. `numbers_checked`:
    somebody is asked whether a SIM was changed before a code goes to it, so that what is not known is doubt.
    `used_here` is the second factor that this person used last in this very browser: it orders, and counts for nothing.
    `approved_here`: the person approved the details of this very request; `sums` are what they approved in the last 24
    hours by rows that take less.
    `invited_at`: an invitation opened this session then, which nobody is signed in to.
    `guards`: a site behind a proxy asks, whose scopes are rows of the policy that nobody is asked to consent to.
    """

    now: datetime
    client: Client
    request: AuthorizationRequest
    started_at: datetime
    interaction_id: UUID | None = None
    account: Account | None = None
    events: tuple[AuthenticationEvent, ...] = ()
    authenticators: tuple[Authenticator, ...] = ()
    consented: frozenset[str] = frozenset()
    consented_here: frozenset[str] | None = None
    account_chosen: bool = False
    internal: bool = False
    numbers_checked: bool = False
    used_here: Factor | None = None
    approved_here: bool = False
    sums: Sums = field(default_factory=dict)
    invited_at: datetime | None = None
    guards: bool = False


class Kind(StrEnum):
    """What a page can ask a person for."""

    PASSWORD = "password"
    SECOND_FACTOR = "second_factor"
    CONSENT = "consent"
    APPROVAL = "approval"
    SELECT_ACCOUNT = "select_account"
    NEW_PASSWORD = "new_password"


class Barrier(StrEnum):
    """Why nothing sensitive opens for a person now, whatever they prove: said to them in words."""

    FROZEN = "frozen"
    CLOSED = "closed"
    GROUP = "group"  # a group of theirs lets only factors count that they do not have


class Missing(StrEnum):
    """What a person does not have who cannot prove enough: told to the client, beside the error, as `unmet`."""

    ON_HOLD = "on_hold"  # there is an authenticator that will do, later
    NO_AUTHENTICATOR = "no_authenticator"


class Why(StrEnum):
    """Why a person is asked. Stable words: pages turn them into sentences, the audit keeps them."""

    SIGN_IN = "sign_in"
    CLIENT_ASKED_LOGIN = "client_asked_login"
    MAX_AGE = "max_age"
    OTHER_PERSON = "other_person"
    CLIENT_ASKED_CHOICE = "client_asked_choice"
    NOT_IN_GROUP = "not_in_group"
    GROUP_NEEDS_LEVEL = "group_needs_level"
    CLIENT_NEEDS_LEVEL = "client_needs_level"
    SCOPE_NEEDS_LEVEL = "scope_needs_level"
    SCOPE_NEEDS_FRESH = "scope_needs_fresh"
    ACR_ASKED = "acr_asked"
    CONSENT_NEW = "consent_new"
    CONSENT_EACH_TIME = "consent_each_time"
    CLIENT_ASKED_CONSENT = "client_asked_consent"
    TEMPORARY_PASSWORD = "temporary_password"
    APPROVAL = "approval"


@dataclass(frozen=True, slots=True)
class Reason:
    """A word, and what a sentence about it needs: the scope, level, acr or age behind it, where there is one."""

    why: Why
    scope: str | None = None
    level: AssuranceLevel | None = None
    acr: str | None = None
    age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Proceed:
    """Issue the code: this person, proved like this, for these scopes (in the order asked, never more).

    `told` are the scopes whose claims may be told where the `claims` parameter asked for them one by one. `dues` are
    what the details took that were approved, with what is charged for them.
    """

    context: AuthenticationContext
    scopes: tuple[str, ...]
    told: tuple[str, ...] = ()
    dues: tuple[Due, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """Show one page. `factors` are all that may be offered and accepted, best first; `scopes` those to be ticked.

    The scopes of a second factor are agreed to by giving it. Where the request has details the page shows them,
    whatever else it asks for: who answers it approves them.
    """

    kind: Kind
    reason: Reason
    factors: tuple[Factor, ...] = ()
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer the client with an error. `error` and `description` go to it, `detail` to the log only.

    `retry_at` and `barrier` are for the person alone: when an authenticator on hold will be trusted enough, or the
    account opens again; and what keeps it shut. `missing` is what would be needed, in one word.
    """

    error: str
    description: str
    detail: str
    retry_at: datetime | None = None
    barrier: Barrier | None = None
    missing: Missing | None = None


def shut(account: Account, now: datetime) -> Refuse | None:
    """Why this person can do nothing sensitive now, and change nothing of how they sign in; None for who can."""
    until = account.closed_until
    if until is None or until <= now:
        return None
    if account.frozen_at is not None:
        found = f"account {account.id} was frozen at {account.frozen_at.isoformat()}"
        return Refuse(UNMET, "This account is frozen until it is recovered", found, barrier=Barrier.FROZEN)
    found = f"account {account.id} was recovered by less than it had"
    return Refuse(UNMET, "This account opens nothing sensitive yet", found, retry_at=until, barrier=Barrier.CLOSED)


Answer = Proceed | Ask | Refuse
