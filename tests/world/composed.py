"""Statements of tests, composed in SQLAlchemy Core. Those of the product are text: `idp.store.sql`."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.sql import ClauseElement, Executable

_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves its constructor untyped


class Statement:
    """One Core expression, compiled when first used: `await conn.one(LOAD, hash=…)`.

    Values are bound by the names of its `bindparam`s; a missing name is a KeyError, one too many is not looked at.
    """

    __slots__ = ("_compiled", "_expression")

    def __init__(self, expression: Executable) -> None:
        self._expression = expression
        self._compiled: tuple[str, list[str], dict[str, Any]] | None = None

    def prepare(self, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """See `idp.store.sql.Runnable`."""
        if self._compiled is None:
            assert isinstance(self._expression, ClauseElement)
            compiled = self._expression.compile(dialect=_DIALECT)
            required = {bind.key for bind in compiled.binds.values() if bind.required}  # type: ignore[attr-defined]
            fixed = {name: value for name, value in compiled.params.items() if name not in required}
            self._compiled = str(compiled), list(compiled.positiontup or ()), fixed  # type: ignore[attr-defined]
        sql, names, fixed = self._compiled
        if fixed:
            return sql, [values[name] if name in values else fixed[name] for name in names]
        return sql, [values[name] for name in names]
