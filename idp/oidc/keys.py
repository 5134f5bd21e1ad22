"""The provider's signing keys: parsed once, current ones sign, all verify. Sealing and storing are elsewhere."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers, RSAPublicNumbers
from joserfc.jwk import ECKey, Key, KeyParameters, RSAKey, import_key
from joserfc.util import urlsafe_b64decode

from idp.oidc import jws

ALGORITHMS = ("RS256", "ES256")
# NIST SP 800-57 allows 2048 bits to the end of 2030, our signatures live for minutes and our keys for months;
# 3072 bits would treble the cost of every token
RSA_BITS = 2048


class KeyState(StrEnum):
    """`next` is published before it signs, `retired` verifies after it has signed (OIDC Core 10.1.1)."""

    NEXT = "next"
    CURRENT = "current"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One parsed private key. `kid` is its RFC 7638 thumbprint."""

    kid: str
    algorithm: str
    state: KeyState
    key: Key = field(repr=False)


def generate(algorithm: str) -> bytes:
    """A fresh private JWK as JSON, with `kid`, `alg` and `use`: secret bytes, to be sealed before they are stored."""
    parameters: KeyParameters = {"alg": algorithm, "use": "sig"}
    key: Key
    match algorithm:
        case "RS256":
            key = RSAKey.generate_key(RSA_BITS, parameters, auto_kid=True)
        case "ES256":
            key = ECKey.generate_key("P-256", parameters, auto_kid=True)
        case _:
            raise ValueError(f"no signing keys for {algorithm!r}")
    return json.dumps(key.as_dict(private=True)).encode()


def load(private_jwk: bytes, *, state: KeyState) -> SigningKey:
    """Parse what `generate` made, once; signing with it costs no parsing."""
    jwk = json.loads(private_jwk)
    key: Key = _known_rsa(jwk) if jwk.get("kty") == "RSA" else import_key(jwk)
    if not key.is_private or key.kid is None or key.alg not in ALGORITHMS:
        raise ValueError("not a private signing key of ours")
    return SigningKey(kid=key.kid, algorithm=key.alg, state=state, key=key)


def _known_rsa(jwk: dict[str, str]) -> RSAKey:
    """An RSA key without a new test of its primes, which takes 50 ms: `generate` made it, and the seal proves that."""
    n, e, d, p, q, dp, dq, qi = (
        int.from_bytes(urlsafe_b64decode(jwk[name].encode())) for name in ("n", "e", "d", "p", "q", "dp", "dq", "qi")
    )
    numbers = RSAPrivateNumbers(p, q, d, dp, dq, qi, RSAPublicNumbers(e, n))
    return RSAKey(numbers.private_key(unsafe_skip_rsa_key_validation=True), jwk)


class KeyRing:
    """All signing keys at one moment; never changed, only replaced. Exactly one key signs per algorithm."""

    __slots__ = ("_by_kid", "_current", "_jwks")

    def __init__(self, keys: Iterable[SigningKey]) -> None:
        self._by_kid = MappingProxyType({key.kid: key for key in keys})
        current = [key for key in self._by_kid.values() if key.state is KeyState.CURRENT]
        self._current = MappingProxyType({key.algorithm: key for key in current})
        if len(current) != len(ALGORITHMS) or set(self._current) != set(ALGORITHMS):
            raise ValueError("a key ring needs exactly one current key for each of " + ", ".join(ALGORITHMS))
        self._jwks = {"keys": [dict(key.key.as_dict(private=False)) for key in self._by_kid.values()]}

    def jwks(self) -> dict[str, Any]:
        """The public JWK Set: next, current and retired keys, no private members (RFC 7517 5, OIDC Core 10.1.1)."""
        return {"keys": [dict(key) for key in self._jwks["keys"]]}

    def find(self, kid: str) -> SigningKey | None:
        """The key with this id, in whatever state."""
        return self._by_kid.get(kid)

    def current(self, algorithm: str) -> SigningKey:
        """The one key that signs with this algorithm."""
        return self._current[algorithm]

    def sign(self, claims: Mapping[str, Any], *, algorithm: str, typ: str) -> str:
        """A compact JWS by the current key of this algorithm, with its `kid`."""
        key = self._current[algorithm]
        return jws.sign(claims, key=key.key, algorithm=algorithm, kid=key.kid, typ=typ)

    def verify(self, token: str, *, typ: str) -> dict[str, Any]:
        """The claims of a token that one of our keys signed as this `typ`, expired or not; else `jws.Untrusted`."""
        header = jws.read_header(token)
        # we write alg, kid and typ, so nothing else can be ours
        if not header.keys() <= {"alg", "kid", "typ"} or not jws.is_type(header, {typ}):
            raise jws.Untrusted("not a header of ours")
        key = self._by_kid.get(header.get("kid", ""))
        if key is None:
            raise jws.Untrusted("not a key of ours")
        # RFC 8725 3.1: the key says which algorithm, not the token
        return jws.verify(token, key=key.key, algorithm=key.algorithm)
