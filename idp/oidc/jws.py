"""Verifying compact JWS that others signed, with joserfc, one key at a time. What the claims mean is elsewhere."""

import warnings
from functools import cache
from typing import Any

from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import Key
from joserfc.util import urlsafe_b64decode

from idp.oidc.strictjson import Malformed, parse_object

Claims = dict[str, Any]


class Untrusted(ValueError):
    """The token does not verify. The text says why and repeats nothing of it."""


@cache
def _registry(algorithm: str) -> jws.JWSRegistry:
    # one algorithm per key: a public key can never be taken for an HMAC secret
    return jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)


def read_header(token: str) -> Claims:
    """The protected header, not verified. Raises `Untrusted` for anything that RFC 7515 or we do not understand."""
    if not token.isascii() or token.count(".") != 2:
        raise Untrusted("not a compact JWS")
    header = _segment(token.partition(".")[0])
    # RFC 7515 4.1.11: extensions that are not understood MUST be refused; we understand none. RFC 7797 3: nor b64
    if "crit" in header or "b64" in header:
        raise Untrusted("an extension that is not understood")
    if not isinstance(header.get("alg"), str) or not isinstance(header.get("kid", ""), str):
        raise Untrusted("alg or kid is not a string")
    return header


def read_claims(token: str) -> Claims:
    """The payload, NOT verified: only to find out whose key to ask for."""
    return _segment(token.split(".")[1])


def verify(token: str, *, key: Key, algorithm: str) -> Claims:
    """The claims of a token that `read_header` accepted. Raises `Untrusted` unless this key signed it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # that EdDSA has another name now (RFC 9864)
            signed = jws.deserialize_compact(token, key, registry=_registry(algorithm))
    except Exception as error:  # noqa: BLE001 - whatever a library says of a key or a token that it does not understand
        raise Untrusted(type(error).__name__) from None
    try:
        return parse_object(signed.payload or b"")
    except Malformed as error:
        raise Untrusted(str(error)) from None


def _segment(segment: str) -> Claims:
    try:
        return parse_object(urlsafe_b64decode(segment.encode()))
    except Malformed as error:
        raise Untrusted(str(error)) from None
    except ValueError:
        raise Untrusted("not base64url") from None
