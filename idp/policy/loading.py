"""policy.toml, read. Every mistake is reported at once, and a file that would break a promise is a mistake."""

import re
import tomllib
from datetime import timedelta
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from idp.errors import SettingsError
from idp.model import SECOND, TRAITS, AssuranceLevel, Factor, Role
from idp.policy import lifetimes
from idp.policy.limits import limits
from idp.policy.reading import LEVELS, Table
from idp.policy.reading_details import details
from idp.policy.reading_sites import scope_rules, sites
from idp.policy.sites import PREFIX
from idp.policy.table import (
    ALWAYS,
    LONGEST_FRESH_TOKEN,
    OURS,
    PERSONAL,
    SHORTEST_FRESH,
    Policy,
    ScopeRule,
    in_units,
)
from idp.sentences import located, sentence

SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 3.3
ACR = re.compile(r"[\x21-\x7e]+")  # acr_values are separated by spaces (OIDC Core 3.1.2.1)
_DOTS = 300  # in one line: a key of thousands of parts takes the parser a minute


def _levels(table: Table) -> dict[AssuranceLevel, str]:
    levels: dict[AssuranceLevel, str] = {}
    for name in table.each():
        acr = table.left.pop(name)
        if name not in LEVELS:
            table.wrong(name, sentence("unknown level; there are %(levels)s", levels=", ".join(LEVELS)))
        elif not isinstance(acr, str) or not ACR.fullmatch(acr):
            table.wrong(name, sentence("an acr is printable ASCII without spaces, not %(value)s", value=repr(acr)))
        elif acr in levels.values():
            table.wrong(name, sentence("the acr %(value)s stands for another level already", value=repr(acr)))
        else:
            levels[LEVELS[name]] = acr
    if AssuranceLevel.TWO_FACTOR not in levels:
        table.wrong("two_factor", sentence("this level must have an acr"))
    return dict(sorted(levels.items()))


def _factors(table: Table, levels: dict[AssuranceLevel, str]) -> dict[Factor, AssuranceLevel]:
    factors: dict[Factor, AssuranceLevel] = {}
    for name in table.each():
        if name not in SECOND:
            table.left.pop(name)
            there = sorted(SECOND, key=lambda each: TRAITS[each].most)
            table.wrong(name, sentence("unknown factor; there are %(factors)s", factors=", ".join(there)))
            continue
        factor, level = Factor(name), table.level(name, levels)
        if level > TRAITS[factor].most:
            most = TRAITS[factor].most.name.lower()
            table.wrong(name, sentence("%(factor)s never gives more than %(level)s", factor=name, level=most))
        factors[factor] = level
    if not factors:
        table.problems.append(located(table.where, sentence("without a second factor nobody can sign in")))
    return factors


def _scope(
    row: Table, levels: dict[AssuranceLevel, str], access: timedelta, *, personal: bool, ours: bool
) -> ScopeRule:
    needs_level = not row.misspelt("machine")
    machine = row.left.pop("machine", False)
    if machine != "only" and not isinstance(machine, bool):
        row.wrong("machine", sentence('must be true, false or "only", not %(value)s', value=repr(machine)))
    if machine and personal:
        row.wrong("machine", sentence("this scope is about a person"))
    people = machine != "only"
    # Who cannot grant it need prove nothing for it.
    level = row.level("level", levels) if (people and needs_level) or "level" in row.left else AssuranceLevel.TWO_FACTOR
    if machine and not ours and level > AssuranceLevel.TWO_FACTOR:
        why = sentence("a machine has no second factor: a scope with `machine` needs two_factor at most")
        row.wrong("level", why)
    if machine and not ours and "fresh" in row.left:
        row.wrong("fresh", sentence("a machine proves nothing afresh: leave it out, or `machine`"))
    # Promise 4: a step-up that says nothing about its age is for one authorization.
    fresh = row.duration("fresh", ALWAYS if level > AssuranceLevel.TWO_FACTOR else None, always=True)
    if fresh is not None and ALWAYS < fresh < SHORTEST_FRESH:
        row.wrong("fresh", sentence('must be at least %(least)s, or "always"', least=in_units(SHORTEST_FRESH)))
    most = access if fresh is None else min(access, LONGEST_FRESH_TOKEN)
    ttl = row.lifetime("ttl", most, most=most)
    refresh = row.flag("refresh", default=fresh is None and people)
    if refresh and fresh is not None:
        row.wrong("refresh", sentence("a scope with `fresh` never rides on a refresh token"))
    if refresh and not people:
        row.wrong("refresh", sentence("a machine is given no refresh token"))
    internal = row.flag("internal", default=False)
    if internal and machine:
        row.wrong("internal", sentence("our own account pages are for people alone"))
    text = row.words("text", 100)
    row.close()
    return ScopeRule(
        level, fresh, ttl, refresh=refresh, internal=internal, people=people, machines=bool(machine), text=text
    )


def _scopes(table: Table, levels: dict[AssuranceLevel, str], access: timedelta) -> dict[str, ScopeRule]:
    scopes: dict[str, ScopeRule] = {}
    # Of our own API a row that the file does not have is as in ours, if the file has its level.
    for name, row in table.usual.items():
        if name.startswith(OURS) and name not in table.left and LEVELS[row["level"]] in levels:
            table.left[name] = row
    for name in table.each():
        if not SCOPE_TOKEN.fullmatch(name):
            table.wrong(repr(name), sentence("a scope is printable ASCII without spaces, quotes and backslashes"))
        ours = name.startswith(OURS)
        if ours and name not in table.usual:
            known = ", ".join(each for each in table.usual if each.startswith(OURS))
            table.wrong(repr(name), sentence("our own API has no such scope; there are %(scopes)s", scopes=known))
        if name.startswith(PREFIX):
            table.wrong(repr(name), sentence("this is how the rows of [sites] are called"))
        scopes[name] = _scope(table.table(name), levels, access, personal=name in PERSONAL, ours=ours)
    if "openid" not in scopes:
        table.wrong("openid", sentence("this scope must have a row"))
    return scopes


def _groups(
    table: Table, levels: dict[AssuranceLevel, str], factors: dict[Factor, AssuranceLevel]
) -> tuple[dict[str, AssuranceLevel], dict[str, frozenset[Factor]], dict[str, Role]]:
    """The level that each group needs, the factors that count for it, of those that name some, and its role, if any."""
    groups: dict[str, AssuranceLevel] = {}
    only: dict[str, frozenset[Factor]] = {}
    roles: dict[str, Role] = {}
    for name in table.each():
        row = table.table(name)
        if "factors" in row.left:
            only[name] = _only(row, factors)
        # Which factors count says enough; none of them gives less.
        needs_level = name not in only or "level" in row.left
        groups[name] = row.level("level", levels) if needs_level else AssuranceLevel.TWO_FACTOR
        if name in only and max((factors[each] for each in only[name]), default=groups[name]) < groups[name]:
            level = groups[name].name.lower()
            why = sentence("none of them gives %(level)s, so its members could not sign in", level=level)
            row.wrong("factors", why)
        if (role := _role(row)) is not None:
            roles[name] = role
            if groups[name] < AssuranceLevel.STRONG:
                why = sentence("whoever has a role needs strong at least: a text message must not open an office")
                row.wrong("level", why)
        row.close()
    return groups, only, roles


def _role(row: Table) -> Role | None:
    value = row.left.pop("role", None)
    found = next((role for role in Role if role.name.lower() == value), None)
    if value is not None and found is None:
        names = ", ".join(role.name.lower() for role in Role)
        row.wrong("role", sentence("must be one of %(names)s, not %(value)s", names=names, value=repr(value)))
    return found


def _only(row: Table, factors: dict[Factor, AssuranceLevel]) -> frozenset[Factor]:
    named = row.left.pop("factors")
    known = {factor.value for factor in factors}
    if not isinstance(named, list) or not named or not all(isinstance(each, str) and each in known for each in named):
        why = sentence(
            "must be a list of one or more of %(names)s, not %(value)s", names=", ".join(factors), value=repr(named)
        )
        row.wrong("factors", why)
        return frozenset(factors)
    return frozenset(Factor(each) for each in named)


def load_policy(text: str) -> Policy:
    """The policy that this TOML text describes. SettingsError with every mistake in it, one sentence each."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _DOTS:
            said = sentence("line %(number)s has more than %(most)s dots: break it", number=number, most=_DOTS)
            raise SettingsError([said])
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([sentence("the policy is not TOML: %(why)s", why=str(error))]) from None
    except (ValueError, RecursionError) as error:  # a number without end, brackets within brackets
        raise SettingsError([sentence("the policy is not TOML: %(why)s", why=type(error).__name__)]) from None
    problems: list[str] = []
    file = Table(raw, "", problems, _shipped())
    levels = _levels(file.table("levels"))
    tokens = lifetimes.tokens(file.table("tokens"))
    factors = _factors(file.table("factors"), levels)
    scopes = _scopes(file.table("scopes"), levels, tokens.access)
    groups, only, roles = _groups(file.table("groups"), levels, factors)
    guarded = sites(file.table("sites"), levels, groups)
    policy = Policy(
        levels=MappingProxyType(levels),
        factors=MappingProxyType(factors),
        scopes=MappingProxyType(scopes | scope_rules(guarded)),
        groups=MappingProxyType(groups),
        only=MappingProxyType(only),
        roles=MappingProxyType(roles),
        sessions=lifetimes.sessions(file.table("sessions")),
        interaction=lifetimes.interaction(file.table("interaction")),
        challenge=lifetimes.challenge(file.table("challenge")),
        enrolment=lifetimes.enrolment(file.table("enrolment")),
        tokens=tokens,
        notices=lifetimes.notices(file.table("notices")),
        recovery=lifetimes.recovery(file.table("recovery")),
        registration=lifetimes.registration(file.table("registration")),
        links=lifetimes.links(file.table("links")),
        limits=limits(file.table("limits")),
        details=details(file.table("details"), levels),
        sites=guarded,
    )
    for kind, pace in (("sms", policy.limits.sms.pace), ("email", policy.limits.email.pace)):
        waits = pace.backoff
        if waits is not None and waits.base > policy.challenge.ttl:
            why = sentence(
                "%(base)s must not be longer than challenge.ttl, which is %(ttl)s: "
                "who needs another code would be kept waiting",
                base=in_units(waits.base),
                ttl=in_units(policy.challenge.ttl),
            )
            problems.append(located(f"limits.{kind}_pace.base", why))
    file.close()
    if problems:
        raise SettingsError(problems)
    return policy


@cache
def default_policy() -> Policy:
    """The policy that comes with the package."""
    return load_policy(_text())


@cache
def _shipped() -> dict[str, Any]:
    return tomllib.loads(_text())


def _text() -> str:
    return (files("idp") / "policy.toml").read_text(encoding="utf-8")
