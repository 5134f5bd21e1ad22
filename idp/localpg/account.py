"""Who runs PostgreSQL, which refuses uid 0, and which files that account can reach."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from idp.localpg.errors import LocalPostgresError


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged account that root hands PostgreSQL to."""

    uid: int
    gid: int


def account_for(data_dir: Path) -> Account | None:
    """None for an ordinary user, who runs PostgreSQL as himself; for root, an account that is not root.

    In this order: the owner of the database that is there, the owner of the data directory (so an operator chooses an
    account with `chown`), else `nobody`. Not a number of our own: initdb needs an account with a name.
    """
    if os.geteuid() != 0:
        return None
    for path in (data_dir / "postgres", data_dir):
        if path.exists() and (owner := path.stat()).st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
    if (data_dir / "postgres" / "data").exists():
        raise LocalPostgresError(
            f"{data_dir / 'postgres'} belongs to root, as whom PostgreSQL does not run: "
            "give it to another account with chown -R"
        )
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise LocalPostgresError(
            f"PostgreSQL does not run as root and there is no account nobody: give {data_dir} to an ordinary account "
            "with chown, or set IDP_DATABASE_URL"
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid)


def spawn(
    argv: Sequence[str | Path],
    account: Account | None,
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.DEVNULL,
) -> subprocess.Popen[str]:
    """A child in its own session (Ctrl-C is ours to handle) that gets these three files of ours and nothing else.

    The environment is new: no secret of ours and no PG* variable reaches it.
    """
    passed = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    try:
        return subprocess.Popen(  # noqa: S603 - programs and arguments are ours
            argv,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={"LC_ALL": "C", "TZ": "UTC", **passed},
            cwd="/",
            text=True,
            start_new_session=True,
            umask=0o077,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except PermissionError as error:
        if account is None or error.filename == os.fspath(argv[0]):
            raise
        raise LocalPostgresError(
            "PostgreSQL does not run as root and this process may not change to another account: "
            "run Stile as an ordinary user, or set IDP_DATABASE_URL"
        ) from error


def can_enter(path: Path, account: Account) -> bool:
    """Whether the account may search this directory, or execute this file, and everything on the way to it."""
    with spawn(["/bin/sh", "-c", 'test -x "$0"', path], account) as shell:
        return shell.wait() == 0


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a file that only its owner reads, created if need be.

    What root creates belongs to whoever owns the directory, so that he is not locked out of it later.
    """
    try:
        fd = os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(fd, owner.st_uid, owner.st_gid)
    return fd
