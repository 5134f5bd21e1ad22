"""`idp user add --from`: everybody in a table, invited at once."""

import csv
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from idp.cli import output

if TYPE_CHECKING:
    from idp.errors import IdpError
    from idp.flows.operate.batches import Batch
    from idp.flows.operate.invitations import Invited

From = Annotated[
    Path | None,
    typer.Option("--from", metavar="FILE", help="A CSV table of people, each invited; - for standard input."),
]
Mail = Annotated[bool, typer.Option("--mail", help="With --from: mail each link to the address, which it proves.")]
Out = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="With --from: write the links to this new file, which nobody else may read."),
]
SkipWrong = Annotated[bool, typer.Option("--skip-wrong", help="With --from: leave wrong lines out.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="With --from: say what would be done, and add nobody.")]
LARGEST = 16 * 1024 * 1024
_COLUMNS = ("username", "link", "expires_at")


def add_from(table: Path, *, mail: bool, out: Path | None, skip_wrong: bool, dry_run: bool, as_json: bool) -> None:
    """Invite everybody in the table, and print what became of each line. Nobody is invited whose link is lost."""
    if mail and out is not None:
        raise typer.BadParameter("links are mailed, or written to a file", param_hint="'--out'")
    if str(out) == "-":
        raise typer.BadParameter("without it the links are on standard output", param_hint="'--out'")
    content = _content(table)
    from idp.flows.operate.batches import invite_many
    from idp.serving.place import run

    with ExitStack() as undo:

        def keep(invited: "Sequence[Invited]") -> None:
            if out is not None and invited:
                _write(out, invited)
                undo.callback(out.unlink)

        done = run(
            lambda idp: invite_many(idp, content, mail=mail, skip_wrong=skip_wrong, dry_run=dry_run, keep=keep),
            makes=not dry_run,
        )
        undo.pop_all()  # it is certain now: the file stays
    told = [
        f"Line {each.line}: {output.plain(each.username) + ': ' if each.username else ''}{each.why}"
        for each in done.wrong
    ]
    if done.wrong and not skip_wrong:
        nobody = "Nobody would be added" if dry_run else "Nobody was added"
        output.complain(told, as_json=as_json, heading=f"{nobody}. Mend these lines, or say --skip-wrong:")
        raise typer.Exit(1)
    links = {each.account.username: each for each in done.invited}
    fields = {
        "invited": [
            {"username": name, "expires_at": each.expires_at}
            | ({"link": each.address} if each.address is not None and out is None else {})
            for name, each in links.items()
        ],
        "there": done.there,
        "waiting": done.waiting,
        "wrong": [{"line": each.line, "username": each.username, "why": each.why} for each in done.wrong],
        "warnings": _warnings(done),
        "mailed": mail,
        "dry_run": dry_run,
        "out": None if out is None else str(out),
    }
    output.show(fields, [*_lines(done, mail=mail, out=out, dry_run=dry_run), *told], as_json=as_json)


def _content(table: Path) -> bytes:
    if str(table) == "-":
        content = sys.stdin.buffer.read(LARGEST + 1)
    else:
        with table.open("rb") as opened:
            content = opened.read(LARGEST + 1)
    if len(content) > LARGEST:
        from idp.errors import IdpError

        raise IdpError(f"The table is larger than {LARGEST >> 20} MiB: add people from several.")
    return content


def _write(out: Path, invited: "Sequence[Invited]") -> None:
    """All of the links, on the disk, in a file that was not there before. Raises `IdpError`."""
    from idp.errors import IdpError

    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise IdpError(
            f"{out} is there already, and may hold links that work: name another file. Whoever it was written for, and"
            " is there, stays as they are."
        ) from None
    except OSError as error:
        raise _refused(out, error) from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(_COLUMNS)
            rows.writerows((each.account.username, each.address, each.expires_at.isoformat()) for each in invited)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        out.unlink(missing_ok=True)
        raise _refused(out, error) from None


def _refused(out: Path, error: OSError) -> "IdpError":
    """Not what the database would raise, in whose transaction the file is written."""
    from idp.errors import IdpError

    return IdpError(f"The system refused {out}: {error.strerror}. Nobody was invited.")


def _lines(done: "Batch", *, mail: bool, out: Path | None, dry_run: bool) -> list[str]:
    count = len(done.invited)
    people = f"{count} {'person' if count == 1 else 'people'}"
    lines = [f"Would invite {people}." if dry_run else f"Invited {people}."]
    if done.invited and not dry_run:
        until = output.when(done.invited[0].expires_at)
        if mail:
            lines.append(f"The invitations are on their way, and work until {until}.")
        elif out is not None:
            lines.append(f"The links are in {out}, and work until {until}: give each to nobody else.")
        else:
            rows = [(each.account.username, each.address) for each in done.invited]
            lines += [
                output.table(("USERNAME", "LINK"), rows),
                f"Each works once, until {until}: give it to nobody else.",
            ]
    if done.there:
        lines.append(f"There already, and as they were: {', '.join(done.there)}.")
    if done.waiting:
        lines.append(
            f"Of these have set no password yet: {', '.join(done.waiting)}. Whoever has no link that works gets another"
            " with `idp user invite NAME`."
        )
    return [*lines, *_warnings(done)]


def _warnings(done: "Batch") -> list[str]:
    return [f"No code will be sent to the phones of {', '.join(names)}: {why}." for why, names in done.closed.items()]
