"""Random codes and tokens, keyed hashes, sealing, comparison. The only module that makes or opens secrets."""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from idp.errors import SealBroken

KEY_BYTES = 32
_VERSION = 1


def random_token() -> str:
    """256 random bits in base64url: session ids, codes, refresh tokens, links, client secrets."""
    return secrets.token_urlsafe(32)


def random_bytes(count: int) -> bytes:
    """`count` bytes from the operating system."""
    return secrets.token_bytes(count)


def digest(token: str) -> bytes:
    """SHA-256 of a token of full entropy, which is all that is stored of it."""
    return hashlib.sha256(token.encode()).digest()


def equal(left: bytes, right: bytes) -> bool:
    """Constant-time comparison."""
    return hmac.compare_digest(left, right)


def mac(key: bytes, *parts: bytes) -> bytes:
    """HMAC-SHA-256 over the parts, each preceded by its length, so that no two lists of parts look alike."""
    state = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        state.update(len(part).to_bytes(4, "big"))
        state.update(part)
    return state.digest()


def running_mac(key: bytes) -> hmac.HMAC:
    """An HMAC-SHA-256 over what comes piece by piece; how the pieces are told apart is the caller's."""
    return hmac.new(key, digestmod=hashlib.sha256)


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One operator-given key: a short public id and 32 secret bytes."""

    id: str
    value: bytes = field(repr=False)


@lru_cache(maxsize=1024)
def _derive(value: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"stile/{purpose}".encode()).derive(value)


class KeyChain:
    """The keys of `IDP_SECRET_KEYS`: the first is used, all are accepted. A subkey per purpose, by HKDF.

    Only look-ups need one key that every process agrees on, in whatever order its list is: `oldest`.
    """

    def __init__(self, keys: Sequence[SecretKey], *, oldest: str | None = None) -> None:
        if not keys:
            raise ValueError("a key chain needs a key")
        self._keys = {key.id: key.value for key in keys}
        self.current = keys[0].id
        self.oldest = oldest if oldest in self._keys else self.current

    def __repr__(self) -> str:
        return f"KeyChain({', '.join(self._keys)})"

    def since(self, oldest: str) -> "KeyChain":
        """The same keys; what is looked up is found under this one, if it is among them."""
        return KeyChain([SecretKey(key_id, value) for key_id, value in self._keys.items()], oldest=oldest)

    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the one in use first."""
        return tuple(self._keys)

    def subkey(self, purpose: str, key_id: str | None = None) -> bytes:
        """32 bytes for this purpose alone. Raises `SealBroken` when the key is no longer in the list."""
        value = self._keys.get(key_id or self.current)
        if value is None:
            raise SealBroken(f"The secret key {key_id!r} is not in IDP_SECRET_KEYS any more.")
        return _derive(value, purpose)

    def seal(self, secret: bytes, *, purpose: str, bound_to: str) -> bytes:
        """AES-256-GCM under the current key. `bound_to` (table, column, person, row) must be given again."""
        key_id = self.current.encode()
        header = bytes((_VERSION, len(key_id))) + key_id
        nonce = os.urandom(12)
        return header + nonce + AESGCM(self.subkey(purpose)).encrypt(nonce, secret, header + bound_to.encode())

    def unseal(self, sealed: bytes, *, purpose: str, bound_to: str) -> bytes:
        """What `seal` sealed. Raises `SealBroken` for another row, another purpose, a lost key or one changed bit."""
        if len(sealed) < 2 or sealed[0] != _VERSION or len(sealed) < 2 + sealed[1] + 12 + 16:
            raise SealBroken(f"A sealed value has an unknown format ({bound_to}).")
        end = 2 + sealed[1]
        header, nonce, body = sealed[:end], sealed[end : end + 12], sealed[end + 12 :]
        try:
            key = self.subkey(purpose, header[2:].decode("ascii"))
            return AESGCM(key).decrypt(nonce, body, header + bound_to.encode())
        except (InvalidTag, UnicodeDecodeError):
            raise SealBroken(f"A sealed value does not open ({bound_to}).") from None

    def index(self, value: str, *, purpose: str) -> bytes:
        """A keyed hash for looking a sealed value up by equality, and for counting: under the oldest key."""
        return mac(self.subkey(f"index/{purpose}", self.oldest), value.encode())

    def indexes(self, value: str, *, purpose: str) -> list[bytes]:
        """The same under every key: what was stored under one that was removed and is back is found too."""
        return [mac(self.subkey(f"index/{purpose}", key_id), value.encode()) for key_id in self._keys]

    def successors(self, token: str, *, purpose: str) -> list[str]:
        """The token that follows this one, the same whoever asks, under every key, the current one first.

        256 bits that nobody foretells without the token and the key.
        """
        made = (mac(self.subkey(f"successor/{purpose}", key_id), token.encode()) for key_id in self._keys)
        return [base64.urlsafe_b64encode(value).rstrip(b"=").decode() for value in made]


def passphrase_key(passphrase: str, salt: bytes) -> SecretKey:
    """The key that a passphrase stands for: argon2id with 64 MiB, three passes and four lanes (RFC 9106 4)."""
    value = hash_secret_raw(passphrase.encode(), salt, 3, 64 * 1024, 4, KEY_BYTES, Type.ID)
    return SecretKey("passphrase", value)


def new_secret_key(key_id: str) -> str:
    """A fresh `id:base64url` entry for `IDP_SECRET_KEYS`."""
    return f"{key_id}:{base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).rstrip(b'=').decode()}"


def parse_secret_keys(text: str) -> tuple[list[SecretKey], list[str]]:
    """Read `IDP_SECRET_KEYS`; the second list holds every mistake, without the key material."""
    keys: list[SecretKey] = []
    problems: list[str] = []
    for entry in text.replace("\n", ",").split(","):
        if not (entry := entry.strip()):
            continue
        key_id, colon, encoded = entry.partition(":")
        if not colon or not key_id.isascii() or not key_id.isalnum() or len(key_id) > 32:
            problems.append("each key is written id:base64url, the id of 1 to 32 letters and digits")
            continue
        try:
            value = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            problems.append(f"key {key_id!r} is not base64url")
            continue
        if len(value) != KEY_BYTES:
            problems.append(f"key {key_id!r} has {len(value)} bytes, not {KEY_BYTES}")
        elif len(set(value)) < 12:
            problems.append(f"key {key_id!r} is not random; make one with `idp keys secret`")
        elif key_id in {key.id for key in keys}:
            problems.append(f"key id {key_id!r} occurs twice")
        elif value in {key.value for key in keys}:
            problems.append(f"key {key_id!r} repeats another key")
        else:
            keys.append(SecretKey(key_id, value))
    if not keys and not problems:
        problems.append("no key; make one with `idp keys secret`")
    return keys, problems


def webhook_key(secret: str) -> bytes | None:
    """The key in a `whsec_` secret (Standard Webhooks); None for anything else, or one that is too short."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        return None
    return key if secret.startswith("whsec_") and 24 <= len(key) <= 64 else None
