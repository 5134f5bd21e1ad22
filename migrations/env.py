"""Runs migrations on the connection that idp.store.migrations hands over, or on IDP_DATABASE_URL."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from idp.settings import read_database_url
from idp.store.connecting import connect
from idp.store.schema import metadata


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=False)
    with context.begin_transaction():
        context.run_migrations()


async def main() -> None:
    url = read_database_url(os.environ["IDP_DATABASE_URL"])
    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: connect(url, patience=10))
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
        await connection.commit()
    await engine.dispose()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    asyncio.run(main())
