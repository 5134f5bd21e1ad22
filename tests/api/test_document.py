"""The API and its description are one thing: of the same rows, valid, and true of every answer."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from idp.web.api import routes
from idp.web.api.document import plain
from tests.world.api import calling, kind_of, machine_token, with_roles
from tests.world.provider import ISSUER, Provider


@pytest.fixture
async def described(provider: Provider) -> dict[str, Any]:
    async with provider.browser().http as http:
        answer = await http.get("/api/v1/openapi.json")
    found: dict[str, Any] = answer.json()
    return found


def test_every_route_is_described_and_nothing_else(described: dict[str, Any]) -> None:
    there = {
        (method, plain(route.path))
        for route in routes.ROUTES
        for method in route.methods or ()
        if method not in {"HEAD", "OPTIONS"} and route.path != routes.DOCUMENT
    }
    told = {(method.upper(), f"/api/v1{path}") for path, methods in described["paths"].items() for method in methods}
    assert told == there
    assert len(there) == len(routes.ENDPOINTS) > 15
    assert all(isinstance(route, Route) for route in routes.ROUTES)


def test_it_is_openapi(described: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(described).validate()
    assert described["servers"] == [{"url": f"{ISSUER}/api/v1"}]


def test_every_type_has_a_name_of_its_own_and_every_parameter_is_told(described: dict[str, Any]) -> None:
    assert [name for name in described["components"]["schemas"] if not name.isalnum()] == []
    for endpoint in routes.ENDPOINTS:
        told = described["paths"][plain(endpoint.path)][endpoint.method.lower()].get("parameters", [])
        there = {one["name"] for one in told if one["in"] == "query"}
        assert there == set(endpoint.query.__struct_fields__)


def test_each_endpoint_names_its_scopes_and_refusals(described: dict[str, Any]) -> None:
    for methods in described["paths"].values():
        for operation in methods.values():
            assert all(each["oauth"][0].startswith("stile:") for each in operation["security"])
            assert {"401", "403", "503"} <= set(operation["responses"])
            assert operation["summary"]


async def test_every_address_says_what_it_takes(provider: Provider) -> None:
    async with provider.browser().http as http:
        for path in {route.path for route in routes.ROUTES}:
            filled = re.sub(r"\{\w+:uuid\}", "3b241101-e2bb-4255-8caf-4136c566a962", path)
            filled = re.sub(r"\{\w+\}", "x", filled)
            told = await http.options(filled, headers={"Origin": "http://localhost:8001"})
            wrong = await http.request("TRACE", filled)
            assert told.status_code == 204
            assert "access-control-allow-origin" not in told.headers
            assert kind_of(wrong) == (405, "method_not_allowed")
            assert wrong.headers["allow"] == told.headers["allow"]


async def test_nothing_is_here_is_a_problem_too(provider: Provider) -> None:
    async with provider.browser().http as http:
        assert kind_of(await http.get("/api/v1/nothing")) == (404, "not_found")
        assert kind_of(await http.get("/api/v1/")) == (404, "not_found")


_POST = "clients"
HOSTILE: list[tuple[bytes, str, int]] = [
    (b"", "application/json", 400),
    (b"{", "application/json", 400),
    (b"[]", "application/json", 400),
    (b'{"name":"a","name":"b"}', "application/json", 400),
    (b'{"name":"\\u0000"}', "application/json", 400),
    (b'{"name":"\\ud800"}', "application/json", 400),
    (b'{"name":NaN}', "application/json", 400),
    (b"[" * 50_000, "application/json", 400),
    (b'{"name":' + b"9" * 6000 + b"}", "application/json", 400),
    (b'\xff\xfe{"', "application/json", 400),
    (b'{"name":7}', "application/json", 422),
    (b'{"name":"a","nick":"b"}', "application/json", 422),
    (b"name=a", "application/x-www-form-urlencoded", 415),
    (b'{"name":"a"}', "text/plain", 415),
    (b" " * 70_000, "application/json", 413),
]


@pytest.mark.parametrize(("body", "kind", "status"), HOSTILE)
async def test_what_cannot_be_read_is_refused(provider: Provider, body: bytes, kind: str, status: int) -> None:
    with_roles(provider)
    async with calling(provider, await machine_token(provider)) as http:
        answer = await http.post(_POST, content=body, headers={"Content-Type": kind})
    assert kind_of(answer)[0] == status


async def test_a_mistake_says_where_it_is(provider: Provider) -> None:
    with_roles(provider)
    async with calling(provider, await machine_token(provider)) as http:
        answer = await http.post("clients", json={"name": "Shop", "redirect_uris": ["https://a.example/cb", 7]})
        assert answer.json()["errors"][0]["pointer"] == "/redirect_uris/1"
        answer = await http.post("clients", json={"name": "Shop", "redirect_urs": []})
        assert answer.json()["errors"][0]["pointer"] == "/redirect_urs"
        answer = await http.get("clients", params={"limit": "0"})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == "limit"


@pytest.mark.parametrize("query", ["limit=1_0", "limit=501", "limit=1&limit=2", "offset=3", "search=%00", "after=%ff"])
async def test_a_parameter_that_cannot_be_is_refused(provider: Provider, query: str) -> None:
    with_roles(provider)
    async with calling(provider, await machine_token(provider)) as http:
        assert kind_of(await http.get(f"clients?{query}"))[0] == 400


def test_who_runs_a_command_does_not_load_the_api() -> None:
    code = "import sys, json, idp.cli, idp.serving.place; print(json.dumps([m for m in sys.modules if 'msgspec' in m]))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert json.loads(ran.stdout) == []
