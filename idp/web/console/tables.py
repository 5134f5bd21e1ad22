"""A table as CSV: whole, in pieces, and nothing in it is a formula to a spreadsheet."""

import csv
import io
import re
from collections.abc import AsyncIterable, AsyncIterator, Sequence

from starlette.responses import Response, StreamingResponse

PAGE = 1000  # rows that are read at a time
# Spreadsheets leave out what is not seen before a formula, and some take the wide signs of the East for ours.
_FORMULA = re.compile(
    r"[\t\r\n]|[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*[=+\-@\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20]"
)


def quoted(value: str) -> str:
    """A value that a spreadsheet shows and does not obey: what begins like a formula has an apostrophe before it."""
    return f"'{value}" if _FORMULA.match(value) else value


def line(values: Sequence[str]) -> str:
    """One row, as RFC 4180 has it."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow([quoted(value) for value in values])
    return text.getvalue()


def download(name: str, columns: Sequence[str], rows: AsyncIterable[Sequence[str]]) -> Response:
    """The file, sent while it is read: all rows, however many there are. One that breaks off has no end for HTTP."""

    async def lines() -> AsyncIterator[str]:
        yield line(columns)
        async for row in rows:
            yield line(row)

    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(lines(), headers=headers, media_type="text/csv; charset=utf-8")
