"""Challenges of passkeys that were answered. Writing one is part of what it proved (`consuming`, `passkeys`)."""

from datetime import datetime

from idp.store.engine import Conn
from idp.store.sql import Sql

_USED_AT = Sql("SELECT used_at FROM used_challenge WHERE hash = :hash")


async def used_at(conn: Conn, *, hash_: bytes) -> datetime | None:
    """When this challenge was answered; None for one that was not, or that is forgotten."""
    found: datetime | None = await conn.value(_USED_AT, hash=hash_)
    return found
