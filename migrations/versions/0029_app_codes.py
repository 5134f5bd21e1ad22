"""Apps that were enrolled in another system may show other codes than ours do."""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE authenticator ADD COLUMN algorithm TEXT")
    op.execute("ALTER TABLE authenticator ADD COLUMN digits SMALLINT")
    op.execute("ALTER TABLE authenticator ADD COLUMN period INTERVAL")
    op.execute(
        "ALTER TABLE authenticator ADD CONSTRAINT ck_authenticator_codes"
        " CHECK (num_nulls(algorithm, digits, period) IN (0, 3))"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE authenticator DROP CONSTRAINT ck_authenticator_codes")
    op.execute("ALTER TABLE authenticator DROP COLUMN period")
    op.execute("ALTER TABLE authenticator DROP COLUMN digits")
    op.execute("ALTER TABLE authenticator DROP COLUMN algorithm")
