"""The logos of clients: pictures, apart from what every process keeps of a client."""

from idp.store.engine import Conn
from idp.store.sql import Sql
from idp.store.tokens.clients import TOLD

_PUT = Sql("""
INSERT INTO client_logo (client_id, kind, content) VALUES (:client_id, :kind, :content)
ON CONFLICT (client_id) DO UPDATE SET kind = :kind, content = :content""")
_REMOVE = Sql("DELETE FROM client_logo WHERE client_id = :client_id")
_NAME = Sql(f"UPDATE client SET logo = :logo WHERE id = :client_id {TOLD}")
_LOAD = Sql("""
SELECT l.kind, l.content FROM client c JOIN client_logo l ON l.client_id = c.id
WHERE c.id = :client_id AND c.logo = :logo""")


async def put(conn: Conn, *, client_id: str, kind: str, content: bytes) -> None:
    """Keep this picture of a client."""
    await conn.one(_PUT, client_id=client_id, kind=kind, content=content)


async def remove(conn: Conn, *, client_id: str) -> None:
    """Keep none of it any more."""
    await conn.one(_REMOVE, client_id=client_id)


async def name(conn: Conn, *, client_id: str, logo: str | None) -> None:
    """By which name its picture is asked for; every process hears of it."""
    await conn.one(_NAME, client_id=client_id, logo=logo)


async def load(conn: Conn, *, client_id: str, logo: str) -> tuple[str, bytes] | None:
    """The media type and the bytes of the picture that has this name."""
    row = await conn.one(_LOAD, client_id=client_id, logo=logo)
    return None if row is None else (row["kind"], row["content"])
