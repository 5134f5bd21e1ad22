"""Whether a sign-in would work here now."""

import asyncio
from datetime import timedelta

from idp.clock import DatabaseClock
from idp.errors import IdpError
from idp.flows.idp import Idp

PATIENCE = timedelta(seconds=3)  # whoever asks has less patience than a person


async def problems(idp: Idp) -> list[str]:
    """What is in the way, one sentence each; none means ready."""
    found: list[str] = []
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            await idp.db.ping()
            if isinstance(idp.clock, DatabaseClock):
                await idp.db.follow(idp.clock)
                if not idp.clock.trusted():
                    found.append("The clock jumped against the database's by more than 2 seconds.")
    except IdpError as error:
        found.append(str(error))
    except TimeoutError:
        found.append(f"The database did not answer within {PATIENCE.total_seconds():.0f} seconds.")
    if idp.ring is None:
        found.append("The signing keys have not been read.")
    return found
