"""The policy as values: levels, factors, scopes, groups and lifetimes. Reading the file is in `loading`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from idp.limits import Limits
from idp.model import EVERYWHERE, AssuranceLevel, Factor, Notice, Role, Texting
from idp.policy.details import DetailsRule
from idp.policy.sites import Site
from idp.sentences import Sentence, plural

ALWAYS = timedelta(0)
"""The value of `fresh` for a proof made in this very interaction."""

LONGEST_FRESH_TOKEN = timedelta(minutes=5)
SHORTEST_FRESH = timedelta(seconds=30)  # less could not be typed in time; "always" is what is meant


def in_units(span: timedelta) -> Sentence:
    """A span as people say it, in the largest unit that it is a whole number of: "5 minutes", "90 seconds"."""
    seconds = int(span.total_seconds())
    if seconds % 86_400 == 0:
        return plural("%(num)s day", "%(num)s days", seconds // 86_400)
    if seconds % 3600 == 0:
        return plural("%(num)s hour", "%(num)s hours", seconds // 3600)
    if seconds % 60 == 0:
        return plural("%(num)s minute", "%(num)s minutes", seconds // 60)
    return plural("%(num)s second", "%(num)s seconds", seconds)


# Scopes about a person, or of one's session: never a machine's (OIDC Core 5.4, 11).
PERSONAL = frozenset({"openid", "profile", "email", "phone", "address", "groups", "offline_access"})
OURS = "stile:"  # how scopes of our own API and console begin; people without a role are granted none


@dataclass(frozen=True, slots=True)
class ScopeRule:
    """What one scope needs. `fresh` is None where the age of the proof does not matter.

    `text` says to people what it allows; without one it is said by our own sentence, or by its name.
    `people` may grant it; `machines` may have it for themselves (RFC 6749 4.4), proving their secret alone.
    """

    level: AssuranceLevel
    fresh: timedelta | None
    ttl: timedelta
    refresh: bool
    internal: bool
    people: bool = True
    machines: bool = False
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Sessions:
    """A browser's session: `idle` from its last use, `life` in all.

    `forgiven`: for how long what is done is done for a form that comes again with the token before. `known`: for how
    long a browser is known to whom it was signed in by. `site`: for how long a site lets somebody in before we look
    again whether they may.
    """

    idle: timedelta
    life: timedelta
    forgiven: timedelta
    known: timedelta
    site: timedelta


@dataclass(frozen=True, slots=True)
class Interactions:
    """A paused authorization request."""

    ttl: timedelta


@dataclass(frozen=True, slots=True)
class Challenges:
    """One outstanding question, and when its message leaves."""

    ttl: timedelta
    attempts: int
    message_at_once: bool


@dataclass(frozen=True, slots=True)
class Enrolments:
    """What is being enrolled is kept for `ttl`; what was, opens no strong scope before `hold` is over."""

    hold: timedelta
    ttl: timedelta


@dataclass(frozen=True, slots=True)
class Tokens:
    """What clients are given. `forgiven`: for how long a refresh whose answer was lost may be repeated (design 7).

    `pushed`: a pushed request waits so long for its browser, and then `interaction.ttl` for its person.
    """

    code: timedelta
    id_token: timedelta
    access: timedelta
    refresh: timedelta
    refresh_max: timedelta
    forgiven: timedelta
    pushed: timedelta


@dataclass(frozen=True, slots=True)
class Notices:
    """What a person is told: `ttl` of each, and of wrong codes from the `wrong_codes`th in a row of one factor.

    `tried_for`: for so long whoever could not be told of an authenticator is written to; then an operator vouches.
    `texts` go to every phone, `no_texts` to none; all others to those of people alone who proved no mailbox.
    """

    ttl: timedelta
    tried_for: timedelta
    wrong_codes: int
    texts: frozenset[Notice]
    no_texts: frozenset[Notice]

    def texting(self, notice: Notice) -> Texting:
        """Whether this notice may cost text messages. A change of how somebody signs in always may (design 5)."""
        if notice in EVERYWHERE or notice in self.texts:
            return Texting.ALWAYS
        return Texting.NEVER if notice in self.no_texts else Texting.UNMAILED


@dataclass(frozen=True, slots=True)
class Links:
    """For how long links of mails work, each by its name (`LinkFor`). `ticket`: what an operator gives instead."""

    reset: timedelta
    ticket: timedelta
    invite: timedelta
    register: timedelta
    verify_email: timedelta
    freeze: timedelta


@dataclass(frozen=True, slots=True)
class Recovery:
    """How an operator recovers an account, and how often a person is asked for what they would need themselves."""

    second_operator: bool
    nudge: timedelta


@dataclass(frozen=True, slots=True)
class Registration:
    """Whether people make accounts by themselves."""

    open: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """policy.toml, checked. Only `load_policy` makes one, so each value is known to keep the promises.

    `groups` are the levels that their members need for anything, `only` the factors that count for them, of those
    groups that name some, and `roles` what members do for others.
    """

    levels: Mapping[AssuranceLevel, str]
    factors: Mapping[Factor, AssuranceLevel]
    scopes: Mapping[str, ScopeRule]
    groups: Mapping[str, AssuranceLevel]
    only: Mapping[str, frozenset[Factor]]
    sessions: Sessions
    interaction: Interactions
    challenge: Challenges
    enrolment: Enrolments
    tokens: Tokens
    notices: Notices
    links: Links
    recovery: Recovery
    registration: Registration
    limits: Limits
    details: Mapping[str, DetailsRule] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    sites: Mapping[str, Site] = field(default_factory=dict)

    def scope_rule(self, scope: str) -> ScopeRule | None:
        """The row of a scope; None for one the policy does not know, which is never granted."""
        return self.scopes.get(scope)

    @property
    def places(self) -> frozenset[str]:
        """The scopes that stand for rows of sites."""
        return frozenset(scope for site in self.sites.values() for scope in site.scopes)

    def for_people(self) -> frozenset[str]:
        """The scopes that a person can grant, our own pages' included."""
        return frozenset(scope for scope, rule in self.scopes.items() if rule.people)

    def for_machines(self) -> frozenset[str]:
        """The scopes that a client may have for itself."""
        return frozenset(scope for scope, rule in self.scopes.items() if rule.machines)

    @property
    def most(self) -> AssuranceLevel:
        """The most that anybody can prove here."""
        most = max(self.factors.values())
        # A passkey whose maker vouches for it gives one more.
        attested = most is AssuranceLevel.PHISHING_RESISTANT and AssuranceLevel.HARDWARE_BOUND in self.levels
        return AssuranceLevel.HARDWARE_BOUND if attested else most

    def acr_of(self, level: AssuranceLevel) -> str:
        """The acr that clients see for a level. KeyError for a level that is never asserted."""
        return self.levels[level]

    def level_of(self, acr: str) -> AssuranceLevel | None:
        """The level a client means by an acr, None for a value that is not ours."""
        for level, value in self.levels.items():
            if value == acr:
                return level
        return None

    def floor_of(self, groups: Iterable[str]) -> AssuranceLevel:
        """The least that members of these groups must prove for anything at all."""
        return max((self.groups[group] for group in groups if group in self.groups), default=AssuranceLevel.TWO_FACTOR)

    def role_of(self, groups: Iterable[str]) -> Role | None:
        """What members of these groups may do for others: the most that any of them gives."""
        return max((self.roles[group] for group in groups if group in self.roles), default=None)

    def of(self, groups: Iterable[str]) -> "Policy":
        """The policy as it is for members of these groups: without the factors that a row of theirs does not name."""
        named = [self.only[group] for group in groups if group in self.only]
        if not named:
            return self
        kept = frozenset.intersection(*named)
        return replace(self, factors={each: level for each, level in self.factors.items() if each in kept})

    def access_token_ttl(self, scopes: Iterable[str], types: Iterable[str] = ()) -> timedelta:
        """The life of an access token with these scopes and types of details: the shortest that any of them allows."""
        lives = [self.scopes[scope].ttl for scope in scopes if scope in self.scopes]
        lives += [self.details[name].ttl for name in types if name in self.details]
        return min(lives, default=self.tokens.access)

    def refreshable(self, scopes: Iterable[str]) -> tuple[str, ...]:
        """Those of these scopes that a refresh token may carry, in the same order."""
        return tuple(scope for scope in scopes if scope in self.scopes and self.scopes[scope].refresh)

    def is_plain_scope(self, scope: str) -> bool:
        """Whether the scope needs no more than signing in, now and at each refresh."""
        rule = self.scopes.get(scope)
        plain = rule is not None and rule.refresh and rule.fresh is None and not rule.internal and rule.people
        return plain and self.scopes[scope].level <= AssuranceLevel.TWO_FACTOR

    def is_fresh_scope(self, scope: str) -> bool:
        """Whether the scope is granted on a fresh proof only, and never kept."""
        rule = self.scopes.get(scope)
        return rule is not None and rule.fresh is not None
