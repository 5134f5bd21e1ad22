"""Where a server's Unix socket is. There is no TCP port that could be busy or reached from outside."""

import os
import shutil
import socket
import tempfile
from pathlib import Path

from idp.localpg.account import Account, can_enter
from idp.localpg.errors import LocalPostgresError

NAME = ".s.PGSQL.5432"


def directory_for(data_dir: Path, home: Path, account: Account | None) -> Path:
    """The cluster's own directory, or a private one below the temporary directory.

    The second where a socket cannot be there: a path over some 100 bytes, a file system without sockets, or characters
    that mean something in a URL with several hosts. DATA_DIR/postgres.socket remembers it, so that a killed server's is
    removed by the next. Beside the cluster is better: temporary directories can differ between two services.
    """
    remove(data_dir)
    if _takes_sockets(home):
        return home
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 - mkdtemp makes a private one
        try:
            made = Path(tempfile.mkdtemp(prefix="stile-", dir=parent))
        except OSError:
            continue
        if account is not None:
            os.chown(made, account.uid, account.gid)
        if _takes_sockets(made) and (account is None or can_enter(made, account)):
            (data_dir / "postgres.socket").symlink_to(made)
            return made
        made.rmdir()
    raise LocalPostgresError("There is no room for a Unix socket: set TMPDIR to a directory with a short path")


def _takes_sockets(directory: Path) -> bool:
    if set(str(directory)) & set(":,%'\"\\") or not str(directory).isprintable():
        return False
    probe = directory / ".s.PGSQL.0000"  # as long as the real one
    try:
        with socket.socket(socket.AF_UNIX) as test:
            test.bind(str(probe))
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True


def remove(data_dir: Path) -> None:
    """Remove the temporary directory that the last server of this data directory had, if it had one."""
    link = data_dir / "postgres.socket"
    if link.is_symlink():
        target = link.readlink()
        # Root may be run in somebody's directory: remove what his PostgreSQL could have made, wherever the link points.
        if target.name.startswith("stile-") and _same_owner(target, data_dir / "postgres"):
            shutil.rmtree(target, ignore_errors=True)
        link.unlink()


def _same_owner(one: Path, other: Path) -> bool:
    try:
        return one.lstat().st_uid == other.stat().st_uid
    except OSError:
        return False
