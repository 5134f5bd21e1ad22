"""`idp user …`: people and what they prove themselves with."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from idp.cli import authenticators, batches, editing, groups, invitations, leaving, listing, output, recovering, resets
from idp.cli.people import Name, account_json, person_json, person_lines

if TYPE_CHECKING:
    from idp.flows.idp import Idp
    from idp.flows.operate.finding import Person
    from idp.model import Authenticator

app = typer.Typer(
    help="People: add, show, lock out, and give them authenticators.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


def _password(from_stdin: bool) -> str:
    """The password, never from the command line, where everybody on the machine could read it."""
    if from_stdin:
        return output.from_stdin()
    if not sys.stdin.isatty():
        raise typer.BadParameter(
            "there is no terminal to ask for it in: say --password-stdin, and give it on standard input",
            param_hint="password",
        )
    return output.ask_secret("Password")


@app.command(
    "add",
    epilog=(
        "\b\nExamples:\n"
        "  idp user add ada --phone +37251234567 --name 'Ada Lovelace' --email ada@example.com\n"
        '  echo "$PASSWORD" | idp user add bob --phone +37251234568 --group treasury --password-stdin\n'
        "  idp user add --from people.csv --dry-run\n"
        "  idp user add --from people.csv --out links.csv      each gets an invitation; --mail sends them"
    ),
)
def add(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The username.", show_default=False)] = None,
    *,
    phone: Annotated[
        str | None, typer.Option(metavar="PHONE", help="Mobile number with country code; gets the codes.")
    ] = None,
    no_phone: Annotated[
        bool, typer.Option("--no-phone", help="No phone: give them an app with `idp user totp`.")
    ] = False,
    full_name: Annotated[str | None, typer.Option("--name", metavar="TEXT", help="Name as people write it.")] = None,
    email: Annotated[str | None, typer.Option(metavar="ADDRESS", help="E-mail address.")] = None,
    email_verified: Annotated[bool, typer.Option("--email-verified", help="You know that it is theirs.")] = False,
    group: Annotated[
        list[str] | None, typer.Option(metavar="GROUP", help="A group of the policy that they are in; may be repeated.")
    ] = None,
    locale: Annotated[
        str | None, typer.Option(metavar="LANGUAGE", help="Language of their messages, as in et.")
    ] = None,
    password_stdin: PasswordStdin = False,
    temporary: Annotated[bool, typer.Option("--temporary", help="They have to change the password at once.")] = False,
    table: batches.From = None,
    mail: batches.Mail = False,
    out: batches.Out = None,
    skip_wrong: batches.SkipWrong = False,
    dry_run: batches.DryRun = False,
    as_json: output.Json = False,
) -> None:
    """Add a person, with a password and a phone; or invite everybody in a table.

    The password is asked for in the terminal, or read from standard input with --password-stdin.

    The table is CSV. Its first line names the columns: username, and any of name, email, phone, groups, locale and
    standard claims. Each person gets an invitation, and chooses the password. With one wrong line nobody is added; who
    is there already is left as they are, so that it can be run again.
    """
    if table is not None:
        about = (name, phone, no_phone, full_name, email, email_verified, group, locale, password_stdin, temporary)
        if any(about):
            raise typer.BadParameter("the table says all of that, so nothing of it beside", param_hint="'--from'")
        batches.add_from(table, mail=mail, out=out, skip_wrong=skip_wrong, dry_run=dry_run, as_json=as_json)
        return
    if mail or out is not None or skip_wrong or dry_run:
        raise typer.BadParameter("--mail, --out, --skip-wrong and --dry-run go with --from", param_hint="'--from'")
    if name is None:
        raise typer.BadParameter("a username, or --from with a table of people", param_hint="NAME")
    if (phone is None) is not no_phone:
        said = "give a mobile number, or --no-phone" if phone is None else "a mobile number, or --no-phone, not both"
        raise typer.BadParameter(said, param_hint="'--phone'")
    from idp.flows.operate.people import add_user, check_new
    from idp.settings import read_settings

    check_new(username=name, phone=phone, email=email, region=read_settings(os.environ).sms_region)
    password = _password(password_stdin)
    from idp.flows.operate.spending import never_texted
    from idp.serving.place import run

    async def added(idp: "Idp") -> "tuple[Person, str | None]":
        person = await add_user(
            idp,
            username=name,
            password=password,
            phone=phone,
            name=full_name,
            email=email,
            email_verified=email_verified,
            groups=group or [],
            locale=locale,
            temporary=temporary,
        )
        return person, None if phone is None else never_texted(idp, phone)

    person, unreachable = run(added, makes=True)
    lines = [f"Added {person.account.username}."]
    if unreachable is not None:
        lines.append(unreachable)
    if phone is None and not person.by_mail:
        lines.append(f"They cannot sign in before `idp user totp {person.account.username}`.")
    output.show({**person_json(person), "warnings": [unreachable] if unreachable else []}, lines, as_json=as_json)


@app.command(
    "claims",
    epilog=(
        "\b\nExamples:\n"
        "  idp user claims ada given_name=Ada birthdate=1815-12-10\n"
        "  idp user claims ada address.locality=London address.country=GB\n"
        "  idp user claims ada nickname=      removes it"
    ),
)
def claims(
    name: Name,
    pairs: Annotated[
        list[str], typer.Argument(metavar="CLAIM=VALUE", help="A standard claim; an empty value removes it.")
    ],
    as_json: output.Json = False,
) -> None:
    """Say what is known about a person beyond name, e-mail and phone."""
    from idp.flows.operate.editing import set_claims
    from idp.serving.place import run

    person = run(lambda idp: set_claims(idp, name, pairs))
    known = {**account_json(person.account), "claims": dict(person.account.claims)}
    output.show(known, f"Changed {person.account.username}.", as_json=as_json)


@app.command(
    "email",
    epilog=(
        "\b\nExamples:\n"
        "  idp user email ada ada@example.com --verified\n"
        "  idp user email ada ada@example.com       the same address, no longer known to be theirs\n"
        "  idp user email ada --remove"
    ),
)
def email(
    name: Name,
    address: Annotated[str | None, typer.Argument(metavar="ADDRESS", help="The address.", show_default=False)] = None,
    verified: Annotated[bool, typer.Option("--verified", help="You know that it is theirs.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Forget the address.")] = False,
    as_json: output.Json = False,
) -> None:
    """Set a person's e-mail address. They are told, at the old one too.

    Codes that are on their way to the old one no longer work.
    """
    if remove == (address is not None):
        raise typer.BadParameter("an address, or --remove", param_hint="ADDRESS")
    from idp.flows.operate.editing import set_email
    from idp.serving.place import run

    person = run(lambda idp: set_email(idp, name, address, verified=verified))
    output.show(account_json(person.account), f"Changed {person.account.username}.", as_json=as_json)


@app.command("show", epilog="\b\nExamples:\n  idp user show ada\n  idp user show ada --json")
def show(
    name: Name,
    events: Annotated[int, typer.Option(min=0, max=1000, help="How many of the latest events to show.")] = 10,
    as_json: output.Json = False,
) -> None:
    """Show a person, their authenticators, and what happened lately."""
    from idp.flows.operate.finding import find_user, list_clients, out_of_reach
    from idp.serving.place import run

    async def found(idp: "Idp") -> "tuple[Person, Sequence[Authenticator], dict[str, str], list[str]]":
        person = await find_user(idp, name, events=events)
        clients = {client.id: client.name for client in await list_clients(idp)}
        return person, await out_of_reach(idp, person), clients, sorted(person.account.groups - set(idp.policy.groups))

    person, lost, clients, rowless = run(found)
    warnings = [
        f"No code reaches the phone {one.hint} ({str(one.id)[:8]}): by today's numbering plans it is no mobile number. "
        f"Give them another with `idp user phone {person.account.username} NUMBER --replace`."
        for one in lost
    ]
    warnings += [f"The group {group} has no row in the policy: it raises no floor for them." for group in rowless]
    happened = [
        {"at": at, "event": what, "client_id": client, "fields": fields} for at, what, client, fields in person.events
    ]
    lines = [*person_lines(person, clients), *warnings]
    output.show({**person_json(person), "events": happened, "warnings": warnings}, lines, as_json=as_json)


@app.command(
    "password",
    epilog="\b\nExamples:\n  idp user password ada\n  pass show ada | idp user password ada --password-stdin",
)
def password(name: Name, password_stdin: PasswordStdin = False, as_json: output.Json = False) -> None:
    """Set a person's password. Every browser has to sign in again, and their phones are told."""
    typed = _password(password_stdin)
    from idp.flows.operate.passwords import set_password
    from idp.serving.place import run

    run(lambda idp: set_password(idp, name, typed))
    output.show({"username": name, "changed": True}, f"{name} has a new password.", as_json=as_json)


@app.command("disable", epilog="\b\nExamples:\n  idp user disable ada")
def disable(name: Name, as_json: output.Json = False) -> None:
    """Keep a person out. Their sign-ins end at once, in every browser."""
    _set_disabled(name, disabled=True, as_json=as_json)


@app.command("enable", epilog="\b\nExamples:\n  idp user enable ada")
def enable(name: Name, as_json: output.Json = False) -> None:
    """Let a disabled person in again."""
    _set_disabled(name, disabled=False, as_json=as_json)


def _set_disabled(name: str, *, disabled: bool, as_json: bool) -> None:
    from idp.flows.operate.people import set_user_disabled
    from idp.serving.place import run

    run(lambda idp: set_user_disabled(idp, name, disabled=disabled))
    line = f"{name} cannot sign in any more." if disabled else f"{name} can sign in again."
    output.show({"username": name, "disabled": disabled}, line, as_json=as_json)


@app.command(
    "freeze",
    epilog="\b\nExamples:\n  idp user freeze ada      somebody else has her phone or her password",
)
def freeze(name: Name, as_json: output.Json = False) -> None:
    """Sign a person out everywhere and close what is sensitive until they have recovered the account.

    They can go on signing in, and are told on every channel. Nothing is deleted.
    """
    from idp.flows.operate.people import freeze_user
    from idp.serving.place import run

    new = run(lambda idp: freeze_user(idp, name))
    state = "is signed out everywhere" if new else "was frozen already, and is signed out everywhere"
    line = f"{name} {state}. Nothing sensitive opens until the account is recovered (`idp user recover {name}`)."
    output.show({"username": name, "frozen": True, "new": new}, line, as_json=as_json)


@app.command("unlock", epilog="\b\nExamples:\n  idp user unlock ada")
def unlock(name: Name, as_json: output.Json = False) -> None:
    """End the waits after wrong passwords, wrong codes and too many messages, in every browser, and say which.

    What is counted for a network address alone stays: it ends by itself within an hour.
    """
    from idp.flows.operate.unlocking import unlock_user
    from idp.serving.place import run

    lifted = list(run(lambda idp: unlock_user(idp, name)))
    lines = [f"Nothing of {name} waits any more. Forgotten:", *(f"  {what}" for what in lifted)]
    if not lifted:
        lines = [f"Nothing of {name} had to wait."]
    lines.append("A network address that wrong passwords came from may still have to wait, 15 minutes at most.")
    output.show({"username": name, "lifted": lifted}, lines, as_json=as_json)


app.command("set", epilog=editing.SET_EXAMPLES)(editing.set_)
app.command("rename", epilog=editing.RENAME_EXAMPLES)(editing.rename)
app.command("remove", epilog=leaving.REMOVE_EXAMPLES)(leaving.remove)
app.command("sessions", epilog=leaving.SESSIONS_EXAMPLES)(leaving.sessions)
app.command("devices", epilog=leaving.DEVICES_EXAMPLES)(leaving.devices)
app.command("list", epilog=listing.EXAMPLES)(listing.list_)
app.command("reset", epilog=resets.EXAMPLES)(resets.reset)
app.command("recover", epilog=recovering.EXAMPLES)(recovering.recover)
app.command("invite", epilog=invitations.EXAMPLES)(invitations.invite)
app.command("groups", epilog=groups.EXAMPLES)(groups.groups)
app.command(
    "totp",
    epilog="\b\nExamples:\n  idp user totp ada\n  idp user totp ada --replace      the old phone is lost or stolen",
)(authenticators.totp)
app.command("phone", epilog="\b\nExamples:\n  idp user phone ada +37251234567 --replace")(authenticators.phone)
app.command("recovery", epilog="\b\nExamples:\n  idp user recovery ada")(authenticators.recovery)
app.command(
    "remove-authenticator",
    epilog="\b\nExamples:\n  idp user show ada      shows their ids\n  idp user remove-authenticator ada 1f0c9a52",
)(authenticators.remove_authenticator)
