"""One running `postgres`: started as our child, ready, stopped, and never left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from idp.localpg import cluster, locks, sockets
from idp.localpg.account import Account, account_for, open_private, spawn
from idp.localpg.errors import LocalPostgresError

READY_WITHIN = timedelta(minutes=5)  # recovery after a crash counts; a process that dies is noticed at once
GONE_WITHIN = timedelta(seconds=30)
FAST_WITHIN = timedelta(seconds=5)  # a fast shutdown; then the immediate one (as in LAUNCH), then force
IMMEDIATE_WITHIN = timedelta(seconds=15)
LOG_KEPT = 1_000_000  # bytes; a longer log is set aside at the next start, over the one before
STARTED = "--- Stile starts PostgreSQL\n"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux keeps POSIX shared memory
SHARED_MEMORY_NEEDED = 32 * 2**20

SETTINGS = {
    **cluster.QUIET,
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": "5432",
    "max_connections": "60",
    "superuser_reserved_connections": "0",  # nobody can sign in as one
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "huge_pages": "off",
    "jit": "off",
    "max_worker_processes": "2",
    "max_parallel_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "max_logical_replication_workers": "0",
    "max_wal_senders": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_destination": "stderr",
    "restart_after_crash": "on",
}

# The shell becomes `postgres`, so that it is our own child. Before, it leaves a watcher behind that waits for the end
# of our pipe, which comes when we close it or die of anything at all. `$$` cannot have become somebody else's number by
# then: it also names the process group that the watcher is in. The watcher lets go of the lock; PostgreSQL keeps it.
# Fast shutdown first; it can hang if it meets the recovery after a crash of one backend (seen with 18.4), and the
# immediate one after it loses nothing that was committed.
LAUNCH = """
exec 3<&0 4>&1 </dev/null >&2
{ exec 4>&-; read -r _ <&3; kill -INT $$ && sleep 5 && kill -QUIT $$; } 2>/dev/null &
exec "$@" 3<&-
"""


class LocalPostgres:
    """A server that this process started. `stop` it, or use it as a context manager; it does not outlive us anyway.

    `url` is for asyncpg and SQLAlchemy and holds the password. `process` is ours to wait for.
    """

    def __init__(self, data_dir: Path, *, owner: int, grace: timedelta | None) -> None:
        """Start it and wait until it answers.

        The caller's `owner` lock is ours from here on; `grace` is how long `stop` waits for users (None: to their end).
        """
        self.data_dir = data_dir
        self._owner = owner
        self._grace = grace
        self._stopping = threading.Lock()
        self._stopped = False
        self._lifeline: int | None = None
        self._log: int | None = None
        try:
            account = account_for(data_dir)
            home, bin_dir = cluster.ensure(data_dir, account)
            self.process = self._launch(home, bin_dir, account)
            try:
                self.url = self._url_when_ready(home)
            except BaseException:
                self._shut_down()
                raise
        except BaseException:
            self._let_go()
            raise

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        return self.process.pid

    def wait(self) -> int:
        """Wait for its end, whoever caused it, and return the exit status (negative: a signal)."""
        return self.process.wait()

    def watch(self, callback: Callable[[int], None]) -> None:
        """Call back once, from another thread, with the exit status, if it ends without our `stop`."""

        def wait() -> None:
            status = self.process.wait()
            if not self._stopped:
                callback(status)

        threading.Thread(target=wait, name="localpg-watch", daemon=True).start()

    def stop(self) -> None:
        """End it and wait for its end: no new transactions, open ones rolled back, everything written. Idempotent."""
        with self._stopping:
            if self._stopped:
                return
            self._stopped = True
            users = None
            try:
                if self.process.poll() is None:
                    users = locks.take(self.data_dir / "postgres.users", within=self._grace)
            finally:
                self._shut_down()
                self._let_go()
                if users is not None:
                    os.close(users)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _launch(self, home: Path, bin_dir: Path, account: Account | None) -> subprocess.Popen[str]:
        lock = locks.take(home / "lock", within=GONE_WITHIN)
        if lock is None:
            raise LocalPostgresError(
                f"An earlier PostgreSQL{_of(home)} still runs on {self.data_dir}: wait for its end or stop it"
            )
        watched: int | None = None
        try:
            self._log = _open_log(self.data_dir / "postgres.log")
            _remove_stale_files(home)
            settings = SETTINGS | {
                "unix_socket_directories": str(sockets.directory_for(self.data_dir, home, account)),
                "dynamic_shared_memory_type": shared_memory(),
            }
            if cluster.version(home) == 18:
                settings["io_method"] = "sync"  # three processes fewer
            watched, self._lifeline = os.pipe()
            postgres: list[str | Path] = [bin_dir / "postgres", "-D", home / "data", *cluster.options(settings)]
            return spawn(
                ["/bin/sh", "-c", LAUNCH, "stile-postgres", *postgres],
                account,
                stdin=watched,
                stdout=lock,
                stderr=self._log,
            )
        finally:
            os.close(lock)
            if watched is not None:
                os.close(watched)

    def _url_when_ready(self, home: Path) -> str:
        deadline = time.monotonic() + READY_WITHIN.total_seconds()
        log = self.data_dir / "postgres.log"
        while self.process.poll() is None:
            # The number tells our start from a file that somebody left.
            if _postmaster(home)[:1] == [str(self.process.pid)] and (url := url_of(home)):
                return url
            if time.monotonic() > deadline:
                raise LocalPostgresError(
                    f"The database of {self.data_dir} is not ready after {READY_WITHIN}: see {log}"
                )
            time.sleep(locks.POLL.total_seconds())
        said = log.read_text(errors="replace")[-20_000:].rpartition(STARTED)[2]
        raise LocalPostgresError(f"The database of {self.data_dir} does not start ({cluster.reason(said)}): see {log}")

    def _shut_down(self) -> None:
        """Fast, then immediate (as a crash, from which it recovers), then by force."""
        for number, patience in ((signal.SIGINT, FAST_WITHIN), (signal.SIGQUIT, IMMEDIATE_WITHIN)):
            self.process.send_signal(number)
            try:
                self.process.wait(patience.total_seconds())
            except subprocess.TimeoutExpired:
                continue
            return
        self.process.kill()
        self.process.wait()

    def _let_go(self) -> None:
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
            sockets.remove(self.data_dir)
        if self._log is not None:
            os.close(self._log)
            self._log = None
        os.ftruncate(self._owner, 0)
        os.close(self._owner)


def url_of(home: Path) -> str | None:
    """The URL of the server that is ready on this cluster, or None. Proof that it lives is the lock, not the file."""
    if not locks.is_held(home / "lock"):
        return None
    status = _postmaster(home)
    if status[7:8] != ["ready"] or not (Path(status[4]) / sockets.NAME).is_socket():
        return None
    # The port is said, for a client would ask PGPORT before it takes the default.
    return f"postgresql://idp:{cluster.password(home)}@/idp?host={quote(status[4])}&port={status[3]}"


def shared_memory() -> str:
    """`mmap` (files of its own) where /dev/shm is missing, closed or small, as in many containers; else `posix`."""
    if not sys.platform.startswith("linux"):
        return "posix"
    try:
        room = os.statvfs(SHARED_MEMORY)
        open_to_all = SHARED_MEMORY.stat().st_mode & 0o007 == 0o007
    except OSError:
        return "mmap"
    return "posix" if open_to_all and room.f_bavail * room.f_frsize >= SHARED_MEMORY_NEEDED else "mmap"


def _postmaster(home: Path) -> list[str]:
    """The lines of postmaster.pid: 0 process, 1 directory, 2 start, 3 port, 4 socket directory, 7 status."""
    try:
        return [line.strip() for line in (home / "data" / "postmaster.pid").read_text().splitlines()]
    except FileNotFoundError:
        return []


def _of(home: Path) -> str:
    status = _postmaster(home)
    return f" (process {status[0]})" if status else ""


def _remove_stale_files(home: Path) -> None:
    """Remove what a killed server left. We hold its lock, so none of ours lives.

    PostgreSQL's own check asks whether the number in postmaster.pid is in use, and refuses to start where another
    process has got it since (in a container that is likely). An operator's own `postgres` is recognised by its working
    directory and left alone.
    """
    status = _postmaster(home)
    try:
        by_hand = bool(status) and Path(f"/proc/{int(status[0])}/cwd").samefile(home / "data")
    except (OSError, ValueError):
        by_hand = False
    if by_hand:
        raise LocalPostgresError(f"A PostgreSQL not started by Stile{_of(home)} runs on {home / 'data'}: stop it")
    for path in (home / "data" / "postmaster.pid", home / sockets.NAME, home / f"{sockets.NAME}.lock"):
        path.unlink(missing_ok=True)


def _open_log(path: Path) -> int:
    if path.exists() and path.stat().st_size > LOG_KEPT:
        path.replace(path.with_name(f"{path.name}.old"))
    fd = open_private(path, os.O_RDWR | os.O_APPEND)
    os.write(fd, STARTED.encode())
    return fd
