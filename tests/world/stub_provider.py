"""A provider of a page or two, faithful on the wire, that says what a test wants; and a browser without a screen."""

import asyncio
import base64
import hashlib
import hmac
import html
import json
import re
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from idp.demo.bank import bank
from idp.demo.notes import notes
from idp.demo.registration import Registration, registration
from idp.testing import FrozenClock

ISSUER = "http://localhost:8000"
BANK = "http://localhost:8001"
NOTES = "http://localhost:8002"
SECRETS = {"bank": "bank:secret+%/", "notes": "notes-secret"}
GRANTED = {"bank": {"openid", "profile", "transfers:write"}, "notes": {"openid", "profile", "offline_access"}}
TLS = ssl.create_default_context()  # made once: it takes longer than a test
TWO, STRONG = "urn:stile:2fa", "urn:stile:2fa-strong"
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "two", "use": "sig", "alg": "RS256"})
EC_KEY = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig", "alg": "ES256"})

Claims = dict[str, Any]


def half_hash(token: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()[:16]).rstrip(b"=").decode()


def _part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def unsigned(claims: Claims, *, alg: str = "none", typ: str = "JWT") -> str:
    """A token without a signature."""
    header = {"alg": alg, "typ": typ, "kid": "one"}
    return f"{_part(json.dumps(header).encode())}.{_part(json.dumps(claims).encode())}."


def signed_with_the_public_key(claims: Claims) -> str:
    """The old confusion: HS256, and the secret is what everybody can read."""
    text = unsigned(claims, alg="HS256").removesuffix(".")
    return f"{text}.{_part(hmac.digest(KEY.as_pem(private=False), text.encode(), 'sha256'))}"


@dataclass
class Stub:
    """What the provider does next. `id_claims` and `access_claims` overwrite; None takes a claim away."""

    clock: FrozenClock = field(default_factory=FrozenClock)
    subject: str = "sub-alice"
    name: str | None = "Alice Ader"
    down: bool = False
    refuse: tuple[str, str] | None = None
    needs_asking: bool = False  # a weak server: gives the strong level only to clients that ask by acr_values
    never_strong: bool = False
    answer: dict[str, str | None] = field(default_factory=dict)
    id_claims: Claims = field(default_factory=dict)
    access_claims: Claims = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)
    sign: Callable[[Claims], str] | None = None  # makes the ID token instead
    signing_key: RSAKey = field(default_factory=lambda: KEY)
    listed: list[Any] = field(default_factory=lambda: [KEY, EC_KEY])
    token_status: int = 200
    token_body: bytes | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    offline: bool = True
    rotate_id_token: bool = True
    asked: list[dict[str, str]] = field(default_factory=list)
    redeemed: list[dict[str, str]] = field(default_factory=list)
    keys_read: int = 0
    last_access_token: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    pushed: dict[str, dict[str, str]] = field(default_factory=dict)
    refresh_tokens: dict[str, dict[str, str]] = field(default_factory=dict)

    def seconds(self) -> int:
        return int(self.clock.now().timestamp())

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._metadata),
                Route("/jwks", self._jwks),
                Route("/authorize", self._authorize),
                Route("/par", self._par, methods=["POST"]),
                Route("/token", self._token, methods=["POST"]),
                Route("/logout", self._logout),
            ]
        )

    async def _metadata(self, _: Request) -> Response:
        told = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "pushed_authorization_request_endpoint": f"{ISSUER}/par",
            "jwks_uri": f"{ISSUER}/jwks",
            "authorization_response_iss_parameter_supported": True,
            "end_session_endpoint": f"{ISSUER}/logout",
        }
        return JSONResponse(told | self.metadata)

    async def _jwks(self, _: Request) -> Response:
        self.keys_read += 1
        return JSONResponse(
            {"keys": [key if isinstance(key, dict) else key.as_dict(private=False) for key in self.listed]}
        )

    async def _par(self, request: Request) -> Response:
        name = f"urn:ietf:params:oauth:request_uri:{len(self.pushed)}"
        self.pushed[name] = dict(parse_qsl((await request.body()).decode()))
        return JSONResponse({"request_uri": name, "expires_in": 90}, 201)

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        asked = self.pushed.get(asked.get("request_uri", ""), asked)
        self.asked.append(asked)
        told: dict[str, str | None] = {"state": asked["state"], "iss": ISSUER}
        if self.refuse is not None:
            told |= {"error": self.refuse[0], "error_description": self.refuse[1]}
        else:
            code = secrets.token_urlsafe(16)
            self.codes[code] = asked
            told["code"] = code
        told |= self.answer
        query = urlencode({name: value for name, value in told.items() if value is not None})
        return RedirectResponse(f"{asked['redirect_uri']}?{query}", 303)

    async def _logout(self, request: Request) -> Response:
        return RedirectResponse(request.query_params["post_logout_redirect_uri"], 303)

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        self.redeemed.append(form)
        given = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        client_id, secret = (unquote_plus(part) for part in given.split(":", 1))
        if SECRETS.get(client_id) != secret:
            return JSONResponse({"error": "invalid_client"}, 401)
        if self.token_body is not None:
            return Response(self.token_body, self.token_status, media_type="application/json")
        if self.token_status != 200:
            return JSONResponse({"error": "server_error"}, self.token_status)
        if form["grant_type"] == "refresh_token":
            asked = self.refresh_tokens.pop(form["refresh_token"], None)
        else:
            asked = self.codes.pop(form["code"], None)
            verifier = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
            if asked is not None and (
                verifier.rstrip(b"=").decode() != asked["code_challenge"]
                or form["redirect_uri"] != asked["redirect_uri"]
            ):
                asked = None
        if asked is None or asked["client_id"] != client_id:
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse(self._issue(asked, refreshed=form["grant_type"] == "refresh_token") | self.tokens)

    def _issue(self, asked: dict[str, str], *, refreshed: bool) -> dict[str, Any]:
        client_id, now = asked["client_id"], self.seconds()
        scopes = [scope for scope in asked["scope"].split() if scope in GRANTED[client_id]]
        if not self.offline:
            scopes = [scope for scope in scopes if scope != "offline_access"]
        details = json.loads(asked.get("authorization_details", "[]"))
        strong = bool(details) and not self.never_strong
        strong = strong and (not self.needs_asking or STRONG in asked.get("acr_values", ""))
        who = {
            "iss": ISSUER,
            "sub": self.subject,
            "iat": now,
            "auth_time": int(asked.setdefault("at", str(now))),
            "acr": STRONG if strong else TWO,
            "amr": ["pwd", "otp", "mfa"] if strong else ["pwd", "sms", "mfa"],
        }
        access = who | {
            "aud": f"{BANK}/api" if client_id == "bank" else ISSUER,
            "exp": now + 300,
            "client_id": client_id,
            "scope": " ".join(scopes),
            "jti": secrets.token_urlsafe(8),
            **({"authorization_details": details} if details else {}),
        }
        self.last_access_token = self.signed(access | self.access_claims, typ="at+jwt")
        identity = who | {"aud": client_id, "exp": now + 600, "at_hash": half_hash(self.last_access_token)}
        if not refreshed:
            identity["nonce"] = asked["nonce"]
        if self.name is not None and '"name"' in asked.get("claims", ""):
            identity["name"] = self.name
        identity |= self.id_claims
        identity = {name: value for name, value in identity.items() if value is not None}
        told: dict[str, Any] = {
            **({"authorization_details": details} if details else {}),
            "access_token": self.last_access_token,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": " ".join(scopes),
        }
        if not refreshed or self.rotate_id_token:
            told["id_token"] = self.sign(identity) if self.sign is not None else self.signed(identity)
        if "offline_access" in scopes:
            told["refresh_token"] = secrets.token_urlsafe(16)
            self.refresh_tokens[told["refresh_token"]] = asked
        return told

    def signed(self, claims: Claims, *, typ: str = "JWT", key: RSAKey | None = None, kid: str | None = None) -> str:
        key = key or self.signing_key
        told = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode({"alg": "RS256", "kid": kid or str(key.kid), "typ": typ}, told, key)


class Wire(httpx.AsyncBaseTransport):
    """What lies between: others get their turn on the way, and the provider's wire can be pulled."""

    def __init__(self, app: Starlette, *, pulled: Callable[[], bool] = bool) -> None:
        self.plugged = httpx.ASGITransport(app)
        self.pulled = pulled

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        if self.pulled():
            raise httpx.ConnectError("nobody listens", request=request)
        return await self.plugged.handle_async_request(request)


class World:
    """The stub, both applications, and what connects them."""

    def __init__(self) -> None:
        self.stub = Stub()
        self.wires: dict[str, httpx.AsyncBaseTransport | None] = {
            ISSUER: Wire(self.stub.app(), pulled=lambda: self.stub.down)
        }
        self.clients: list[httpx.AsyncClient] = []
        self.wires[BANK] = Wire(bank(self.config("bank", BANK)))
        self.wires[NOTES] = Wire(notes(self.config("notes", NOTES)))

    def http(self) -> httpx.AsyncClient:
        self.clients.append(httpx.AsyncClient(mounts=self.wires, trust_env=False, verify=TLS))
        return self.clients[-1]

    def config(self, client_id: str, base_url: str) -> Registration:
        secret, now = SECRETS[client_id], self.stub.clock.now
        return registration(ISSUER, client_id, secret, base_url, http=self.http, now=now)

    def browser(self) -> "Browser":
        return Browser(self.http())

    async def aclose(self) -> None:
        for client in self.clients:
            await client.aclose()


class Browser:
    """Keeps cookies, follows redirects, fills in forms. `page` is what it shows."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.page = httpx.Response(204)

    @property
    def text(self) -> str:
        return self.page.text

    @property
    def at(self) -> str:
        return str(self.page.url)

    async def open(self, url: str, *, stop_before: str = "\0") -> Self:
        return await self._go(self.http.build_request("GET", url), stop_before)

    async def press(self, action: str, *, stop_before: str = "\0", **fields: str) -> Self:
        """Send the form of the page shown whose action is `action`."""
        form = re.search(rf'action="{re.escape(action)}".*?</form>', self.text, re.DOTALL)
        assert form is not None, f"no form {action} in {self.text}"
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form.group())
        data = {name: html.unescape(value) for name, value in hidden} | fields
        url = httpx.URL(self.at).join(action)
        return await self._go(self.http.build_request("POST", url, data=data), stop_before)

    async def _go(self, request: httpx.Request, stop_before: str) -> Self:
        for _ in range(20):
            self.page = await self.http.send(request)
            target = self.page.headers.get("location")
            if target is None or str(self.page.url.join(target)).startswith(stop_before):
                return self
            request = self.http.build_request("GET", self.page.url.join(target))
        raise AssertionError("sent round in circles")

    @property
    def target(self) -> httpx.URL:
        """Where the redirect that was not followed leads."""
        return self.page.url.join(self.page.headers["location"])


async def sign_in(browser: Browser, app: str = BANK) -> Browser:
    await browser.open(f"{app}/login")
    assert browser.at == f"{app}/", browser.text
    return browser


async def prepare_transfer(browser: Browser, *, payee: str = "Jana Nováková", amount: str = "25,50") -> Browser:
    """Fill in the form, and look at the bank's page of it instead of approving it at once."""
    await browser.open(f"{BANK}/transfers/new")
    await browser.press("/transfers", stop_before=f"{BANK}/transfers/", payee=payee, amount=amount)
    if browser.page.status_code != 303:
        return browser
    return await browser.open(str(browser.target).removesuffix("/confirm"))


def path_of(browser: Browser) -> str:
    return urlsplit(browser.at).path
