"""For tests of applications: a provider that says what a test wants, without a network. Also for the kit's own.

provider = FakeProvider("https://id.example", audience="https://api.example")
auth = Auth(provider.settings(), http=provider.async_http, clock=provider.clock)
headers = {"Authorization": f"Bearer {provider.access_token(scope='transfers:write')}"}
"""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, Key

from stile_rp import jose
from stile_rp.claims import BACK_CHANNEL
from stile_rp.settings import Settings


@dataclass(slots=True)
class FakeProvider:
    """Signs people in as told, without asking anybody. Members may be changed between two requests.

    `id_claims` and `answer` overwrite what the ID token and the address of the callback say; None takes a member out.
    """

    issuer: str = "https://id.example"
    client_id: str = "shop"
    client_secret: str | None = "a secret of a client: +%"
    base_url: str = "https://shop.example"
    audience: str = "https://api.example"
    subject: str = "sub-alice"
    acr: str = "urn:stile:2fa"
    now: float = 1_800_000_000.0
    down: bool = False
    refuse: tuple[str, str] | None = None
    keys: list[Key] = field(default_factory=lambda: [new_key("one")])  # the first signs, all are listed
    listed: list[Any] | None = None  # instead of `keys`
    metadata: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, str | None] = field(default_factory=dict)
    id_claims: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)  # authorization requests
    posted: list[dict[str, str]] = field(default_factory=list)  # to the token endpoint
    reads: list[str] = field(default_factory=list)  # paths of what was fetched
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    pushed: dict[str, dict[str, str]] = field(default_factory=dict)

    def clock(self) -> float:
        """The time of this world; `now` moves it."""
        return self.now

    def settings(self, **changes: Any) -> Settings:  # noqa: ANN401 - as `Settings`
        """An application of this provider."""
        given = {name: getattr(self, name) for name in ("issuer", "client_id", "client_secret", "base_url", "audience")}
        return Settings(**{**given, "algorithms": ("ES256",), **changes})

    def http(self) -> httpx.Client:
        """A way to this provider, for `http=`."""
        return httpx.Client(transport=httpx.MockTransport(self.respond))

    def async_http(self) -> httpx.AsyncClient:
        """The same, for what is awaited."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self.respond))

    def browse(self, url: str) -> str:
        """The address of the application to which a browser that was sent to `url` comes back."""
        asked = dict(parse_qsl(urlsplit(url).query))
        asked = self.pushed.pop(asked["request_uri"]) if "request_uri" in asked else asked
        self.asked.append(asked)
        told: dict[str, str | None] = {"state": asked["state"], "iss": self.issuer}
        if self.refuse is not None:
            told |= {"error": self.refuse[0], "error_description": self.refuse[1]}
        else:
            told["code"] = secrets.token_urlsafe(450)  # as long as Stile's are
            self.codes[told["code"] or ""] = asked
        query = urlencode({name: value for name, value in (told | self.answer).items() if value is not None})
        return f"{asked['redirect_uri']}?{query}"

    def come_back(self, url: str) -> list[tuple[str, str]]:
        """The parameters of that address."""
        return parse_qsl(urlsplit(self.browse(url)).query)

    def access_token(self, *, scope: str = "openid", typ: str = "at+jwt", **claims: Any) -> str:  # noqa: ANN401
        """An access token as this provider writes them; `claims` overwrite."""
        who = {"iss": self.issuer, "sub": self.subject, "aud": self.audience, "client_id": self.client_id}
        when = {
            "iat": int(self.now),
            "exp": int(self.now) + 300,
            "auth_time": int(self.now),
            "jti": secrets.token_hex(8),
        }
        return self.sign({**who, **when, "acr": self.acr, "scope": scope, **claims}, typ=typ)

    def logout_token(self, *, typ: str = "logout+jwt", **claims: Any) -> str:  # noqa: ANN401
        """A logout token; `claims` overwrite (OIDC Back-Channel Logout 2.4)."""
        who = {"iss": self.issuer, "aud": self.client_id, "sub": self.subject, "events": {BACK_CHANNEL: {}}}
        when = {"iat": int(self.now), "exp": int(self.now) + 120, "jti": secrets.token_hex(8)}
        return self.sign({**who, **when, **claims}, typ=typ)

    def sign(self, claims: dict[str, Any], *, typ: str = "JWT", key: Key | None = None, **header: Any) -> str:  # noqa: ANN401
        """A token of these claims, without those that are None."""
        by = key or self.keys[0]
        said = {"alg": str(by.get("alg")), "kid": by.kid, "typ": typ, **header}
        told = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(
            {name: value for name, value in said.items() if value is not None}, told, by, algorithms=[said["alg"]]
        )

    def respond(self, request: httpx.Request) -> httpx.Response:
        """What this provider answers."""
        if self.down:
            raise httpx.ConnectError("nobody listens", request=request)
        path = request.url.path
        self.reads.append(path)
        match path:
            case "/.well-known/openid-configuration":
                return httpx.Response(200, json=self._metadata())
            case "/jwks":
                listed = [key.as_dict(private=False) for key in self.keys] if self.listed is None else self.listed
                return httpx.Response(200, json={"keys": listed})
            case "/par":
                name = f"urn:ietf:params:oauth:request_uri:{secrets.token_hex(8)}"
                self.pushed[name] = dict(parse_qsl(request.content.decode()))
                return httpx.Response(201, json={"request_uri": name, "expires_in": 60})
            case "/token":
                return self._token(request)
        return httpx.Response(404, json={"error": "not_found"})

    def _metadata(self) -> dict[str, Any]:
        there = {
            "authorization_endpoint": "/authorize",
            "token_endpoint": "/token",
            "jwks_uri": "/jwks",
            "end_session_endpoint": "/logout",
            "userinfo_endpoint": "/userinfo",
        }
        says = {"issuer": self.issuer, "authorization_response_iss_parameter_supported": True}
        return {**says, **{name: self.issuer + path for name, path in there.items()}, **self.metadata}

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = dict(parse_qsl(request.content.decode()))
        self.posted.append(form)
        if self.client_secret is not None and "authorization" in request.headers:
            given = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
            if [unquote_plus(part) for part in given.split(":", 1)] != [self.client_id, self.client_secret]:
                return httpx.Response(401, json={"error": "invalid_client"})
        asked = self.codes.pop(form.get("code", ""), None) or self.codes.pop(form.get("refresh_token", ""), None)
        if asked is None or not self._proves(form, asked):
            return httpx.Response(400, json={"error": "invalid_grant"})
        return httpx.Response(200, json=self._issue(asked, refreshed="refresh_token" in form))

    def _proves(self, form: dict[str, str], asked: dict[str, str]) -> bool:
        if "refresh_token" in form:
            return True
        challenge = jose.encoded(hashlib.sha256(form["code_verifier"].encode()).digest())
        return challenge == asked["code_challenge"] and form["redirect_uri"] == asked["redirect_uri"]

    def _issue(self, asked: dict[str, str], *, refreshed: bool) -> dict[str, Any]:
        details = json.loads(asked.get("authorization_details", "null"))
        bound = {} if details is None else {"authorization_details": details}
        access = self.access_token(scope=asked["scope"], **bound)
        now = int(self.now)
        asked.setdefault("at", str(now))
        who = {"iss": self.issuer, "sub": self.subject, "aud": self.client_id, "acr": self.acr, "amr": ["pwd", "otp"]}
        when = {"iat": now, "exp": now + 600, "auth_time": int(asked["at"])}
        once = {} if refreshed else {"nonce": asked["nonce"]}
        claims = {
            **who,
            **when,
            **once,
            "name": "Alice Ader",
            "at_hash": jose.at_hash(access, "ES256"),
            **self.id_claims,
        }
        told = {"access_token": access, "token_type": "Bearer", "expires_in": 300, "scope": asked["scope"], **bound}
        told["id_token"] = self.sign(claims)
        if "offline_access" in asked["scope"].split():
            told["refresh_token"] = secrets.token_urlsafe(16)
            self.codes[told["refresh_token"]] = asked
        return {name: value for name, value in {**told, **self.tokens}.items() if value is not None}


def new_key(kid: str) -> Key:
    """A key that signs ES256."""
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})
