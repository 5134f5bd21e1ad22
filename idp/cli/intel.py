"""What `idp sms test` says about the SIM of a number, as whoever `IDP_NUMBER_INTEL` names tells."""

from idp.clock import Clock
from idp.model import Swap
from idp.settings import Settings
from idp.sms.intel import ask, open_intel
from idp.sms.wire import new_client

_SAYS = {
    Swap.NOT_SWAPPED: "it was not changed in the last {hours} hours",
    Swap.SWAPPED: "it was changed in the last {hours} hours, so no code would be sent",
    Swap.UNKNOWN: "no clear answer within 2 s: are the URL and the credentials right, and does it know this country? "
    "Codes are sent, but nobody adds an app, codes or a phone by text message alone",
}


async def verdict(settings: Settings, number: str, *, clock: Clock) -> Swap | None:
    """What is told now; None when nobody is asked. Raises `SettingsError`."""
    async with new_client() as client:
        intel = open_intel(settings, client=client, clock=clock)
        return None if intel is None else (await ask(intel, number, settings.sim_swap_age))[0]


def in_words(verdict: Swap, settings: Settings) -> str:
    """One line for a person."""
    hours = f"{settings.sim_swap_age.total_seconds() / 3600:.0f}"
    return f"The SIM, says {settings.number_intel}: {_SAYS[verdict].format(hours=hours)}."
