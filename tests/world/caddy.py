"""Debian's Caddy, with one site."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.world.nginx import REQUIRED, listens

CADDY = shutil.which("caddy")
NEEDS_CADDY = pytest.mark.skipif(CADDY is None and not REQUIRED, reason="needs caddy (Debian: caddy)")
_GLOBAL = "{\n    admin off\n    auto_https off\n}\n"


@asynccontextmanager
async def caddy(site: str, port: int, here: Path) -> AsyncIterator[None]:
    """A Caddy with this site, which listens on this port."""
    assert CADDY is not None
    (here / "Caddyfile").write_text(_GLOBAL + site, encoding="utf-8")
    homes = {name: str(here) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    with (here / "errors").open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *(CADDY, "run", "--config", str(here / "Caddyfile"), "--adapter", "caddyfile"),
            env={**os.environ, **homes},
            stdout=said,
            stderr=said,
        )
    try:
        await listens(process, port, here)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
