"""JWT client assertions (RFC 7523 3): one signed statement of a client about itself. No clock, no replay store."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc.jwk import Key, RSAKey, import_key

from idp.model import Client
from idp.oidc import jws
from idp.oidc.jws import Untrusted
from idp.sentences import sentence

# Asymmetric only. RFC 9864 2.2: EdDSA is the name that Ed25519 had before, and that most libraries still write.
ALGORITHMS = ("RS256", "PS256", "ES256", "Ed25519", "EdDSA")
_ED25519 = frozenset({"Ed25519", "EdDSA"})
SKEW = 60  # seconds that a client's clock may be ahead
LONGEST = 3600  # seconds; RFC 7523 3 lets us refuse what is unreasonably far in the future, and we store every jti


@dataclass(frozen=True, slots=True)
class Assertion:
    """A verified assertion. `expires_at` is a NumericDate."""

    jti: str
    expires_at: float


def client_id_of(token: str) -> str:
    """Whom an assertion says it is from, NOT verified. Raises `Untrusted`."""
    jws.read_header(token)
    subject = jws.read_claims(token).get("sub")
    if not isinstance(subject, str):
        raise Untrusted("no sub")
    return subject


def verify(token: str, *, client: Client, audiences: tuple[str, ...], now: datetime) -> Assertion:
    """A good assertion of this client for us. `audiences`: the issuer, then endpoints. Raises `Untrusted`."""
    header = jws.read_header(token)
    algorithm = header["alg"]
    # FAPI 2.0 Security Profile 5.4 has no RS256
    if algorithm not in ALGORITHMS or (client.assertion_audience == "issuer" and algorithm == "RS256"):
        raise Untrusted("an algorithm that is not accepted")
    claims = _signed(token, client, algorithm, header.get("kid"))
    # RFC 7523 3: iss and sub MUST be the client_id
    if claims.get("iss") != client.id or claims.get("sub") != client.id:
        raise Untrusted("iss and sub are not the client's")
    _check_audience(claims.get("aud"), client, audiences)
    return _in_time(claims, now.timestamp())


def _signed(token: str, client: Client, algorithm: str, kid: str | None) -> dict[str, Any]:
    for key in _candidates((client.jwks or {}).get("keys", ()), kid, algorithm):
        try:
            # joserfc compares kty, crv, use and alg of the key with the algorithm
            return jws.verify(token, key=key, algorithm=algorithm)
        except Untrusted:
            continue
    raise Untrusted("no key of the client verifies it")


def problem(jwks: Mapping[str, Any]) -> str | None:
    """Why a client may not be registered with this JWK Set, as half a sentence; None if it may (RFC 7517 5)."""
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not all(isinstance(jwk, dict) for jwk in keys):
        return sentence('is none: it needs a list "keys" of keys, as in {"keys": [{"kty": "EC", …}]}')
    readable = list(_candidates(keys, None))
    if any(key.is_private for key in readable):
        return sentence("holds a private or symmetric key, which is the client's alone")
    return None if readable else sentence("holds no key that can be read and is strong enough")


def _candidates(keys: Sequence[Mapping[str, Any]], kid: str | None, algorithm: str | None = None) -> Iterator[Key]:
    for jwk in keys[:20]:
        if kid is not None and jwk.get("kid") != kid:
            continue
        try:
            # one algorithm under two names, of which the key may say one and the assertion the other
            same = {algorithm, jwk.get("alg")} <= _ED25519
            key = import_key({**jwk, "alg": algorithm} if algorithm and same else dict(jwk))
        except Exception:  # noqa: BLE001, S112 - whatever a library says of a key that it cannot read
            # RFC 7517 5: keys that are not understood are ignored
            continue
        # RFC 7518 3.3: a key of size 2048 bits or larger MUST be used
        if not isinstance(key, RSAKey) or key.public_key.key_size >= 2048:
            yield key


def _check_audience(audience: object, client: Client, audiences: tuple[str, ...]) -> None:
    issuer = audiences[0]
    if client.assertion_audience == "issuer":
        # FAPI 2.0 Security Profile 5.3.2.1: only the issuer, as a string
        if audience != issuer:
            raise Untrusted("aud is not the issuer alone")
    elif not any(known in (audience if isinstance(audience, list) else [audience]) for known in audiences):
        raise Untrusted("aud is not us")


def _in_time(claims: Mapping[str, Any], now: float) -> Assertion:
    exp, jti = _time(claims, "exp"), claims.get("jti")
    if exp is None or not now < exp <= now + LONGEST + SKEW:
        raise Untrusted("exp is missing, past or too far away")
    for name in ("nbf", "iat"):
        start = _time(claims, name)
        if start is not None and start > now + SKEW:
            raise Untrusted(f"{name} is in the future")
    if not isinstance(jti, str) or not jti:
        raise Untrusted("no jti")
    return Assertion(jti=jti, expires_at=exp)


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise Untrusted(f"{name} is not a number")
    return value
