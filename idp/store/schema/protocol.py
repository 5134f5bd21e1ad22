"""Clients, what people allowed them, and what was issued; the keys that sign."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from idp.store.schema.base import EMPTY_OBJECT, EMPTY_TEXTS, Texts, Time, account_id, metadata

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
    Column("id_token_claims", Texts, nullable=False, server_default=EMPTY_TEXTS),
    Column("groups", Texts, nullable=False, server_default=EMPTY_TEXTS),
    Column("origins", Texts, nullable=False, server_default=EMPTY_TEXTS),
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
    account_id(nullable=True),
    Column("session_id", Uuid),
    Column("scopes", Texts, nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("acr", Text),
    Column("amr", Texts, nullable=False, server_default=EMPTY_TEXTS),
    Column("auth_time", Time),
    Column("strong_at", Time),
    Column("fresh_at", Time),
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

# Codes that are too long to travel. All others are nowhere but on their way.
parked_code = Table(
    "parked_code",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("expires_at", Time, nullable=False),
    Index("ix_parked_code_expires_at", "expires_at"),
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
    Index("ix_refresh_token_expires_at", "expires_at"),
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

secret_key = Table(
    "secret_key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("number", BigInteger, Identity(always=True), nullable=False),
)
