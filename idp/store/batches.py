"""Batches for background work: so many rows at once, found by their index. What is done with them is the caller's."""

from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, func, literal_column

BATCH = 500


def among(key: ColumnElement[Any], those: Select[Any]) -> ColumnElement[bool]:
    """Whether `key` is one of a batch of `those`, which are locked; what others have locked is left out.

    Each is found by the index: joined with the batch, a large table would be read whole for every batch.
    """
    # Written out: PostgreSQL takes an unknown limit for a tenth of the table.
    batch = those.limit(literal_column(str(BATCH), Integer)).with_for_update(skip_locked=True)
    return key == func.any(func.array(batch.scalar_subquery()))
