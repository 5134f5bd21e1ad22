"""People, what they prove themselves with, and their browsers."""

from collections.abc import Iterable

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from idp.model import SECOND, TRAITS, Factor
from idp.store.schema.base import EMPTY_OBJECT, EMPTY_TEXTS, Texts, Time, account_id, metadata


def _is_one_of(factors: Iterable[Factor]) -> CheckConstraint:
    names = ", ".join(f"'{each}'" for each in sorted(factors, key=list(Factor).index))
    return CheckConstraint(f"factor IN ({names})", name="factor")


account = Table(
    "account",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("username", Text, nullable=False, unique=True),
    Column("password_hash", Text),
    Column("name", Text),
    Column("email", Text),
    Column("email_verified", Boolean, nullable=False, server_default=text("false")),
    Column("groups", Texts, nullable=False, server_default=EMPTY_TEXTS),
    Column("claims", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("locale", Text),
    Column("created_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
    Column("disabled_at", Time),
)

# A phone, an app or a set of recovery codes. `sealed` is the number or the seed; a pending enrolment has no
# `confirmed_at` and belongs to `session_id` until `expires_at`. `swapped_at` is when a changed SIM was last seen.
# It opens strong scopes from `trusted_at` on; while that is NULL nobody could be told of it, and the `hold` begins when
# somebody was. `tell_at` is when to try again.
authenticator = Table(
    "authenticator",
    metadata,
    Column("id", Uuid, primary_key=True),
    account_id(),
    Column("factor", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("sealed", LargeBinary),
    Column("lookup", LargeBinary),
    Column("created_at", Time, nullable=False),
    Column("confirmed_at", Time),
    Column("expires_at", Time),
    Column("trusted_at", Time),
    Column("hold", Interval),
    Column("tell_at", Time),
    Column("enrolled_in", Uuid),
    Column("session_id", Uuid),
    Column("last_step", BigInteger, nullable=False, server_default=text("0")),
    Column("last_used_at", Time),
    Column("closed_at", Time),
    Column("swapped_at", Time),
    _is_one_of(each for each in SECOND if TRAITS[each].enrolled),
    CheckConstraint("(confirmed_at IS NULL) = (expires_at IS NOT NULL)", name="pending"),
    CheckConstraint("(trusted_at IS NULL) = (hold IS NOT NULL)", name="hold"),
    Index("ix_authenticator_account_id", "account_id"),
    Index("ix_authenticator_lookup", "lookup", postgresql_where=text("lookup IS NOT NULL")),
    Index("ix_authenticator_tell_at", "tell_at", postgresql_where=text("tell_at IS NOT NULL")),
    Index("ix_authenticator_expires_at", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
)

recovery_code = Table(
    "recovery_code",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("authenticator_id", Uuid, ForeignKey("authenticator.id", ondelete="CASCADE"), nullable=False),
    Column("used_at", Time),
    Index("ix_recovery_code_authenticator_id", "authenticator_id"),
)

# One browser. Anonymous until a password was right; the token changes with every proof. `previous_hash` is of the token
# before, until the new one is used: a form that is sent twice still finds its way. Codes of an earlier `generation`
# than the session's are good for nothing.
session = Table(
    "session",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    account_id(nullable=True),
    Column("created_at", Time, nullable=False),
    Column("seen_at", Time, nullable=False),
    Column("ended_at", Time),
    Column("user_agent", Text, nullable=False, server_default=text("''")),
    Column("previous_hash", LargeBinary),
    Column("replaced_at", Time),
    Column("generation", Integer, nullable=False, server_default=text("0")),
    Index("ix_session_account_id", "account_id", postgresql_where=text("account_id IS NOT NULL")),
    Index("ix_session_seen_at", "seen_at"),
)

authentication_event = Table(
    "authentication_event",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("session_id", Uuid, ForeignKey("session.id", ondelete="CASCADE"), nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("factor", Text, nullable=False),
    Column("at", Time, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("interaction_id", Uuid),
    Column("authenticator_id", Uuid),
    Column("swap", Text),
    CheckConstraint("swap IN ('swapped', 'not_swapped', 'unknown')", name="swap"),
    _is_one_of(Factor),
    Index("ix_authentication_event_session_id", "session_id"),
)

# A paused authorization request. `consented` is the answer to the consent page, NULL until it was given.
interaction = Table(
    "interaction",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("session_id", Uuid, ForeignKey("session.id", ondelete="CASCADE"), nullable=False),
    Column("client_id", Text, nullable=False),
    Column("request", JSONB, nullable=False),
    Column("started_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("consented", Texts),
    Column("account_chosen", Boolean, nullable=False, server_default=text("false")),
    Column("finished_at", Time),
    Index("ix_interaction_session_id", "session_id"),
    Index("ix_interaction_expires_at", "expires_at"),
)

# One outstanding question per factor of an interaction. No code is stored: it is derived from `nonce` (design 6).
# `swap` is what was known of the SIM when the code was last sent. `address_places`: so many of `sends` took a place of
# the address that asked.
challenge = Table(
    "challenge",
    metadata,
    Column("interaction_id", Uuid, ForeignKey("interaction.id", ondelete="CASCADE"), primary_key=True),
    Column("factor", Text, primary_key=True),
    account_id(),
    Column("authenticator_id", Uuid),
    Column("purpose", Text, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("max_attempts", Integer, nullable=False),
    Column("sends", Integer, nullable=False, server_default=text("0")),
    Column("address_places", Integer, nullable=False, server_default=text("0")),
    Column("consumed_at", Time),
    Column("swap", Text),
    CheckConstraint("swap IN ('swapped', 'not_swapped', 'unknown')", name="swap"),
    Index("ix_challenge_phone", "authenticator_id", postgresql_where=text("factor = 'sms'")),
    CheckConstraint("attempts <= max_attempts", name="attempts"),
    _is_one_of(SECOND),
    # An e-mail address is no authenticator: a code that went there can pass for nobody's phone.
    CheckConstraint("factor <> 'email' OR authenticator_id IS NULL", name="email"),
    Index("ix_challenge_email", "account_id", postgresql_where=text("factor = 'email'")),
)
