"""What is kept beside: messages to send, limits, the audit trail."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from idp.store.schema.base import EMPTY_OBJECT, Time, account_id, metadata

# The outbox. A row says what to send, never the text: a code is derived when it leaves.
message = Table(
    "message",
    metadata,
    Column("id", Uuid, primary_key=True),
    account_id(),
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
