"""Bring the database to the schema this version knows, up or down, one process at a time."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from idp.errors import IdpError, Unavailable
from idp.store.connecting import connect

_LOCK = 0x5711_1E00  # any number, the same in every version: one migration at a time


class MigrationError(IdpError):
    """The database cannot be brought to the wanted revision; nothing was changed."""


class LosesEverything(MigrationError):
    """The way back would end before the first migration, with no table left; nothing was changed."""


def directory() -> Path:
    """Where the migrations are: inside the installed package, or in the checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(directory()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _engine(url: str) -> AsyncEngine:
    return create_async_engine(
        "postgresql+asyncpg://",
        poolclass=NullPool,
        hide_parameters=True,
        async_creator=lambda: connect(url, patience=10),
    )


async def migrate(url: str, *, to: str = "head", may_empty: bool = False) -> tuple[str | None, str | None]:
    """Migrate under an advisory lock, all in one transaction; the revisions before and after.

    `to` is a revision, `head`, `base`, or relative (`+1`, `-1`). Raises `Unavailable` or `MigrationError`, and
    `LosesEverything` when the way back is long enough to drop every table and `may_empty` does not say so.
    """

    def run(connection: Connection) -> tuple[str | None, str | None]:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        before = MigrationContext.configure(connection).get_current_revision()
        config = _config(connection)
        if before is not None and not _known(config, before):
            raise MigrationError(
                f"The database has revision {before}, which this version of Stile does not know: install a newer one."
            )
        if _is_down(config, before, to):
            command.downgrade(config, to)
        else:
            command.upgrade(config, to)
        after = MigrationContext.configure(connection).get_current_revision()
        if before is not None and after is None and not may_empty:
            raise LosesEverything("Nothing of Stile would be left in the database: say `--to base` to do that.")
        return before, after

    engine = _engine(url)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(run)
    except (OSError, TimeoutError) as error:
        raise Unavailable(f"The database cannot be reached ({_kind(error)}).") from None
    except SQLAlchemyError as error:
        raise MigrationError(f"The migration failed and was rolled back ({_kind(error)}).") from None
    finally:
        await engine.dispose()


def _kind(error: BaseException) -> str:
    original: Any = getattr(error, "orig", None)
    cause = getattr(original, "__cause__", None) or original or error
    return type(cause).__name__


def _known(config: Config, revision: str) -> bool:
    return revision in {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}


def _is_down(config: Config, before: str | None, to: str) -> bool:
    if to == "base" or to.startswith("-"):
        return True
    if to == "head" or to.startswith("+"):
        return False
    if not _known(config, to):
        raise MigrationError(f"There is no migration {to!r}.")
    if before is None:
        return False
    older = {script.revision for script in ScriptDirectory.from_config(config).iterate_revisions(before, "base")}
    return to in older and to != before
