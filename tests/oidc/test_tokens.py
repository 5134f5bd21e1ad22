"""ID tokens and access tokens, read back by joserfc and judged by Authlib as a client would (D2, D18, D19, E5, G9)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from authlib.oauth2.rfc9068.claims import JWTAccessTokenClaims
from authlib.oidc.core import CodeIDToken
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from idp.model import Client, Grant
from idp.oidc.errors import Challenged
from idp.oidc.keys import KeyRing
from idp.oidc.tokens import Issued, issue, read_access_token

TTL = timedelta(minutes=10)
Read = Callable[[str, KeyRing], tuple[dict[str, Any], dict[str, Any]]]
Issue = Callable[..., Issued]
Forge = Callable[..., str]


@pytest.fixture(scope="session")
def give(grant: Grant, bank: Client, issuer: str, keys: KeyRing, now: datetime) -> Issue:
    def give(**changes: Any) -> Issued:
        facts: dict[str, Any] = {
            "client": bank,
            "scopes": ("openid", "profile"),
            "issuer": issuer,
            "keys": keys,
            "now": now,
            "access_ttl": TTL,
            "id_token_ttl": TTL,
            "nonce": "n-1",
        }
        return issue(changes.pop("grant", grant), **{**facts, **changes})

    return give


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_d2_the_answer_is_that_of_rfc_6749_5_1(give: Issue, bank: Client, now: datetime, algorithm: str) -> None:
    issued = give(client=replace(bank, signing_alg=algorithm), refresh_token="r3fresh")
    assert {name: value for name, value in issued.body.items() if not name.endswith(("access_token", "id_token"))} == {
        "token_type": "Bearer",
        "expires_in": 600,
        "scope": "openid profile",
        "refresh_token": "r3fresh",
    }
    assert issued.expires_at == now + TTL
    json.dumps(issued.body)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_d18_a_client_accepts_the_id_token(
    give: Issue,
    bank: Client,
    keys: KeyRing,
    issuer: str,
    now: datetime,
    grant: Grant,
    independently: Read,
    algorithm: str,
) -> None:
    body = give(client=replace(bank, signing_alg=algorithm)).body
    header, claims = independently(body["id_token"], keys)
    assert header == {"alg": algorithm, "kid": keys.current(algorithm).kid, "typ": "JWT"}
    at = int(now.timestamp())
    half = hashlib.sha256(body["access_token"].encode()).digest()[:16]
    assert claims == {
        "iss": issuer,
        "sub": str(grant.account_id),
        "aud": bank.id,
        "iat": at,
        "exp": at + 600,
        "auth_time": at - 180,
        "acr": "urn:stile:2fa-strong",
        "amr": ["pwd", "otp", "mfa"],
        "nonce": "n-1",
        "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
        "sid": str(grant.session_id),
    }
    judged = CodeIDToken(
        claims,
        header,
        {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": bank.id}},
        {"nonce": "n-1", "access_token": body["access_token"], "client_id": bank.id, "max_age": 600},
    )
    judged.validate(now=at + 1)


def test_the_default_algorithm_is_rs256(give: Issue, keys: KeyRing, independently: Read) -> None:
    assert independently(give().body["id_token"], keys)[0]["alg"] == "RS256"


@pytest.mark.parametrize("nonce", ["n" * 64, "n" * 384, 'ä "quoted" \\'])
def test_b13_the_nonce_comes_back_verbatim(give: Issue, keys: KeyRing, independently: Read, nonce: str) -> None:
    assert independently(give(nonce=nonce).body["id_token"], keys)[1]["nonce"] == nonce


def test_b13_and_e5_without_a_nonce_there_is_none(
    give: Issue, keys: KeyRing, independently: Read, now: datetime
) -> None:
    first = independently(give().body["id_token"], keys)[1]
    renewed = independently(give(nonce=None, now=now + TTL).body["id_token"], keys)[1]
    assert "nonce" not in renewed
    same = ("iss", "sub", "aud", "auth_time", "acr", "amr", "sid")
    assert [renewed[name] for name in same] == [first[name] for name in same]
    assert renewed["iat"] == first["iat"] + 600


def test_d19_the_id_token_says_about_the_person_only_what_was_asked(
    give: Issue, keys: KeyRing, independently: Read, grant: Grant
) -> None:
    plain = independently(give(scopes=("openid", "profile", "email")).body["id_token"], keys)[1]
    assert not {"name", "email", "preferred_username", "phone_number"} & plain.keys()
    asked = independently(
        give(person={"email": "m@example.ee", "sub": "x", "acr": "x", "aud": "x"}).body["id_token"], keys
    )
    assert asked[1] == {**plain, "email": "m@example.ee", "at_hash": asked[1]["at_hash"]}


def test_b12_without_openid_there_is_no_id_token(give: Issue) -> None:
    assert "id_token" not in give(scopes=("reports",)).body
    assert "id_token" not in give(id_token=False).body
    assert "refresh_token" not in give().body


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_g9_the_access_token_is_that_of_rfc_9068(
    give: Issue,
    bank: Client,
    keys: KeyRing,
    issuer: str,
    grant: Grant,
    now: datetime,
    independently: Read,
    algorithm: str,
) -> None:
    header, claims = independently(give(client=replace(bank, signing_alg=algorithm)).body["access_token"], keys)
    assert header == {"alg": algorithm, "kid": keys.current(algorithm).kid, "typ": "at+jwt"}
    at = int(now.timestamp())
    jti = claims.pop("jti")
    assert claims == {
        "iss": issuer,
        "sub": str(grant.account_id),
        "aud": issuer,
        "client_id": bank.id,
        "iat": at,
        "exp": at + 600,
        "scope": "openid profile",
        "auth_time": at - 180,
        "acr": "urn:stile:2fa-strong",
        "amr": ["pwd", "otp", "mfa"],
    }
    assert jti.startswith(grant.id.hex + ".")
    needed = {name: {"essential": True} for name in ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")}
    JWTAccessTokenClaims({**claims, "jti": jti}, header, needed).validate(now=at)


def test_every_access_token_has_a_jti_of_its_own(give: Issue, keys: KeyRing, independently: Read) -> None:
    assert len({independently(give().body["access_token"], keys)[1]["jti"] for _ in range(4)}) == 4


@pytest.mark.parametrize(
    ("audience", "scopes", "expected"),
    [
        ((), ("openid",), "https://login.example"),
        ((), ("reports",), "https://login.example"),
        (("https://api.example",), ("reports",), "https://api.example"),
        (("https://api.example",), ("openid",), ["https://api.example", "https://login.example"]),
    ],
)
def test_the_audience_is_the_resource_server_and_us_where_userinfo_opens(
    give: Issue,
    bank: Client,
    keys: KeyRing,
    independently: Read,
    audience: tuple[str, ...],
    scopes: tuple[str, ...],
    expected: object,
) -> None:
    token = give(client=replace(bank, audience=audience), scopes=scopes).body["access_token"]
    assert independently(token, keys)[1]["aud"] == expected


def test_a_machine_speaks_for_itself(give: Issue, machine: Client, keys: KeyRing, now: datetime, issuer: str) -> None:
    own = Grant(id=uuid4(), client_id=machine.id, scopes=("reports",), created_at=now)
    body = give(grant=own, client=machine, scopes=("reports", "openid"), nonce=None).body
    assert "id_token" not in body
    access = read_access_token(body["access_token"], keys=keys, issuer=issuer, now=now)
    assert (access.account_id, access.client_id, access.claims["sub"]) == (None, machine.id, machine.id)
    assert not {"acr", "amr", "auth_time"} & access.claims.keys()


def test_a_grant_without_a_session_has_no_sid(give: Issue, grant: Grant, keys: KeyRing, independently: Read) -> None:
    assert "sid" not in independently(give(grant=replace(grant, session_id=None)).body["id_token"], keys)[1]


# --- reading ---


def test_an_access_token_is_read_back(
    give: Issue, keys: KeyRing, issuer: str, now: datetime, grant: Grant, bank: Client
) -> None:
    token = give(client=replace(bank, audience=("api",))).body["access_token"]
    access = read_access_token(token, keys=keys, issuer=issuer, now=now)
    assert access.grant_id == grant.id
    assert access.account_id == grant.account_id
    assert access.client_id == bank.id
    assert access.scopes == {"openid", "profile"}
    assert access.audience == ("api", issuer)
    assert (access.issued_at, access.expires_at) == (now, now + TTL)
    assert access.claims["jti"] == access.jti


@pytest.fixture(scope="session")
def forge(give: Issue, keys: KeyRing, independently: Read) -> Forge:
    """A token signed by our own ES256 key with a changed header or changed claims."""

    def forge(header: dict[str, Any] | None = None, **changes: Any) -> str:
        _, claims = independently(give().body["access_token"], keys)
        claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        key = keys.current("ES256")
        protected = {"alg": "ES256", "kid": key.kid, "typ": "at+jwt", **(header or {})}
        there = {name: value for name, value in protected.items() if value is not None}
        return _sign(_header(there), json.dumps(claims).encode(), key.key)

    return forge


def _header(members: dict[str, Any]) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode()


def _b64(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _sign(header: bytes, payload: bytes, key: Any) -> str:
    signing_input = f"{_b64(header)}.{_b64(payload)}"
    return f"{signing_input}.{_b64(jws.JWSRegistry.algorithms['ES256'].sign(signing_input.encode(), key))}"


@pytest.fixture
def refuses(keys: KeyRing, issuer: str, now: datetime) -> Callable[[str], bool]:
    def refuses(token: str, *, at: datetime = now) -> bool:
        with pytest.raises(Challenged) as caught:
            read_access_token(token, keys=keys, issuer=issuer, now=at)
        error = caught.value
        assert error.www_authenticate.startswith('Bearer error="invalid_token"')
        return (error.code, error.status) == ("invalid_token", 401)

    return refuses


def test_the_forge_makes_good_tokens_when_nothing_is_changed(
    forge: Forge, keys: KeyRing, issuer: str, now: datetime
) -> None:
    assert read_access_token(forge(), keys=keys, issuer=issuer, now=now).scopes == {"openid", "profile"}


def test_f5_an_expired_token_is_refused(give: Issue, refuses: Callable[..., bool], now: datetime) -> None:
    token = give().body["access_token"]
    assert refuses(token, at=now + TTL)
    assert refuses(token, at=now + TTL + timedelta(days=1))


def test_jos_06_an_id_token_is_no_access_token(give: Issue, refuses: Callable[..., bool]) -> None:
    assert refuses(give().body["id_token"])


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": None},
        {"typ": 7},
        {"typ": "at+jwt2"},
        {"typ": "AT+JWT"},
        {"typ": "application/at+jwt"},
        {"kid": None},
        {"kid": "other"},
        {"kid": 7},
        {"alg": "RS256"},
        {"alg": "HS256"},
        {"alg": "none"},
        {"crit": ["bork"], "bork": 1},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"b64": False},
        {"b64": True},
        {"cty": "JWT"},
        {"jku": "https://evil.example/jwks"},
        {"jwk": {"kty": "EC"}},
    ],
    ids=repr,
)
def test_jos_05_and_06_another_header_is_refused_even_when_we_signed_it(
    forge: Forge, refuses: Callable[..., bool], header: dict[str, Any]
) -> None:
    assert refuses(forge(header))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"exp": None},
        {"exp": "4102444800"},
        {"exp": 10**30},
        {"iat": None},
        {"jti": None},
        {"jti": "x"},
        {"jti": 7},
        {"aud": None},
        {"aud": 7},
        {"sub": None},
        {"sub": "someone"},
        {"client_id": None},
        {"scope": None},
        {"scope": 7},
    ],
    ids=repr,
)
def test_claims_of_another_shape_are_refused(
    forge: Forge, refuses: Callable[..., bool], changes: dict[str, Any]
) -> None:
    assert refuses(forge(**changes))


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE"])
def test_jos_01_an_unsigned_token_is_refused(
    forge: Forge, refuses: Callable[..., bool], algorithm: str, keys: KeyRing
) -> None:
    payload = forge().split(".")[1]
    header = _b64(_header({"alg": algorithm, "kid": keys.current("ES256").kid, "typ": "at+jwt"}))
    assert refuses(f"{header}.{payload}.")
    assert refuses(forge().rpartition(".")[0] + ".")


@pytest.mark.parametrize("shape", ["jwk", "pem", "der"])
def test_jos_02_hs256_with_our_public_key_is_refused(
    forge: Forge, refuses: Callable[..., bool], keys: KeyRing, shape: str
) -> None:
    key = keys.current("RS256")
    assert isinstance(key.key, RSAKey)
    secret = {
        "jwk": json.dumps(key.key.as_dict(private=False)).encode(),
        "pem": key.key.as_bytes(encoding="PEM", private=False),
        "der": key.key.as_bytes(encoding="DER", private=False),
    }[shape]
    header = _b64(_header({"alg": "HS256", "kid": key.kid, "typ": "at+jwt"}))
    signing_input = f"{header}.{forge().split('.')[1]}"
    assert refuses(f"{signing_input}.{_b64(hmac.new(secret, signing_input.encode(), hashlib.sha256).digest())}")


def test_jos_05_a_header_that_is_not_byte_for_byte_ours_is_refused(
    forge: Forge, refuses: Callable[..., bool], keys: KeyRing, issuer: str, now: datetime
) -> None:
    key = keys.current("ES256")
    header = _header({"alg": "ES256", "kid": key.kid, "typ": "at+jwt"})
    payload = base64.urlsafe_b64decode(forge().split(".")[1] + "==")
    assert read_access_token(_sign(header, payload, key.key), keys=keys, issuer=issuer, now=now).jti
    assert refuses(_sign(header[:-1] + b',"alg":"ES256"}', payload, key.key))
    assert refuses(_sign(header.replace(b",", b", "), payload, key.key))
    assert refuses(_sign(_header({"typ": "at+jwt", "alg": "ES256", "kid": key.kid}), payload, key.key))
    assert refuses(_sign(header, b"[]", key.key))


def test_a_strangers_or_tampered_token_is_refused(
    forge: Forge, refuses: Callable[..., bool], strangers: KeyRing, keys: KeyRing
) -> None:
    assert refuses(strangers.sign({"iss": "https://login.example"}, algorithm="ES256", typ="at+jwt"))
    header, _, signature = forge().split(".")
    other = forge(scope="openid transfers:write").split(".")[1]
    assert refuses(f"{header}.{other}.{signature}")
    impostor = ECKey.generate_key("P-256", {"kid": keys.current("ES256").kid})
    assert refuses(_sign(base64.urlsafe_b64decode(header + "=="), base64.urlsafe_b64decode(other + "=="), impostor))


@pytest.mark.parametrize(
    "token", ["", "x", "..", "...", "a.b.c", "ä.ä.ä", "\x00.\x00.\x00", "e30.e30.e30", "." * 99, "eyJ.eyJ.eyJ"]
)
def test_what_is_no_token_is_refused(refuses: Callable[..., bool], token: str) -> None:
    assert refuses(token)
