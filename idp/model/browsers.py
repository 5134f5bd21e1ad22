"""Browsers, their paused requests and the questions outstanding in them. No behaviour."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from idp.model.factors import Factor
from idp.model.protocol import AuthorizationRequest

SEEN_EVERY = timedelta(minutes=1)  # how exactly it is kept when a browser was here: each change costs index entries


@dataclass(frozen=True, slots=True)
class Session:
    """One browser. Anonymous (`account_id` None) until a password was right. The token itself is not kept.

    `link`: what the link was for that opened it (`LinkFor`); it is good for that alone, and nobody is signed in to it.
    `generation`: codes made in an earlier one are good for nothing. `forgiving`: nobody has used the token yet that the
    last proof brought, so for a moment the one before may bring the same answer again.
    """

    id: UUID
    account_id: UUID | None
    created_at: datetime
    seen_at: datetime
    user_agent: str = ""
    generation: int = 0
    forgiving: bool = False
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """A browser that a person signed in from before, with two factors: it is known to be theirs, and proves nothing.

    `key` is the hash of the id in its cookie. `factor` is the second factor that they used last there, of those that
    last; None while there is none.
    """

    key: bytes = field(repr=False)
    factor: Factor | None = None

    @property
    def subject(self) -> str:
        """What its own limits count by."""
        return self.key.hex()


@dataclass(frozen=True, slots=True)
class Interaction:
    """A paused authorization request. `consented` is None until the consent page was answered."""

    id: UUID
    session_id: UUID
    client_id: str
    request: AuthorizationRequest
    started_at: datetime
    expires_at: datetime
    consented: frozenset[str] | None = None
    account_chosen: bool = False
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Challenge:
    """One outstanding question of an interaction. The answer is not here: it is derived or computed when compared."""

    interaction_id: UUID
    factor: Factor
    account_id: UUID
    authenticator_id: UUID | None
    purpose: str
    nonce: bytes = field(repr=False)
    key_id: str
    created_at: datetime
    expires_at: datetime
    attempts: int
    max_attempts: int
    sends: int
    consumed_at: datetime | None = None

    def alive(self, now: datetime) -> bool:
        """Whether an answer may still be tried."""
        return self.consumed_at is None and self.attempts < self.max_attempts and now < self.expires_at

    def stuck(self, now: datetime) -> bool:
        """Whether no answer may be tried until it expires, or a fresh question is asked."""
        return now < self.expires_at and not self.alive(now)
