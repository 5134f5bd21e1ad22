"""Clients, what people allowed them, and what was issued; the keys that sign."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from idp.store.schema.base import EMPTY_OBJECT, Texts, Time, account_id, has, lists, may_have, table

consent = table(
    "consent",
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("client_id", sa.Text, sa.ForeignKey("client.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("scopes", Texts, nullable=False),
    sa.Column("granted_at", Time, nullable=False),
)

client = table(
    "client",
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("auth_method", sa.Text, nullable=False),
    sa.Column("secret_hash", sa.LargeBinary),
    *lists("redirect_uris", "post_logout_redirect_uris", "grant_types", "scopes"),
    sa.Column("require_pkce", sa.Boolean, nullable=False, server_default=sa.text("true")),
    sa.Column("first_party", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.Column("native", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.Column("signing_alg", sa.Text, nullable=False, server_default=sa.text("'RS256'")),
    sa.Column("userinfo_alg", sa.Text),
    sa.Column("rotate_refresh", sa.Boolean, nullable=False, server_default=sa.text("true")),
    sa.Column("assertion_audience", sa.Text, nullable=False, server_default=sa.text("'any'")),
    sa.Column("jwks", JSONB),
    sa.Column("home_uri", sa.Text),
    *lists("audience", "id_token_claims", "groups", "origins", "details_types"),
    sa.Column("require_pushed", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.Column("level", sa.SmallInteger, nullable=False, server_default=sa.text("2")),
    sa.Column("logo", sa.Text),
    sa.Column("old_secret_hash", sa.LargeBinary),
    *may_have(Time, "old_secret_until", "old_secret_used_at"),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("disabled_at", Time),
    sa.CheckConstraint("level >= 2", name="two_factors"),
    sa.CheckConstraint("(old_secret_hash IS NULL) = (old_secret_until IS NULL)", name="old_secret"),
    sa.CheckConstraint("require_pkce OR auth_method <> 'none'", name="public_needs_pkce"),
)

# Pictures, which are too large for what every process keeps of its clients.
client_logo = table(
    "client_logo",
    sa.Column("client_id", sa.Text, sa.ForeignKey("client.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
)

# What was granted, and how that person was authenticated: the family of a code and its refresh tokens.
grant = table(
    "grant_",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("client_id", sa.Text, sa.ForeignKey("client.id", ondelete="CASCADE"), nullable=False),
    account_id(nullable=True),
    sa.Column("session_id", sa.Uuid),
    sa.Column("scopes", Texts, nullable=False),
    sa.Column("level", sa.SmallInteger, nullable=False),
    sa.Column("acr", sa.Text),
    *lists("amr"),
    *may_have(Time, "auth_time", "strong_at", "fresh_at"),
    sa.Column("claims", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    *has(Time, "created_at", "expires_at"),
    sa.Column("revoked_at", Time),
    # Promise 1: the database too refuses a person's grant below two factors.
    sa.CheckConstraint("account_id IS NULL OR (level >= 2 AND auth_time IS NOT NULL)", name="two_factors"),
    sa.Index("ix_grant__account_id", "account_id", postgresql_where=sa.text("account_id IS NOT NULL")),
    sa.Index("ix_grant__session_id", "session_id", postgresql_where=sa.text("session_id IS NOT NULL")),
    sa.Index("ix_grant__expires_at", "expires_at"),
)

# Authorization requests that clients pushed (RFC 9126). `use_by` becomes `expires_at` when a browser comes with one; it
# has one interaction, whose id the hash begins with.
pushed_request = table(
    "pushed_request",
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("client_id", sa.Text, sa.ForeignKey("client.id", ondelete="CASCADE"), nullable=False),
    sa.Column("request", JSONB, nullable=False),
    *has(Time, "use_by", "expires_at"),
    sa.Index("ix_pushed_request_expires_at", "expires_at"),
)

# What a person approved in the last 24 hours by rows of the policy that take less, amount by amount.
approved_sum = table(
    "approved_sum",
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("type", sa.Text, primary_key=True),
    sa.Column("currency", sa.Text, primary_key=True),
    sa.Column("amounts", ARRAY(sa.Numeric), nullable=False),
    sa.Column("times", ARRAY(Time), nullable=False),
    sa.Column("expires_at", Time, nullable=False),
    sa.Index("ix_approved_sum_expires_at", "expires_at"),
)

# Codes that are too long to travel. All others are nowhere but on their way.
parked_code = table(
    "parked_code",
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("expires_at", Time, nullable=False),
    sa.Index("ix_parked_code_expires_at", "expires_at"),
)

refresh_token = table(
    "refresh_token",
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("grant_id", sa.Uuid, sa.ForeignKey("grant_.id", ondelete="CASCADE"), nullable=False),
    *has(Time, "issued_at", "expires_at"),
    sa.Column("used_at", Time),
    sa.Column("successor", sa.LargeBinary),
    sa.Index("ix_refresh_token_grant_id", "grant_id"),
    sa.Index("ix_refresh_token_expires_at", "expires_at"),
)

client_assertion = table(
    "client_assertion",
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("expires_at", Time, nullable=False),
    sa.Index("ix_client_assertion_expires_at", "expires_at"),
)

api_request = table(
    "api_request",
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("asked", sa.LargeBinary, nullable=False),
    *has(Time, "begun_at", "expires_at"),
    sa.Column("status", sa.Integer),
    sa.Column("sealed", sa.LargeBinary),
    sa.Index("ix_api_request_expires_at", "expires_at"),
)

signing_key = table(
    "signing_key",
    sa.Column("id", sa.Text, primary_key=True),
    *has(sa.Text, "alg", "state"),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("retired_at", Time),
    sa.CheckConstraint("state IN ('next', 'current', 'retired')", name="state"),
    sa.Index("uq_signing_key_current", "alg", unique=True, postgresql_where=sa.text("state = 'current'")),
    sa.Index("uq_signing_key_next", "alg", unique=True, postgresql_where=sa.text("state = 'next'")),
)

secret_key = table(
    "secret_key",
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False),
)
