"""`idp sms fake`: the fake provider of `idp.testing`, until Ctrl-C. It listens on this machine only."""

import asyncio
import gc
import shlex
import signal
import socket
import sys

from idp import logs
from idp.cli import output
from idp.serving.server import bind
from idp.testing.camara import SIM_BY_ENDING, camara_settings
from idp.testing.dialects import settings
from idp.testing.faults import BY_ENDING, Fault, number_for
from idp.testing.provider import fake_provider

HOST = "127.0.0.1"


def run(*, port: int, as_json: bool) -> None:
    """Take messages until told to stop. Raises `IdpError` in one sentence when the port is taken."""
    logs.configure(level="warning", form="text")
    sock = bind(HOST, port)
    try:
        asyncio.run(_run(sock, as_json=as_json))
    finally:
        sock.close()


async def _run(sock: socket.socket, *, as_json: bool) -> None:
    gc.enable()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with fake_provider(sock=sock) as provider:
        _say(provider.url, as_json=as_json)
        await stop.wait()
    if not as_json:
        print(f"\nStopped. It took {len(provider.inbox)} messages and sent none.", file=sys.stderr)


def _say(url: str, *, as_json: bool) -> None:
    each = {name: {"IDP_SMS_GATEWAYS": name, **variables} for name, variables in settings(url).items()}
    lines = [f"A provider that sends nothing. What it is given is shown at {url}/ and {url}/inbox.json.", ""]
    for name, variables in each.items():
        lines += [
            f"To use it as {name}:",
            *(f"  export {key}={shlex.quote(value)}" for key, value in variables.items()),
            "",
        ]
    lines += [
        "It sends receipts where it is told to. `idp serve` with an http issuer tells no address, unless you set one:",
        "  export IDP_RECEIPT_URL=http://localhost:8000",
        "",
    ]
    lines += [f"{number_for(Fault.NONE)} and most other numbers: accepted and delivered. A number that ends in", ""]
    lines += [f"  {ending}  {fault.value}" for ending, fault in BY_ENDING.items()]
    intel = camara_settings(url)
    lines += ["", "It is an operator that tells of changed SIMs, too:"]
    lines += [f"  export {key}={shlex.quote(value)}" for key, value in intel.items()]
    lines += ["", "and says of a number that ends in", ""]
    lines += [f"  {ending}  {sim.value}" for ending, sim in SIM_BY_ENDING.items()]
    lines += ["", "Ctrl-C ends it."]
    fields = {
        "url": url,
        "inbox": f"{url}/inbox.json",
        "settings": each,
        "endings": BY_ENDING,
        "intel": intel,
        "sims": SIM_BY_ENDING,
    }
    output.show(fields, lines, as_json=as_json)
