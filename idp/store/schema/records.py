"""What is kept beside: messages to send and what became of them, limits, the audit trail."""

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

# The outbox. A row says what to send, never the text: a code is derived when it leaves. It goes to a phone, or to the
# account's e-mail address. A waiting row may be claimed from `lease_until` on; a fresh one at once. A notice may be
# `about` an authenticator, whose hold begins when a provider took it.
message = Table(
    "message",
    metadata,
    Column("id", Uuid, primary_key=True),
    account_id(),
    Column("channel", Text, nullable=False, server_default=text("'sms'")),
    Column("authenticator_id", Uuid, ForeignKey("authenticator.id", ondelete="CASCADE")),
    Column("region", Text),
    Column("interaction_id", Uuid),
    Column("about", Uuid),
    Column("kind", Text, nullable=False),
    Column("nonce", LargeBinary),
    Column("key_id", Text),
    Column("purpose", Text),
    Column("fields", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("locale", Text),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'waiting'")),
    Column("denied_by", Text),
    Column("swap", Text),
    Column("lease_until", Time, server_default=text("'-infinity'::timestamp with time zone")),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    CheckConstraint("state IN ('waiting', 'sent', 'failed', 'expired', 'denied')", name="state"),
    CheckConstraint("(state = 'denied') = (denied_by IS NOT NULL)", name="denied_by"),
    CheckConstraint("swap IN ('swapped', 'not_swapped', 'unknown')", name="swap"),
    CheckConstraint("channel IN ('sms', 'email')", name="channel"),
    CheckConstraint("channel = 'email' OR authenticator_id IS NOT NULL", name="phone"),
    Index("ix_message_waiting", "lease_until", "created_at", postgresql_where=text("state = 'waiting'")),
    Index("ix_message_interaction_id", "interaction_id", postgresql_where=text("interaction_id IS NOT NULL")),
    Index("ix_message_account_id", "account_id", "created_at"),
    Index("ix_message_expires_at", "expires_at"),
)

# One call of a provider, written before it is made. `delivery` is what receipts tell; it only moves forward.
message_attempt = Table(
    "message_attempt",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("message_id", Uuid, ForeignKey("message.id", ondelete="CASCADE"), nullable=False),
    Column("gateway", Text, nullable=False),
    Column("region", Text, nullable=False, server_default=text("'ZZ'")),
    Column("started_at", Time, nullable=False),
    Column("finished_at", Time),
    Column("outcome", Text),
    Column("reason", Text),
    Column("provider_code", Text),
    Column("provider_id", Text),
    Column("segments", Integer),
    Column("cost", Text),
    Column("currency", Text),
    Column("delivery", Text),
    Column("delivery_reason", Text),
    Column("delivery_code", Text),
    Column("delivery_at", Time),
    CheckConstraint(
        "delivery IN ('unknown', 'queued', 'sent', 'delivered', 'undelivered', 'expired')", name="delivery"
    ),
    Index("ix_message_attempt_message_id", "message_id"),
    Index("ix_message_attempt_gateway", "gateway", "region", "started_at"),
)

# A gateway that fails in a region is left alone until `open_until`; then one sender tries it. Region `*` is everywhere.
gateway_breaker = Table(
    "gateway_breaker",
    metadata,
    Column("gateway", Text, primary_key=True),
    Column("region", Text, primary_key=True),
    Column("open_until", Time),
    Column("probe_until", Time),
    Column("closed_at", Time),
    Index("ix_gateway_breaker_open", "open_until", postgresql_where=text("open_until IS NOT NULL")),
)

# Numbers that no message may go to, by a keyed hash: a dump does not tell whose they are.
suppressed_number = Table(
    "suppressed_number",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("at", Time, nullable=False),
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
