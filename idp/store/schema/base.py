"""What all tables share: the metadata, the names of constraints, the types, and columns that come in numbers."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

Kind = type[TypeEngine[Any]] | TypeEngine[Any]  # what a column holds

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
Time = sa.DateTime(timezone=True)
Texts = ARRAY(sa.Text)
EMPTY_OBJECT = sa.text("'{}'::jsonb")


def table(name: str, *items: SchemaItem) -> sa.Table:
    """A table of ours."""
    return sa.Table(name, metadata, *items)


def account_id(*, nullable: bool = False) -> sa.Column[object]:
    """The person a row belongs to, and goes with."""
    return sa.Column("account_id", sa.Uuid, sa.ForeignKey("account.id", ondelete="CASCADE"), nullable=nullable)


def has(kind: Kind, *names: str) -> Iterator[sa.Column[object]]:
    """Columns of one type that every row has."""
    return (sa.Column(name, kind, nullable=False) for name in names)


def may_have(kind: Kind, *names: str) -> Iterator[sa.Column[object]]:
    """Columns of one type that are NULL where there is nothing to say."""
    return (sa.Column(name, kind) for name in names)


def lists(*names: str) -> Iterator[sa.Column[object]]:
    """Columns of texts; empty where nothing else is said."""
    return (sa.Column(name, Texts, nullable=False, server_default=sa.text("'{}'::text[]")) for name in names)
