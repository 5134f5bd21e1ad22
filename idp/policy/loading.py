"""policy.toml, read. Every mistake is reported at once, and a file that would break a promise is a mistake."""

import re
import tomllib
from datetime import timedelta
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from idp.errors import SettingsError
from idp.model import SECOND, TRAITS, AssuranceLevel, Factor
from idp.policy.table import ALWAYS, PERSONAL, Policy, ScopeRule, in_units

LEVELS = {level.name.lower(): level for level in AssuranceLevel if level >= AssuranceLevel.TWO_FACTOR}
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
DURATION = re.compile(r"([0-9]{1,6})([smhd])")
SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 3.3
ACR = re.compile(r"[\x21-\x7e]+")  # acr_values are separated by spaces (OIDC Core 3.1.2.1)

LONGEST_FRESH_TOKEN = timedelta(minutes=5)
SHORTEST_FRESH = timedelta(seconds=30)  # less could not be typed in time; "always" is what is meant
LONGEST_CHALLENGE = timedelta(minutes=10)  # NIST SP 800-63B-4 3.1.3.2
MOST_ATTEMPTS = 10


class _Table:
    """One table of the file: each key is taken once, each mistake written down, what is left over is unknown."""

    def __init__(self, raw: object, where: str, problems: list[str]) -> None:
        self.where = where
        self.problems = problems
        self.left: dict[str, Any] = {}
        if isinstance(raw, dict):
            self.left = dict(raw)
        else:
            problems.append(f"{where}: must be a table")

    def wrong(self, key: str, why: str) -> None:
        self.problems.append(f"{self.where}.{key}: {why}" if self.where else f"{key}: {why}")

    def table(self, key: str) -> "_Table":
        where = f"{self.where}.{key}" if self.where else key
        return _Table(self.left.pop(key, {}), where, self.problems)

    def each(self) -> list[str]:
        return list(self.left)

    def duration(self, key: str, default: timedelta | None, *, always: bool = False) -> timedelta | None:
        """A duration above zero; `default` when it is missing or wrong."""
        if key not in self.left:
            return default
        value = self.left.pop(key)
        if always and value == "always":
            return ALWAYS
        found = DURATION.fullmatch(value) if isinstance(value, str) else None
        if found is None or int(found[1]) == 0:
            also = ' or "always"' if always else ""
            self.wrong(key, f'must be a duration such as "30s", "5m", "24h", "90d"{also}, not {value!r}')
            return default
        return timedelta(**{UNITS[found[2]]: int(found[1])})

    def lifetime(self, key: str, default: timedelta, *, most: timedelta | None = None) -> timedelta:
        """A duration that is always there and at most `most`."""
        value = self.duration(key, default) or default
        if most is not None and value > most:
            self.wrong(key, f"must be at most {in_units(most)}")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        value = self.left.pop(key, default)
        if not isinstance(value, bool):
            self.wrong(key, f"must be true or false, not {value!r}")
            return default
        return value

    def level(self, key: str, known: dict[AssuranceLevel, str]) -> AssuranceLevel:
        """A level of `[levels]`. `TWO_FACTOR` when it is wrong, so that reading can go on."""
        if self.misspelt(key):
            return AssuranceLevel.TWO_FACTOR
        value = self.left.pop(key, None)
        level = LEVELS.get(value) if isinstance(value, str) else None
        if value == "one_factor":
            self.wrong(key, "nothing is granted below two_factor")
        elif level is None or level not in known:
            self.wrong(key, f"must be a level of [levels], not {value!r}")
        else:
            return level
        return AssuranceLevel.TWO_FACTOR

    def misspelt(self, key: str) -> bool:
        """Whether a key is missing because it was misspelt: that alone is to be said, by `close`."""
        return key not in self.left and bool(get_close_matches(key, self.left))

    def close(self) -> None:
        """Nothing may be left over: a misspelt key would otherwise be a rule that silently does not hold."""
        for key in self.left:
            self.wrong(key, "unknown key")


def _levels(table: _Table) -> dict[AssuranceLevel, str]:
    levels: dict[AssuranceLevel, str] = {}
    for name in table.each():
        acr = table.left.pop(name)
        if name not in LEVELS:
            table.wrong(name, f"unknown level; there are {', '.join(LEVELS)}")
        elif not isinstance(acr, str) or not ACR.fullmatch(acr):
            table.wrong(name, f"an acr is printable ASCII without spaces, not {acr!r}")
        elif acr in levels.values():
            table.wrong(name, f"the acr {acr!r} stands for another level already")
        else:
            levels[LEVELS[name]] = acr
    if AssuranceLevel.TWO_FACTOR not in levels:
        table.wrong("two_factor", "this level must have an acr")
    return dict(sorted(levels.items()))


def _factors(table: _Table, levels: dict[AssuranceLevel, str]) -> dict[Factor, AssuranceLevel]:
    factors: dict[Factor, AssuranceLevel] = {}
    for name in table.each():
        if name not in SECOND:
            table.left.pop(name)
            there = sorted(SECOND, key=lambda each: TRAITS[each].most)
            table.wrong(name, f"unknown factor; there are {', '.join(there)}")
            continue
        factor, level = Factor(name), table.level(name, levels)
        if level > TRAITS[factor].most:
            table.wrong(name, f"{name} never gives more than {TRAITS[factor].most.name.lower()}")
        factors[factor] = level
    if not factors:
        table.problems.append(f"{table.where}: without a second factor nobody can sign in")
    return factors


def _scope(row: _Table, levels: dict[AssuranceLevel, str], access: timedelta, *, personal: bool) -> ScopeRule:
    needs_level = not row.misspelt("machine")
    machine = row.left.pop("machine", False)
    if machine != "only" and not isinstance(machine, bool):
        row.wrong("machine", f'must be true, false or "only", not {machine!r}')
    if machine and personal:
        row.wrong("machine", "this scope is about a person")
    people = machine != "only"
    # Who cannot grant it need prove nothing for it.
    level = row.level("level", levels) if (people and needs_level) or "level" in row.left else AssuranceLevel.TWO_FACTOR
    if machine and level > AssuranceLevel.TWO_FACTOR:
        row.wrong("level", "a machine has no second factor: a scope with `machine` needs two_factor at most")
    if machine and "fresh" in row.left:
        row.wrong("fresh", "a machine proves nothing afresh: leave it out, or `machine`")
    # Promise 4: a step-up that says nothing about its age is for one authorization.
    fresh = row.duration("fresh", ALWAYS if level > AssuranceLevel.TWO_FACTOR else None, always=True)
    if fresh is not None and ALWAYS < fresh < SHORTEST_FRESH:
        row.wrong("fresh", f'must be at least {in_units(SHORTEST_FRESH)}, or "always"')
    most = access if fresh is None else min(access, LONGEST_FRESH_TOKEN)
    ttl = row.lifetime("ttl", most, most=most)
    refresh = row.flag("refresh", default=fresh is None and people)
    if refresh and fresh is not None:
        row.wrong("refresh", "a scope with `fresh` never rides on a refresh token")
    if refresh and not people:
        row.wrong("refresh", "a machine is given no refresh token")
    internal = row.flag("internal", default=False)
    if internal and machine:
        row.wrong("internal", "our own account pages are for people alone")
    row.close()
    return ScopeRule(level, fresh, ttl, refresh=refresh, internal=internal, people=people, machines=bool(machine))


def _scopes(table: _Table, levels: dict[AssuranceLevel, str], access: timedelta) -> dict[str, ScopeRule]:
    scopes: dict[str, ScopeRule] = {}
    for name in table.each():
        if not SCOPE_TOKEN.fullmatch(name):
            table.wrong(repr(name), "a scope is printable ASCII without spaces, quotes and backslashes")
        scopes[name] = _scope(table.table(name), levels, access, personal=name in PERSONAL)
    if "openid" not in scopes:
        table.wrong("openid", "this scope must have a row")
    return scopes


def _groups(table: _Table, levels: dict[AssuranceLevel, str]) -> dict[str, AssuranceLevel]:
    groups: dict[str, AssuranceLevel] = {}
    for name in table.each():
        row = table.table(name)
        groups[name] = row.level("level", levels)
        row.close()
    return groups


def _attempts(table: _Table) -> int:
    value = table.left.pop("attempts", 3)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_ATTEMPTS:
        table.wrong("attempts", f"must be a whole number from 1 to {MOST_ATTEMPTS}, not {value!r}")
        return 3
    return value


def load_policy(text: str) -> Policy:
    """The policy that this TOML text describes. SettingsError with every mistake in it, one sentence each."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"the policy is not TOML: {error}"]) from None
    except (ValueError, RecursionError) as error:  # a number without end, brackets within brackets
        raise SettingsError([f"the policy is not TOML: {type(error).__name__}"]) from None
    problems: list[str] = []
    file = _Table(raw, "", problems)
    tokens = file.table("tokens")
    challenge = file.table("challenge")
    enrolment = file.table("enrolment")
    levels = _levels(file.table("levels"))
    access = tokens.lifetime("access", timedelta(minutes=10))
    policy = Policy(
        levels=MappingProxyType(levels),
        factors=MappingProxyType(_factors(file.table("factors"), levels)),
        scopes=MappingProxyType(_scopes(file.table("scopes"), levels, access)),
        groups=MappingProxyType(_groups(file.table("groups"), levels)),
        hold=enrolment.lifetime("hold", timedelta(hours=24)),
        challenge_ttl=challenge.lifetime("ttl", timedelta(minutes=5), most=LONGEST_CHALLENGE),
        challenge_attempts=_attempts(challenge),
        message_at_once=challenge.flag("message_at_once", default=False),
        access_ttl=access,
        refresh_ttl=tokens.lifetime("refresh", timedelta(days=30)),
        refresh_max=tokens.lifetime("refresh_max", timedelta(days=90)),
    )
    for table in (tokens, challenge, enrolment, file):
        table.close()
    if policy.refresh_max < policy.refresh_ttl:
        tokens.wrong("refresh_max", "must not be shorter than tokens.refresh")
    if problems:
        raise SettingsError(problems)
    return policy


@cache
def default_policy() -> Policy:
    """The policy that comes with the package."""
    return load_policy((files("idp") / "policy.toml").read_text(encoding="utf-8"))
