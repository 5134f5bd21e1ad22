"""What the kit keeps in a framework's session, as JSON under one key: how it is written, filed and read. Pure."""

import hashlib
import json
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote

from stile_rp import jose
from stile_rp.answers import Declined, Pending, Received, canonical
from stile_rp.settings import Settings

PATH = "/:@!$&'()*+,;=~"  # of a path, needs no encoding (RFC 3986 3.3)
Session: TypeAlias = MutableMapping[str, Any]
Details: TypeAlias = Sequence[Mapping[str, Any]] | Mapping[str, Any] | None  # RFC 9396 2


def size(held: Mapping[str, Any]) -> int:
    """How many characters it takes as JSON, whatever else an application keeps."""
    return len(json.dumps(held, separators=(",", ":"), default=str, skipkeys=True))


def key(settings: Settings) -> str:
    """Where it is kept: apart for each client of each provider, for a `sub` of one says nothing to another."""
    return f"stile_rp {_short([settings.issuer, settings.client_id], 6)}"


def of(session: Session, key: str) -> dict[str, Any]:
    """What is kept there, to be changed and put back."""
    mine = session.get(key)
    return dict(mine) if isinstance(mine, dict) else {}  # of another version: nobody's


def listed(details: Details) -> Sequence[Mapping[str, Any]] | None:
    """Details as a list."""
    return [details] if isinstance(details, Mapping) else details


def name(action: str, details: str | None, then: str) -> str:
    """What a confirmation is filed under: `then` may be written in as many ways as an address can (RFC 3986 6.2.2)."""
    path, _, query = then.partition("#")[0].partition("?")
    return _short([action, details, unquote(path), parse_qsl(query, keep_blank_values=True)], 16)


def to_json(outcome: Received | Declined) -> dict[str, Any]:
    """A confirmation as a session holds it."""
    if isinstance(outcome, Received):
        return {"pending": outcome.pending.to_json(), "code": outcome.code}
    return asdict(outcome)


def from_json(told: Any) -> Received | Declined | None:  # noqa: ANN401 - what a session holds
    """What `to_json` wrote; None for anything else."""
    if not isinstance(told, dict):
        return None
    try:
        if "code" not in told:
            return Declined(**told)
        pending = Pending.from_json(told["pending"])
    except (TypeError, KeyError):  # of a version before this one: they confirm again
        return None
    return None if pending is None else Received(pending, told["code"])


def _short(told: object, size: int) -> str:
    return jose.encoded(hashlib.sha256(canonical(told).encode()).digest()[:size])
