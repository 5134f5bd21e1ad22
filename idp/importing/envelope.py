"""How the secrets of an export travel: not at all, in clear, or sealed under a passphrase. Nothing is stored here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from idp.crypto import KeyChain, passphrase_key, random_bytes
from idp.errors import SealBroken
from idp.importing.document import Object
from idp.importing.incoming import Unreadable
from idp.oidc.strictjson import Malformed, parse_object

_PURPOSE, _CHECK, _SALT = "export", "stile", 16


class Secrets(StrEnum):
    """What happens to hashes, seeds and saved codes."""

    NONE = "none"
    SEALED = "sealed"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One export's way. `chain` has the key of its passphrase, `salt` what that was derived with."""

    secrets: Secrets
    chain: KeyChain | None = field(default=None, repr=False)
    salt: bytes = b""

    def head(self) -> dict[str, Any]:
        """What the first line says of it."""
        if self.chain is None:
            return {"secrets": self.secrets.value}
        check = self.chain.seal(_CHECK.encode(), purpose=_PURPOSE, bound_to=_CHECK)
        return {"secrets": self.secrets.value, "salt": self.salt.hex(), "check": check.hex()}

    def put(self, secrets: Mapping[str, Any], *, of: str) -> dict[str, Any]:
        """What stands beside a person or client, `of` which it is."""
        if not secrets or self.secrets is Secrets.NONE:
            return {}
        if self.chain is None:
            return {"secrets": dict(secrets)}
        return {"sealed": self.chain.seal(json.dumps(secrets).encode(), purpose=_PURPOSE, bound_to=of).hex()}

    def take(self, line: Object, *, of: str) -> Object:
        """What `put` put there; empty where nothing is. Raises `Unreadable`."""
        if self.chain is not None and "secrets" in line:
            raise Unreadable(f"{line.where}.secrets is in clear, in an export that seals them: it was added.")
        sealed = line.text("sealed")
        if sealed is None or self.chain is None:
            return line.object("secrets")
        try:
            opened = self.chain.unseal(bytes.fromhex(sealed), purpose=_PURPOSE, bound_to=of)
            return Object(parse_object(opened), f"{line.where}.sealed")
        except (SealBroken, ValueError, Malformed):
            raise Unreadable(f"{line.where}.sealed does not open: it was changed, or is another's.") from None


def new(secrets: Secrets, passphrase: str | None) -> Envelope:
    """For an export that begins."""
    if passphrase is None:
        return Envelope(secrets)
    salt = random_bytes(_SALT)
    return Envelope(secrets, KeyChain([passphrase_key(passphrase, salt)]), salt)


def opened(head: Object, passphrase: str | None) -> Envelope:
    """The way of an export that is read. Raises `Unreadable`, for a wrong passphrase too."""
    said = head.needed("secrets")
    if said not in list(Secrets):
        raise Unreadable("The first line does not say what happened to secrets.")
    if said != Secrets.SEALED:
        return Envelope(Secrets(said))
    if passphrase is None:
        raise Unreadable("The secrets of this export are sealed: say --passphrase-stdin, or type it in a terminal.")
    try:
        salt = bytes.fromhex(head.needed("salt"))
        if len(salt) != _SALT:
            raise Unreadable("The first line does not say how the secrets were sealed.")
        chain = KeyChain([passphrase_key(passphrase, salt)])
        chain.unseal(bytes.fromhex(head.needed("check")), purpose=_PURPOSE, bound_to=_CHECK)
    except (SealBroken, ValueError):
        raise Unreadable("The passphrase is not the one that this export was sealed with.") from None
    return Envelope(Secrets.SEALED, chain)
