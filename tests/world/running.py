"""A provider that runs in this process, on the clock and the gateway of a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from idp.app import create_app
from idp.crypto import KeyChain
from idp.model.regions import ByRegion
from idp.settings import Settings
from idp.sms import Gateway
from idp.store import engine
from idp.testing import FakeGateway, FrozenClock
from idp.web import middleware
from tests.world import databases
from tests.world.provider import ISSUER, Provider
from tests.world.waiting import NEVER


def settings_for(tmp_path: Path, **changes: Any) -> Settings:
    return Settings(issuer=ISSUER, data_dir=tmp_path, dev=True, brand="Acme ID", **changes)


@asynccontextmanager
async def running(
    url: str, keys: KeyChain, settings: Settings, *, gateways: tuple[Gateway, ...] | None = None
) -> AsyncIterator[Provider]:
    """A provider without background work: the test delivers and moves the clock itself. Estonia and Latvia are open."""
    clock, gateway = FrozenClock(), FakeGateway()
    open_ = {} if settings.sms_countries else {"sms_countries": ("EE", "LV")}
    names = dict.fromkeys((*(each.name for each in gateways or ()), gateway.name))
    settings = settings.model_copy(update=open_ | {"sms_gateways": ByRegion(tuple(names))})
    app = create_app(
        settings,
        url=url,
        secrets=keys,
        gateways=gateways or (gateway,),
        clock=clock,
        database=databases.Kept,
        background=False,
    )
    with pytest.MonkeyPatch.context() as patch:
        # A busy machine takes its time; that nobody waits for long is asked in test_deadlines.
        patch.setattr(middleware, "LIMIT", timedelta(seconds=NEVER))
        patch.setattr(engine, "_COMMAND", NEVER)
        async with app.router.lifespan_context(app):
            yield Provider(app=app, idp=app.state.idp, clock=clock, gateway=gateway)
