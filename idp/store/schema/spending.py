"""What the spending rules count: in buckets, so that a million messages cost as much to judge as ten."""

import sqlalchemy as sa

from idp.store.schema.base import Time, has, table

_PERIODS = ("hour", "day", "month")
_ZERO = sa.text("0")
_UNSETTLED = sa.text("((verified_at IS NOT NULL) AND (NOT settled))")

# A phone that was texted before anybody verified it, for a day. `number` is a keyed hash; `verified_at` is set by the
# statement that verifies, and added to its region's bucket (`settled`) by whoever sweeps next.
spending_number = table(
    "spending_number",
    sa.Column("authenticator_id", sa.Uuid, primary_key=True),
    sa.Column("number", sa.LargeBinary, nullable=False),
    sa.Column("region", sa.Text, nullable=False),
    *has(Time, "hour", "at"),
    sa.Column("sends", sa.Integer, nullable=False),
    sa.Column("verified_at", Time),
    sa.Column("settled", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.Index("ix_spending_number_number", "number"),
    sa.Index("ix_spending_number_at", "at"),
    sa.Index("ix_spending_number_unsettled", "region", postgresql_where=_UNSETTLED),
)

# A block of numbers, by keyed hash, and the never-verified ones that were texted lately.
spending_block = table(
    "spending_block",
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("numbers", sa.ARRAY(sa.LargeBinary), nullable=False),
    sa.Column("times", sa.ARRAY(Time), nullable=False),
    sa.Column("closed_until", Time),
    sa.Column("expires_at", Time, nullable=False),
    sa.Index("ix_spending_block_expires_at", "expires_at"),
)

# Codes to never-verified numbers: one row for each region and hour.
spending_region = table(
    "spending_region",
    sa.Column("region", sa.Text, primary_key=True),
    sa.Column("hour", Time, primary_key=True),
    sa.Column("sends", sa.Integer, nullable=False, server_default=_ZERO),
    sa.Column("verified", sa.Integer, nullable=False, server_default=_ZERO),
    sa.Index("ix_spending_region_hour", "hour"),
)

# A region that is closed to never-verified numbers for a while; what was sent before it closed counts no more.
spending_closed = table(
    "spending_closed",
    sa.Column("region", sa.Text, primary_key=True),
    *has(Time, "closed_at", "closed_until"),
    sa.Index("ix_spending_closed_closed_until", "closed_until"),
)

# One row: what was spent in this hour, day and month, and which alarms were given (0 none, 1 near, 2 used up, 3 stop).
spending_money = table(
    "spending_money",
    sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
    *has(Time, *(f"{period}_at" for period in _PERIODS)),
    *has(sa.Numeric, *(f"{period}_spent" for period in _PERIODS)),
    *(sa.Column(f"{period}_told", sa.SmallInteger, nullable=False, server_default=_ZERO) for period in _PERIODS),
    sa.CheckConstraint("id = 1", name="one"),
)

# What rules denied, or would have denied, by the hour.
spending_denied = table(
    "spending_denied",
    sa.Column("hour", Time, primary_key=True),
    sa.Column("rule", sa.Text, primary_key=True),
    sa.Column("mode", sa.Text, primary_key=True),
    sa.Column("region", sa.Text, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
)
