"""What Traefik and Envoy ask and do with the answer, played after what they document, with the examples of the docs."""

import re

import httpx
import pytest

from tests.world.guarded import DISGUISED, DOCS, PAGE, SPELLINGS, WIKI, Surfer, example
from tests.world.provider import ISSUER

HOPS = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-authorization"}
FORGED = {
    "Remote-User": "root",
    "Remote-Name": "Root",
    "Remote-Groups": "admins",
    "Remote-Email": "r@example.com",
    "X-Stile-Acr": "phr",
}


def listed(option: str) -> set[str]:
    """The header names of an option in the examples."""
    found = re.search(rf"{option}:\s*(?:\n\s*patterns:\s*)?\[(.*?)\]", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return {name.lower() for name in re.findall(r"(?:exact: )?([A-Za-z][A-Za-z_-]+)(?: }|,|$)", found[1])}


class Traefik:
    """Middlewares ForwardAuth: a GET with all headers but hop by hop, and X-Forwarded-* of its own."""

    def __init__(self, surfer: Surfer) -> None:
        self.surfer = surfer

    async def asks(self, method: str, target: str, headers: dict[str, str]) -> httpx.Response:
        kept = {name: value for name, value in headers.items() if name.lower() not in HOPS}
        kept.pop("X-Original-URL", None)  # the middleware from-outside
        told = {"X-Forwarded-Method": method, "X-Forwarded-Proto": "http", "X-Forwarded-Host": WIKI}
        told |= {"X-Forwarded-Uri": target, "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Port": "8081"}
        return await self.surfer.http.get(f"{ISSUER}/forward-auth", headers={**kept, **told})

    def passes_on(self, answer: httpx.Response, headers: dict[str, str]) -> dict[str, str]:
        names = listed("authResponseHeaders")
        kept = {name.lower(): value for name, value in headers.items() if name.lower() not in names}
        return kept | {name: answer.headers[name] for name in names if name in answer.headers}


class Envoy:
    """The filter ext_authz: the method, path and Host of the request, and the headers that are allowed."""

    def __init__(self, surfer: Surfer) -> None:
        self.surfer = surfer

    async def asks(self, method: str, target: str, headers: dict[str, str]) -> httpx.Response:
        names, prefixes = listed("allowed_headers"), ("remote", "x")
        assert "{ prefix: remote }, { prefix: x }" in DOCS.read_text(encoding="utf-8")
        kept = {
            name: value for name, value in headers.items() if name.lower() in names or name.lower().startswith(prefixes)
        }
        url = httpx.URL(ISSUER).copy_with(raw_path=b"/forward-auth" + target.encode())
        return await self.surfer.http.request(method, url, headers={**kept, "Host": WIKI})

    def passes_on(self, answer: httpx.Response, headers: dict[str, str]) -> dict[str, str]:
        names = listed("allowed_upstream_headers")
        coming = {name: answer.headers[name] for name in names if name in answer.headers}
        return {**{name.lower(): value for name, value in headers.items()}, **coming}


@pytest.fixture(params=[Traefik, Envoy])
def proxy(request: pytest.FixtureRequest, alice: Surfer) -> Traefik | Envoy:
    made: Traefik | Envoy = request.param(alice)
    return made


async def test_somebody_signs_in_and_the_application_is_told_who_it_is(proxy: Traefik | Envoy) -> None:
    alice = proxy.surfer
    sent = await proxy.asks("GET", "/page?a=%20b&c", PAGE)
    assert sent.status_code == 303
    assert "location" in listed("allowed_client_headers")
    answer = await alice.back(await alice.authenticates(await alice.goes(sent.headers["location"])))
    assert answer.headers["location"] == "/page?a=%20b&c"
    page = await proxy.asks("GET", "/page?a=%20b&c", {**PAGE, **FORGED})
    assert page.status_code == 200
    told = proxy.passes_on(page, {**PAGE, **FORGED})
    assert {name: told[name.lower()] for name in FORGED} == {
        "Remote-User": "alice",
        "Remote-Name": "Alice Åder",
        "Remote-Groups": "staff",
        "Remote-Email": "alice@example.com",
        "X-Stile-Acr": "urn:stile:2fa",
    }


def test_traefik_drops_every_spelling_of_a_header() -> None:
    dropped = re.findall('([A-Za-z_-]+): ""', example("yaml"))
    assert {*map(str.lower, dropped), *listed("authResponseHeaders")} == set(map(str.lower, SPELLINGS))


@pytest.mark.parametrize("name", DISGUISED)
async def test_no_header_gets_past_in_disguise(proxy: Traefik | Envoy, name: str) -> None:
    await proxy.surfer.signs_in()
    assert (await proxy.asks("GET", "/", {**PAGE, "X-Other.Header": "x", "Remote-Control": "x"})).status_code == 200
    refused = await proxy.asks("GET", "/", {**PAGE, name: "root"})
    assert (refused.status_code, "remote-user" in refused.headers) == (403, False)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT"])
async def test_every_method_is_judged(proxy: Traefik | Envoy, method: str) -> None:
    alice = proxy.surfer
    assert (await proxy.asks(method, "/x", {"Accept": "*/*"})).status_code == 401
    await alice.signs_in()
    assert (await proxy.asks(method, "/x", {"Accept": "*/*"})).status_code == 200
    assert (await proxy.asks(method, "/admin", {"Accept": "*/*"})).status_code == 401


@pytest.mark.parametrize("target", ["/admin", "//admin", "/%61dmin", "/ADMIN?x", "/x/..;/admin", "/x/%2e%2e/admin"])
async def test_nobody_gets_past_by_another_way_to_write_it(proxy: Traefik | Envoy, target: str) -> None:
    await proxy.surfer.signs_in()
    forged = {"X-Forwarded-Uri": "/", "X-Original-URL": f"http://{WIKI}/", "X-Forwarded-Host": "localhost:8082"}
    for headers in ({}, forged):
        assert (await proxy.asks("GET", target, {**PAGE, **headers})).status_code in {303, 403}


async def test_a_websocket_and_a_script_are_refused(proxy: Traefik | Envoy) -> None:
    for headers in (
        {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "x"},
        {**PAGE, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {**PAGE, "X-Requested-With": "XMLHttpRequest"},
    ):
        assert (await proxy.asks("GET", "/x", headers)).status_code == 401
