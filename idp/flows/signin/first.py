"""A browser's first cookie, and the id of the session that it may begin: never one that was a session before."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from idp.crypto import digest
from idp.flows.idp import Idp, Visitor, session_token
from idp.store.sweep import KEEP_ENDED

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def first_cookie(idp: Idp, *, now: datetime) -> str:
    """A cookie for a session that nobody has begun, which says when it was made."""
    # RFC 9562 5.7: the first 48 bits of version 7 are milliseconds since the epoch
    made = (now - _EPOCH) // timedelta(milliseconds=1)
    random = uuid4().int & ((1 << 76) - 1) & ~(0b11 << 62) | (0b10 << 62)
    return session_token(idp.secrets, UUID(int=made << 80 | 0x7 << 76 | random))


def begins_as(idp: Idp, visitor: Visitor, *, now: datetime) -> UUID | None:
    """Under which id this browser would begin a session, or has its own.

    A first cookie begins one under its own id only for as long as the row of a session that it began is surely there
    to say so; then under another id in each such span, the same for a form that is sent twice.
    """
    named = visitor.session_id
    if named is None or not visitor.untried:
        return named
    span = idp.policy.sessions.idle + KEEP_ENDED
    made = _EPOCH + timedelta(milliseconds=named.int >> 80) if named.version == 7 else _EPOCH
    spans = (now - made) // span
    return named if spans <= 0 else UUID(bytes=digest(f"{visitor.token}\n{spans}\nsession")[:16], version=4)
