"""Which database a command uses and with which secret keys; opened, migrated where that is ours to do, and checked."""

import asyncio
import getpass
import logging
import os
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from idp import localpg
from idp.crypto import KeyChain, new_secret_key, parse_secret_keys, random_bytes
from idp.errors import IdpError
from idp.model import OPERATOR, SHELL
from idp.settings import Settings, read_settings
from idp.store import revision
from idp.store.engine import Database
from idp.store.tokens import keys

if TYPE_CHECKING:
    from idp.flows.idp import Idp

T = TypeVar("T")
KEY_FILE = "secret_keys"


@dataclass(frozen=True, slots=True)
class Place:
    """A reachable database that has the tables of this version, and the keys for what is sealed in it."""

    settings: Settings
    url: str = field(repr=False)
    secrets: KeyChain


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """The URL of the database for the time of one command: the one that is set, else the embedded one."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    with localpg.running(settings.data_dir) as url:
        yield url


async def prepare(settings: Settings, url: str, *, migrate: bool) -> Place:
    """Check the tables and get the keys. With `migrate`, and always for the embedded database, tables are made.

    Raises `IdpError` with the command to run where something is missing.
    """
    current, wanted = await revision.current(url), revision.WANTED
    if current != wanted:
        if not migrate and settings.database_url is not None:
            raise IdpError(_unmigrated(current, wanted))
        from idp.store import migrations

        await migrations.migrate(url)
    return Place(settings, url, await secret_keys(settings, url))


def _unmigrated(current: str | None, wanted: str) -> str:
    if current is None:
        return "The database has no tables of Stile yet: run `idp migrate`, or `idp serve --migrate`."
    if current > wanted:  # they are numbers of one length
        return f"The database has revision {current}, and this version of Stile knows {wanted}: install a newer one."
    return f"The database has revision {current} and this version of Stile needs {wanted}: run `idp migrate`."


async def secret_keys(settings: Settings, url: str) -> KeyChain:
    """The operator's keys, else those of the embedded mode, which are made when the database holds nothing sealed."""
    chain = settings.key_chain()
    if chain is not None:
        return chain
    path = settings.data_dir / KEY_FILE
    if not path.exists() and await _holds_keys(url) and not path.exists():
        raise IdpError(
            f"{path} is missing, and without it nothing sealed in this database opens: restore it from a backup."
        )
    return KeyChain(parse_secret_keys(read_or_make_keys(path))[0])


async def _holds_keys(url: str) -> bool:
    db = Database(url, size=2)
    await db.open()
    try:
        return bool(await keys.all_keys(db))
    finally:
        await db.close()


def read_or_make_keys(path: Path) -> str:
    """The contents of the key file, made once by exactly one process. Raises `IdpError` if others may read it."""
    if not path.exists():
        _make(path, new_secret_key(f"k{random_bytes(3).hex()}"))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise IdpError(f"{path} cannot be read ({error.strerror}): run Stile as the account that owns it.") from None
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
        about = os.fstat(file.fileno())
        if stat.S_IMODE(about.st_mode) & 0o077:
            raise IdpError(f"Other accounts may read {path}: run `chmod 600 {path}`, and think of its keys as known.")
        text = file.read(65_536)
    if problems := parse_secret_keys(text)[1]:
        raise IdpError(f"{path} cannot be used: {'; '.join(problems)}.")
    return text


def _make(path: Path, text: str) -> None:
    """All of the file or none: written beside it, forced to the disk, then linked, which only one process can do."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    scratch = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{text}\n")
            file.flush()
            if os.geteuid() == 0:
                owner = path.parent.stat()
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            os.fsync(file.fileno())
        try:
            os.link(scratch, path)
        except FileExistsError:
            return
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    finally:
        scratch.unlink()


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator["Idp"]:
    """The provider on that database, for one command."""
    from idp.flows.opening import open_idp
    from idp.flows.tokens.sealed_keys import ready

    async with open_idp(place.settings, url=place.url, secrets=place.secrets) as idp:
        if not await ready(idp):
            from idp.flows.tokens import keys

            await keys.read(idp)  # which makes what is missing
        yield idp


def account_name() -> str:
    """The account of this computer that a command runs as, for the audit trail; its number where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


class _Late(logging.Handler):
    """Prepares to write lines when there is one: it takes as long as the rest of a short command."""

    def emit(self, record: logging.LogRecord) -> None:
        """The first line, and with it all that follow."""
        _configure_lines()
        logging.getLogger(record.name).handle(record)


def _configure_lines() -> None:
    from idp import logs

    logs.configure(level="warning", form="text")


def run(work: Callable[["Idp"], Awaitable[T]], *, makes: bool = False) -> T:
    """Do one thing with the provider: settings are read, the database is found, checked and opened, and left again.

    Where the embedded database is to be used and there is none: with `makes` it is made, else `IdpError` says so.
    """
    settings = read_settings(os.environ)
    if "structlog" in sys.modules:
        _configure_lines()
    else:  # what was loaded for this command writes no lines of its own; a library may
        logging.getLogger().handlers[:] = [_Late()]
    if settings.database_url is None and not makes and not localpg.exists(settings.data_dir):
        raise IdpError(
            f"There is no database in {settings.data_dir}: set IDP_DATA_DIR to the directory that has one,"
            " or make one with `idp serve` or `idp migrate`."
        )

    async def command(url: str) -> T:
        place = await prepare(settings, url, migrate=False)
        async with opened(place) as idp:
            return await work(idp)

    asked = OPERATOR.set(replace(SHELL, name=f"shell:{account_name()}"))
    try:
        with database(settings) as url:
            return asyncio.run(command(url))
    finally:
        OPERATOR.reset(asked)
