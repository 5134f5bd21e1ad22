"""`idp export`: everything, in lines of JSON that `idp import stile` reads."""

import fcntl
import glob
import json
import os
import secrets as random
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from idp.cli import output

if TYPE_CHECKING:
    from idp.flows.idp import Idp
    from idp.importing.envelope import Envelope

EXAMPLES = (
    "\b\nExamples:\n"
    "  idp export people.jsonl                     no hash, no seed\n"
    "  idp export everything.jsonl --with-secrets  sealed under a passphrase, which is asked for\n"
    "  idp export - | jq -c 'select(.person).person.username'\n"
)
SHORTEST = 12
_RANDOM = "[0-9a-f]" * 8


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet; - for standard output.")],
    *,
    with_secrets: Annotated[
        bool,
        typer.Option("--with-secrets", help="With password hashes, seeds and saved codes, sealed under a passphrase."),
    ] = False,
    in_clear: Annotated[
        bool, typer.Option("--in-clear", help="Do not seal them: whoever reads the file can sign in as everybody.")
    ] = False,
    passphrase_stdin: Annotated[
        bool, typer.Option("--passphrase-stdin", help="Read the passphrase from standard input.")
    ] = False,
    as_json: output.Json = False,
) -> None:
    """Give everything back: people, what they sign in with, clients and consents, one object a line.

    Phone numbers and e-mail addresses are in it, secrets only with --with-secrets. `idp import stile` brings it back.
    """
    if in_clear and not with_secrets:
        raise typer.BadParameter("it is about --with-secrets, which is not there", param_hint="'--in-clear'")
    if passphrase_stdin and (in_clear or not with_secrets):
        raise typer.BadParameter("a passphrase seals what --with-secrets gives", param_hint="'--passphrase-stdin'")
    if as_json and str(file) == "-":
        raise typer.BadParameter("standard output is the export: give a FILE", param_hint="'--json'")
    passphrase = _passphrase(passphrase_stdin) if with_secrets and not in_clear else None
    from idp.importing.envelope import Secrets, new
    from idp.serving.place import run

    kind = Secrets.NONE if not with_secrets else Secrets.CLEAR if in_clear else Secrets.SEALED
    way = new(kind, passphrase)
    with written(file) as to:
        end = run(lambda idp: _write(idp, way, to))
    fields = {"file": str(file), "secrets": kind.value, **end}
    if str(file) == "-":
        return
    people, clients = output.count(end["people"], "person", "people"), output.count(end["clients"], "client", "clients")
    lines = [f"Written to {file}: {people} and {clients}."]
    if end["unopened"]:
        lines.append(f"{end['unopened']} of their phones and apps do not open, and are not: `idp doctor` says why.")
    if kind is not Secrets.SEALED:
        lines.append("Nothing vouches for it: whoever can write to it decides who comes back, and into which groups.")
    if kind is Secrets.CLEAR:
        lines.append("Whoever reads it can sign in as everybody.")
    output.show(fields, lines, as_json=as_json)


async def _write(idp: "Idp", way: "Envelope", to: IO[str]) -> dict[str, Any]:
    from idp.flows.operate.exporting import export as lines

    last = ""
    async for last in lines(idp, way):
        to.write(f"{last}\n")
    end: dict[str, Any] = json.loads(last)["end"]
    return end


def _passphrase(from_stdin: bool) -> str:
    if not from_stdin and not sys.stdin.isatty():
        raise typer.BadParameter(
            "there is no terminal to ask for it in: say --passphrase-stdin, and give it on standard input",
            param_hint="passphrase",
        )
    typed = output.from_stdin() if from_stdin else output.ask_secret("Passphrase")
    if len(typed) < SHORTEST:
        raise typer.BadParameter(f"it has less than {SHORTEST} characters", param_hint="passphrase")
    return typed


@contextmanager
def written(file: Path) -> Iterator[IO[str]]:
    """All of the file or none, for its owner alone: written beside it, then linked, which replaces nothing."""
    if str(file) == "-":
        yield sys.stdout
        sys.stdout.flush()
        return
    if file.exists():
        raise typer.BadParameter(f"{file} is there already, and nothing is written over", param_hint="FILE")
    scratch, descriptor = _scratch(file)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as to:
            yield to
            to.flush()
            os.fsync(to.fileno())
            os.link(scratch, file)  # as long as the lock is held
    finally:
        with suppress(FileNotFoundError):
            scratch.unlink()


def _scratch(file: Path) -> tuple[Path, int]:
    """A hidden file beside it, held by a lock; those of exports that were killed go."""
    for left in file.parent.glob(f".{glob.escape(file.name)}.{_RANDOM}"):
        _clear(left)
    while True:
        scratch = file.with_name(f".{file.name}.{random.token_hex(4)}")
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return scratch, descriptor
        os.close(descriptor)  # another export took it for one that nobody holds


def _clear(left: Path) -> None:
    """Remove what an export left that was killed, and nothing that somebody writes to or that is another's."""
    with suppress(OSError):
        descriptor = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            about = os.fstat(descriptor)
            if stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid():
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
        finally:
            os.close(descriptor)
