"""What an application says about itself and its provider. Every mistake is reported at once, at the start."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from joserfc.jwk import Key

from stile_rp.errors import Misconfigured
from stile_rp.jose import ALGORITHMS

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
ENVIRON = ("issuer", "client_id", "client_secret", "base_url", "audience")
ClientAuth = Literal["basic", "post", "private_key", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One application of one provider. Raises `Misconfigured`, which names every mistake.

    `issuer` is the provider's, byte for byte. A browser application has `client_id`, `base_url` (its own address,
    without a slash at the end) and mostly `client_secret`; an API has `audience`, the name that its provider writes
    into `aud` of access tokens. Both may be one.
    """

    issuer: str
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    base_url: str | None = None
    audience: str | None = None
    scopes: Sequence[str] = ("openid", "profile")
    claims: Sequence[str] = ("name",)  # of the person, asked into the ID token (OIDC Core 5.5)
    prefix: str = ""  # before /login, /callback, /logout, /signed-out and /backchannel-logout
    home: str | None = None  # where people go whom nothing else says; the beginning of base_url unless told
    session_life: timedelta = timedelta(hours=12)  # from the sign-in; how long a session may rest is the framework's
    keep_tokens: bool = False  # in the session, for APIs: wants a session that is kept on the server
    algorithms: Sequence[str] = ("RS256", "ES256")  # of tokens; nothing else is believed
    trusted_audiences: Sequence[str] = ()  # that an ID token may name beside us (OIDC Core 3.1.3.7 point 3)
    access_token_types: Sequence[str] = ("at+jwt",)  # RFC 9068 2.1; ("at+jwt", "jwt") for providers before it
    client_auth: ClientAuth | None = None  # "basic" with a secret, "none" without, unless told
    private_key: Key | None = field(default=None, repr=False)  # signs assertions for "private_key", by its `alg`
    leeway: timedelta = timedelta(seconds=30)  # between the provider's clock and ours

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ, **more: Any) -> Self:  # noqa: ANN401 - as the class
        """What `OIDC_ISSUER`, `OIDC_CLIENT_ID`, `OIDC_CLIENT_SECRET`, `OIDC_BASE_URL` and `OIDC_AUDIENCE` say."""
        told = {name: environ[f"OIDC_{name.upper()}"] for name in ENVIRON if environ.get(f"OIDC_{name.upper()}")}
        if "issuer" not in {**told, **more}:
            raise Misconfigured(
                "OIDC_ISSUER is not set: set it to the provider's address, as in https://id.example.com"
            )
        return cls(**{**told, **more})

    def __post_init__(self) -> None:
        """Everything that is wrong, in one error."""
        wrong = [*self._addresses(), *self._client(), *self._tokens()]
        if wrong:
            raise Misconfigured("; ".join(wrong))

    @property
    def callback(self) -> str:
        """The `redirect_uri`, to be registered at the provider byte for byte."""
        return f"{self.base_url}{self.prefix}/callback"

    @property
    def signed_out(self) -> str:
        """The `post_logout_redirect_uri`, to be registered as well."""
        return f"{self.base_url}{self.prefix}/signed-out"

    @property
    def root(self) -> str:
        """The path below which browsers find this application, where it does not have its host alone."""
        return urlsplit(self.base_url or "").path

    @property
    def login(self) -> str:
        """The path where signing in begins, as browsers see it."""
        return f"{self.root}{self.prefix}/login"

    @property
    def landing(self) -> str:
        """Where people go whom nothing else says."""
        return f"{self.root}/" if self.home is None else self.home

    @property
    def method(self) -> ClientAuth:
        """How this client authenticates."""
        return self.client_auth or ("basic" if self.client_secret is not None else "none")

    def browser(self) -> None:
        """`Misconfigured` unless people can sign in here."""
        missing = [name for name in ("client_id", "base_url") if getattr(self, name) is None]
        if missing:
            raise Misconfigured(f"people cannot sign in here: give {' and '.join(missing)}")

    def api(self) -> str:
        """The audience of access tokens, or `Misconfigured`."""
        if self.audience is None:
            raise Misconfigured(
                "access tokens cannot be checked: give audience, the name that the provider writes into aud for this "
                "API (idp client add … --audience)"
            )
        return self.audience

    def _addresses(self) -> list[str]:
        wrong = []
        for name in ("issuer", "base_url"):
            url = getattr(self, name)
            if url is not None and not secure(url):
                wrong.append(f"{name} is {url!r}: give an https address (http on this machine alone)")
            elif url is not None and (urlsplit(url).query or urlsplit(url).fragment):
                wrong.append(f"{name} is {url!r}: it cannot have a ? or a #")
        if self.base_url is not None and self.base_url.endswith("/"):
            wrong.append(f"base_url is {self.base_url!r}: leave the slash at its end out")
        if self.prefix and (not local(self.prefix) or self.prefix.endswith("/")):
            wrong.append(f"prefix is {self.prefix!r}: it begins with a slash and does not end with one, as in '/auth'")
        if self.home is not None and not local(self.home):
            wrong.append(f"home is {self.home!r}: give a path of this application, as in '/'")
        return wrong

    def _client(self) -> list[str]:
        wrong = []
        if self.method in {"basic", "post"} and not self.client_secret:
            wrong.append(f"client_auth is {self.method!r}: give client_secret")
        if self.method == "private_key" and (self.private_key is None or not self.private_key.get("alg")):
            wrong.append("client_auth is 'private_key': give private_key, a private key of joserfc with its alg")
        if self.client_secret is not None and self.client_id is None:
            wrong.append("there is a client_secret without a client_id: give both")
        if self.client_id is not None and "openid" not in self.scopes:
            wrong.append("scopes must have 'openid': without it nobody says who signed in")
        return wrong

    def _tokens(self) -> list[str]:
        wrong = [f"algorithm {alg!r} is none that is believed" for alg in self.algorithms if alg not in ALGORITHMS]
        if not self.algorithms or isinstance(self.algorithms, str):
            wrong.append("algorithms is a list, as in ['RS256']")
        if not timedelta(0) <= self.leeway <= timedelta(minutes=5):
            wrong.append("leeway is between nothing and 5 minutes: beyond that, set the clocks right")
        return wrong


def secure(url: str) -> bool:
    """Whether nobody on the way can read or change what is sent there."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))


def local(path: str) -> bool:
    """Whether this leads to a place of this application, whatever a browser makes of it."""
    if not path.startswith("/") or path.startswith(("//", "/\\")):
        return False
    return path.isprintable() and "\\" not in path and " " not in path
