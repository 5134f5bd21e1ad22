"""What a relying party knows and checks. Pure: no network, no keys, no pages; `rp` beside it does the talking."""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

LEEWAY = timedelta(seconds=30)  # between the provider's clock and ours


def local_now() -> datetime:
    """This machine's time."""
    return datetime.now(UTC)  # noqa: TID251 - a relying party stands outside the provider and has a clock of its own


def _http() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=10, trust_env=False)  # a proxy in the environment must not see tokens


@dataclass(frozen=True, slots=True)
class RelyingPartyConfig:
    """One registered client. `base_url` is this application's own, without a slash at the end."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    base_url: str
    http: Callable[[], httpx.AsyncClient] = _http
    now: Callable[[], datetime] = local_now
    signing_alg: str = "RS256"  # of ID tokens and access tokens; nothing else is believed

    @property
    def redirect_uri(self) -> str:
        """To be registered at the provider, letter by letter."""
        return f"{self.base_url}/callback"

    @property
    def signed_out_uri(self) -> str:
        """The `post_logout_redirect_uri`, to be registered as well."""
        return f"{self.base_url}/signed-out"


class Untrusted(Exception):
    """The answer is not what the provider would have said to this browser. Nothing of it may be used."""


class Outdated(Untrusted):
    """The answer belongs to no sign-in that waits in this browser: Back, a second tab, a link, or somebody else's."""


class ProviderUnavailable(Exception):
    """The provider cannot be reached or makes no sense. The person can try again later."""


@dataclass(frozen=True, slots=True)
class Login:
    """What was asked, kept on the server until the browser comes back. Works once."""

    nonce: str
    verifier: str
    return_to: str
    scopes: tuple[str, ...]
    acr_values: tuple[str, ...]
    max_age: timedelta | None
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed in and how. `(issuer, subject)` names the person for ever; a name or an e-mail address does not."""

    subject: str
    name: str | None
    acr: str | None
    amr: tuple[str, ...]
    auth_time: datetime | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A finished login. `scopes` are those granted, which may be fewer than asked."""

    identity: Identity
    return_to: str
    scopes: tuple[str, ...]
    expires_at: datetime
    nonce: str = field(repr=False)
    id_token: str = field(repr=False)
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Declined:
    """The provider said no, or the person did. `description` is the provider's sentence: escape it."""

    error: str
    description: str
    return_to: str


@dataclass(frozen=True, slots=True)
class StepUp:
    """What an API asks for before it does what was asked (RFC 9470 3)."""

    acr_values: tuple[str, ...]
    max_age: timedelta | None


def step_up(answer: httpx.Response) -> StepUp | None:
    """The step-up an API's answer asks for, or None. Give its values to `login_url`, then try the new token."""
    challenge = answer.headers.get("www-authenticate", "")
    if answer.status_code != 401 or not challenge.lower().startswith("bearer "):
        return None
    told = {
        name.lower(): quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,"]+))', challenge)
    }
    if told.get("error") != "insufficient_user_authentication":
        return None
    age = told.get("max_age", "")
    seconds = timedelta(seconds=int(age)) if re.fullmatch(r"[0-9]{1,9}", age) else None
    return StepUp(acr_values=tuple(told.get("acr_values", "").split()), max_age=seconds)


def check_id_token(
    claims: Mapping[str, Any],
    *,
    config: RelyingPartyConfig,
    nonce: str,
    access_token: str,
    acr_values: Sequence[str] = (),
    max_age: timedelta | None = None,
) -> Identity:
    """The identity in the claims of a verified ID token, or `Untrusted` (OIDC Core 3.1.3.7, 3.1.3.8)."""
    now = config.now()
    check_times(claims, now=now)
    if claims.get("iss") != config.issuer:
        raise Untrusted("iss is another issuer")
    # OIDC Core 3.1.3.7 point 3: audiences that we do not trust make the token worthless; we trust no other.
    if claims.get("aud") not in (config.client_id, [config.client_id]):
        raise Untrusted("aud is not this client alone")
    if claims.get("azp", config.client_id) != config.client_id:
        raise Untrusted("azp is another client")
    if claims.get("nonce") != nonce:
        raise Untrusted("nonce is not the one we sent")
    if "at_hash" in claims and claims["at_hash"] != at_hash(access_token, config.signing_alg):
        raise Untrusted("at_hash belongs to another access token")
    subject, name, acr, amr = (claims.get(claim) for claim in ("sub", "name", "acr", "amr"))
    if not isinstance(subject, str) or not subject:
        raise Untrusted("sub is missing")
    if acr_values and acr not in acr_values:
        raise Untrusted("acr is none of those we asked for")
    auth_time = date(claims.get("auth_time"))
    if max_age is not None and (auth_time is None or now - auth_time > max_age + LEEWAY):
        raise Untrusted("auth_time is missing or older than max_age")
    return Identity(
        subject=subject,
        name=name if isinstance(name, str) and name else None,
        acr=acr if isinstance(acr, str) else None,
        amr=tuple(str(method) for method in amr) if isinstance(amr, list) else (),
        auth_time=auth_time,
    )


def check_times(claims: Mapping[str, Any], *, now: datetime) -> None:
    """`Untrusted` unless `exp` is to come and `iat` has been (RFC 7519 4.1.4, 4.1.6)."""
    expires, issued = date(claims.get("exp")), date(claims.get("iat"))
    if expires is None or expires <= now - LEEWAY:
        raise Untrusted("exp is missing or past")
    if issued is None or issued > now + LEEWAY:
        raise Untrusted("iat is missing or in the future")


def at_hash(access_token: str, alg: str) -> str:
    """The left half of the hash that belongs to `alg`, as OIDC Core 3.1.3.6 writes it."""
    digest = hashlib.new(f"sha{alg[-3:]}", access_token.encode()).digest()
    return base64url(digest[: len(digest) // 2])


def base64url(raw: bytes) -> str:
    """Base64url without padding (RFC 7515 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def date(seconds: object) -> datetime | None:
    """The instant a NumericDate means (RFC 7519 2), None for anything else."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 2**33:
        return None
    return datetime.fromtimestamp(seconds, UTC)
