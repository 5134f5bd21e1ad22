"""Links of mails: what they are for, and what is kept of one. No behaviour but saying whether it still works."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class LinkFor(StrEnum):
    """What a link does once its button is pressed, and nothing else."""

    RESET = "reset"
    FREEZE = "freeze"
    VERIFY_EMAIL = "verify_email"
    INVITE = "invite"
    REGISTER = "register"
    RECOVER = "recover"  # never sent: one operator waits for another


INVITES = frozenset({LinkFor.INVITE, LinkFor.REGISTER})  # they open a session in which an account is set up


@dataclass(frozen=True, slots=True)
class Link:
    """One link that was made. `hash` is of its token, which nobody keeps.

    `about` is what it is about beside the person, as an authenticator; `fields` what else is needed, and no secret.
    """

    hash: bytes = field(repr=False)
    purpose: LinkFor
    account_id: UUID
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    about: UUID | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    def works(self, now: datetime) -> bool:
        """Whether its button may be pressed still."""
        return self.used_at is None and now < self.expires_at
