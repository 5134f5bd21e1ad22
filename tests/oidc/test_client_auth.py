"""Who is asking at the token endpoint (D9 to D13)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk, jws, jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from idp.errors import OAuthError
from idp.model import AuthMethod, Client
from idp.oidc.assertions import problem
from idp.oidc.client_auth import ASSERTION_TYPE, Authenticated, authenticate
from idp.oidc.errors import Challenged, body, headers

TOKEN_ENDPOINT = "https://login.example/token"
Ask = Callable[..., Authenticated]
Assert = Callable[..., str]


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode()


@pytest.fixture(scope="session")
def ask(clients: dict[str, Client], issuer: str, now: datetime) -> Ask:
    def ask(
        authorization: str | None = None,
        *,
        using: Mapping[str, Client] | None = None,
        allow_public: bool = True,
        **params: str,
    ) -> Authenticated:
        return authenticate(
            authorization,
            params,
            client_lookup=(clients if using is None else using).get,
            issuer=issuer,
            token_endpoint=TOKEN_ENDPOINT,
            now=now,
            allow_public=allow_public,
        )

    return ask


def refused(ask: Ask, authorization: str | None = None, **kwargs: Any) -> OAuthError:
    with pytest.raises(OAuthError) as caught:
        ask(authorization, **kwargs)
    return caught.value


def is_invalid_client(error: OAuthError) -> bool:
    return (
        isinstance(error, Challenged)
        and (error.code, error.status) == ("invalid_client", 401)
        and error.www_authenticate.startswith("Basic ")
    )


# --- secrets ---


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_d9_basic_credentials_are_form_urlencoded(ask: Ask, bank: Client, secret: str, scheme: str) -> None:
    assert ask(basic(bank.id, secret).replace("Basic", scheme)) == Authenticated(bank)
    assert ask(basic(bank.id, secret), client_id=bank.id) == Authenticated(bank)


def test_a_secret_in_the_body_is_accepted_from_a_client_registered_so(ask: Ask, bank: Client, secret: str) -> None:
    posting = replace(bank, auth_method=AuthMethod.POST)
    assert ask(client_id=bank.id, client_secret=secret, using={bank.id: posting}) == Authenticated(posting)


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param(basic("bank:1+x", "wrong"), id="wrong secret"),
        pytest.param(basic("bank:1+x", ""), id="no secret"),
        pytest.param(basic("nobody", "s3cret+with%colon:"), id="unknown client"),
        pytest.param(basic("closed", "s3cret+with%colon:"), id="disabled client"),
        pytest.param(basic("app", "s3cret+with%colon:"), id="public client"),
        pytest.param("Basic " + base64.b64encode(b"bank").decode(), id="no colon"),
        pytest.param("Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(), id="not UTF-8"),
        pytest.param("Basic " + base64.b64encode(b"%ff:x").decode(), id="escaped bytes that are not UTF-8"),
        pytest.param("Basic " + base64.b64encode(b"a%00:x").decode(), id="NUL"),
        pytest.param("Basic !!!", id="not base64"),
        pytest.param("Basic ä", id="not ASCII"),
        pytest.param("Basic", id="nothing"),
        pytest.param("Bearer abc", id="another scheme"),
        pytest.param("", id="empty header"),
    ],
)
def test_d9_wrong_credentials_are_401_with_a_basic_challenge(ask: Ask, authorization: str) -> None:
    error = refused(ask, authorization)
    assert is_invalid_client(error)
    assert body(error) == {"error": "invalid_client", "error_description": "Client authentication failed."}
    assert ("Cache-Control", "no-store") in headers(error)
    assert ("WWW-Authenticate", 'Basic realm="client", charset="UTF-8"') in headers(error)


def test_a_client_without_a_stored_secret_never_matches(ask: Ask, bank: Client) -> None:
    bare = replace(bank, secret_hash=None)
    for secret in ("", "x", "\x00" * 32):
        assert is_invalid_client(refused(ask, basic(bank.id, secret), using={bank.id: bare}))


def test_a_client_is_never_looked_up_by_what_is_not_text(ask: Ask, bank: Client, secret: str) -> None:
    odd = "a\x00"
    assert is_invalid_client(refused(ask, basic(odd, secret), using={odd: bank}))


@pytest.mark.parametrize(
    ("in_header", "params"),
    [
        (True, {"client_secret": "x"}),
        (True, {"client_assertion": "x", "client_assertion_type": ASSERTION_TYPE}),
        (False, {"client_secret": "x", "client_assertion": "x", "client_assertion_type": ASSERTION_TYPE}),
    ],
)
def test_d10_two_methods_at_once_are_an_invalid_request(
    ask: Ask, bank: Client, secret: str, in_header: bool, params: dict[str, str]
) -> None:
    error = refused(ask, basic(bank.id, secret) if in_header else None, client_id=bank.id, **params)
    assert (error.code, error.status) == ("invalid_request", 400)


def test_a_client_id_that_differs_from_the_header_is_an_invalid_request(ask: Ask, bank: Client, secret: str) -> None:
    assert refused(ask, basic(bank.id, secret), client_id="app").code == "invalid_request"


def test_d11_another_method_than_the_registered_one_is_refused(ask: Ask, bank: Client, secret: str) -> None:
    assert is_invalid_client(refused(ask, client_id=bank.id, client_secret=secret))
    posting = replace(bank, auth_method=AuthMethod.POST)
    assert is_invalid_client(refused(ask, basic(bank.id, secret), using={bank.id: posting}))
    signing = replace(bank, auth_method=AuthMethod.PRIVATE_KEY_JWT)
    assert is_invalid_client(refused(ask, basic(bank.id, secret), using={bank.id: signing}))


def test_a_public_client_says_who_it_is(ask: Ask, app: Client) -> None:
    assert ask(client_id=app.id) == Authenticated(app)


def test_g1_where_authentication_is_required_a_public_client_is_refused(ask: Ask, app: Client) -> None:
    assert is_invalid_client(refused(ask, client_id=app.id, allow_public=False))


@pytest.mark.parametrize("params", [{}, {"client_id": "nobody"}, {"client_id": "bank:1+x"}, {"client_secret": "x"}])
def test_d13_a_confidential_or_unknown_client_without_credentials_is_refused(ask: Ask, params: dict[str, str]) -> None:
    assert is_invalid_client(refused(ask, **params))


def test_d13_a_public_client_that_sends_a_secret_is_refused(ask: Ask, app: Client) -> None:
    assert is_invalid_client(refused(ask, client_id=app.id, client_secret="x"))


def test_a_disabled_public_client_is_refused(ask: Ask, app: Client) -> None:
    assert is_invalid_client(refused(ask, client_id=app.id, using={app.id: replace(app, disabled=True)}))


# --- assertions ---


@pytest.fixture(scope="session")
def statement(machine: Client, issuer: str, now: datetime) -> dict[str, Any]:
    at = int(now.timestamp())
    return {"iss": machine.id, "sub": machine.id, "aud": issuer, "exp": at + 60, "iat": at, "jti": "j-1"}


@pytest.fixture(scope="session")
def signed(statement: dict[str, Any], machine_key: ECKey) -> Assert:
    def signed(*, key: jwk.Key = machine_key, header: dict[str, Any] | None = None, **changes: Any) -> str:
        claims = {name: value for name, value in {**statement, **changes}.items() if value is not None}
        protected = {"alg": "ES256", "kid": machine_key.kid} if header is None else header
        return jwt.encode(protected, claims, key, algorithms=["ES256", "RS256", "PS256", "HS256", "ES384", "Ed25519"])

    return signed


def present(ask: Ask, token: str, **kwargs: Any) -> Authenticated:
    return ask(client_assertion=token, client_assertion_type=ASSERTION_TYPE, **kwargs)


def refuses(ask: Ask, token: str, **kwargs: Any) -> bool:
    return is_invalid_client(refused(ask, client_assertion=token, client_assertion_type=ASSERTION_TYPE, **kwargs))


def test_a_good_assertion_authenticates_and_hands_out_its_jti(
    ask: Ask, signed: Assert, machine: Client, now: datetime
) -> None:
    expected = Authenticated(machine, "j-1", now + timedelta(seconds=60))
    assert present(ask, signed()) == expected
    assert present(ask, signed(), client_id=machine.id) == expected
    assert present(ask, signed(header={"alg": "ES256"})) == expected
    assert expected.assertion_expires_at is not None
    assert expected.assertion_expires_at.tzinfo is UTC


@pytest.mark.parametrize(
    "audience", ["https://login.example", TOKEN_ENDPOINT, [TOKEN_ENDPOINT], ["x", "https://login.example"]]
)
def test_d12_the_audience_is_the_issuer_or_the_token_endpoint(ask: Ask, signed: Assert, audience: object) -> None:
    assert present(ask, signed(aud=audience)).assertion_jti == "j-1"


@pytest.mark.parametrize(
    "audience",
    [None, "", "https://login.example/", "https://other.example", [], ["x"], [["https://login.example"]], {}, 7],
)
def test_d12_another_audience_is_refused(ask: Ask, signed: Assert, audience: object) -> None:
    assert refuses(ask, signed(aud=audience))


def test_d12_a_fapi_client_names_the_issuer_alone(ask: Ask, signed: Assert, machine: Client, issuer: str) -> None:
    using = {machine.id: replace(machine, assertion_audience="issuer")}
    assert present(ask, signed(), using=using).assertion_jti == "j-1"
    for audience in (TOKEN_ENDPOINT, [issuer], [issuer, TOKEN_ENDPOINT]):
        assert refuses(ask, signed(aud=audience), using=using)


@pytest.mark.parametrize(
    "seconds", [{"exp": 0}, {"exp": -1}, {"exp": 3661}, {"nbf": 61}, {"iat": 61}, {"exp": -3600, "iat": -7200}]
)
def test_d12_a_statement_out_of_its_time_is_refused(
    ask: Ask, signed: Assert, now: datetime, seconds: dict[str, int]
) -> None:
    at = int(now.timestamp())
    assert refuses(ask, signed(**{name: at + offset for name, offset in seconds.items()}))


@pytest.mark.parametrize(
    "seconds", [{"exp": 1}, {"exp": 3660}, {"nbf": 8}, {"iat": 8}, {"nbf": 60}, {"iat": 60}, {"exp": 1.5}]
)
def test_d12_a_small_skew_is_forgiven(ask: Ask, signed: Assert, now: datetime, seconds: dict[str, float]) -> None:
    at = int(now.timestamp())
    assert present(ask, signed(**{name: at + offset for name, offset in seconds.items()})).assertion_jti == "j-1"


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": None},
        {"exp": "4102444800"},
        {"exp": True},
        {"nbf": "0"},
        {"iat": [0]},
        {"iat": True},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"iss": None},
        {"iss": "bank:1+x"},
        {"sub": None},
        {"sub": "bank:1+x"},
        {"sub": "nobody"},
        {"sub": ["machine"]},
        {"exp": 10**400},
    ],
)
def test_d12_wrong_or_missing_claims_are_refused(ask: Ask, signed: Assert, changes: dict[str, Any]) -> None:
    assert refuses(ask, signed(**changes))


def test_iat_is_optional(ask: Ask, signed: Assert) -> None:
    assert present(ask, signed(iat=None)).assertion_jti == "j-1"


def test_a_client_id_that_differs_from_the_assertion_is_refused(ask: Ask, signed: Assert, bank: Client) -> None:
    assert refuses(ask, signed(), client_id=bank.id)


def test_another_assertion_type_is_refused(ask: Ask, signed: Assert) -> None:
    assert is_invalid_client(refused(ask, client_assertion=signed()))
    assert is_invalid_client(refused(ask, client_assertion=signed(), client_assertion_type="saml"))
    assert is_invalid_client(refused(ask, client_assertion_type=ASSERTION_TYPE))


def test_d11_an_assertion_from_a_client_registered_otherwise_is_refused(
    ask: Ask, signed: Assert, machine: Client
) -> None:
    assert refuses(ask, signed(), using={machine.id: replace(machine, auth_method=AuthMethod.BASIC)})
    assert refuses(ask, signed(), using={machine.id: replace(machine, disabled=True)})


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "NONE", ""])
def test_jos_01_an_unsigned_assertion_is_refused(ask: Ask, signed: Assert, algorithm: str) -> None:
    payload = signed().split(".")[1]
    header = base64.urlsafe_b64encode(f'{{"alg":"{algorithm}"}}'.encode()).rstrip(b"=").decode()
    assert refuses(ask, f"{header}.{payload}.")


def test_jos_01_an_empty_signature_is_refused(ask: Ask, signed: Assert) -> None:
    assert refuses(ask, signed().rpartition(".")[0] + ".")


@pytest.mark.parametrize("shape", ["jwk", "pem", "der"])
def test_jos_02_hs256_with_the_public_key_as_secret_is_refused(
    ask: Ask, signed: Assert, machine: Client, shape: str
) -> None:
    rsa = RSAKey.generate_key(2048, {"kid": "r"})
    public = {
        "jwk": str(rsa.as_dict(private=False)).encode(),
        "pem": rsa.as_pem(private=False),
        "der": rsa.as_der(private=False),
    }[shape]
    using = {machine.id: replace(machine, jwks={"keys": [rsa.as_dict(private=False)]})}
    # joserfc refuses PEM as an HMAC secret, so this signs as an attacker would
    header, payload, _ = signed(header={"alg": "HS256"}, key=OctKey.generate_key(256)).split(".")
    mac = hmac.new(public, f"{header}.{payload}".encode(), hashlib.sha256).digest()
    forged = f"{header}.{payload}." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
    assert refuses(ask, forged, using=using)


def test_an_assertion_by_another_key_is_refused(ask: Ask, signed: Assert) -> None:
    assert refuses(ask, signed(key=ECKey.generate_key("P-256")))


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (RSAKey.generate_key(2048), "RS256"),
        (RSAKey.generate_key(2048), "PS256"),
        (OKPKey.generate_key("Ed25519"), "Ed25519"),
    ],
    ids=["RS256", "PS256", "Ed25519"],
)
def test_the_other_asymmetric_algorithms_work(
    ask: Ask, signed: Assert, machine: Client, key: jwk.Key, algorithm: str
) -> None:
    using = {machine.id: replace(machine, jwks={"keys": [key.as_dict(private=False)]})}
    token = signed(key=key, header={"alg": algorithm})
    assert present(ask, token, using=using).assertion_jti == "j-1"
    strict = {machine.id: replace(using[machine.id], assertion_audience="issuer")}
    if algorithm == "RS256":
        assert refuses(ask, token, using=strict)
    else:
        assert present(ask, token, using=strict).assertion_jti == "j-1"


def test_an_algorithm_we_do_not_offer_is_refused(ask: Ask, signed: Assert, machine: Client) -> None:
    key = ECKey.generate_key("P-384")
    using = {machine.id: replace(machine, jwks={"keys": [key.as_dict(private=False)]})}
    assert refuses(ask, signed(key=key, header={"alg": "ES384"}), using=using)


def test_keys_that_do_not_fit_are_passed_over(ask: Ask, signed: Assert, machine: Client, machine_key: ECKey) -> None:
    good: dict[str, Any] = dict(machine_key.as_dict(private=False))
    kid = good["kid"]
    others: list[dict[str, Any]] = [
        {"kty": "quantum", "kid": kid},
        {"kty": "EC", "kid": kid},
        {**good, "use": "enc"},
        {**good, "alg": "ES384"},
        {**good, "kid": "other"},
        dict(RSAKey.generate_key(2048).as_dict(private=False, kid=kid)),
        dict(ECKey.generate_key("P-256").as_dict(private=False, kid=kid)),
    ]
    for other in others:
        assert refuses(ask, signed(), using={machine.id: replace(machine, jwks={"keys": [other]})})
    all_of_them = replace(machine, jwks={"keys": [*others, good]})
    assert present(ask, signed(), using={machine.id: all_of_them}).client is all_of_them


def test_a_client_without_keys_is_refused(ask: Ask, signed: Assert, machine: Client) -> None:
    assert refuses(ask, signed(), using={machine.id: replace(machine, jwks=None)})
    assert refuses(ask, signed(), using={machine.id: replace(machine, jwks={})})


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_short_rsa_key_is_passed_over(ask: Ask, signed: Assert, machine: Client) -> None:
    key = RSAKey.generate_key(1024)
    using = {machine.id: replace(machine, jwks={"keys": [key.as_dict(private=False)]})}
    assert refuses(ask, signed(key=key, header={"alg": "RS256"}), using=using)


def test_a_key_set_is_judged_when_a_client_is_registered(machine: Client, machine_key: ECKey) -> None:
    public: dict[str, Any] = dict(machine_key.as_dict(private=False))
    assert machine.jwks is not None
    assert problem(machine.jwks) is None
    assert problem({"keys": [{"kty": "quantum"}, public]}) is None
    wrong: list[dict[str, Any]] = [
        {},
        {"keys": {}},
        {"keys": ["x"]},
        {"keys": []},
        {"keys": [{"kty": "quantum"}]},
        {"keys": [{"kty": "EC", "crv": "P-256", "x": 7}]},
        {"keys": [public, machine_key.as_dict(private=True)]},
        {"keys": [{"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQ"}]},
    ]
    assert all(problem(jwks) for jwks in wrong)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b'{"alg":"ES256","crit":["bork"],"bork":1}', id="unknown extension"),
        pytest.param(b'{"alg":"ES256","crit":["exp"]}', id="crit"),
        pytest.param(b'{"alg":"ES256","crit":7}', id="crit is a number"),
        pytest.param(b'{"alg":"ES256","crit":[]}', id="empty crit"),
        pytest.param(b'{"alg":"ES256","b64":false,"crit":["b64"]}', id="b64 false"),
        pytest.param(b'{"alg":"ES256","b64":true}', id="b64 true"),
        pytest.param(b'{"alg":"none","alg":"ES256"}', id="alg twice"),
        pytest.param(b'{"alg":["ES256"]}', id="alg is an array"),
        pytest.param(b'{"typ":"JWT"}', id="no alg"),
        pytest.param(b'{"alg":"ES256","kid":7}', id="kid is a number"),
        pytest.param(b'{"alg":"ES256","jwk":7}', id="jwk is a number"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"7", id="number"),
        pytest.param(b"[" * 4000, id="deep"),
        pytest.param(b"\xff", id="not UTF-8"),
    ],
)
def test_jos_05_a_header_that_is_not_understood_is_refused(
    ask: Ask, signed: Assert, machine_key: ECKey, header: bytes
) -> None:
    protected = base64.urlsafe_b64encode(header).rstrip(b"=").decode()
    payload = signed().split(".")[1]
    algorithm = jws.JWSRegistry.algorithms["ES256"]
    signature = base64.urlsafe_b64encode(algorithm.sign(f"{protected}.{payload}".encode(), machine_key)).decode()
    assert refuses(ask, f"{protected}.{payload}.{signature.rstrip('=')}")


def test_jos_05_a_claim_twice_is_refused(
    ask: Ask, signed: Assert, machine_key: ECKey, statement: dict[str, Any]
) -> None:
    text = json.dumps(statement)[:-1] + ', "sub": "machine"}'
    token = jws.serialize_compact({"alg": "ES256", "kid": machine_key.kid}, text, machine_key)
    assert refuses(ask, token)


@pytest.mark.parametrize(
    "token", ["x", "..", "a.b.c", "a.b", "a.b.c.d", "eyJhbGciOiJFUzI1NiJ9.x.y", "ä.ö.ü", "e30.e30.e30"]
)
def test_what_is_no_jwt_is_refused(ask: Ask, token: str) -> None:
    assert refuses(ask, token)


@pytest.mark.parametrize("written", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("registered", ["EdDSA", "Ed25519", None])
def test_ed25519_has_two_names(
    ask: Ask, statement: dict[str, Any], machine: Client, written: str, registered: str | None
) -> None:
    """RFC 9864: EdDSA is what most libraries write still."""
    key = OKPKey.generate_key("Ed25519")
    public = {**key.as_dict(private=False), **({"alg": registered} if registered else {})}
    using = {machine.id: replace(machine, jwks={"keys": [public]})}
    head, body = (_segment(part) for part in ({"alg": written}, statement))
    private = key.private_key
    assert isinstance(private, Ed25519PrivateKey)
    signature = private.sign(f"{head}.{body}".encode())
    token = f"{head}.{body}." + base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    assert present(ask, token, using=using).assertion_jti == "j-1"
    elsewhere = {machine.id: replace(machine, jwks={"keys": [{**public, "alg": "ES256"}]})}
    assert refuses(ask, token, using=elsewhere)


def _segment(part: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


NAMES = st.sampled_from(["RSA", "EC", "OKP", "oct", "P-256", "Ed25519", "AQAB", "A" * 43, "EdDSA", "sig"])
VALUES = st.one_of(NAMES, st.none(), st.booleans(), st.integers(), st.text(max_size=50), st.lists(NAMES, max_size=2))
HUGE = "_" * 342
ODD_KEYS: list[dict[str, Any]] = [
    {"kty": []},
    {"kty": {}},
    {"kty": None},
    {},
    {"kty": "RSA", "n": 1, "e": 2},
    {"kty": "RSA", "n": "", "e": "AQAB"},
    {"kty": "RSA", "n": HUGE, "e": "Ag"},
    {"kty": "RSA", "n": HUGE, "e": "AQAB", "key_ops": 1, "use": ["sig"], "alg": {}},
    {"kty": "RSA", "n": HUGE, "e": "AQAB", "x5c": 1},
    {"kty": "EC", "crv": [], "x": "a", "y": "b"},
    {"kty": "EC", "crv": "P-256", "x": "\u00e9", "y": "\ud800"},
    {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
    {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
    {"kty": "OKP", "crv": {}, "x": "AA"},
    {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
    {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43, "alg": []},
    {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"},
]


@pytest.mark.parametrize("odd", ODD_KEYS, ids=lambda odd: json.dumps(odd)[:50])
def test_a_key_that_nobody_can_read_costs_that_key_alone(
    ask: Ask, signed: Assert, machine: Client, machine_key: ECKey, odd: dict[str, Any]
) -> None:
    """`{"kty": []}` made a TypeError of the library, and a crash of every assertion of its client."""
    good = machine_key.as_dict(private=False)
    both = {"keys": [{**odd, "kid": machine_key.kid}, good]}
    assert problem(both) is None
    assert present(ask, signed(), using={machine.id: replace(machine, jwks=both)}).assertion_jti == "j-1"
    for header in ({"alg": "ES256"}, {"alg": "EdDSA"}, {"alg": "Ed25519"}, {"alg": "RS256"}):
        token = f"{_segment(header)}.{signed().split('.')[1]}.{'A' * 86}"
        assert refuses(ask, token, using={machine.id: replace(machine, jwks={"keys": [odd]})})


@given(
    odd=st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "n", "e", "k", "alg", "use", "key_ops", "kid"]), VALUES
    )
)
def test_any_json_for_a_key_is_read_or_left_out(odd: dict[str, Any]) -> None:
    assert problem({"keys": [odd]}) is None or problem({"keys": [odd]})
