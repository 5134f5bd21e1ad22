"""`idp audit`: the trail, searched, followed, or as a table for elsewhere."""

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from idp.cli import output

if TYPE_CHECKING:
    from idp.flows.idp import Idp
    from idp.flows.operate.trail import Search
    from idp.store.audits import Entry

EXAMPLES = (
    "\b\nExamples:\n"
    "  idp audit --person ada --since 7d\n"
    "  idp audit --event account --operator any\n"
    "  idp audit --operator shell:root --since 2026-11-01 --until 2026-12-01 --csv > november.csv\n"
    "  idp audit --follow"
)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = ("at", "event", "account_id", "username", "client_id", "operator", "address", "fields")


def audit(
    *,
    person: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this username, or account id; of a removed person, too.")
    ] = None,
    client: Annotated[str | None, typer.Option(metavar="ID", help="Of this client id.")] = None,
    event: Annotated[
        str | None, typer.Option(metavar="EVENT", help="Of this name, as account.changed; or beginning so, as account.")
    ] = None,
    operator: Annotated[
        str | None,
        typer.Option(metavar="WHO", help="Caused by this one, as shell:root or person:ada; any: by whomever."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="From then on: 2026-11-28, 2026-11-28T12:30 (UTC), or 7d, 12h ago."),
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before then.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The most to show; --csv shows every one.")] = 100,
    after: Annotated[str | None, typer.Option(metavar="PLACE", help="Go on where `after` of --json says.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens, until Ctrl-C.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Every row, as CSV with a line of headings.")] = False,
    as_json: output.Json = False,
) -> None:
    """The audit trail, newest first: what happened, to whom, and who did it.

    With --follow oldest first, and with --json one object a line.
    """
    if as_csv and (as_json or follow):
        raise typer.BadParameter("not together with --json or --follow", param_hint="'--csv'")
    if follow and (until is not None or after is not None):
        raise typer.BadParameter("it goes on from now, or from --since", param_hint="'--follow'")
    begin, end = _time(since, "--since"), _time(until, "--until")
    from idp.flows.operate.trail import Search
    from idp.serving.place import run

    def search(idp: "Idp") -> "Search":
        now = idp.clock.now()
        return Search(
            person=_person(person),
            client_id=client,
            event=event,
            operator=operator,
            since=now - begin if isinstance(begin, timedelta) else begin,
            until=now - end if isinstance(end, timedelta) else end,
        )

    async def shown(idp: "Idp") -> None:
        from idp.flows.operate import trail

        if follow:
            async for entry in trail.follow(idp, search(idp)):
                line = entry_json(entry) if as_json else {}
                output.show(line, "  ".join(str(cell or "") for cell in _row(entry)), as_json=as_json)
            return
        if as_csv:
            import csv

            table = csv.writer(sys.stdout, lineterminator="\r\n")  # RFC 4180 2
            table.writerow(COLUMNS)
            async for entry in trail.export(idp, search(idp)):
                table.writerow(csv_row(entry))
            sys.stdout.flush()
            return
        page = await trail.audit_page(idp, search(idp), after=after, limit=limit)
        lines = [output.table(("AT", "EVENT", "PERSON", "CLIENT", "BY", "FROM", "WHAT"), map(_row, page.entries))]
        if not page.entries:
            lines = ["Nothing like that happened."]
        elif page.after is not None:
            lines.append(f"There is more: --after {page.after}")
        told = {"events": [entry_json(each) for each in page.entries], "after": page.after}
        output.show(told, lines, as_json=as_json)

    async def told(idp: "Idp") -> None:
        from idp.flows.operate.people import NotAcceptable

        try:
            await shown(idp)
        except NotAcceptable as error:
            option = {"event": "--event", "client_id": "--client"}.get(error.fields[0])
            if option is None:
                raise
            raise typer.BadParameter(str(error).removesuffix("."), param_hint=f"'{option}'") from None

    run(told)


def entry_json(entry: "Entry") -> dict[str, Any]:
    """A row of the trail."""
    return {
        "id": entry.id,
        "at": entry.at,
        "event": entry.name,
        "account_id": entry.account_id,
        "username": entry.username,
        "client_id": entry.client_id,
        "fields": dict(entry.fields),
    }


def csv_row(entry: "Entry") -> list[str]:
    """The same in the order of `COLUMNS`. Nothing in it is a formula to who opens it as a sheet."""
    cells = (
        entry.at.isoformat(),
        entry.name,
        entry.account_id,
        entry.username,
        entry.client_id,
        entry.fields.get("operator"),
        entry.fields.get("address"),
        json.dumps(dict(entry.fields), ensure_ascii=False),
    )
    texts = ["" if cell is None else str(cell) for cell in cells]
    return [f"'{text}" if text.startswith(_FORMULA) else text for text in texts]


def _row(entry: "Entry") -> tuple[str | None, ...]:
    fields = dict(entry.fields)
    by, address = fields.pop("operator", None) or fields.get("by"), fields.pop("address", None)
    fields.pop("browser", None)
    fields.pop("by", None)
    what = " ".join(f"{name}={value}" for name, value in fields.items())
    return f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.name, entry.username, entry.client_id, by, address, what


def _person(text: str | None) -> Any:  # noqa: ANN401 - a username, or an account id
    from uuid import UUID

    try:
        return None if text is None else UUID(text)
    except ValueError:
        return text


def _time(text: str | None, option: str) -> datetime | timedelta | None:
    """A moment, or how long ago."""
    if text is None:
        return None
    if ago := re.fullmatch(r"([0-9]{1,4})([mhdw])", text):
        return timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        wrong = f"{text!r} is no time: write it as 2026-11-28, 2026-11-28T12:30 or 7d"
        raise typer.BadParameter(wrong, param_hint=f"'{option}'") from None
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)
