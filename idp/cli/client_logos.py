"""`idp client logo`: the picture that people see where they sign in to an application."""

from pathlib import Path
from typing import Annotated

import typer

from idp.cli import client_options as options
from idp.cli import output

_ENOUGH = 200_000
EXAMPLES = "\b\nExamples:\n  idp client logo Shop shop.png\n  idp client logo Shop --remove"


def logo(
    client: options.Which,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="PNG, JPEG or WebP, 100 kB at most.", show_default=False)
    ] = None,
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Show none any more.")] = False,
    as_json: output.Json = False,
) -> None:
    """Show this picture where people sign in to the application and allow it something."""
    if (file is None) is not remove:
        raise typer.BadParameter("name a picture, or say --remove", param_hint="'FILE'")
    from idp.flows.operate.logos import set_logo
    from idp.serving.place import run

    content = None if file is None else _read(file)
    done = run(lambda idp: set_logo(idp, client, content))
    said = f"{done.name} has no logo any more." if content is None else f"{done.name} has a logo."
    output.show(options.fields_of(done), said, as_json=as_json)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_ENOUGH)
    except OSError as error:
        why = (
            "there is no such file" if isinstance(error, FileNotFoundError) else f"it cannot be read ({error.strerror})"
        )
        raise typer.BadParameter(f"{file}: {why}", param_hint="'FILE'") from None
