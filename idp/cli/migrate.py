"""`idp migrate`: the database to the tables of this version, up or down."""

import os
from typing import Annotated

import typer

from idp.cli import output

EVERYTHING = "Delete every table of Stile with all people and clients?"
EXAMPLES = "\b\nExamples:\n  idp migrate\n  idp migrate --to -1      one step back\n  idp migrate --to 0001"


def migrate(
    to: Annotated[
        str, typer.Option(metavar="REVISION", help="A revision, head, base, or steps as in +1 and -1.")
    ] = "head",
    yes: output.Yes = False,
    as_json: output.Json = False,
) -> None:
    """Bring the database to the tables of this version, all in one transaction.

    Going back loses what the newer tables held; going back to `base`, or as many steps as lead there, loses
    everything, and asks first.
    """
    if to == "base":
        output.sure(EVERYTHING, yes=yes)
    import asyncio

    from idp import logs
    from idp.serving.place import database
    from idp.settings import read_settings
    from idp.store import migrations

    settings = read_settings(os.environ)
    logs.configure(level="warning", form="text")
    with database(settings) as url:
        try:
            before, after = asyncio.run(migrations.migrate(url, to=to, may_empty=yes or to == "base"))
        except migrations.LosesEverything:
            output.sure(EVERYTHING, yes=yes)
            before, after = asyncio.run(migrations.migrate(url, to=to, may_empty=True))
    fields = {"from": before, "to": after, "changed": before != after}
    if before == after:
        line = f"Nothing to do: the database is at {after or 'base'}."
    else:
        line = f"Migrated from {before or 'nothing'} to {after or 'nothing'}."
    output.show(fields, line, as_json=as_json)
