"""The command `idp`: what an operator types. It parses, calls one function of `idp.flows.operate`, and prints.

Commands import what they need when they run, so that `idp --help` is there at once.
"""

import os
import sys
from typing import Annotated

import typer

from idp.cli import (
    audit,
    clients,
    completion,
    doctor,
    exporting,
    importing,
    keys,
    mail,
    migrate,
    output,
    policy,
    sms,
    users,
)
from idp.serving.loading import plainly

LAST_PORT = 65535

app = typer.Typer(
    name="idp",
    help=(
        "Stile: an OpenID provider that steps up.\n\n"
        "It signs people in to your applications with two factors, and asks for a stronger one when the action is"
        " sensitive. Settings come from IDP_* variables; without any, everything runs on this machine.\n\n"
        "\b\nTo begin:\n"
        "  idp demo                                  try everything on this machine\n"
        "  idp serve                                 run the provider, on http://localhost:8000\n"
        "  idp user add ada --phone +37251234567     add a person\n"
        "  idp client add Shop --redirect-uri http://localhost:3000/callback\n"
        "  idp doctor                                is everything all right?\n\n"
        "`idp COMMAND --help` shows examples. Every command takes --json: then there is exactly one JSON object, on"
        " standard output if it could be done (status 0), else with `error` and `problems` on standard error (status 1,"
        " or 2 for a wrong command line or wrong settings)."
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
app.add_typer(users.app, name="user")
app.add_typer(clients.app, name="client")
app.add_typer(keys.app, name="keys")
app.add_typer(policy.app, name="policy")
app.add_typer(sms.app, name="sms")
app.add_typer(mail.app, name="email")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"stile-idp {version('stile-idp')}")
        raise typer.Exit


@app.callback()
def _all_commands(
    show_version: Annotated[
        bool, typer.Option("--version", "-V", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command(
    "serve",
    epilog=(
        "\b\nExamples:\n  idp serve\n  idp serve --port 8080\n"
        "  idp serve --workers 4 --migrate      with IDP_ISSUER, IDP_DATABASE_URL and IDP_SECRET_KEYS set"
    ),
)
def _serve(
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on; 0.0.0.0 for all.  [default: a loopback issuer's, else 127.0.0.1]"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=LAST_PORT,
            help="Port to listen on; 0 for any free one.  [default: a loopback issuer's, else 8000]",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer requests.")] = 1,
    migrate_first: Annotated[bool, typer.Option("--migrate", help="Bring the database up to date before.")] = False,
    as_json: output.Json = False,
) -> None:
    """Run the provider until it is told to stop (Ctrl-C, SIGTERM).

    Without IDP_DATABASE_URL it runs a PostgreSQL of its own in IDP_DATA_DIR and keeps that up to date by itself.
    """
    from functools import partial

    from idp.serving import serve

    announce = partial(output.show, as_json=as_json)
    serve.run(host=host, port=port, workers=workers, migrate=migrate_first, announce=announce)


@app.command("demo", epilog="\b\nExamples:\n  idp demo\n  idp demo --port 9000")
def _demo(
    port: Annotated[int, typer.Option(min=1, help="The first of three ports in a row.")] = 8000,
    as_json: output.Json = False,
) -> None:
    """Try everything on this machine: the provider, a bank, a notebook, two people and an inbox for the codes.

    It has an embedded database of its own, beside that of `idp serve`, in ~/.local/share/stile-demo or IDP_DATA_DIR;
    what you do is kept.
    """
    if port > LAST_PORT - 2:
        wrong = f"must be at most {LAST_PORT - 2}, as the demo takes three ports in a row"
        raise typer.BadParameter(wrong, param_hint="'--port'")
    from importlib.util import find_spec

    from idp.errors import IdpError

    if find_spec("stile_rp") is None:
        raise IdpError("The demo's applications need the kit: make demo in a clone, or pip install 'stile-idp[demo]'.")
    from idp.cli import demo

    demo.run(port=port, as_json=as_json)


app.command("import", epilog=importing.EXAMPLES)(importing.import_)
app.command("export", epilog=exporting.EXAMPLES)(exporting.export)
app.command("audit", epilog=audit.EXAMPLES)(audit.audit)
app.command("completion", epilog=completion.EXAMPLES)(completion.completion)
app.command("migrate", epilog=migrate.EXAMPLES)(migrate.migrate)
app.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor)


def main(argv: list[str] | None = None) -> int:
    """Run one command. 0; 1 when it could not be done; 2 for a wrong command line or wrong settings; 130 for Ctrl-C."""
    arguments = sys.argv[1:] if argv is None else argv
    as_json = "--json" in arguments
    if completion.ASKED in os.environ:
        completion.answers()
    try:
        if not all(_is_text(each) for each in arguments):
            output.complain(["The command line holds bytes that are no UTF-8."], as_json=as_json)
            return 2
        with plainly():
            return _run(arguments, as_json=as_json)
    except BrokenPipeError:
        # Whoever read us has seen enough. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return output.INTERRUPTED


def _is_text(argument: str) -> bool:
    """Whether it was UTF-8: other bytes come as lone surrogates, which nothing can hash, store or print."""
    return not any("\ud800" <= character <= "\udfff" for character in argument)


def _run(arguments: list[str], *, as_json: bool) -> int:
    from idp.errors import IdpError, SettingsError, Unavailable

    try:
        ended = app(arguments, prog_name="idp", standalone_mode=False)
        # The status of an early exit; nothing of a command that ran through.
        return ended if isinstance(ended, int) else 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except typer.TyperException as error:
        # A wrong command line, of whose numbers typer would speak as to a programmer.
        error.message = output.plainly(error.message)
        show = getattr(error, "show", None)  # with the usage of the command, or its whole help
        if as_json or show is None:
            output.complain([" ".join(error.format_message().split())], as_json=as_json)
        else:
            show()
        return 2
    except SettingsError as error:
        heading = "Some settings are wrong:" if len(error.problems) > 1 else None
        output.complain(error.problems, as_json=as_json, heading=heading)
        return 2
    except Unavailable as error:
        output.complain([f"{error} `idp doctor` says what to look at."], as_json=as_json)
        return 1
    except IdpError as error:
        output.complain(error.problems, as_json=as_json)
        return 1
    except (BrokenPipeError, typer.Abort):
        raise
    except OSError as error:
        name = f" {error.filename}" if error.filename else ""
        output.complain([f"The system refused{name}: {error.strerror or type(error).__name__}."], as_json=as_json)
        return 1
    except Exception as error:  # noqa: BLE001 - the last resort: its text may hold a secret, its place does not
        from idp.errors import places

        where = " < ".join(reversed(places(error.__traceback__)[-3:]))
        output.complain([f"Stile broke ({type(error).__name__} at {where}): please report it."], as_json=as_json)
        return 1
