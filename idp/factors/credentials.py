"""What a browser made of a passkey, read and not believed (WebAuthn 5.1). Strict with a stranger's bytes, and light."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LONGEST = 32 * 1024  # characters of JSON; an attestation with a chain of certificates has about 8,000
LONGEST_ID = 1023  # bytes of a credential id (WebAuthn 7.1, step 25)
# COSE: ES256 first, which every authenticator has, EdDSA, RS256. ML-DSA not before its keys are meant to be stored.
ALGORITHMS = (-7, -8, -257)
_TRANSPORTS = frozenset({"ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb"})
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Relying:
    """Who relies on a passkey: its RP id, and the origins that may ask for it, each exactly as browsers write it."""

    id: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a browser made of a passkey, parsed and not believed. `handle` is whose it says that it is."""

    credential_id: bytes
    client_data: bytes = field(repr=False)
    authenticator_data: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    handle: bytes | None
    challenge: bytes = field(repr=False)
    elsewhere: bool


@dataclass(frozen=True, slots=True)
class Offered:
    """A new passkey, parsed and not believed."""

    credential_id: bytes
    client_data: bytes = field(repr=False)
    attestation: bytes = field(repr=False)
    transports: tuple[str, ...]
    challenge: bytes = field(repr=False)
    elsewhere: bool


def parse(text: object) -> Assertion | None:
    """What `navigator.credentials.get` gave, as its `toJSON` writes it; None for what cannot be that."""
    read = _read(text)
    if read is None:
        return None
    credential_id, response, said = read
    handle = response.get("userHandle")
    data, signature = _bytes(response.get("authenticatorData")), _bytes(response.get("signature"))
    user = None if handle is None else _bytes(handle)
    if data is None or signature is None or (user is None and handle is not None):
        return None
    return Assertion(credential_id, said.raw, data, signature, user, said.challenge, said.elsewhere)


def parse_new(text: object) -> Offered | None:
    """What `navigator.credentials.create` gave, as its `toJSON` writes it; None for what cannot be that."""
    read = _read(text)
    if read is None:
        return None
    credential_id, response, said = read
    attestation, listed = _bytes(response.get("attestationObject")), response.get("transports")
    if attestation is None:
        return None
    # WebAuthn 5.8.4: of others than these nothing is known, and nothing is kept
    listed = listed if isinstance(listed, list) else []
    transports = tuple(sorted({each for each in listed if isinstance(each, str) and each in _TRANSPORTS}))
    return Offered(credential_id, said.raw, attestation, transports, said.challenge, said.elsewhere)


@dataclass(frozen=True, slots=True)
class _Said:
    """The client data, as far as it is looked at before it is believed."""

    raw: bytes
    challenge: bytes
    elsewhere: bool


def _read(text: object) -> tuple[bytes, Mapping[str, Any], _Said] | None:
    if not isinstance(text, str) or len(text) > LONGEST:
        return None
    found = _object(text)
    if found is None or found.get("type") != "public-key" or found.get("id") != found.get("rawId"):
        return None
    credential_id, response = _bytes(found.get("rawId")), found.get("response")
    if not credential_id or len(credential_id) > LONGEST_ID or not isinstance(response, dict):
        return None
    raw = _bytes(response.get("clientDataJSON"))
    said = None if raw is None else _object(raw)
    challenge = None if said is None else _bytes(said.get("challenge"))
    if raw is None or said is None or challenge is None:
        return None
    # WebAuthn 5.8.1: true in a frame of another origin, whose name `topOrigin` then is
    elsewhere = said.get("crossOrigin", False) is not False or "topOrigin" in said
    return credential_id, response, _Said(raw, challenge, elsewhere)


def _object(text: str | bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _bytes(value: object) -> bytes | None:
    """Base64url without padding, as browsers write it; nothing that other decoders read differently."""
    if not isinstance(value, str) or not _BASE64URL.fullmatch(value):
        return None
    try:
        found = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except (binascii.Error, ValueError):
        return None
    return found if written(found) == value else None


def written(value: bytes) -> str:
    """Bytes as browsers write them."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
