"""What a person is asked to approve, and what they approved (RFC 9396). No behaviour but reading itself."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from idp.model.factors import AssuranceLevel

APPROVE = "approve/"  # how the purpose of a code begins that is made with the digest of what it approves
NOTHING_APPROVED = hashlib.sha256(b"").digest()


@dataclass(frozen=True, slots=True)
class Details:
    """`authorization_details`, checked. `written` is the JSON array that is stored, shown and told: these characters.

    Only `idp.oidc.details.parse` and what reads a stored request make one.
    """

    written: str

    @property
    def digest(self) -> bytes:
        """The SHA-256 that codes and challenges for this approval are made with (design 6)."""
        return hashlib.sha256(self.written.encode()).digest()

    @property
    def objects(self) -> tuple[Mapping[str, Any], ...]:
        """The objects in it, each with its `type`. Not to be changed."""
        return _objects(self.written)


@dataclass(frozen=True, slots=True)
class Approved:
    """What was approved, as tokens tell it: the objects with transaction id and time, and the level that it took."""

    written: str
    level: AssuranceLevel

    @property
    def types(self) -> tuple[str, ...]:
        """The type of each object."""
        return tuple(each["type"] for each in self.objects)

    @property
    def objects(self) -> tuple[Mapping[str, Any], ...]:
        """The objects in it. Not to be changed."""
        return _objects(self.written)


@lru_cache(maxsize=256)
def _objects(written: str) -> tuple[Mapping[str, Any], ...]:
    return tuple(json.loads(written))
