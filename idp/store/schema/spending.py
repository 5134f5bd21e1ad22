"""What the spending rules count: in buckets, so that a million messages cost as much to judge as ten."""

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from idp.store.schema.base import Time, metadata

_ZERO = text("0")

# A phone that was texted before anybody verified it, for a day. `number` is a keyed hash; `verified_at` is set by the
# statement that verifies, and added to its region's bucket (`settled`) by whoever sweeps next.
spending_number = Table(
    "spending_number",
    metadata,
    Column("authenticator_id", Uuid, primary_key=True),
    Column("number", LargeBinary, nullable=False),
    Column("region", Text, nullable=False),
    Column("hour", Time, nullable=False),
    Column("at", Time, nullable=False),
    Column("sends", Integer, nullable=False),
    Column("verified_at", Time),
    Column("settled", Boolean, nullable=False, server_default=text("false")),
    Index("ix_spending_number_number", "number"),
    Index("ix_spending_number_at", "at"),
    Index(
        "ix_spending_number_unsettled", "region", postgresql_where=text("((verified_at IS NOT NULL) AND (NOT settled))")
    ),
)

# A block of numbers, by keyed hash, and the never-verified ones that were texted lately.
spending_block = Table(
    "spending_block",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("region", Text, nullable=False),
    Column("numbers", ARRAY(LargeBinary), nullable=False),
    Column("times", ARRAY(Time), nullable=False),
    Column("closed_until", Time),
    Column("expires_at", Time, nullable=False),
    Index("ix_spending_block_expires_at", "expires_at"),
)

# Codes to never-verified numbers: one row for each region and hour.
spending_region = Table(
    "spending_region",
    metadata,
    Column("region", Text, primary_key=True),
    Column("hour", Time, primary_key=True),
    Column("sends", Integer, nullable=False, server_default=_ZERO),
    Column("verified", Integer, nullable=False, server_default=_ZERO),
    Index("ix_spending_region_hour", "hour"),
)

# A region that is closed to never-verified numbers for a while; what was sent before it closed counts no more.
spending_closed = Table(
    "spending_closed",
    metadata,
    Column("region", Text, primary_key=True),
    Column("closed_at", Time, nullable=False),
    Column("closed_until", Time, nullable=False),
    Index("ix_spending_closed_closed_until", "closed_until"),
)

# One row: what was spent in this hour, day and month, and which alarms were given (0 none, 1 near, 2 used up, 3 stop).
spending_money = Table(
    "spending_money",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    *(
        column
        for period in ("hour", "day", "month")
        for column in (
            Column(f"{period}_at", Time, nullable=False),
            Column(f"{period}_spent", Numeric, nullable=False),
            Column(f"{period}_told", SmallInteger, nullable=False, server_default=_ZERO),
        )
    ),
    CheckConstraint("id = 1", name="one"),
)

# What rules denied, or would have denied, by the hour.
spending_denied = Table(
    "spending_denied",
    metadata,
    Column("hour", Time, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("mode", Text, primary_key=True),
    Column("region", Text, primary_key=True),
    Column("count", Integer, nullable=False),
)
