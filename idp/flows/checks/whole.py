"""All checks, in two parts: what is at hand, which is quick, and what others answer, which may take its time."""

import asyncio

from idp.flows.checks import mail, settings, sites
from idp.flows.checks.findings import OK, Finding
from idp.sentences import sentence
from idp.settings import Settings


async def at_hand(given: Settings) -> list[Finding]:
    """What is set, and whether it goes together. Nobody is asked."""
    return [
        Finding("settings", OK, sentence("issuer %(issuer)s", issuer=given.issuer)),
        settings.policy(given),
        settings.passkeys(given),
        *await asyncio.to_thread(settings.languages, given),
        *await settings.gateways(given),
        *await settings.intel(given),
        settings.spending(given),
    ]


async def outside(given: Settings) -> list[Finding]:
    """What DNS says of our mail, and what browsers find at the addresses that they are sent to."""
    told, issuer, proxied = await asyncio.gather(
        asyncio.to_thread(mail.mail, given), settings.issuer(given), sites.sites(given)
    )
    return [*told, issuer, *proxied]
