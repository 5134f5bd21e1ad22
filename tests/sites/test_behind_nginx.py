"""The example of docs/forward-auth.md in Debian's nginx, before an application that knows no OpenID."""

from collections.abc import AsyncIterator

import pytest

from idp.crypto import KeyChain
from tests.world.guarded import PAGE, Surfer, application, example, guarding, heard, rows, rule
from tests.world.listening import served
from tests.world.nginx import MISSING, NGINX, free_port, nginx
from tests.world.provider import Provider

pytestmark = pytest.mark.skipif(NGINX is None, reason=MISSING)


@pytest.fixture(scope="module")
async def provider(
    database_url: str, key_chain: KeyChain, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Provider]:
    async with guarding(database_url, key_chain, tmp_path_factory.mktemp("data")) as provider:
        yield provider


@pytest.fixture(scope="module")
async def wiki(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of the site, as the example has it but for names and ports."""
    port, text = free_port(), example("nginx")
    kept = [line for line in text.splitlines() if "ssl_certificate" not in line]
    rule(provider, rows(f"localhost:{port}"))
    async with served(provider.app) as idp, served(application) as app:
        for written, here in (
            ("listen 443 ssl", f"listen 127.0.0.1:{port}"),
            ("server_name wiki.example.com", "server_name localhost"),
            ("https://wiki.example.com", f"http://localhost:{port}"),
            ("wiki.example.com", f"localhost:{port}"),
            ("127.0.0.1:8000", "{}:{}".format(*idp.getsockname())),
            ("127.0.0.1:3000", "{}:{}".format(*app.getsockname())),
        ):
            kept = [line.replace(written, here) for line in kept]
        async with nginx("\n".join(kept), port, tmp_path_factory.mktemp("nginx")):
            yield f"http://localhost:{port}"


async def test_somebody_signs_in_and_the_application_is_told_who_it_is(provider: Provider, wiki: str) -> None:
    alice = Surfer(provider)
    forged = {"Remote-User": "root", "Remote-Groups": "admins", "Remote-Email": "r@x", "X-Stile-Acr": "phr"}
    sent = await alice.http.get(f"{wiki}/page?a=1&b=2", headers=PAGE)
    assert sent.status_code == 302
    answer = await alice.back(await alice.authenticates(await alice.goes(sent.headers["location"])))
    assert answer.headers["location"] == "/page?a=1&b=2"
    page = await alice.http.get(f"{wiki}/page?a=1&b=2", headers={**PAGE, **forged})
    told = heard(page)
    assert told["remote-user"] == ["alice"]
    assert told["remote-groups"] == ["staff"]
    assert told["remote-email"] == ["alice@example.com"]
    assert told["x-stile-acr"] == ["urn:stile:2fa"]
