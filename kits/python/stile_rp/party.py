"""A relying party of an OpenID provider, blocking or awaited. No pages, no cookies, no framework."""

import time
from collections.abc import Callable

import httpx

from stile_rp.access import Access, AccessToken, Need
from stile_rp.effects import Awaiting, Blocking, Memory, ProcessMemory, Steps, awaiting, blocking
from stile_rp.login import Login
from stile_rp.provider import Provider
from stile_rp.settings import Settings

TIMEOUT = httpx.Timeout(10, connect=3)
Clock = Callable[[], float]


def local_clock() -> float:
    """This machine's time, in seconds since 1970."""
    return time.time()  # noqa: TID251 - an application stands outside the provider and has a clock of its own


class Party(Login):
    """The steps of signing in and of access tokens, of one application. Whoever has a network carries them out."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        provider = Provider(settings, clock)
        super().__init__(settings, provider, clock)
        self.access = Access(settings, provider, clock)

    def check(self, authorization: str, need: Need) -> Steps[AccessToken]:
        """The access token in this `Authorization` header, if it has what is needed (`require`); else `Refused`."""
        return (yield from self.access.check([authorization] if authorization else [], need))

    def spend(self, token: AccessToken) -> Steps[None]:
        """Use this token up, where that is only known inside (`once=True` does it at the door); else `Refused`."""
        yield from self.access.spend(token)


class RelyingParty:
    """One application of one provider, for code that waits. Safe to share between threads.

    `http` makes the connections to the provider (a proxy, a certificate authority of one's own); `memory` is where
    several processes remember together what was used once.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        http: Callable[[], httpx.Client] | None = None,
        memory: Memory | None = None,
        clock: Clock = local_clock,
    ) -> None:
        self.steps = Party(settings, clock)
        self.world = Blocking(
            memory or ProcessMemory(clock),
            http or (lambda: httpx.Client(timeout=TIMEOUT, trust_env=_proxies(settings))),
        )

    start = blocking(Party.start)
    receive = blocking(Party.receive)
    redeem = blocking(Party.redeem)
    finish = blocking(Party.finish)
    refresh = blocking(Party.refresh)
    userinfo = blocking(Party.userinfo)
    sign_out = blocking(Party.sign_out)
    signed_out_there = blocking(Party.signed_out_there)
    check = blocking(Party.check)
    spend = blocking(Party.spend)

    def close(self) -> None:
        """Close the connections to the provider."""
        self.world.http.close()


class AsyncRelyingParty:
    """The same, for an event loop. Safe to share between the tasks of one loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        http: Callable[[], httpx.AsyncClient] | None = None,
        memory: Memory | None = None,
        clock: Clock = local_clock,
    ) -> None:
        self.steps = Party(settings, clock)
        self.world = Awaiting(
            memory or ProcessMemory(clock),
            http or (lambda: httpx.AsyncClient(timeout=TIMEOUT, trust_env=_proxies(settings))),
        )

    start = awaiting(Party.start)
    receive = awaiting(Party.receive)
    redeem = awaiting(Party.redeem)
    finish = awaiting(Party.finish)
    refresh = awaiting(Party.refresh)
    userinfo = awaiting(Party.userinfo)
    sign_out = awaiting(Party.sign_out)
    signed_out_there = awaiting(Party.signed_out_there)
    check = awaiting(Party.check)
    spend = awaiting(Party.spend)

    async def aclose(self) -> None:
        """Close the connections to the provider."""
        await self.world.http.aclose()


def _proxies(settings: Settings) -> bool:
    # a provider on this machine is not behind the proxy that the environment names
    return settings.issuer.startswith("https:")
