"""Which path needs what, for the middlewares: a table, and how a path is read. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from stile_rp.access import Need
from stile_rp.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Unlisted:
    """No line of the table is about this: it is refused."""

    why: str


class Table:
    """Needs by path: `{"POST /transfers": require("transfers:write"), "/health": None}`.

    A path is also about all below it, and of several the longest counts; a line with a method is about that method, and
    counts before one without. None is open to everybody. What no line is about is refused: `"/": None` opens the rest.
    """

    def __init__(self, needs: Mapping[str, Need | None]) -> None:
        self._needs: dict[tuple[str, str], Need | None] = {}
        for line, need in needs.items():
            method, _, path = line.rpartition(" ")
            tidy = path.rstrip("/") or "/"
            if (
                not path.startswith("/")
                or segments(tidy) is None
                or line != line.strip()
                or method != method.strip().upper()
            ):
                raise Misconfigured(f"{line!r} in the table: write a path, as in '/reports', or 'POST /transfers'")
            if (method, tidy) in self._needs:
                raise Misconfigured(f"{line!r} in the table says again what another line says: keep one")
            self._needs[method, tidy] = need

    def need(self, method: str, path: str) -> Need | Unlisted | None:
        """What a request of this method to this path, already percent-decoded, has to bring."""
        parts = segments(path)
        if parts is None:
            return Unlisted("this path is written in a way that applications read differently")
        # frameworks take `post` for POST, though RFC 9110 9.1 does not
        asked = "GET" if method.upper() == "HEAD" else method.upper()
        for length in range(len(parts), -1, -1):
            here = "/" + "/".join(parts[:length])
            for line in ((asked, here), ("", here)):
                if line in self._needs:
                    return self._needs[line]
        return Unlisted(f"no line of the table is about {asked} {path[:100]!r}: add one, or '/': None to open the rest")


def segments(path: str) -> list[str] | None:
    """The parts of a path; None where two readers may disagree about which path it is."""
    # U+FFFD stands where something was no UTF-8
    if not path.startswith("/") or "\\" in path or "\ufffd" in path or not path.isprintable():
        return None
    parts = path[1:].split("/")
    if parts[-1] == "":
        parts.pop()
    return None if any(part in {"", ".", ".."} for part in parts) else parts
