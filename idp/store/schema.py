"""All tables. Promises that a database can keep are constraints here; the migrations create exactly this."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
Time = DateTime(timezone=True)
Texts = ARRAY(Text)
EMPTY_TEXTS = text("'{}'::text[]")
EMPTY_OBJECT = text("'{}'::jsonb")


def _account(*, nullable: bool = False) -> Column[object]:
    return Column("account_id", Uuid, ForeignKey("account.id", ondelete="CASCADE"), nullable=nullable)


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
# `confirmed_at` and belongs to `session_id` until `expires_at`.
authenticator = Table(
    "authenticator",
    metadata,
    Column("id", Uuid, primary_key=True),
    _account(),
    Column("factor", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("sealed", LargeBinary),
    Column("lookup", LargeBinary),
    Column("created_at", Time, nullable=False),
    Column("confirmed_at", Time),
    Column("expires_at", Time),
    Column("trusted_at", Time, nullable=False),
    Column("enrolled_in", Uuid),
    Column("session_id", Uuid),
    Column("last_step", BigInteger, nullable=False, server_default=text("0")),
    Column("last_used_at", Time),
    Column("closed_at", Time),
    CheckConstraint("factor IN ('sms', 'totp', 'recovery')", name="factor"),
    CheckConstraint("(confirmed_at IS NULL) = (expires_at IS NOT NULL)", name="pending"),
    Index("ix_authenticator_account_id", "account_id"),
    Index("ix_authenticator_lookup", "lookup", postgresql_where=text("lookup IS NOT NULL")),
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

# One browser. Anonymous until a password was right; the token changes with every proof.
session = Table(
    "session",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    _account(nullable=True),
    Column("created_at", Time, nullable=False),
    Column("seen_at", Time, nullable=False),
    Column("ended_at", Time),
    Column("user_agent", Text, nullable=False, server_default=text("''")),
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
    CheckConstraint("factor IN ('password', 'sms', 'totp', 'recovery')", name="factor"),
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
challenge = Table(
    "challenge",
    metadata,
    Column("interaction_id", Uuid, ForeignKey("interaction.id", ondelete="CASCADE"), primary_key=True),
    Column("factor", Text, primary_key=True),
    _account(),
    Column("authenticator_id", Uuid),
    Column("purpose", Text, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("max_attempts", Integer, nullable=False),
    Column("sends", Integer, nullable=False, server_default=text("0")),
    Column("consumed_at", Time),
    CheckConstraint("attempts <= max_attempts", name="attempts"),
)

# The outbox. A row says what to send, never the text: a code is derived when it leaves.
message = Table(
    "message",
    metadata,
    Column("id", Uuid, primary_key=True),
    _account(),
    Column("authenticator_id", Uuid, ForeignKey("authenticator.id", ondelete="CASCADE"), nullable=False),
    Column("interaction_id", Uuid),
    Column("kind", Text, nullable=False),
    Column("nonce", LargeBinary),
    Column("key_id", Text),
    Column("purpose", Text),
    Column("fields", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("locale", Text),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'waiting'")),
    Column("lease_until", Time),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    CheckConstraint("state IN ('waiting', 'sent', 'failed', 'expired')", name="state"),
    Index("ix_message_waiting", "created_at", postgresql_where=text("state = 'waiting'")),
    Index("ix_message_interaction_id", "interaction_id", postgresql_where=text("interaction_id IS NOT NULL")),
    Index("ix_message_expires_at", "expires_at"),
)

message_attempt = Table(
    "message_attempt",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("message_id", Uuid, ForeignKey("message.id", ondelete="CASCADE"), nullable=False),
    Column("gateway", Text, nullable=False),
    Column("started_at", Time, nullable=False),
    Column("finished_at", Time),
    Column("outcome", Text),
    Column("reason", Text),
    Column("provider_code", Text),
    Column("provider_id", Text),
    Column("segments", Integer),
    Column("cost", Text),
    Column("currency", Text),
    Index("ix_message_attempt_message_id", "message_id"),
)

consent = Table(
    "consent",
    metadata,
    Column("account_id", Uuid, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    Column("client_id", Text, ForeignKey("client.id", ondelete="CASCADE"), primary_key=True),
    Column("scopes", Texts, nullable=False),
    Column("granted_at", Time, nullable=False),
)

client = Table(
    "client",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("auth_method", Text, nullable=False),
    Column("secret_hash", LargeBinary),
    Column("redirect_uris", Texts, nullable=False, server_default=EMPTY_TEXTS),
    Column("post_logout_redirect_uris", Texts, nullable=False, server_default=EMPTY_TEXTS),
    Column("grant_types", Texts, nullable=False, server_default=EMPTY_TEXTS),
    Column("scopes", Texts, nullable=False, server_default=EMPTY_TEXTS),
    Column("require_pkce", Boolean, nullable=False, server_default=text("true")),
    Column("first_party", Boolean, nullable=False, server_default=text("false")),
    Column("native", Boolean, nullable=False, server_default=text("false")),
    Column("signing_alg", Text, nullable=False, server_default=text("'RS256'")),
    Column("userinfo_alg", Text),
    Column("rotate_refresh", Boolean, nullable=False, server_default=text("true")),
    Column("assertion_audience", Text, nullable=False, server_default=text("'any'")),
    Column("jwks", JSONB),
    Column("audience", Texts, nullable=False, server_default=EMPTY_TEXTS),
    Column("created_at", Time, nullable=False),
    Column("disabled_at", Time),
    CheckConstraint("require_pkce OR auth_method <> 'none'", name="public_needs_pkce"),
)

# What was granted, and how that person was authenticated: the family of a code and its refresh tokens.
grant = Table(
    "grant_",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("client_id", Text, ForeignKey("client.id", ondelete="CASCADE"), nullable=False),
    _account(nullable=True),
    Column("session_id", Uuid),
    Column("scopes", Texts, nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("acr", Text),
    Column("amr", Texts, nullable=False, server_default=EMPTY_TEXTS),
    Column("auth_time", Time),
    Column("strong_at", Time),
    Column("claims", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("revoked_at", Time),
    # Promise 1: the database too refuses a person's grant below two factors.
    CheckConstraint("account_id IS NULL OR (level >= 2 AND auth_time IS NOT NULL)", name="two_factors"),
    Index("ix_grant__account_id", "account_id", postgresql_where=text("account_id IS NOT NULL")),
    Index("ix_grant__session_id", "session_id", postgresql_where=text("session_id IS NOT NULL")),
    Index("ix_grant__expires_at", "expires_at"),
)

authorization_code = Table(
    "authorization_code",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("grant_id", Uuid, ForeignKey("grant_.id", ondelete="CASCADE"), nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("code_challenge", Text),
    Column("nonce", Text),
    Column("expires_at", Time, nullable=False),
    Column("used_at", Time),
    CheckConstraint("level >= 2", name="two_factors"),
    Index("ix_authorization_code_grant_id", "grant_id"),
)

refresh_token = Table(
    "refresh_token",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("grant_id", Uuid, ForeignKey("grant_.id", ondelete="CASCADE"), nullable=False),
    Column("issued_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("used_at", Time),
    Column("successor", LargeBinary),
    Index("ix_refresh_token_grant_id", "grant_id"),
)

client_assertion = Table(
    "client_assertion",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("expires_at", Time, nullable=False),
    Index("ix_client_assertion_expires_at", "expires_at"),
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("alg", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("retired_at", Time),
    CheckConstraint("state IN ('next', 'current', 'retired')", name="state"),
    Index("uq_signing_key_current", "alg", unique=True, postgresql_where=text("state = 'current'")),
    Index("uq_signing_key_next", "alg", unique=True, postgresql_where=text("state = 'next'")),
)

# One row per limit and subject (limits.py): failures or sends in a row, and the recent ones one by one.
rate_limit = Table(
    "rate_limit",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_at", Time, nullable=False),
    Column("hits", ARRAY(Time), nullable=False),
    Column("expires_at", Time, nullable=False),
    Index("ix_rate_limit_expires_at", "expires_at"),
)

audit_event = Table(
    "audit_event",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", Time, nullable=False),
    Column("name", Text, nullable=False),
    Column("account_id", Uuid),
    Column("client_id", Text),
    Column("fields", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Index("ix_audit_event_account_id", "account_id", "at", postgresql_where=text("account_id IS NOT NULL")),
    Index("ix_audit_event_at", "at"),
)
