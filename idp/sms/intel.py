"""Whether a number's SIM was changed lately: what is asked, and how those who know are found. No consequences here.

Whoever knows is registered as an entry point `idp.number_intel` that names a `Factory`; ours is made the same way.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Protocol

from idp.clock import Clock
from idp.errors import SettingsError
from idp.model import Swap
from idp.settings import Settings, missing_for_intel
from idp.sms.plugins import start

if TYPE_CHECKING:
    import httpx

GROUP = "idp.number_intel"
TOTAL = timedelta(seconds=2)


class NumberIntel(Protocol):
    """Somebody who knows about numbers. Stateless but for its configuration; asked by many tasks at once."""

    @property
    def name(self) -> str:
        """The name in `IDP_NUMBER_INTEL`."""
        ...

    async def check(self, number: str, max_age: timedelta) -> Swap:
        """Whether the SIM of this number (E.164) was changed in the last `max_age`; in at most 2 s.

        Never raises; logs nothing. Whatever is no clear answer is `UNKNOWN`.
        """
        ...


Factory = Callable[[Settings, "httpx.AsyncClient", Clock], NumberIntel]
"""Makes one from the settings and the shared client of `wire.new_client`, which the caller closes."""

_OURS = (EntryPoint(name="camara", value="idp.sms.camara:create", group=GROUP),)


def registered() -> dict[str, EntryPoint]:
    """Everyone who can be asked, by name, not yet imported. Nobody's plug-in takes the name of one of ours."""
    return {entry.name: entry for entry in (*entry_points(group=GROUP), *_OURS)}


def intel_problems(settings: Settings) -> list[str]:
    """Why nobody can be asked though somebody is named: an unknown name, missing settings. Nobody is started."""
    name = settings.number_intel
    if name is None:
        return []
    known = registered()
    if name not in known:
        return [f"IDP_NUMBER_INTEL: {name!r} is not installed (there are: {', '.join(sorted(known))})"]
    return missing_for_intel(name, settings)


def open_intel(settings: Settings, *, client: "httpx.AsyncClient", clock: Clock) -> NumberIntel | None:
    """Whom `IDP_NUMBER_INTEL` names; None for nobody. Raises `SettingsError`: an unknown name, a missing setting."""
    name = settings.number_intel
    if name is None:
        return None
    if problems := intel_problems(settings):
        raise SettingsError(problems)

    def make(factory: Factory) -> NumberIntel:
        return factory(settings, client, clock)

    return start(registered()[name], "IDP_NUMBER_INTEL", make)


async def ask(intel: NumberIntel, number: str, max_age: timedelta) -> tuple[Swap, str | None]:
    """The verdict, whatever a plug-in does; and how it broke its contract, if it did."""
    try:
        async with asyncio.timeout(TOTAL.total_seconds()):
            return Swap(await intel.check(number, max_age)), None
    except TimeoutError:
        return Swap.UNKNOWN, None
    except Exception as error:  # noqa: BLE001 - somebody else's plug-in; doubt is an answer here
        return Swap.UNKNOWN, type(error).__name__
