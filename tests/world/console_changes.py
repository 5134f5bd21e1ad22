"""Somebody, or an application, to whom each change of the console can be done. Nothing here is a test."""

from dataclasses import replace

from idp.flows.operate.clients import set_client_disabled
from idp.flows.operate.finding import ClientId
from idp.flows.operate.invitations import invite
from idp.flows.operate.logos import set_logo
from idp.flows.operate.people import set_user_disabled
from idp.flows.operate.recovering import recover
from idp.flows.operate.secrets import new_client_secret
from idp.policy import parse_span
from tests.world.pictures import png
from tests.world.provider import NOTES_URI, PASSWORD, Provider

TYPED: dict[str, dict[str, str]] = {
    "edit": {"name": "Another Name", "email": "another@example.com"},
    "groups": {"group-treasury": "on"},
    "recover": {"reason": "Seen in person."},
    "phone": {"phone": "+37256789012"},
}
ONE_OF_THEM = {"authenticator": "which", "session": "session", "device": "device"}
PICTURE = png(64, 64)


async def _signed_in_elsewhere(provider: Provider, username: str) -> None:
    browser = provider.browser()
    await browser.get("/account")
    await browser.submit("/password", username=username, password=PASSWORD)
    await browser.submit("/totp", code=provider.totp(username))


async def person_for(provider: Provider, change: str, username: str) -> None:
    """Somebody to whom this can be done."""
    if change == "invite-again":
        await invite(provider.idp, username=username, mail=False)
        return
    await provider.add_person(username, app=True)
    if change == "enable":
        await set_user_disabled(provider.idp, username, disabled=True)
    if change == "confirm":
        policy = provider.idp.policy
        provider.idp.policy = replace(policy, recovery=replace(policy.recovery, second_operator=True))
        await recover(provider.idp, username, reason="Seen in person.", by="person:eve")
    if change in {"session", "device"}:
        await _signed_in_elsewhere(provider, username)


async def application_for(provider: Provider, change: str, client_id: str) -> None:
    await provider.add_client(client_id, NOTES_URI)
    if change == "enable":
        await set_client_disabled(provider.idp, client_id, disabled=True)
    if change == "old-secret":
        await new_client_secret(provider.idp, ClientId(client_id), keep_old=parse_span("7d"))
    if change == "no-logo":
        await set_logo(provider.idp, client_id, PICTURE)
