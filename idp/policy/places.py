"""Which rows of a site a request falls under, however its path is written. Pure.

A row of a path asks for more than its site, never for less: whatever an application may take a path for, all rows count
that it could fall under, and what could be any path is refused.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_to_bytes

from idp.policy.facts import Facts
from idp.policy.sites import Site
from idp.policy.table import Policy
from idp.policy.view import may_be_fresh, view

LONGEST_TARGET = 8_000
_DECODINGS = 4  # who encodes more often than any application decodes means no good
_TARGET = re.compile(r"/[!-~]*")  # RFC 9112 3.2.1: origin-form
_HALF = re.compile(r"%(?![0-9A-Fa-f]{2})")  # RFC 3986 2.1; some servers take %u002e for a dot
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
_PARAMETERS = re.compile(r";[^/]*")  # RFC 3986 3.3: some take `/admin;x=1` for `/admin`
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\\\\]")
_UNSEEN = {"Mn", "Me", "Cf"}
_WORD = re.compile(r"[A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one request to a site needs: the scopes of all rows that it falls under, and groups to be in one of each."""

    scopes: tuple[str, ...]
    groups: tuple[frozenset[str], ...]

    def lets_in(self, groups: frozenset[str]) -> bool:
        """Whether a member of these groups may go there, whatever they prove."""
        return all(not some or not some.isdisjoint(groups) for some in self.groups)


def wanted(site: Site, target: str) -> Wanted | None:
    """What a request for this target needs, as the proxy was asked for it; None where nobody can tell what it means."""
    paths = readings(target)
    if paths is None:
        return None
    rows = [place for place in site.places if any(_is_under(path, place.path) for path in paths)]
    return Wanted(tuple(map(site.scope, rows)), tuple(place.groups for place in rows))


def readings(target: str) -> frozenset[str] | None:
    """Every path that an application may take this target for, all in one case; None where it may be any.

    Refused are dot segments, backslashes, control characters and what is no UTF-8, encoded or not, however often:
    browsers send none of them in a path, and applications differ in where they lead.
    """
    path = target.partition("?")[0]
    if len(target) > LONGEST_TARGET or not _TARGET.fullmatch(path) or "#" in path or _HALF.search(path):
        return None
    found: set[str] = set()
    paths = {path}
    for _ in range(_DECODINGS):
        # some leave parameters out before they decode: to them `/;%2fx/admin` is `/admin`
        paths |= {_PARAMETERS.sub("", each) for each in paths}
        try:
            paths = {unquote_to_bytes(each).decode("utf-8") for each in paths}
        except UnicodeDecodeError:
            return None
        for reading in (reading for each in paths for reading in _cases(each)):
            segments = [segment for segment in reading.split("/") if segment]  # two slashes are one to many
            if _CONTROL.search(reading) or any(map(_is_dots, segments)):
                return None
            found.add("/" + "/".join(segments))
        if not any(map(_ENCODED.search, paths)):
            return frozenset(found)
    return None


def _cases(path: str) -> Iterator[str]:
    # what folds case may fold more: U+FF0F is a slash to some, and a dotless i an I
    for folded in {unicodedata.normalize("NFKC", path).casefold(), _bare(path)}:
        yield folded
        yield _PARAMETERS.sub("", folded)


def _bare(path: str) -> str:
    """Without accents and what nobody sees, as some look up the name of a page."""
    if path.isascii():
        return path.casefold()
    letters = unicodedata.normalize("NFKD", path.upper())
    return "".join(each for each in letters if unicodedata.category(each) not in _UNSEEN).casefold()


def _is_dots(segment: str) -> bool:
    return segment.partition(";")[0].strip() in {".", ".."}


def _is_under(path: str, row: str) -> bool:
    """Whether a row is about this path: `/admin`, all below it, and what may be its other name (`/admin.json`)."""
    if row == "/":
        return True
    return path.startswith(row) and (len(path) == len(row) or not _WORD.match(path[len(row)]))


def good_until(facts: Facts, policy: Policy) -> dict[str, datetime | None]:
    """Until when the proofs of who may go on now open each scope of the request; None where their age is no matter."""
    seen = view(facts, policy)
    until: dict[str, datetime | None] = {}
    for scope in seen.granted:
        rule = policy.scopes[scope]
        made = [
            proof.event.at for proof in seen.proofs if proof.level >= rule.level and may_be_fresh(proof.event, facts)
        ]
        until[scope] = None if rule.fresh is None else max(made) + rule.fresh
    return until
