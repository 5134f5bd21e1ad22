"""One database cluster on disk: where it is, and how it comes to be, whole or not at all.

`DATA_DIR/postgres` holds `data` (PostgreSQL's own directory), `password` (of the database role `idp`) and `lock` (held
by PostgreSQL while any process of it lives). When root runs Stile and the account that runs PostgreSQL cannot enter
the data directory (say, below root's home), `DATA_DIR/postgres` is a symbolic link to a directory below /var/lib/stile.
Permissions of directories that were there before us are never changed.
"""

import os
import pwd
import re
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

from idp.localpg import binaries
from idp.localpg.account import Account, can_enter, open_private, spawn
from idp.localpg.errors import LocalPostgresError

# No statement, parameter or row of a person's may reach the log (promise 7). Errors of single statements are the
# client's to report: their text can quote a value.
QUIET = {
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
    "log_autovacuum_min_duration": "-1",
}


def options(settings: dict[str, str]) -> list[str]:
    """Settings as arguments of `postgres`."""
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def version(home: Path) -> int | None:
    """The major version of PostgreSQL that made the cluster, or None if there is no cluster yet."""
    if home.is_symlink() and not home.exists():
        raise LocalPostgresError(
            f"{home} points to {home.readlink()}, which is gone: restore it, or remove the link to start empty"
        )
    if (home.parent / "PG_VERSION").exists():
        raise LocalPostgresError(
            f"{home.parent} is the data directory of another PostgreSQL: set IDP_DATA_DIR to a directory of its own"
        )
    try:
        return int((home / "data" / "PG_VERSION").read_text())
    except FileNotFoundError:
        if home.exists() and any(home.iterdir()):
            raise LocalPostgresError(
                f"{home} is not empty and holds no database of Stile: move it away, or set IDP_DATA_DIR to another "
                "directory"
            ) from None
        return None
    except ValueError:
        raise LocalPostgresError(
            f"{home / 'data'} is damaged (PG_VERSION holds no version): restore it from a backup, or move {home} away "
            "to start empty"
        ) from None


def ensure(data_dir: Path, account: Account | None) -> tuple[Path, Path]:
    """The home of the cluster, made if there is none, and the directory of the programs for it.

    Only the holder of the owner's lock may call this. It appears by one rename, so a crash leaves nothing but a
    `postgres.new-…` directory, which the next call removes.
    """
    home = data_dir / "postgres"
    for leftover in data_dir.glob("postgres.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    made_by = version(home)
    major, bin_dir = binaries.programs(made_by, account)
    if made_by is None:
        _make(home, major, bin_dir, account)
    return home.resolve(), bin_dir


def password(home: Path) -> str:
    """The password of the role `idp`."""
    return (home / "password").read_text().strip()


def _make(home: Path, major: int, bin_dir: Path, account: Account | None) -> None:
    uid = account.uid if account else os.geteuid()
    try:
        pwd.getpwuid(uid)
    except KeyError:
        raise LocalPostgresError(
            f"Account {uid} has no name, and initdb asks for one: run Stile as an account that is in /etc/passwd, "
            "or set IDP_DATABASE_URL"
        ) from None
    elsewhere = account is not None and not can_enter(home.parent, account)
    parent = binaries.reachable_state(account) if account and elsewhere else home.parent
    staging = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=parent))
    try:
        word = secrets.token_urlsafe(24)
        for name, text in (("password", word), ("superuser", secrets.token_urlsafe(24)), ("lock", "")):
            fd = open_private(staging / name, os.O_WRONLY)
            with os.fdopen(fd, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(fd)
            if account:
                os.chown(staging / name, account.uid, account.gid)
        if account:
            os.chown(staging, account.uid, account.gid)
        _initdb(staging, major, bin_dir, account, word)
        (staging / "superuser").unlink()
        if elsewhere:
            real = parent / f"database-{secrets.token_hex(8)}"
            staging.rename(real)
            if home.exists():
                home.rmdir()  # empty, or `version` had refused it
            home.symlink_to(real)
        else:
            staging.rename(home)
        _sync(parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _initdb(home: Path, major: int, bin_dir: Path, account: Account | None, word: str) -> None:
    """The role `idp` owns its database and is no superuser: an injected statement must not read files or run programs.

    Nobody knows the superuser's password; who owns the files can always get in with `postgres --single`.
    """
    # libc's collation order changes under a database when the system is upgraded; the builtin one does not.
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if major >= 17 else []
    _run(
        [
            bin_dir / "initdb",
            f"--pgdata={home / 'data'}",
            "--username=postgres",
            f"--pwfile={home / 'superuser'}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            *locale,
            "--data-checksums",
            "--no-instructions",
        ],
        account,
    )
    # With -j a statement ends at an empty line and is a transaction of its own, as CREATE DATABASE asks.
    alone: list[str | Path] = ["--single", "-j", "-D", home / "data", *options(QUIET | {"exit_on_error": "on"})]
    _run(
        [bin_dir / "postgres", *alone, "postgres"],
        account,
        f"CREATE ROLE idp LOGIN CREATEDB PASSWORD '{word}';\n\nCREATE DATABASE idp OWNER idp;\n\n",
    )


def _run(argv: list[str | Path], account: Account | None, text: str = "") -> None:
    with spawn(argv, account, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        _, errors = process.communicate(text)
    if process.returncode != 0:
        raise LocalPostgresError(f"No database could be made ({reason(errors)}): mend that, or set IDP_DATABASE_URL")


def reason(log: str) -> str:
    """Why PostgreSQL gave up, from the first line that says so."""
    said = re.search(r"(?:FATAL|PANIC|error):\s+(.+)", log)
    return said.group(1) if said else "PostgreSQL ended without saying why"


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
