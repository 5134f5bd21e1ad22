"""How an export travels: its secrets not at all, in clear, or sealed under a passphrase, and then all lines with them.

Nothing is stored here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from idp.crypto import KeyChain, equal, passphrase_key, random_bytes, running_mac
from idp.errors import SealBroken
from idp.importing.document import Object
from idp.importing.incoming import Unreadable
from idp.oidc.strictjson import Malformed, parse_object

_PURPOSE, _LINES, _CHECK, _SALT = "export", "export-lines", "stile", 16


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
        if self.chain is None:
            return line.object("secrets")
        sealed = line.text("sealed")
        if sealed is None:
            return Object({}, line.where)
        try:
            opened = self.chain.unseal(bytes.fromhex(sealed), purpose=_PURPOSE, bound_to=of)
            return Object(parse_object(opened), f"{line.where}.sealed")
        except (SealBroken, ValueError, Malformed):
            raise Unreadable(f"{line.where}.sealed does not open: it was changed, or is another's.") from None


class Lines:
    """The lines of an export, one after the other as they stand in the file, and the last that vouches for them.

    Where secrets are sealed nobody without the passphrase changes, adds, moves or takes away a line unnoticed. Where
    they are not, there is nothing to vouch with.
    """

    def __init__(self, way: Envelope) -> None:
        self._mac = None if way.chain is None else running_mac(way.chain.subkey(_LINES))

    def take(self, line: bytes) -> None:
        """The next line, without its end."""
        if self._mac is not None:
            self._mac.update(line + b"\n")

    def put(self, line: Mapping[str, Any]) -> str:
        """The next line as it is written."""
        text = json.dumps(line, ensure_ascii=False)
        self.take(text.encode())
        return text

    def last(self, counts: Mapping[str, int]) -> str:
        """The last line."""
        mac = {} if self._mac is None else {"mac": self._mac.hexdigest()}
        return json.dumps({"end": dict(counts), **mac})

    def check(self, last: Object) -> None:
        """Whether the last line is of the lines before it. Raises `Unreadable`."""
        if self._mac is not None and not equal(self._mac.hexdigest().encode(), (last.text("mac") or "").encode()):
            raise Unreadable("The export was changed after it was made: its last line vouches for other lines.")


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
    if said != Secrets.SEALED and passphrase is not None:
        raise Unreadable("This export is not sealed, and a passphrase was given: it is not the one that was sealed.")
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
