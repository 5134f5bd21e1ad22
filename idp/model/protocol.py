"""What clients are, ask for and are given. No behaviour but reading themselves from JSON and back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from idp.model.details import NOTHING_APPROVED, Approved, Details
from idp.model.factors import AssuranceLevel, Factor
from idp.model.people import Change


class AuthMethod(StrEnum):
    """How a client authenticates at the token endpoint (OIDC Core 9)."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    PRIVATE_KEY_JWT = "private_key_jwt"
    NONE = "none"


class ResponseMode(StrEnum):
    """Where the authorization answer goes (OAuth 2.0 Multiple Response Types 2.1, Form Post 2)."""

    QUERY = "query"
    FORM_POST = "form_post"


class Prompt(StrEnum):
    """Values of the `prompt` parameter (OIDC Core 3.1.2.1)."""

    NONE = "none"
    LOGIN = "login"
    CONSENT = "consent"
    SELECT_ACCOUNT = "select_account"


@dataclass(frozen=True, slots=True)
class Client:
    """A registered relying party (RFC 7591 2). Cached in process; never changed by a request."""

    id: str
    name: str
    auth_method: AuthMethod
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    grant_types: frozenset[str] = frozenset({"authorization_code"})
    scopes: frozenset[str] = frozenset({"openid"})
    secret_hash: bytes | None = field(default=None, repr=False)
    require_pkce: bool = True
    first_party: bool = False
    native: bool = False  # loopback redirect URIs may vary the port (RFC 8252 7.3)
    signing_alg: str = "RS256"  # of ID tokens and access tokens
    userinfo_alg: str | None = None  # None: plain JSON (OIDC Core 5.3.2)
    rotate_refresh: bool = True
    assertion_audience: str = "any"  # "issuer": only the issuer as a single string (FAPI 2.0)
    jwks: Mapping[str, Any] | None = None
    audience: tuple[str, ...] = ()  # resource servers its access tokens are for; empty: the issuer
    id_token_claims: frozenset[str] = frozenset()  # put there whenever their scope is granted (OIDC Core 5.4)
    groups: frozenset[str] = frozenset()  # only members of one of them may use it; empty: everybody
    origins: tuple[str, ...] = ()  # where its pages in browsers live; empty: the origins of its redirect URIs
    home_uri: str | None = None  # where people begin to use it (RFC 7591 2, client_uri): listed on their account page
    details_types: frozenset[str] = frozenset()  # of authorization_details that it may ask for (RFC 9396 10)
    require_pushed: bool = False  # it asks by pushed requests alone (RFC 9126 6)
    level: AssuranceLevel = AssuranceLevel.TWO_FACTOR  # what signing in to it takes, whatever it asks for
    logo: str | None = None  # by which name its picture is asked for
    old_secret_hash: bytes | None = field(default=None, repr=False)  # the secret before, good too until then
    old_secret_until: datetime | None = None
    old_secret_used_at: datetime | None = None  # to within `SEEN_EVERY`; not kept up in the cached client
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Registration:
    """A client with what is stored of it and not cached. `logo` is its picture: the media type and the bytes."""

    client: Client
    created_at: datetime
    disabled_at: datetime | None = None
    logo: tuple[str, bytes] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ClaimsRequest:
    """The `claims` parameter, parsed (OIDC Core 5.5). Names asked for one by one; `essential_acr` in 5.5.1.1.

    `scopes` are those that give the same claims: what they need, the names need too.
    """

    userinfo: frozenset[str] = frozenset()
    id_token: frozenset[str] = frozenset()
    scopes: tuple[str, ...] = ()
    essential_acr: tuple[str, ...] = ()
    voluntary_acr: tuple[str, ...] = ()
    subject: str | None = None  # `sub` with a value: only this person may be signed in


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A valid authorization request: the client and redirect_uri are registered, every value has been checked.

    Only `idp.oidc.request.parse` and `from_json` make one. `scopes` are those this client may ask for, in the order
    asked; unknown ones are already gone; with `details` there may be none. `max_age` is None when not asked for.
    """

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None = None
    nonce: str | None = None
    code_challenge: str | None = None
    response_mode: ResponseMode = ResponseMode.QUERY
    prompts: frozenset[Prompt] = frozenset()
    max_age: timedelta | None = None
    acr_values: tuple[str, ...] = ()
    claims: ClaimsRequest = ClaimsRequest()
    login_hint: str | None = None
    hint_subject: str | None = None  # `sub` of a verified id_token_hint
    ui_locales: tuple[str, ...] = ()
    change: Change | None = None  # of our own account pages only, with the authenticator that it is about
    target: UUID | None = None
    details: Details | None = None  # what the person is asked to approve (RFC 9396)
    pushed: bool = False  # by RFC 9126: it is good for one answer, and never begins again

    @property
    def approves(self) -> bytes:
        """The SHA-256 of what answering approves, of nothing where that is only a sign-in: codes are made with it."""
        return NOTHING_APPROVED if self.details is None else self.details.digest

    def as_json(self) -> dict[str, Any]:
        """A JSON object from which `from_json` makes an equal request."""
        return {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scopes": list(self.scopes),
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": self.code_challenge,
            "response_mode": self.response_mode.value,
            "prompts": sorted(self.prompts),
            "max_age": None if self.max_age is None else self.max_age.total_seconds(),
            "acr_values": list(self.acr_values),
            "claims": {
                "userinfo": sorted(self.claims.userinfo),
                "id_token": sorted(self.claims.id_token),
                "scopes": list(self.claims.scopes),
                "essential_acr": list(self.claims.essential_acr),
                "voluntary_acr": list(self.claims.voluntary_acr),
                "subject": self.claims.subject,
            },
            "login_hint": self.login_hint,
            "hint_subject": self.hint_subject,
            "ui_locales": list(self.ui_locales),
            "change": self.change,
            "target": None if self.target is None else str(self.target),
            **({} if self.details is None else {"details": self.details.written}),
            **({"pushed": True} if self.pushed else {}),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The request that `as_json` wrote; trusted, because only we write it."""
        claims = stored["claims"]
        return cls(
            client_id=stored["client_id"],
            redirect_uri=stored["redirect_uri"],
            scopes=tuple(stored["scopes"]),
            state=stored["state"],
            nonce=stored["nonce"],
            code_challenge=stored["code_challenge"],
            response_mode=ResponseMode(stored["response_mode"]),
            prompts=frozenset(Prompt(value) for value in stored["prompts"]),
            max_age=None if stored["max_age"] is None else timedelta(seconds=stored["max_age"]),
            acr_values=tuple(stored["acr_values"]),
            claims=ClaimsRequest(
                userinfo=frozenset(claims["userinfo"]),
                id_token=frozenset(claims["id_token"]),
                scopes=tuple(claims.get("scopes", ())),
                essential_acr=tuple(claims["essential_acr"]),
                voluntary_acr=tuple(claims["voluntary_acr"]),
                subject=claims["subject"],
            ),
            login_hint=stored["login_hint"],
            hint_subject=stored["hint_subject"],
            ui_locales=tuple(stored["ui_locales"]),
            change=None if stored["change"] is None else Change(stored["change"]),
            target=None if stored["target"] is None else UUID(stored["target"]),
            details=Details(stored["details"]) if "details" in stored else None,
            pushed=stored.get("pushed", False),
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """What was granted to which client, for whom, and how that person was authenticated.

    For client_credentials `account_id`, `session_id` and the context fields are None. `claims` are the names asked for
    one by one. The database refuses a person's grant below `TWO_FACTOR`.
    """

    id: UUID
    client_id: str
    scopes: tuple[str, ...]
    created_at: datetime
    account_id: UUID | None = None
    session_id: UUID | None = None
    level: AssuranceLevel = AssuranceLevel.NONE
    acr: str | None = None
    amr: tuple[str, ...] = ()
    auth_time: datetime | None = None
    strong_at: datetime | None = None
    fresh_at: datetime | None = None
    claims: ClaimsRequest = ClaimsRequest()
    revoked_at: datetime | None = None
    approved: Approved | None = None  # carried by the code and told by its one access token; not stored


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a grant, as far as its tokens depend on it: as they are now, not as they were when they signed in.

    `trusted` are the factors of which this person has an authenticator, confirmed and not closed, and since when the
    first of each kind is past its hold. Until `closed_until` nothing they prove gives more than two factors.
    """

    account_id: UUID
    groups: frozenset[str] = frozenset()
    disabled: bool = False
    closed_until: datetime | None = None
    trusted: Mapping[Factor, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """A code as it was made, with the grant that its exchange stores."""

    grant: Grant
    redirect_uri: str
    code_challenge: str | None
    nonce: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token at the moment of its use, with its grant (the family)."""

    grant: Grant
    issued_at: datetime
    expires_at: datetime
    used_at: datetime | None
    successor_used: bool = False
