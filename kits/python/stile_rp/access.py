"""Access tokens where they are used: what a request needs, what its token proves, and how an API says no. Steps."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from stile_rp.claims import check_times, date
from stile_rp.effects import Keep, Steps
from stile_rp.errors import Misconfigured, Refused, Untrusted
from stile_rp.provider import Provider
from stile_rp.settings import Settings

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 3.3; an acr has to fit beside it into a header


@dataclass(frozen=True, slots=True)
class Need:
    """What a request has to bring. Made by `require`."""

    scopes: tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    max_age: float | None = None
    details: str | None = None
    once: bool = False


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token that was checked. `claims` is all that it says."""

    claims: Mapping[str, Any] = field(repr=False)

    @property
    def subject(self) -> str:
        """Whose it is: `(issuer, subject)` names the person for ever."""
        return str(self.claims["sub"])

    @property
    def client_id(self) -> str:
        """The application that it was given to."""
        return str(self.claims.get("client_id") or self.claims["azp"])

    @property
    def scopes(self) -> frozenset[str]:
        """What it may be used for."""
        return frozenset(self.claims.get("scope", "").split())

    @property
    def acr(self) -> str | None:
        """How strongly the person signed in."""
        acr = self.claims.get("acr")
        return acr if isinstance(acr, str) else None

    @property
    def auth_time(self) -> float | None:
        """Since when all that `acr` says was proved, in seconds since 1970."""
        return date(self.claims.get("auth_time"))

    @property
    def expires_at(self) -> float:
        """When it ends, in seconds since 1970."""
        return float(self.claims["exp"])

    @property
    def details(self) -> tuple[Mapping[str, Any], ...]:
        """What was confirmed, as the person saw it: `authorization_details` (RFC 9396 9.1)."""
        return tuple(self.claims.get("authorization_details") or ())


def require(
    *scopes: str,
    acr: str | Sequence[str] = (),
    max_age: timedelta | None = None,
    session_ok: bool = False,
    details: str | None = None,
    once: bool | None = None,
) -> Need:
    """What a request has to bring: all of these `scopes`, and one of these `acr`, proved within `max_age`.

    A scope that the provider calls `fresh` stands alone: its token lives for minutes, and that is its freshness.

    `acr` without `max_age` is an error, for it would be content with what was proved hours ago: `acr` says how strongly
    somebody signed in, and `auth_time` beside it since when all of that was proved, the older of the last password and
    the last proof that gives this level. Say how old that may be; or `session_ok=True`, where the age does not matter.

    `details` is a `type` of `authorization_details` (RFC 9396 2) that the token must have: do what
    `AccessToken.details` says, not what the request says. Such a token works once, as any with `once=True`; it is used
    up before your code runs, so that a token whose request failed has to be asked for again.
    """
    if isinstance(acr, str):
        acr = (acr,)
    if acr and max_age is None and not session_ok:
        raise Misconfigured(
            f"require(acr={acr[0]!r}) says how strongly, not when: add max_age=timedelta(minutes=5), "
            "or session_ok=True where a proof of this morning will do"
        )
    if not scopes and not acr and max_age is None and details is None:
        raise Misconfigured("require() needs something: a scope, or acr with max_age")
    named = (*scopes, *acr, *([] if details is None else [details]))
    if wrong := [text for text in named if not _SCOPE.fullmatch(text)]:
        raise Misconfigured(f"{wrong[0]!r} cannot be a scope, an acr or a type of details: give each as one word")
    if max_age is not None and max_age < timedelta(0):
        raise Misconfigured("max_age is how old the proof may be: give nothing less than no time")
    age = None if max_age is None else int(max_age.total_seconds())
    return Need(scopes, tuple(acr), age, details, details is not None if once is None else once)


class Access:
    """Checks access tokens of one provider for one API, locally."""

    def __init__(self, settings: Settings, provider: Provider, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._provider = provider
        self._clock = clock
        self._leeway = settings.leeway.total_seconds()
        self._types = tuple(each.lower() for each in settings.access_token_types)

    def check(self, authorization: Sequence[str], need: Need) -> Steps[AccessToken]:
        """The token in these `Authorization` headers, if it has what is needed; else `Refused`."""
        token = yield from self.token(bearer(authorization))
        self.judge(token, need)
        if need.once:
            yield from self.spend(token)
        return token

    def token(self, text: str) -> Steps[AccessToken]:
        """What this access token says, if it is for us and still good (RFC 9068 4); else `Refused`."""
        audience = self._settings.api()
        try:
            claims = yield from self._provider.claims(text, types=self._types)
            check_times(claims, now=self._clock(), leeway=self._leeway)
        except Untrusted as error:
            raise Refused(401, "invalid_token", str(error)) from error
        named = claims.get("aud")
        ours = audience in (named if isinstance(named, list) else [named])
        if not ours or claims.get("iss") != self._settings.issuer:
            raise Refused(401, "invalid_token", "this access token is for somebody else (iss, aud)")
        # RFC 7800 3, RFC 9449 6: bound to a key that a bearer does not show
        if "cnf" in claims:
            raise Refused(401, "invalid_token", "this access token is bound to a key")
        if not _named(claims.get("sub")) or not _named(claims.get("client_id", claims.get("azp"))):
            raise Refused(401, "invalid_token", "this access token lacks claims (sub, client_id)")
        details = claims.get("authorization_details")
        if not isinstance(claims.get("scope", ""), str) or not (details is None or _objects(details)):
            raise Refused(401, "invalid_token", "this access token makes no sense (scope, authorization_details)")
        return AccessToken(claims)

    def judge(self, token: AccessToken, need: Need) -> None:
        """`Refused` unless this token has what is needed."""
        scope = " ".join(need.scopes)
        if not token.scopes.issuperset(need.scopes):
            raise Refused(403, "insufficient_scope", f"this needs the scope {scope}", scope=scope)
        if need.details is not None and need.details not in (one.get("type") for one in token.details):
            raise Refused(403, "insufficient_scope", f"this needs authorization_details of {need.details}", scope=scope)
        stale = False
        if need.max_age is not None:
            proved_at = token.auth_time
            stale = proved_at is None or self._clock() - proved_at > need.max_age + self._leeway
        if stale or (need.acr_values and token.acr not in need.acr_values):
            # RFC 9470 3: what to ask for, so that the client can
            raise Refused(
                401,
                "insufficient_user_authentication",
                "a more recent authentication is needed" if stale else "a stronger authentication is needed",
                acr_values=" ".join(need.acr_values),
                max_age="" if need.max_age is None else str(int(need.max_age)),
                scope=scope,
            )

    def spend(self, token: AccessToken) -> Steps[None]:
        """For one request of all that come with this token, ever; else `Refused`. What `once=True` does at the door."""
        jti = token.claims.get("jti")
        if not isinstance(jti, str) or not jti:
            raise Refused(401, "invalid_token", "this access token has no jti, so it cannot be used once")
        first: bool = yield Keep(
            f"jti:{self._settings.issuer} {jti}", "", until=token.expires_at + self._leeway, new=True
        )
        if not first:
            raise Refused(401, "invalid_token", "this access token was used already")


def bearer(authorization: Sequence[str]) -> str:
    """The token of a request with these `Authorization` headers (RFC 6750 2.1); else `Refused`."""
    if len(authorization) > 1:
        raise Refused(400, "invalid_request", "more than one Authorization header")
    scheme, _, token = authorization[0].partition(" ") if authorization else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refused(401)
    return token.strip()


def _named(name: object) -> bool:
    return isinstance(name, str) and name != ""


def _objects(details: object) -> bool:
    return isinstance(details, list) and all(isinstance(one, dict) for one in details)
