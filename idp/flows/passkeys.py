"""Challenges of passkeys, and what browsers are asked to do with them. Nothing is stored before one is answered.

A challenge says itself when it was made, and that we made it for one place: a session, and the question of a request in
it. It is used once: by a row with its hash, written by the statement that records what it proved.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from idp.crypto import equal, mac, random_bytes
from idp.errors import SealBroken
from idp.factors.credentials import ALGORITHMS, Relying, written
from idp.flows.idp import Idp
from idp.flows.sealed import PASSKEY, bound
from idp.model import Account, AssuranceLevel, Authenticator, Factor, Interaction

_PURPOSE = "passkey-challenge"
_AT, _RANDOM, _MAC = 8, 16, 32


def relying(idp: Idp) -> Relying | None:
    """Who we are to a passkey; None where there are none: the policy has no line for them, or the issuer no name."""
    host = urlsplit(idp.issuer).hostname or ""
    if Factor.PASSKEY not in idp.policy.factors or not _may_be_rp_id(host):
        return None
    parts = urlsplit(idp.issuer)
    ours = f"{parts.scheme}://{parts.netloc}"
    return Relying(idp.settings.passkey_rp_id or host, (ours, *idp.settings.passkey_origins))


def _may_be_rp_id(host: str) -> bool:
    # WebAuthn 5.1.3: an RP id is a domain, and an address is none
    try:
        ip_address(host)
    except ValueError:
        return bool(host)
    return False


def roots(idp: Idp) -> tuple[bytes, ...]:
    """The certificates of makers whose word counts that a key is bound to hardware: those an operator named."""
    return () if idp.settings.passkey_roots is None else _certificates(idp.settings.passkey_roots)


@cache
def _certificates(path: Path) -> tuple[bytes, ...]:
    end = b"-----END CERTIFICATE-----"
    return tuple(each.lstrip() + end for each in path.read_bytes().split(end) if b"-----BEGIN CERTIFICATE-----" in each)


def second(interaction: Interaction) -> str:
    """The place of a challenge: the second factor of this request, and what is approved by it (design 6)."""
    approves = "" if interaction.request.details is None else f"/{interaction.request.approves.hex()}"
    return f"second/{interaction.id}{approves}"


def alone(asked: str) -> str:
    """The place of a challenge: what is asked first of this request, by its id or by the parameters of its address."""
    return f"alone/{asked}"


REGISTRATION = "registration"


def new_challenge(idp: Idp, session_id: UUID | None, place: str) -> bytes:
    """A challenge for the form at `place` in this browser's session."""
    at = int(idp.clock.now().timestamp() * 1000).to_bytes(_AT, "big")
    made = at + random_bytes(_RANDOM)
    return made + _mac(idp, session_id, place, made, idp.secrets.current)


def made_at(idp: Idp, session_id: UUID | None, place: str, challenge: bytes) -> datetime | None:
    """When we made this challenge for this place in this session; None if we did not."""
    if len(challenge) != _AT + _RANDOM + _MAC:
        return None
    made, sealed = challenge[:-_MAC], challenge[-_MAC:]
    if not any(equal(sealed, _mac(idp, session_id, place, made, key_id)) for key_id in idp.secrets.ids()):
        return None
    return datetime.fromtimestamp(int.from_bytes(made[:_AT], "big") / 1000, UTC)


def is_ours(idp: Idp, session_id: UUID | None, place: str, challenge: bytes, *, now: datetime) -> bool:
    """Whether we made this challenge for this place in this session, and not too long ago."""
    at = made_at(idp, session_id, place, challenge)
    return at is not None and at > now - life(idp)


def _mac(idp: Idp, session_id: UUID | None, place: str, made: bytes, key_id: str) -> bytes:
    session = b"" if session_id is None else session_id.bytes
    return mac(idp.secrets.subkey(_PURPOSE, key_id), session, place.encode(), made)


def life(idp: Idp) -> timedelta:
    """How long a challenge may be answered: while the browser's session would last that nobody uses."""
    return idp.policy.sessions.idle


def hash_of(challenge: bytes) -> bytes:
    """What is kept of a challenge that was used."""
    return hashlib.sha256(challenge).digest()


def handle_of(account: Account) -> bytes:
    """Whose passkey it is, to whoever holds it (WebAuthn 14.6.1): the random id of the account, and nothing else."""
    return account.id.bytes


def public_key(idp: Idp, passkey: Authenticator) -> bytes:
    """The key of a passkey. Raises `SealBroken` for a row that was tampered with."""
    if passkey.passkey is None:
        raise SealBroken(f"A passkey without its key ({passkey.id}).")
    where = bound(passkey.account_id, passkey.id)
    return idp.secrets.unseal(passkey.passkey.public_key, purpose=PASSKEY, bound_to=where)


def open_passkeys(authenticators: Iterable[Authenticator]) -> list[Authenticator]:
    """Those that were not closed."""
    return [each for each in authenticators if each.factor is Factor.PASSKEY and each.closed_at is None]


def creation(idp: Idp, us: Relying, challenge: bytes, account: Account, there: Iterable[Authenticator]) -> str:
    """The options of `navigator.credentials.create`, as its JSON (WebAuthn 5.4)."""
    hardware = bool(idp.settings.passkey_roots) and AssuranceLevel.HARDWARE_BOUND in idp.policy.levels
    options: dict[str, Any] = {
        "challenge": written(challenge),
        "rp": {"id": us.id, "name": idp.settings.brand},
        "user": {
            "id": written(handle_of(account)),
            "name": account.username,
            "displayName": account.name or account.username,
        },
        "pubKeyCredParams": [{"type": "public-key", "alg": each} for each in ALGORITHMS],
        "excludeCredentials": [_descriptor(each) for each in there],
        "authenticatorSelection": {
            "residentKey": "preferred",
            "requireResidentKey": False,
            "userVerification": "preferred",
        },
        "attestation": "direct" if hardware else "none",
        "timeout": _MILLISECONDS,
    }
    return json.dumps(options)


def request(us: Relying, challenge: bytes, theirs: Iterable[Authenticator] = (), *, must_verify: bool) -> str:
    """The options of `navigator.credentials.get`, as its JSON (WebAuthn 5.5). Without `theirs`, anybody's."""
    options: dict[str, Any] = {
        "challenge": written(challenge),
        "rpId": us.id,
        "allowCredentials": [_descriptor(each) for each in theirs],
        "userVerification": "required" if must_verify else "preferred",
        "timeout": _MILLISECONDS,
    }
    return json.dumps(options)


_MILLISECONDS = 300_000


def _descriptor(each: Authenticator) -> dict[str, Any]:
    assert each.passkey is not None
    found: dict[str, Any] = {"type": "public-key", "id": written(each.passkey.credential_id)}
    return found | ({"transports": list(each.passkey.transports)} if each.passkey.transports else {})
