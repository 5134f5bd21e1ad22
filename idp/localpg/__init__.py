"""The embedded PostgreSQL: one per data directory, a child of the process that needs it. Not for a database elsewhere.

    DATA_DIR/postgres/         the cluster, or a link to it (see `cluster`)
    DATA_DIR/postgres.log      what it says: starts, stops and crashes; no statement, parameter or row
    DATA_DIR/postgres.owner    lock: who runs the server, "serve PID" or "command PID"
    DATA_DIR/postgres.users    lock: shared by those who use a server they did not start

Who may do what is decided by locks alone, which the kernel drops when their holder dies; numbers of processes are only
for messages. There are three:

* `postgres.owner` is exclusive to the process that runs the server, from before the first look at the cluster until
  after the shutdown. Whoever cannot have it uses the owner's server (`running`) or is refused (`start`, when the owner
  is another `start`; a command is waited for).
* `postgres/lock` is inherited by PostgreSQL itself. While it is held some process of that server still lives, even if
  its owner was killed; once it is free postmaster.pid is a leftover, whatever lives under its number now.
* `postgres.users` is held shared by everybody who uses somebody else's server. A command that started one takes it
  exclusively before it stops the server: so it waits for the last user, and users that come in that moment wait for the
  end and start their own. `serve` waits only a few seconds: an operator who stops it means it.

The server ends with its owner, however that dies: a watcher waits for the end of a pipe that only the owner holds
(`server.LAUNCH`). A child forked without exec holds that pipe too; start workers with spawn.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from idp.localpg import cluster, locks
from idp.localpg.binaries import versions
from idp.localpg.errors import LocalPostgresError
from idp.localpg.server import LocalPostgres, url_of

__all__ = ["LocalPostgres", "LocalPostgresError", "attach", "available", "exists", "running", "start"]

COMMANDS_END_WITHIN = timedelta(seconds=10)
STARTS_WITHIN = timedelta(minutes=5)
SERVE_WAITS_FOR_USERS = timedelta(seconds=5)


def available() -> bool:
    """Whether the wheel with the binaries is installed."""
    return bool(versions())


def exists(data_dir: Path) -> bool:
    """Whether the directory holds a database, or somebody makes one there now. Raises LocalPostgresError."""
    with _in_one_sentence(data_dir):
        return cluster.version(data_dir.resolve() / "postgres") is not None or locks.is_held(
            data_dir / "postgres.owner"
        )


def start(data_dir: Path) -> LocalPostgres:
    """Run the server for `idp serve`, alone: made if need be, started, and ready. Raises LocalPostgresError.

    Another `start` on the directory is refused at once; a command that runs it is waited for, for ten seconds.
    """
    with _in_one_sentence(data_dir):
        return _serve(_prepare(data_dir))


def attach(data_dir: Path) -> str | None:
    """The URL of the server that a living process runs on this directory and that is ready, else None."""
    with _in_one_sentence(data_dir):
        # In this order: an owner that was killed has let go before PostgreSQL hears of it.
        return url_of(data_dir.resolve() / "postgres") if locks.is_held(data_dir / "postgres.owner") else None


@contextmanager
def running(data_dir: Path) -> Iterator[str]:
    """The URL of a server for the time of one command: the one that runs, else our own. Raises LocalPostgresError.

    It is there until the block ends, also when the command that started it ends first: that one waits for us.
    """
    with _in_one_sentence(data_dir):
        data_dir = _prepare(data_dir)
        used = _use(data_dir)
    if isinstance(used, LocalPostgres):
        with used:
            yield used.url
        return
    url, lock = used
    try:
        yield url
    finally:
        os.close(lock)


def _use(data_dir: Path) -> LocalPostgres | tuple[str, int]:
    """A server of our own, or the URL of another's with the lock that keeps it there."""
    deadline = time.monotonic() + STARTS_WITHIN.total_seconds()
    while True:
        users = locks.take(data_dir / "postgres.users", shared=True, within=STARTS_WITHIN)
        if users is not None:
            try:
                url = attach(data_dir)
            except BaseException:
                os.close(users)
                raise
            if url is not None:
                return url, users
            os.close(users)
        owner = locks.take(data_dir / "postgres.owner")
        if owner is not None:
            return _run(data_dir, owner, "command", grace=None)
        if time.monotonic() > deadline:
            raise LocalPostgresError(
                f"Another Stile has {data_dir}{_process(data_dir)} and does not get ready: stop it"
            )
        time.sleep(locks.POLL.total_seconds())


def _serve(data_dir: Path) -> LocalPostgres:
    deadline = time.monotonic() + COMMANDS_END_WITHIN.total_seconds()
    while (owner := locks.take(data_dir / "postgres.owner")) is None:
        role, process = _holder(data_dir)
        # A killed owner's name stays in the file until the next one writes its own.
        if role == "serve" and _lives(process):
            raise LocalPostgresError(
                f"Another Stile is running on {data_dir} (process {process}): "
                "stop it, or set IDP_DATA_DIR to another directory"
            )
        if time.monotonic() > deadline:
            raise LocalPostgresError(f"A command of Stile still uses {data_dir}{_process(data_dir)}: wait for its end")
        time.sleep(locks.POLL.total_seconds())
    return _run(data_dir, owner, "serve", grace=SERVE_WAITS_FOR_USERS)


def _run(data_dir: Path, owner: int, role: str, *, grace: timedelta | None) -> LocalPostgres:
    os.ftruncate(owner, 0)
    os.pwrite(owner, f"{role} {os.getpid()}\n".encode(), 0)
    return LocalPostgres(data_dir, owner=owner, grace=grace)


def _holder(data_dir: Path) -> tuple[str, int]:
    role, _, process = (data_dir / "postgres.owner").read_text().partition(" ")
    return role, int(process) if process.strip().isdigit() else 0


def _process(data_dir: Path) -> str:
    _, process = _holder(data_dir)
    return f" (process {process})" if process else ""


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    return process > 0


def _prepare(data_dir: Path) -> Path:
    """The directory, absolute, made if need be."""
    data_dir = data_dir.resolve()
    if not data_dir.exists():
        data_dir.mkdir(mode=0o700, parents=True)
        if os.geteuid() == 0:
            data_dir.chmod(0o711)  # the account that runs PostgreSQL passes through; the files in it stay private
    return data_dir


@contextmanager
def _in_one_sentence(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise LocalPostgresError(f"{data_dir} is not a directory: set IDP_DATA_DIR to one") from error
    except PermissionError as error:
        raise LocalPostgresError(
            f"This account may not use {error.filename or data_dir}: run Stile as the account that owns it, "
            "or set IDP_DATA_DIR to another directory"
        ) from error
    except OSError as error:
        raise LocalPostgresError(
            f"{data_dir} cannot hold the database ({error.strerror}): "
            "make room, or set IDP_DATA_DIR to another directory"
        ) from error
