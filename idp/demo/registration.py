"""What a demo application knows of the provider: the kit's settings, its connections, its clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from stile_rp import AsyncRelyingParty, Settings


def local_now() -> datetime:
    """This machine's time."""
    return datetime.now(UTC)  # noqa: TID251 - a relying party stands outside the provider and has a clock of its own


def _http() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=10, trust_env=False)  # everything is on this machine


@dataclass(frozen=True, slots=True)
class Registration:
    """One registered client, and the world that it lives in."""

    settings: Settings
    http: Callable[[], httpx.AsyncClient] = _http
    now: Callable[[], datetime] = local_now

    @property
    def base_url(self) -> str:
        """Where the application is, without a slash at the end."""
        return str(self.settings.base_url)

    def party(self) -> AsyncRelyingParty:
        """This client, ready to sign people in."""
        return AsyncRelyingParty(self.settings, http=self.http, clock=lambda: self.now().timestamp())


def registration(
    issuer: str,
    client_id: str,
    client_secret: str,
    base_url: str,
    *,
    http: Callable[[], httpx.AsyncClient] = _http,
    now: Callable[[], datetime] = local_now,
) -> Registration:
    """An application of the demonstration. Its API, if it has one, is at `/api`."""
    settings = Settings(
        issuer=issuer,
        client_id=client_id,
        client_secret=client_secret,
        base_url=base_url,
        audience=f"{base_url}/api",
        algorithms=("RS256",),
    )
    return Registration(settings, http, now)
