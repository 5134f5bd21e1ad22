"""One provider, one moment, a few clients: what every protocol test starts from."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from idp import crypto
from idp.model import (
    Account,
    AssuranceLevel,
    AuthMethod,
    AuthorizationCode,
    AuthorizationRequest,
    Client,
    Grant,
    RefreshToken,
)
from idp.oidc import request
from idp.oidc.keys import ALGORITHMS, KeyRing, KeyState, generate, load

SECRET = "s3cret+with%colon:"
SCOPES = frozenset({"openid", "profile", "email", "phone", "address", "offline_access", "transfers:write", "reports"})
ACCOUNT_ID = UUID("11111111-1111-4111-8111-111111111111")
SESSION_ID = UUID("22222222-2222-4222-8222-222222222222")
GRANT_ID = UUID("33333333-3333-4333-8333-333333333333")


@pytest.fixture(scope="session")
def issuer() -> str:
    return "https://login.example"


@pytest.fixture(scope="session")
def now() -> datetime:
    return datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def key_bytes() -> Mapping[str, bytes]:
    return {algorithm: generate(algorithm) for algorithm in ALGORITHMS}


@pytest.fixture(scope="session")
def keys(key_bytes: Mapping[str, bytes]) -> KeyRing:
    return KeyRing(load(jwk, state=KeyState.CURRENT) for jwk in key_bytes.values())


@pytest.fixture(scope="session")
def strangers() -> KeyRing:
    """Another provider's keys."""
    return KeyRing(load(generate(algorithm), state=KeyState.CURRENT) for algorithm in ALGORITHMS)


@pytest.fixture(scope="session")
def secret() -> str:
    return SECRET


@pytest.fixture(scope="session")
def bank() -> Client:
    """A confidential client with everything ordinary."""
    return Client(
        id="bank:1+x",
        name="Acme Bank",
        auth_method=AuthMethod.BASIC,
        redirect_uris=("https://bank.example/cb", "https://bank.example/cb?tenant=a%20b"),
        post_logout_redirect_uris=("https://bank.example/bye", "https://bank.example/bye?a=b"),
        grant_types=frozenset({"authorization_code", "refresh_token", "client_credentials"}),
        scopes=SCOPES,
        secret_hash=crypto.digest(SECRET),
    )


@pytest.fixture(scope="session")
def app() -> Client:
    """A public, native client."""
    return Client(
        id="app",
        name="App",
        auth_method=AuthMethod.NONE,
        redirect_uris=("http://127.0.0.1/cb", "http://[::1]/cb?x=1", "com.example.app:/cb"),
        grant_types=frozenset({"authorization_code", "refresh_token"}),
        scopes=SCOPES,
        native=True,
        signing_alg="ES256",
    )


@pytest.fixture(scope="session")
def machine_key() -> ECKey:
    return ECKey.generate_key("P-256", {"alg": "ES256", "use": "sig"}, auto_kid=True)


@pytest.fixture(scope="session")
def machine(machine_key: ECKey) -> Client:
    """A client with a key of its own."""
    return Client(
        id="machine",
        name="Machine",
        auth_method=AuthMethod.PRIVATE_KEY_JWT,
        grant_types=frozenset({"client_credentials"}),
        scopes=frozenset({"reports", "openid", "transfers:write"}),
        jwks={"keys": [machine_key.as_dict(private=False)]},
    )


@pytest.fixture(scope="session")
def clients(bank: Client, app: Client, machine: Client) -> dict[str, Client]:
    closed = replace(bank, id="closed", disabled=True)
    return {client.id: client for client in (bank, app, machine, closed)}


@pytest.fixture(scope="session")
def verifier() -> str:
    return "v" * 43


@pytest.fixture(scope="session")
def challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(scope="session")
def good(bank: Client, challenge: str) -> dict[str, str]:
    """The parameters of an ordinary request."""
    return {
        "client_id": bank.id,
        "redirect_uri": "https://bank.example/cb",
        "response_type": "code",
        "scope": "openid profile",
        "state": "xyz",
        "nonce": "n-0S6_WzA2Mj",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }


Parse = Callable[..., AuthorizationRequest]


@pytest.fixture(scope="session")
def parse(good: dict[str, str], clients: dict[str, Client], issuer: str, keys: KeyRing) -> Parse:
    """Parse an ordinary request with some parameters changed (None: left out) and pairs added."""

    def parse(
        *more: tuple[str, str], using: Mapping[str, Client] | None = None, **changes: str | None
    ) -> AuthorizationRequest:
        changed = [(name, value) for name, value in ({**good, **changes}).items() if value is not None]
        return request.parse(
            [*changed, *more],
            client_lookup=(clients if using is None else using).get,
            issuer=issuer,
            known_scopes=SCOPES,
            acr_supported=["urn:stile:2fa", "urn:stile:2fa-strong"],
            keys=keys,
        )

    return parse


@pytest.fixture(scope="session")
def grant(bank: Client, now: datetime) -> Grant:
    return Grant(
        id=GRANT_ID,
        client_id=bank.id,
        scopes=("openid", "profile", "offline_access"),
        created_at=now,
        account_id=ACCOUNT_ID,
        session_id=SESSION_ID,
        level=AssuranceLevel.STRONG,
        acr="urn:stile:2fa-strong",
        amr=("pwd", "otp", "mfa"),
        auth_time=now - timedelta(minutes=3),
    )


@pytest.fixture(scope="session")
def code(grant: Grant, challenge: str, now: datetime) -> AuthorizationCode:
    return AuthorizationCode(
        grant=grant,
        redirect_uri="https://bank.example/cb",
        code_challenge=challenge,
        nonce="n-1",
        expires_at=now + timedelta(seconds=60),
    )


@pytest.fixture(scope="session")
def refresh(grant: Grant, now: datetime) -> RefreshToken:
    return RefreshToken(grant=grant, issued_at=now, expires_at=now + timedelta(days=30), used_at=None)


@pytest.fixture(scope="session")
def account(now: datetime) -> Account:
    return Account(
        id=ACCOUNT_ID,
        username="mari",
        created_at=now - timedelta(days=9),
        updated_at=now - timedelta(days=1),
        name="Mari Maasikas",
        email="mari@example.ee",
        email_verified=True,
        claims={"given_name": "Mari", "nickname": "", "website": 7, "address": {"country": "EE", "street": "x"}},
        locale="et",
    )


Read = Callable[[str, KeyRing], tuple[dict[str, Any], dict[str, Any]]]


@pytest.fixture(scope="session")
def independently() -> Read:
    """Header and claims, verified by joserfc alone with nothing but the published keys, as a client would."""

    def read(token: str, keys: KeyRing) -> tuple[dict[str, Any], dict[str, Any]]:
        published = KeySet.import_key_set(json.loads(json.dumps(keys.jwks())))
        verified = jwt.decode(token, published, algorithms=["RS256", "ES256"])
        return dict(verified.header), verified.claims

    return read
