"""The provider's signing keys: parsed once, current ones sign, all verify. Sealing and storing are elsewhere.

Other people's signatures are joserfc's, in `jws`. Ours, of which every token request makes two, are made and checked by
cryptography itself, with headers that are ready.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPrivateNumbers, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, Key, KeyParameters, RSAKey, import_key
from joserfc.util import urlsafe_b64decode, urlsafe_b64encode

from idp.oidc.jws import Untrusted

ALGORITHMS = ("RS256", "ES256")
ACCESS_TOKEN = "at+jwt"  # RFC 9068 2.1
ID_TOKEN = "JWT"  # and signed answers of userinfo
_HALF = 32  # bytes of each of the two numbers of a P-256 signature
_SHA256 = SHA256()
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
# NIST SP 800-57 allows 2048 bits to the end of 2030, our signatures live for minutes and our keys for months;
# 3072 bits would treble the cost of every token
RSA_BITS = 2048


class KeyState(StrEnum):
    """`next` is published before it signs, `retired` verifies after it has signed (OIDC Core 10.1.1).

    `remembered` is not published any more and verifies ID tokens alone, those that come back as hints.
    """

    NEXT = "next"
    CURRENT = "current"
    RETIRED = "retired"
    REMEMBERED = "remembered"


class Signer(Protocol):
    """Signs and checks with one key, as RFC 7518 3 has it for one algorithm."""

    def sign(self, message: bytes) -> bytes:
        """The signature."""
        ...

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether this key signed the message so."""
        ...


class _ES256:
    """RFC 7518 3.4: the two numbers one behind the other, not in DER."""

    def __init__(self, key: EllipticCurvePrivateKey) -> None:
        self._private, self._public, self._how = key, key.public_key(), ECDSA(_SHA256)

    def sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(self._private.sign(message, self._how))
        return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")

    def verifies(self, signature: bytes, message: bytes) -> bool:
        if len(signature) != 2 * _HALF:
            return False
        r, s = int.from_bytes(signature[:_HALF], "big"), int.from_bytes(signature[_HALF:], "big")
        try:
            self._public.verify(encode_dss_signature(r, s), message, self._how)
        except InvalidSignature:
            return False
        return True


class _RS256:
    """RFC 7518 3.3."""

    def __init__(self, key: RSAPrivateKey) -> None:
        self._private, self._public, self._padding = key, key.public_key(), PKCS1v15()

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message, self._padding, _SHA256)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        try:
            self._public.verify(signature, message, self._padding, _SHA256)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One parsed private key. `kid` is its RFC 7638 thumbprint."""

    kid: str
    algorithm: str
    state: KeyState
    key: Key = field(repr=False)
    signer: Signer = field(repr=False)

    def header(self, typ: str) -> str:
        """The protected header of its tokens of this type, encoded (RFC 7515 7.1)."""
        return urlsafe_b64encode(_encode({"alg": self.algorithm, "kid": self.kid, "typ": typ}).encode()).decode()


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
    return SigningKey(kid=key.kid, algorithm=key.alg, state=state, key=key, signer=_signer(key.private_key))


def _signer(private: object) -> Signer:
    match private:
        case RSAPrivateKey():
            return _RS256(private)
        case EllipticCurvePrivateKey(curve=SECP256R1()):
            return _ES256(private)
        case _:
            raise ValueError("not a private signing key of ours")


def _known_rsa(jwk: dict[str, str]) -> RSAKey:
    """An RSA key without a new test of its primes, which takes 50 ms: `generate` made it, and the seal proves that."""
    n, e, d, p, q, dp, dq, qi = (
        int.from_bytes(urlsafe_b64decode(jwk[name].encode())) for name in ("n", "e", "d", "p", "q", "dp", "dq", "qi")
    )
    numbers = RSAPrivateNumbers(p, q, d, dp, dq, qi, RSAPublicNumbers(e, n))
    return RSAKey(numbers.private_key(unsafe_skip_rsa_key_validation=True), jwk)


class KeyRing:
    """All signing keys at one moment; never changed, only replaced. Exactly one key signs per algorithm."""

    __slots__ = ("_by_kid", "_current", "_jwks", "_signing", "_verifying")

    def __init__(self, keys: Iterable[SigningKey]) -> None:
        self._by_kid = MappingProxyType({key.kid: key for key in keys})
        current = [key for key in self._by_kid.values() if key.state is KeyState.CURRENT]
        self._current = MappingProxyType({key.algorithm: key for key in current})
        if len(current) != len(ALGORITHMS) or set(self._current) != set(ALGORITHMS):
            raise ValueError("a key ring needs exactly one current key for each of " + ", ".join(ALGORITHMS))
        types = (ACCESS_TOKEN, ID_TOKEN)
        self._signing = {(name, typ): (key, key.header(typ)) for name, key in self._current.items() for typ in types}
        published = [key for key in self._by_kid.values() if key.state is not KeyState.REMEMBERED]
        self._verifying = {(key.header(typ), typ): key for key in published for typ in types}
        self._verifying |= {(key.header(ID_TOKEN), ID_TOKEN): key for key in self._by_kid.values()}
        self._jwks = {"keys": [dict(key.key.as_dict(private=False)) for key in published]}

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
        """A compact JWS by the current key of this algorithm, with its `kid` (RFC 7515 7.1)."""
        key, header = self._signing[algorithm, typ]
        signed = f"{header}.{urlsafe_b64encode(_encode(claims).encode()).decode()}"
        return f"{signed}.{urlsafe_b64encode(key.signer.sign(signed.encode())).decode()}"

    def verify(self, token: str, *, typ: str) -> dict[str, Any]:
        """The claims of a token that one of our keys signed as this `typ`, expired or not; else `jws.Untrusted`."""
        signed, _, signature = token.rpartition(".")
        header, _, payload = signed.partition(".")
        # we write no other header, so nothing else can be ours, and the key says which algorithm (RFC 8725 3.1)
        key = self._verifying.get((header, typ))
        if key is None:
            raise Untrusted("not a header of ours")
        try:
            if not token.isascii() or not key.signer.verifies(urlsafe_b64decode(signature.encode()), signed.encode()):
                raise Untrusted("not a signature of ours")
            claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload.encode()))
        except ValueError as error:
            raise Untrusted(type(error).__name__) from None
        return claims
