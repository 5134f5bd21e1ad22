"""Clients with all that is stored of them, for who takes everything along and brings it back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from idp.model import Registration
from idp.store.engine import Conn
from idp.store.sql import Sql
from idp.store.tokens import clients, logos

_BESIDE = Sql("""
SELECT c.id, c.created_at, c.disabled_at, l.kind, l.content
FROM client c LEFT JOIN client_logo l ON l.client_id = c.id AND c.logo IS NOT NULL""")


async def all_registrations(conn: Conn) -> Sequence[Registration]:
    """Every client, disabled ones too, by name."""
    beside = {row["id"]: row for row in await conn.all(_BESIDE)}
    found = []
    for client in await clients.all_clients(conn):
        if (row := beside.get(client.id)) is not None:  # else it was registered in between
            logo = None if row["kind"] is None else (row["kind"], row["content"])
            found.append(Registration(client, row["created_at"], row["disabled_at"], logo))
    return found


async def add(conn: Conn, new: Registration, *, now: datetime) -> None:
    """Register a client as it was. Raises `AlreadyThere` when its id or name is taken."""
    client, logo = new.client, new.logo
    await clients.add(conn, client if logo else replace(client, logo=None), now=new.created_at)
    if client.disabled:
        await clients.set_disabled(conn, client_id=client.id, disabled_at=new.disabled_at or now)
    if logo is not None:
        await logos.put(conn, client_id=client.id, kind=logo[0], content=logo[1])
