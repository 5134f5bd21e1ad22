"""`idp import`: people and clients from another system."""

import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal, get_args

import typer

from idp.cli import output
from idp.errors import IdpError

if TYPE_CHECKING:
    from idp.flows.idp import Idp
    from idp.flows.operate.arriving import Terms
    from idp.flows.operate.importing import Imported
    from idp.importing.incoming import Left

Source = Literal["keycloak", "auth0", "authentik", "kratos", "ldif", "csv", "stile"]
LARGEST = 2 * 1024**3
_LARGEST_INPUT = 256 * 1024**2  # of standard input, which is held: it may have secrets that no disk should have
_NAMED = 3
_SHOWN = 100
_UNVOUCHED = (
    "Nothing vouches for this file, as its secrets are not sealed: whoever could write to it decides who comes, and"
    " into which groups."
)
EXAMPLES = (
    "\b\nExamples:\n"
    "  idp import keycloak harbour-realm.json --dry-run      what would come over, and what not\n"
    "  idp import keycloak harbour-realm.json --group /Staff/Treasury=treasury --vouch-totp\n"
    "  cat users.json hashes.json | idp import auth0 -\n"
    "  ldapsearch -LLL -x … '(objectClass=*)' | idp import ldif - --phone-attribute mobile"
)


def import_(
    source: Annotated[
        Source, typer.Argument(metavar="SOURCE", help=f"Where it comes from: {', '.join(get_args(Source))}.")
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What that system exported; - for standard input.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Store nothing: say what would come over.")] = False,
    group: Annotated[
        list[str] | None,
        typer.Option(metavar="THEIRS=OURS", help="Their group and the one of the policy that it is; may be repeated."),
    ] = None,
    email_as_username: Annotated[
        bool, typer.Option("--email-as-username", help="They type their e-mail address to sign in, as they did there.")
    ] = False,
    vouch_totp: Annotated[
        bool, typer.Option("--vouch-totp", help="You know that each app is its owner's: none is on hold.")
    ] = False,
    vouch_phones: Annotated[
        bool, typer.Option("--vouch-phones", help="You know that a code came back from every number.")
    ] = False,
    phone_attribute: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where the number stands, if it has a name of its own.")
    ] = None,
    passphrase_stdin: Annotated[
        bool, typer.Option("--passphrase-stdin", help="Of an export of Stile: its passphrase is on standard input.")
    ] = False,
    as_json: output.Json = False,
) -> None:
    """Bring people and clients from another system, with the passwords and apps that they have.

    Who is there already, by username, is left as they are: run it again after whatever stopped it. Nobody is told
    anything but who has an app on hold.
    """
    groups = dict(_pair(each) for each in group or [])
    if passphrase_stdin and (source != "stile" or str(file) == "-"):
        raise typer.BadParameter("it is for a FILE of Stile's", param_hint="'--passphrase-stdin'")
    if source == "stile" and (groups or vouch_totp or vouch_phones or phone_attribute or email_as_username):
        raise typer.BadParameter("what Stile exported is brought back as it was, without other options")
    from idp.flows.operate.arriving import Terms
    from idp.importing.ldif import plain_dn

    if source == "ldif":
        groups = {plain_dn(theirs) if "=" in theirs else theirs: ours for theirs, ours in groups.items()}
    terms = Terms(source, groups, email_as_username=email_as_username, vouch_totp=vouch_totp, vouch_phones=vouch_phones)
    passphrase = None
    with _opened(file) as content:
        if source == "stile":
            passphrase = _passphrase(content, passphrase_stdin)
            done = _bring_back(content, terms, passphrase, dry_run=dry_run)
        else:
            done = _bring(content, terms, phone_attribute, dry_run=dry_run)
    fields = {
        "source": source,
        "dry_run": dry_run,
        "vouched_for": passphrase is not None,
        "people": done.people,
        "people_there": done.people_there,
        "clients": done.clients,
        "clients_there": done.clients_there,
        "groups": dict(done.groups),
        "roles": dict(done.roles),
        "on_hold": done.held,
        "left": [{"who": each.who, "what": each.what, "why": each.why} for each in done.left],
    }
    doubt = [_UNVOUCHED] if source == "stile" and passphrase is None else []
    output.show(fields, [*doubt, *_lines(done, dry_run=dry_run)], as_json=as_json)


def _bring(content: BinaryIO, terms: "Terms", phone_attribute: str | None, *, dry_run: bool) -> "Imported":
    from idp.flows.operate.importing import bring
    from idp.importing.pieces import Again
    from idp.importing.sources import READERS
    from idp.serving.place import run

    entries = Again(lambda: READERS[terms.source](content, phone_attribute=phone_attribute))
    return run(lambda idp: bring(idp, entries, terms, dry_run=dry_run), makes=not dry_run)


def _bring_back(content: BinaryIO, terms: "Terms", passphrase: str | None, *, dry_run: bool) -> "Imported":
    from idp.flows.operate.importing import bring
    from idp.importing import stile
    from idp.serving.place import run

    async def back(idp: "Idp") -> "Imported":
        rp_id, kept = stile.read(content, passphrase=passphrase, now=idp.clock.now())
        return await bring(idp, kept, terms, dry_run=dry_run, rp_id=rp_id)

    return run(back, makes=not dry_run)


def _passphrase(content: BinaryIO, from_stdin: bool) -> str | None:
    """What the secrets are sealed under, where they are."""
    if from_stdin:
        return output.from_stdin()
    if b'"secrets": "sealed"' in content.read(1000) and sys.stdin.isatty():
        return str(typer.prompt("Passphrase", hide_input=True, err=True))
    return None


def _pair(text: str) -> tuple[str, str]:
    # a name of a directory holds = too
    theirs, _, ours = text.rpartition("=")
    if not theirs or not ours:
        raise typer.BadParameter(f"{text!r} is not THEIRS=OURS, as in /Staff/Treasury=treasury", param_hint="'--group'")
    return theirs, ours


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """The file, which is read as it is needed."""
    if str(file) == "-":
        content = sys.stdin.buffer.read(_LARGEST_INPUT + 1)
        if len(content) > _LARGEST_INPUT:
            raise IdpError(f"Standard input has more than {_LARGEST_INPUT >> 20} MiB: give a FILE.")
        yield BytesIO(content)
        return
    with file.open("rb") as opened:
        if not S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise IdpError(f"{file} cannot be read twice, as a file can: give it on standard input, as -.")
        if opened.seek(0, os.SEEK_END) > LARGEST:
            most = f"The file is larger than {LARGEST >> 30} GiB"
            raise IdpError(f"{most}: export people in several files, and import each.")
        opened.seek(0)
        yield opened


def _lines(done: "Imported", *, dry_run: bool) -> list[str]:
    would = "would come" if dry_run else "came"
    people = output.count(len(done.people), "person", "people")
    lines = [f"{people} and {output.count(len(done.clients), 'client', 'clients')} {would}."]
    if there := len(done.people_there) + len(done.clients_there):
        lines.append(f"{there} were there already, and are as they were.")
    for group, count in done.groups:
        role = done.roles.get(group)
        lines.append(f"In the group {group}{f', which gives the role {role}' if role else ''}: {count}.")
    if done.held:
        what = output.count(done.held, "app or phone", "apps and phones")
        lines.append(f"{what} on hold, from when the owners were told: by e-mail or text message, in 15 minutes.")
    if done.left:
        lines += ["", "What does not come over, or is not as it was:"]
        together = _together(done.left)
        for (what, why), whose in together[:_SHOWN]:
            because = output.plain(why[0].upper() + why[1:].removesuffix("."))
            lines += [f"  {_who(whose)}: {output.plain(what)}", f"      {because}."]
        if len(together) > _SHOWN:
            lines.append(f"  And {len(together) - _SHOWN} more kinds: --json lists all.")
    return lines


def _together(left: "Sequence[Left]") -> "list[tuple[tuple[str, str], list[str]]]":
    """Whose, of each kind: of people, the most frequent first, and then client by client."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in left:
        found[each.what, each.why].append(each.who)
    parts: tuple[list[tuple[tuple[str, str], list[str]]], ...] = ([], [])
    for item in found.items():
        parts[item[1][0].startswith("client ")].append(item)
    return sorted(parts[0], key=lambda item: -len(item[1])) + sorted(parts[1], key=lambda item: item[1])


def _who(whose: Sequence[str]) -> str:
    shown = ", ".join(output.plain(each) for each in whose[:_NAMED] if each) or "the file"
    return shown if len(whose) <= _NAMED else f"{shown} and {len(whose) - _NAMED} more"
