"""The tables `[sites.HOST]` of policy.toml: what a site behind a proxy and its paths need. See `sites`."""

import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from types import MappingProxyType

from idp.model import AssuranceLevel
from idp.policy.reading import Table
from idp.policy.sites import Place, Site, host_of
from idp.policy.table import LONGEST_FRESH_TOKEN, SHORTEST_FRESH, ScopeRule, in_units
from idp.sentences import sentence

_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+")
_WORDS = 80  # of a title
_LONGEST_FRESH = timedelta(days=30)  # no session lives longer

Levels = dict[AssuranceLevel, str]


def sites(table: Table, levels: Levels, groups: Collection[str]) -> Mapping[str, Site]:
    """The sites by host."""
    found = {}
    for name in table.each():
        if host_of(name) != name:
            why = sentence("a site is a host in lower case, with a port if it is not the usual one: app.example.com")
            table.wrong(repr(name), why)
        found[name] = _site(name, table.table(name), levels, groups)
    return MappingProxyType(found)


def _site(host: str, row: Table, levels: Levels, groups: Collection[str]) -> Site:
    title = row.words("title", _WORDS) or host
    paths = row.table("paths")
    places = [_place("/", host, row, levels, groups)]
    for path in paths.each():
        if not _PATH.fullmatch(path):
            why = sentence("a path is written as /one/two: letters, digits and . _ ~ -, no slash at the end")
            paths.wrong(repr(path), why)
        if path.casefold() in {place.path for place in places}:
            paths.wrong(repr(path), sentence("is there twice: paths are compared in one case"))
        inner = paths.table(path)
        if not inner.misspelt("level"):
            inner.left.setdefault("level", "two_factor")
        places.append(_place(path.casefold(), inner.words("title", _WORDS) or path, inner, levels, groups))
    return Site(host, title, tuple(places))


def _place(path: str, title: str, row: Table, levels: Levels, groups: Collection[str]) -> Place:
    level = row.level("level", levels)
    place = Place(path, title, level, _fresh(row, level), _members(row, groups))
    row.close()
    return place


def _fresh(row: Table, level: AssuranceLevel) -> timedelta | None:
    """How old the proof may be. Promise 4: a step-up says how long it lasts, and of a site it cannot be one action."""
    if row.left.get("fresh") == "always":
        row.left.pop("fresh")
        why = sentence('"always" is for one action, and of a site we see requests alone: say how long, as "15m"')
        row.wrong("fresh", why)
        return None
    if "fresh" not in row.left and not row.misspelt("fresh"):
        if level > AssuranceLevel.TWO_FACTOR:
            name = level.name.lower()
            row.wrong("fresh", sentence('must say how long a proof of %(level)s opens it, such as "15m"', level=name))
        return None
    fresh = row.duration("fresh", None)
    if fresh is not None and not SHORTEST_FRESH <= fresh <= _LONGEST_FRESH:
        least, most = in_units(SHORTEST_FRESH), in_units(_LONGEST_FRESH)
        row.wrong("fresh", sentence("must be %(least)s to %(most)s", least=least, most=most))
    return fresh


def _members(row: Table, groups: Collection[str]) -> frozenset[str]:
    named = row.left.pop("groups", [])
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        row.wrong("groups", sentence("must be a list of groups, not %(value)s", value=repr(named)))
        return frozenset()
    for name in named:
        if name not in groups:
            why = sentence("%(group)s has no row under [groups], so nobody can be in it", group=repr(name))
            row.wrong("groups", why)
    return frozenset(named)


def scope_rules(sites: Mapping[str, Site]) -> dict[str, ScopeRule]:
    """What each row of each site needs, as of a scope: never any other client's, and in no token."""
    return {
        site.scope(place): ScopeRule(
            place.level,
            place.fresh,
            LONGEST_FRESH_TOKEN,
            refresh=False,
            internal=True,
            text=place.title,
        )
        for site in sites.values()
        for place in site.places
    }
