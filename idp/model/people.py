"""People and what they prove: accounts, authenticators, proofs, and what proofs amount to. No behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from idp.model.factors import AssuranceLevel, Factor

UNTIL_RECOVERED = datetime.max.replace(tzinfo=UTC)


class Change(StrEnum):
    """What may happen to what a person can prove: the rows of `idp.policy.transitions`."""

    ADD_APP = "add"
    REMOVE_APP = "remove"
    RENEW_CODES = "replace"
    ADD_PHONE = "add_phone"
    REPLACE_PHONE = "replace_phone"
    REMOVE_PHONE = "remove_phone"
    CHANGE_EMAIL = "change_email"
    VERIFY_EMAIL = "verify_email"
    REMOVE_EMAIL = "remove_email"
    CHANGE_PASSWORD = "change_password"
    RESET_PASSWORD = "reset_password"
    FREEZE = "freeze"
    OPERATOR_ADDS = "operator_adds"
    OPERATOR_REPLACES = "operator_replaces"
    OPERATOR_REMOVES = "operator_removes"
    OPERATOR_SETS_PASSWORD = "operator_sets_password"
    OPERATOR_INVITES = "operator_invites"
    OPERATOR_RECOVERS = "operator_recovers"


class Swap(StrEnum):
    """What is known of a number's SIM when a code is sent to it: changed lately, not changed, or nobody could tell."""

    SWAPPED = "swapped"
    NOT_SWAPPED = "not_swapped"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Account:
    """A person. `claims` holds further standard claims (OIDC Core 5.1) by name, `address` as an object.

    `prefers` is the second factor that they want to be asked for first.
    `email_refused_at`: since then the address takes no mail of ours, until it is verified anew.
    `email_trusted_at`: until then the address is on hold; None is long ago.
    `frozen_at`: somebody said that it was not they who signed in, and nobody has recovered the account since.
    `invited`: nobody has set a password yet.
    `password_until`: an operator gave the password, which works until then, and is to be changed when it is used first.
    `provisional_until`: somebody registers, and the account goes then if they do not come to an end.
    `strong_from`: when it may open strong scopes again, after a recovery by less than it takes to open them.
    """

    id: UUID
    username: str
    created_at: datetime
    updated_at: datetime
    name: str | None = None
    email: str | None = None
    email_verified: bool = False
    email_refused_at: datetime | None = None
    email_trusted_at: datetime | None = None
    groups: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict)
    locale: str | None = None
    prefers: Factor | None = None
    disabled: bool = False
    invited: bool = False
    frozen_at: datetime | None = None
    strong_from: datetime | None = None
    password_until: datetime | None = None
    provisional_until: datetime | None = None

    @property
    def mailbox(self) -> str | None:
        """The e-mail address that is known to be theirs and takes mail, the only one that codes go to."""
        return self.email if self.email_verified and self.email_refused_at is None else None

    def lasting(self, at: datetime) -> bool:
        """Whether the address was past its hold then; in a frozen account, before it was frozen."""
        began = self.email_trusted_at
        return began is None or began <= (at if self.frozen_at is None else min(at, self.frozen_at))

    @property
    def closed_until(self) -> datetime | None:
        """Until then nothing they prove gives more than two factors, and nothing of theirs is changed.

        `UNTIL_RECOVERED` while frozen; None for who was neither frozen nor recovered by less than they had.
        """
        return self.strong_from if self.frozen_at is None else UNTIL_RECOVERED


@dataclass(frozen=True, slots=True)
class Past:
    """What was of a person and nobody is judged by: an export takes it along.

    `former_email` is told what is told until `former_until`, and a closed phone until the time in `told_until`.
    `agreed_at`: when they agreed to what they let each client do. `suppressed`: of a phone whose number nothing is sent
    to, why and since when.
    """

    disabled_at: datetime | None = None
    former_email: str | None = None
    former_until: datetime | None = None
    told_until: Mapping[UUID, datetime] = field(default_factory=dict)
    agreed_at: Mapping[str, datetime] = field(default_factory=dict)
    suppressed: Mapping[UUID, tuple[str, datetime]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passkey:
    """What is so of a passkey, beside what every authenticator has.

    `eligible`: it may be copied to other devices of its owner, which never changes; `copied`: it was, when last used.
    `attested`: its maker vouches that the key cannot leave the hardware, by a root that the operator named. `count` is
    the last count of signatures that it told, 0 for ever from those that count none.
    """

    credential_id: bytes
    public_key: bytes = field(repr=False)  # sealed
    count: int
    eligible: bool
    copied: bool
    attested: bool = False
    transports: tuple[str, ...] = ()
    aaguid: str = ""


@dataclass(frozen=True, slots=True)
class AppCodes:
    """How an app makes its codes (RFC 6238): the hash function, how many digits, how long each is shown."""

    algorithm: str = "SHA1"
    digits: int = 6
    period: timedelta = timedelta(seconds=30)


OUR_CODES = AppCodes()


@dataclass(frozen=True, slots=True)
class Authenticator:
    """One enrolled phone, app or set of recovery codes of one account.

    `hint` is what a page may show ("ending 55"). `trusted_at` is when it may start to open strong scopes (design 5):
    None until its owner could be told of it, and then `hold` later. `enrolled_in` is the interaction during which it
    was enrolled, which it can never satisfy. `number_key` is the same for every phone with this number, whosever it is.
    Of several phones codes go to the one with the latest `preferred_at`, else to the newest.
    `seed` is an app's, sealed; `last_step` the last time step it was accepted for; `codes` are as ours, unless it was
    enrolled in another system.
    """

    id: UUID
    account_id: UUID
    factor: Factor
    label: str
    hint: str
    created_at: datetime
    trusted_at: datetime | None
    confirmed_at: datetime | None = None
    enrolled_in: UUID | None = None
    last_used_at: datetime | None = None
    closed_at: datetime | None = None
    remaining: int | None = None  # recovery codes left
    number_key: bytes | None = field(default=None, repr=False)
    hold: timedelta | None = None
    swapped_at: datetime | None = None  # a phone whose SIM was seen changed, and not seen otherwise since
    preferred_at: datetime | None = None
    seed: bytes | None = field(default=None, repr=False)
    last_step: int = 0
    checked_at: datetime | None = None  # when its owner said that these saved codes are at hand
    passkey: Passkey | None = None
    codes: AppCodes = OUR_CODES


@dataclass(frozen=True, slots=True)
class AuthenticationEvent:
    """One proof, made once: this factor, at this time, for this client, inside this interaction.

    `swap` is what was known of the SIM when the code was sent; None for other factors, and where nobody was asked.
    `verified`: a passkey that made sure who held it, by a PIN or a finger, which is two factors in one.
    """

    factor: Factor
    at: datetime
    account_id: UUID
    client_id: str
    interaction_id: UUID | None = None
    authenticator_id: UUID | None = None
    swap: Swap | None = None
    verified: bool = False


@dataclass(frozen=True, slots=True)
class AuthenticationContext:
    """What the proofs so far amount to: the level reached, and what is asserted to the client.

    `acr` is the value asserted. `auth_time` is the older of the last password and the last proof that gives it, `amr`
    names these two (RFC 8176, in a fixed order). `strong_at` is the time of the newest proof that reached `STRONG`,
    `fresh_at` of the newest second factor that a scope with `fresh` may count; None where there is none. `proofs` are
    the counted events, oldest first.
    """

    level: AssuranceLevel
    acr: str
    amr: tuple[str, ...]
    auth_time: datetime
    strong_at: datetime | None = None
    fresh_at: datetime | None = None
    proofs: tuple[AuthenticationEvent, ...] = ()
