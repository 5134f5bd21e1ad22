"""What the spending rules count."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE spending_number (
        authenticator_id UUID NOT NULL,
        number BYTEA NOT NULL,
        region TEXT NOT NULL,
        hour TIMESTAMP WITH TIME ZONE NOT NULL,
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        sends INTEGER NOT NULL,
        verified_at TIMESTAMP WITH TIME ZONE,
        settled BOOLEAN DEFAULT false NOT NULL,
        CONSTRAINT pk_spending_number PRIMARY KEY (authenticator_id)
    )
    """,
    "CREATE INDEX ix_spending_number_number ON spending_number (number)",
    "CREATE INDEX ix_spending_number_at ON spending_number (at)",
    """
    CREATE INDEX ix_spending_number_unsettled ON spending_number (region)
    WHERE ((verified_at IS NOT NULL) AND (NOT settled))
    """,
    """
    CREATE TABLE spending_block (
        key BYTEA NOT NULL,
        region TEXT NOT NULL,
        numbers BYTEA[] NOT NULL,
        times TIMESTAMP WITH TIME ZONE[] NOT NULL,
        closed_until TIMESTAMP WITH TIME ZONE,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_spending_block PRIMARY KEY (key)
    )
    """,
    "CREATE INDEX ix_spending_block_expires_at ON spending_block (expires_at)",
    """
    CREATE TABLE spending_region (
        region TEXT NOT NULL,
        hour TIMESTAMP WITH TIME ZONE NOT NULL,
        sends INTEGER DEFAULT 0 NOT NULL,
        verified INTEGER DEFAULT 0 NOT NULL,
        CONSTRAINT pk_spending_region PRIMARY KEY (region, hour)
    )
    """,
    "CREATE INDEX ix_spending_region_hour ON spending_region (hour)",
    """
    CREATE TABLE spending_closed (
        region TEXT NOT NULL,
        closed_at TIMESTAMP WITH TIME ZONE NOT NULL,
        closed_until TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_spending_closed PRIMARY KEY (region)
    )
    """,
    "CREATE INDEX ix_spending_closed_closed_until ON spending_closed (closed_until)",
    """
    CREATE TABLE spending_money (
        id SMALLINT NOT NULL,
        hour_at TIMESTAMP WITH TIME ZONE NOT NULL,
        hour_spent NUMERIC NOT NULL,
        hour_told SMALLINT DEFAULT 0 NOT NULL,
        day_at TIMESTAMP WITH TIME ZONE NOT NULL,
        day_spent NUMERIC NOT NULL,
        day_told SMALLINT DEFAULT 0 NOT NULL,
        month_at TIMESTAMP WITH TIME ZONE NOT NULL,
        month_spent NUMERIC NOT NULL,
        month_told SMALLINT DEFAULT 0 NOT NULL,
        CONSTRAINT pk_spending_money PRIMARY KEY (id),
        CONSTRAINT ck_spending_money_one CHECK (id = 1)
    )
    """,
    """
    CREATE TABLE spending_denied (
        hour TIMESTAMP WITH TIME ZONE NOT NULL,
        rule TEXT NOT NULL,
        mode TEXT NOT NULL,
        region TEXT NOT NULL,
        count INTEGER NOT NULL,
        CONSTRAINT pk_spending_denied PRIMARY KEY (hour, rule, mode, region)
    )
    """,
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    for name in ("denied", "money", "closed", "region", "block", "number"):
        op.execute(f"DROP TABLE spending_{name}")
