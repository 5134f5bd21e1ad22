"""What all tables share: the metadata, the names of constraints, the types."""

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    MetaData,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

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


def account_id(*, nullable: bool = False) -> Column[object]:
    """The person a row belongs to, and goes with."""
    return Column("account_id", Uuid, ForeignKey("account.id", ondelete="CASCADE"), nullable=nullable)
