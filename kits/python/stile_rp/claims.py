"""What verified claims must say before anybody believes them. Pure: no keys, no network, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from stile_rp import jose
from stile_rp.errors import Untrusted
from stile_rp.settings import Settings

BACK_CHANNEL = "http://schemas.openid.net/event/backchannel-logout"
CLOCKS = "set the clocks of both machines by NTP, or raise leeway"


@dataclass(frozen=True, slots=True)
class Person:
    """Who signed in, and how. `(issuer, subject)` names the person for ever; a name or an address does not.

    `auth_time` (seconds since 1970) is since when all that `acr` says was proved. `claims` has what else was asked for.
    """

    subject: str
    name: str | None = None
    acr: str | None = None
    amr: tuple[str, ...] = ()
    auth_time: float | None = None
    sid: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As a session holds it."""
        told = {name: getattr(self, name) for name in ("subject", "name", "acr", "auth_time", "sid")}
        return {**told, "amr": list(self.amr), "claims": dict(self.claims)}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        return cls(**{**told, "amr": tuple(told["amr"])})


def check_times(claims: Mapping[str, Any], *, now: float, leeway: float) -> None:
    """`Untrusted` unless `exp` is to come and `iat` and `nbf` have been (RFC 7519 4.1.4 to 4.1.6)."""
    expires, issued = date(claims.get("exp")), date(claims.get("iat"))
    if expires is None or expires <= now - leeway:
        late = "missing" if expires is None else f"{now - expires:.0f} s ago"
        raise Untrusted(f"exp is {late}: the token is over, or {CLOCKS}")
    if issued is None or issued > now + leeway:
        early = "missing" if issued is None else f"{issued - now:.0f} s in the future: {CLOCKS}"
        raise Untrusted(f"iat is {early}")
    begins = date(claims.get("nbf", 0))
    if begins is None or begins > now + leeway:
        raise Untrusted(f"nbf is in the future: {CLOCKS}")


def check_id_token(
    claims: Mapping[str, Any],
    *,
    settings: Settings,
    nonce: str,
    access_token: str | None,
    alg: str,
    now: float,
    acr_values: Sequence[str] = (),
    max_age: float | None = None,
) -> Person:
    """Who the claims of a verified ID token are about, or `Untrusted` (OIDC Core 3.1.3.7, 3.1.3.8)."""
    leeway = settings.leeway.total_seconds()
    check_times(claims, now=now, leeway=leeway)
    if claims.get("iss") != settings.issuer:
        raise Untrusted("iss is another issuer")
    # OIDC Core 3.1.3.7 point 3: audiences that we do not trust make the token worthless
    named = claims.get("aud")
    others = [one for one in named if one != settings.client_id] if isinstance(named, list) else []
    if settings.client_id not in (named if isinstance(named, list) else [named]):
        raise Untrusted("aud is another client")
    if any(one not in settings.trusted_audiences for one in others):
        raise Untrusted(f"aud names others too: if {str(others)[:200]} are yours, name them in trusted_audiences")
    if claims.get("azp", None if others else settings.client_id) != settings.client_id:
        raise Untrusted("azp is another client, or missing where aud names several")
    if claims.get("nonce") != nonce:
        raise Untrusted("nonce is not the one we sent")
    if "at_hash" in claims and (access_token is None or claims["at_hash"] != jose.at_hash(access_token, alg)):
        raise Untrusted("at_hash belongs to another access token")
    subject, acr, amr = (claims.get(claim) for claim in ("sub", "acr", "amr"))
    if not isinstance(subject, str) or not subject:
        raise Untrusted("sub is missing")
    if acr_values and acr not in acr_values:
        raise Untrusted("acr is none of those we asked for")
    auth_time = date(claims.get("auth_time"))
    if max_age is not None and (auth_time is None or now - auth_time > max_age + leeway):
        raise Untrusted("auth_time is missing or older than the max_age we asked for")
    return Person(
        subject=subject,
        name=_text(claims.get("name")),
        acr=_text(acr),
        amr=tuple(str(method) for method in amr) if isinstance(amr, list) else (),
        auth_time=auth_time,
        sid=_text(claims.get("sid")),
        claims={name: claims[name] for name in settings.claims if name in claims},
    )


@dataclass(frozen=True, slots=True)
class SignedOutThere:
    """Somebody signed out at the provider: of the session `sid`, or of all that `subject` has."""

    subject: str | None
    sid: str | None
    jti: str
    issued_at: float
    until: float


def check_logout_token(claims: Mapping[str, Any], *, settings: Settings, now: float) -> SignedOutThere:
    """Whose sessions are to end, or `Untrusted` (OIDC Back-Channel Logout 2.6)."""
    leeway = settings.leeway.total_seconds()
    check_times(claims, now=now, leeway=leeway)
    if claims.get("iss") != settings.issuer:
        raise Untrusted("iss is another issuer")
    audience = claims.get("aud")
    if settings.client_id not in (audience if isinstance(audience, list) else [audience]):
        raise Untrusted("aud is another client")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(BACK_CHANNEL), dict):
        raise Untrusted("this is no logout token: it has no such event")
    # 2.4: or an ID token might be taken for one
    if "nonce" in claims:
        raise Untrusted("this is no logout token: it has a nonce")
    subject, sid, jti = (_text(claims.get(name)) for name in ("sub", "sid", "jti"))
    if jti is None or (subject is None and sid is None):
        raise Untrusted("the logout token has no jti, or neither sub nor sid")
    issued, expires = date(claims["iat"]), date(claims["exp"])
    assert issued is not None
    assert expires is not None
    return SignedOutThere(subject, sid, jti, issued, expires + leeway)


def date(seconds: object) -> float | None:
    """A NumericDate (RFC 7519 2), None for anything else."""
    if type(seconds) not in {int, float}:  # True is no number here
        return None
    return seconds if 0 <= seconds < 2**33 else None  # type: ignore[operator,return-value]  # one of these


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
