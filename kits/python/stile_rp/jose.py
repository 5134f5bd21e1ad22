"""Signed tokens: their keys, their headers, their signatures. Nothing here knows what a claim means."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, JWKRegistry, Key
from joserfc.jws import JWSRegistry

from stile_rp.errors import Untrusted

LONGEST = 16 * 1024  # of a token
_SIZED = {f"{kind}{size}" for kind in ("RS", "PS", "ES") for size in (256, 384, 512)}
ALGORITHMS = frozenset(_SIZED | {"Ed25519", "EdDSA"})
KTY = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}  # by the first letters of the algorithm
SMALLEST_RSA = 2048  # bits, RFC 7518 3.3
Verify: TypeAlias = Callable[[bytes, bytes], bool]  # whether a key signed this with that
_ES256 = ec.ECDSA(SHA256())
_json = json.JSONDecoder().decode
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class Header:
    """What a token says about its signature."""

    alg: str
    kid: str | None
    typ: str


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token that is written as one. Its claims cannot be seen before its signature was checked."""

    header: Header
    signed: bytes = field(repr=False)
    payload: str = field(repr=False)
    signature: bytes = field(repr=False)


def read(token: str, headers: dict[str, Header]) -> Unverified:
    """The parts of a compact JWS (RFC 7515 7.1), or `Untrusted`. `headers` keeps those that were read before."""
    parts = _COMPACT.fullmatch(token) if len(token) <= LONGEST else None
    if parts is None:
        raise Untrusted("this is not a signed JWT")
    first, payload, last = parts.groups()
    header = headers.get(first)
    if header is None:
        header = _header(first)
        if len(headers) >= 100:  # a provider has a handful; strangers may make up more
            headers.clear()
        headers[first] = header
    return Unverified(header, token[: len(first) + 1 + len(payload)].encode(), payload, decoded(last))


def claims(token: Unverified, verify: Verify) -> dict[str, Any]:
    """What was signed, or `Untrusted`."""
    try:
        good = verify(token.signed, token.signature)
        told = _json(decoded(token.payload).decode()) if good else None
    except (ValueError, TypeError, RecursionError) as error:
        raise Untrusted("the token cannot be read") from error
    if not isinstance(told, dict):
        raise Untrusted("the signature is wrong" if not good else "the token has no claims")
    return told


def signing_keys(listed: object, algorithms: Iterable[str]) -> dict[tuple[str | None, str], Verify]:
    """The keys of a JWKS by `kid` and algorithm; those that we do not know, or that sign nothing, are passed over."""
    keys: dict[tuple[str | None, str], Verify] = {}
    unnamed: dict[str, int] = {}
    # RFC 7517 5: keys that are not understood are ignored
    for jwk in listed if isinstance(listed, list) else []:
        if not isinstance(jwk, Mapping) or jwk.get("use", "sig") != "sig":
            continue
        kid = jwk.get("kid")
        for alg in algorithms:
            if jwk.get("alg", alg) != alg or jwk.get("kty") != KTY[alg[:2]]:
                continue
            key = _imported({**jwk, "alg": alg}, alg)
            if key is not None and (kid is None or isinstance(kid, str)):
                keys[kid, alg] = key
                unnamed[alg] = unnamed.get(alg, 0) + 1
    # OIDC Core 10.1: a token need not say which key where there is one alone
    for alg in [alg for alg, count in unnamed.items() if count == 1]:
        keys.setdefault((None, alg), next(key for (_, of), key in keys.items() if of == alg))
    return {name: key for name, key in keys.items() if name[0] is not None or unnamed[name[1]] == 1}


def at_hash(access_token: str, alg: str) -> str:
    """The left half of the hash that belongs to `alg`, as OIDC Core 3.1.3.6 writes it."""
    digest = hashlib.new("sha512" if alg.startswith("Ed") else f"sha{alg[-3:]}", access_token.encode()).digest()
    return encoded(digest[: len(digest) // 2])


def encoded(raw: bytes) -> str:
    """Base64url without padding (RFC 7515 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """What base64url without padding says, or `Untrusted`."""
    try:
        return binascii.a2b_base64(text.replace("-", "+").replace("_", "/") + "==")
    except (binascii.Error, ValueError) as error:
        raise Untrusted("this is not a signed JWT") from error


def _header(text: str) -> Header:
    try:
        told = json.loads(decoded(text), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Untrusted("the token's header cannot be read") from error
    alg, kid, typ = (told.get(name) for name in ("alg", "kid", "typ")) if isinstance(told, dict) else (None,) * 3
    # RFC 7515 4.1.11: who does not understand what is critical must refuse, and we understand none
    if not isinstance(alg, str) or not isinstance(kid, str | None) or "crit" in told:
        raise Untrusted("the token's header cannot be read")
    # RFC 7515 4.1.9: media types are compared without regard to case, and may leave "application/" out
    kind = typ.lower().removeprefix("application/") if isinstance(typ, str) else ""
    return Header(alg, kid, kind)


def _once(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(members)
    if len(told) != len(members):
        raise ValueError("a member comes twice")
    return told


def _imported(jwk: dict[str, Any], alg: str) -> Verify | None:
    try:
        if jwk["kty"] == "OKP" and jwk["crv"] != "Ed25519":
            return None
        if jwk["kty"] == "RSA" and int.from_bytes(decoded(jwk["n"])).bit_length() < SMALLEST_RSA:
            return None
        key = JWKRegistry.import_key(jwk)
        JWSRegistry.algorithms[alg].check_key(key)
        key.check_key_op("verify")
    except Exception:  # noqa: BLE001 - joserfc 1.8 raises KeyError too, for a curve that it does not know
        return None
    return _verify(key, alg)


def _verify(key: Key, alg: str) -> Verify:
    if alg == "ES256" and isinstance(key, ECKey):
        return _es256(key.public_key)
    by = JWSRegistry.algorithms[alg]
    return lambda signed, signature: by.verify(signed, signature, key)


def _es256(key: ec.EllipticCurvePublicKey) -> Verify:
    """What an API does for every request, so without what joserfc does around it."""

    def verify(signed: bytes, signature: bytes) -> bool:
        if len(signature) != 64:  # RFC 7518 3.4
            return False
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        try:
            key.verify(encode_dss_signature(r, s), signed, _ES256)
        except InvalidSignature:
            return False
        return True

    return verify
