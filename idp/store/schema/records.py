"""What is kept beside: messages to send and what became of them, limits, the audit trail."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from idp.store.schema.base import EMPTY_OBJECT, Time, account_id, has, may_have, table

# The outbox. A row says what to send, never the text: a code is derived when it leaves. It goes to a phone, or to the
# account's e-mail address, or to the one that is `sealed_to` it. A waiting row may be claimed from `lease_until` on; a
# fresh one at once. A notice may be `about` an authenticator, whose hold begins when a provider took it.
message = table(
    "message",
    sa.Column("id", sa.Uuid, primary_key=True),
    account_id(),
    sa.Column("channel", sa.Text, nullable=False, server_default=sa.text("'sms'")),
    sa.Column("authenticator_id", sa.Uuid, sa.ForeignKey("authenticator.id", ondelete="CASCADE")),
    *may_have(sa.Text, "region", "key_id", "purpose"),
    *may_have(sa.Uuid, "interaction_id", "about"),
    sa.Column("kind", sa.Text, nullable=False),
    *may_have(sa.LargeBinary, "nonce", "sealed_to"),
    sa.Column("fields", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    sa.Column("locale", sa.Text),
    *has(Time, "created_at", "expires_at"),
    sa.Column("state", sa.Text, nullable=False, server_default=sa.text("'waiting'")),
    *may_have(sa.Text, "denied_by", "swap"),
    sa.Column("former", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.Column("lease_until", Time, server_default=sa.text("'-infinity'::timestamp with time zone")),
    sa.Column("tries", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.CheckConstraint("state IN ('waiting', 'sent', 'failed', 'expired', 'denied')", name="state"),
    sa.CheckConstraint("(state = 'denied') = (denied_by IS NOT NULL)", name="denied_by"),
    sa.CheckConstraint("swap IN ('swapped', 'not_swapped', 'unknown')", name="swap"),
    sa.CheckConstraint("channel IN ('sms', 'email')", name="channel"),
    sa.CheckConstraint("channel = 'email' OR authenticator_id IS NOT NULL", name="phone"),
    sa.Index("ix_message_waiting", "lease_until", "created_at", postgresql_where=sa.text("state = 'waiting'")),
    sa.Index("ix_message_interaction_id", "interaction_id", postgresql_where=sa.text("interaction_id IS NOT NULL")),
    sa.Index("ix_message_account_id", "account_id", "created_at"),
    sa.Index("ix_message_expires_at", "expires_at"),
)

# One call of a provider, written before it is made. `delivery` is what receipts tell; it only moves forward.
message_attempt = table(
    "message_attempt",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("message_id", sa.Uuid, sa.ForeignKey("message.id", ondelete="CASCADE"), nullable=False),
    sa.Column("gateway", sa.Text, nullable=False),
    sa.Column("region", sa.Text, nullable=False, server_default=sa.text("'ZZ'")),
    sa.Column("started_at", Time, nullable=False),
    *may_have(Time, "finished_at", "delivery_at"),
    *may_have(sa.Text, "outcome", "reason", "provider_code", "provider_id", "cost", "currency"),
    *may_have(sa.Text, "delivery", "delivery_reason", "delivery_code"),
    sa.Column("segments", sa.Integer),
    sa.CheckConstraint(
        "delivery IN ('unknown', 'queued', 'sent', 'delivered', 'undelivered', 'expired')", name="delivery"
    ),
    sa.Index("ix_message_attempt_message_id", "message_id"),
    sa.Index("ix_message_attempt_gateway", "gateway", "region", "started_at"),
)

# A gateway that fails in a region is left alone until `open_until`; then one sender tries it. Region `*` is everywhere.
gateway_breaker = table(
    "gateway_breaker",
    sa.Column("gateway", sa.Text, primary_key=True),
    sa.Column("region", sa.Text, primary_key=True),
    *may_have(Time, "open_until", "probe_until", "closed_at"),
    sa.Index("ix_gateway_breaker_open", "open_until", postgresql_where=sa.text("open_until IS NOT NULL")),
)

# Numbers that no message may go to, by a keyed hash: a dump does not tell whose they are.
suppressed_number = table(
    "suppressed_number",
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", Time, nullable=False),
)

# One row per limit and subject (limits.py): failures or sends in a row, and the recent ones one by one.
rate_limit = table(
    "rate_limit",
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    *has(Time, "last_at", "expires_at"),
    sa.Column("hits", ARRAY(Time), nullable=False),
    sa.Index("ix_rate_limit_expires_at", "expires_at"),
)

# What was removed lately: `person:…` or `client:…` with the id.
removal = table(
    "removal",
    sa.Column("what", sa.Text, primary_key=True),
    sa.Column("times", sa.Integer, nullable=False, server_default=sa.text("1")),
    sa.Column("at", Time, nullable=False),
    sa.Index("ix_removal_at", "at"),
)

audit_event = table(
    "audit_event",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("at", Time, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("account_id", sa.Uuid),
    sa.Column("client_id", sa.Text),
    sa.Column("fields", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    sa.Index("ix_audit_event_account_id", "account_id", "at", postgresql_where=sa.text("account_id IS NOT NULL")),
    sa.Index("ix_audit_event_at", "at"),
)
