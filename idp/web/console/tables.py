"""A table as CSV: bounded, in pieces, and nothing in it is a formula to a spreadsheet."""

import csv
import io
from collections.abc import AsyncIterable, AsyncIterator, Sequence

from starlette.responses import Response, StreamingResponse

MOST = 100_000  # rows of one file
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def quoted(value: str) -> str:
    """A value that a spreadsheet shows and does not obey: what begins like a formula has an apostrophe before it."""
    return f"'{value}" if value.lstrip(" ").startswith(_FORMULA) or value.startswith(_FORMULA) else value


def line(values: Sequence[str]) -> str:
    """One row, as RFC 4180 has it."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow([quoted(value) for value in values])
    return text.getvalue()


def download(name: str, columns: Sequence[str], rows: AsyncIterable[Sequence[str]]) -> Response:
    """The file, sent while it is read, at most `MOST` rows."""

    async def lines() -> AsyncIterator[str]:
        yield line(columns)
        count = 0
        async for row in rows:
            if count == MOST:
                break
            count += 1
            yield line(row)

    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(lines(), headers=headers, media_type="text/csv; charset=utf-8")
