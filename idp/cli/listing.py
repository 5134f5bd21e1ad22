"""`idp user list`: people by username, a page at a time."""

from typing import Annotated, Literal

import typer

from idp.cli import output
from idp.cli.people import account_json, standing

EXAMPLES = (
    "\b\nExamples:\n  idp user list\n  idp user list --search ada --json\n"
    "  idp user list --group treasury --state invited\n  idp user list --after mary      the next page"
)


def list_(
    *,
    search: Annotated[str, typer.Option(help="Part of a username, name or e-mail address.")] = "",
    group: Annotated[str | None, typer.Option(metavar="GROUP", help="Members of this group alone.")] = None,
    state: Annotated[
        Literal["enabled", "disabled", "frozen", "invited"] | None, typer.Option(help="Those in this state alone.")
    ] = None,
    after: Annotated[str | None, typer.Option(metavar="NAME", help="Go on after this username.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The most to show.")] = 100,
    as_json: output.Json = False,
) -> None:
    """List people by username."""
    from idp.flows.operate.finding import people_page
    from idp.serving.place import run
    from idp.store.people.pages import State

    wanted = None if state is None else State(state)
    page = run(lambda idp: people_page(idp, containing=search, group=group, state=wanted, after=after, limit=limit))
    fields = {"users": [account_json(one) for one in page.people], "total": page.count, "after": page.after}
    rows = [(one.username, one.name, one.email, " ".join(sorted(one.groups)), standing(one)) for one in page.people]
    lines = [output.table(("USERNAME", "NAME", "E-MAIL", "GROUPS", "STATE"), rows)] if rows else []
    narrowed = search or group or state
    nobody = "Nobody." if narrowed else "Nobody yet: add somebody with `idp user add`."
    lines.append(f"{len(page.people)} of {page.count}." if page.count else nobody)
    output.show(fields, lines, as_json=as_json)
