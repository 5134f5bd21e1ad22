"""Debian's nginx as it comes: nothing but `proxy_pass` and the Host header."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.world.ports import free_port

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
REQUIRED = os.environ.get("STILE_REQUIRE_BROWSER") == "1"
NEEDS_NGINX = pytest.mark.skipif(NGINX is None and not REQUIRED, reason="needs nginx (Debian: nginx-light)")
_CONF = """
pid "{here}/pid"; daemon off; worker_processes 1;
events {{}}
http {{
  access_log off;
  client_body_temp_path "{here}/b"; proxy_temp_path "{here}/p"; fastcgi_temp_path "{here}/f";
  uwsgi_temp_path "{here}/u"; scgi_temp_path "{here}/s";
  {server}
}}
"""
_PLAIN = """server {{
  listen 127.0.0.1:{port}; location / {{ proxy_pass http://{upstream}; proxy_set_header Host $host; }}
}}"""


@asynccontextmanager
async def nginx_before(upstream: str, here: Path) -> AsyncIterator[str]:
    """The address of an nginx that passes everything on to `upstream` (host:port)."""
    port = free_port()
    async with nginx(_PLAIN.format(port=port, upstream=upstream), port, here):
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def nginx(server: str, port: int, here: Path) -> AsyncIterator[None]:
    """An nginx with this server block, which listens on this port."""
    assert NGINX is not None
    (here / "conf").write_text(_CONF.format(here=here, server=server), encoding="utf-8")
    # as root it would give its workers to another account, which cannot enter the directory of a test
    alone = ["-g", "user root;"] if os.geteuid() == 0 else []
    ours = ["-p", str(here), "-c", str(here / "conf"), "-e", str(here / "errors")]
    process = await asyncio.create_subprocess_exec(NGINX, *ours, *alone)
    try:
        await listens(process, port, here)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def listens(process: asyncio.subprocess.Process, port: int, here: Path) -> None:
    """Until a server answers at this port. What it says is in `errors`."""
    ended = asyncio.create_task(process.wait())
    while not ended.done():
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.wait({ended}, timeout=0.02)
            continue
        writer.close()
        ended.cancel()
        return
    raise AssertionError((here / "errors").read_text(encoding="utf-8"))
