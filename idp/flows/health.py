"""Whether a sign-in would work here now."""

from idp.clock import DatabaseClock
from idp.errors import IdpError
from idp.flows.idp import Idp


async def problems(idp: Idp) -> list[str]:
    """What is in the way, one sentence each; none means ready."""
    found: list[str] = []
    try:
        if isinstance(idp.clock, DatabaseClock):
            await idp.db.follow(idp.clock)
            if not idp.clock.trusted():
                found.append("The clock jumped against the database's by more than 2 seconds.")
        else:
            await idp.db.ping()
    except IdpError as error:
        found.append(str(error))
    if idp.ring is None:
        found.append("The signing keys have not been read.")
    return found
