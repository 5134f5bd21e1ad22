"""The examples of docs/forward-auth.md in Debian's nginx and Caddy, before an application that knows no OpenID."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from idp.flows.checks import sites as check_sites
from tests.world.caddy import NEEDS_CADDY
from tests.world.guarded import DISGUISED, PAGE, SPELLINGS, Surfer, application, behind, enters, heard, rows, rule
from tests.world.listening import served
from tests.world.nginx import NEEDS_NGINX
from tests.world.policies import BEFORE
from tests.world.ports import free_port
from tests.world.provider import Provider
from tests.world.waiting import NEVER

FORGED = {
    "Remote-User": "root",
    "Remote-Name": "Root",
    "Remote-Groups": "admins",
    "Remote-Email": "root@example.com",
    "X-Stile-Acr": "phr",
    "Remote_User": "root",
    "REMOTE-USER": "root",
}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("nginx", marks=NEEDS_NGINX),
        pytest.param("caddyfile", marks=NEEDS_CADDY),
    ],
)
async def port(
    request: pytest.FixtureRequest, stage: Provider, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[int]:
    """The port of the site."""
    port, here = free_port(), tmp_path_factory.mktemp(request.param)
    async with served(stage.app) as idp, behind(request.param, "{}:{}".format(*idp.getsockname()), port, here):
        yield port


@pytest.fixture
def site(port: int, provider: Provider) -> str:
    rule(provider, rows(f"localhost:{port}"))
    return f"http://localhost:{port}"


async def test_somebody_signs_in_and_the_application_is_told_who_it_is(alice: Surfer, site: str) -> None:
    told = heard(await enters(alice, f"{site}/page?a=1&b=%20"))
    assert told["remote-user"] == ["alice"]
    assert told["remote-groups"] == ["staff"]
    assert told["remote-email"] == ["alice@example.com"]
    assert told["x-stile-acr"] == ["urn:stile:2fa"]


async def test_what_comes_from_outside_never_reaches_the_application(alice: Surfer, site: str) -> None:
    await enters(alice, site + "/")
    hop: dict[str, str] = {"Connection": "Remote-User, X-Stile-Acr"}  # RFC 9110 7.6.1: not to be passed on
    for more in ({}, hop):
        told = heard(await alice.http.get(f"{site}/", headers={**PAGE, **FORGED, **more}))
        said = {name: values for name, values in told.items() if "remote" in name or "stile-acr" in name}
        assert said == {
            "remote-user": ["alice"],
            "remote-name": ["Alice Åder"],
            "remote-groups": ["staff"],
            "remote-email": ["alice@example.com"],
            "x-stile-acr": ["urn:stile:2fa"],
        }


async def test_no_other_spelling_of_a_header_is_taken_for_it(alice: Surfer, site: str) -> None:
    """To an application behind CGI, WSGI or PHP a hyphen and an underscore are one."""
    await enters(alice, site + "/")
    for spelt in SPELLINGS:
        told = heard(await alice.http.get(f"{site}/", headers={**PAGE, spelt: "forged"}))
        assert "forged" not in [value for values in told.values() for value in values], spelt


async def test_once_a_minute_the_database_is_asked_and_the_browser_gets_the_next_one(
    provider: Provider, alice: Surfer, site: str, port: int
) -> None:
    await enters(alice, site + "/")
    for _ in range(3):
        before = alice.http.cookies.get(f"stile-site-{port}")
        provider.clock.move(timedelta(seconds=61))
        provider.count()
        told = heard(await alice.http.get(f"{site}/", headers=PAGE))
        assert len(provider.statements) == 1
        assert before not in {None, alice.http.cookies.get(f"stile-site-{port}")}
        assert not [values for name, values in told.items() if "cookie" in name and name != "cookie"]
        assert (await alice.http.get(f"{site}/", headers={**PAGE, "X-Stile-Cookie": "a=b"})).status_code == 200
        assert "a" not in alice.http.cookies
        assert len(provider.statements) == 1


async def test_no_header_gets_past_in_disguise(alice: Surfer, site: str) -> None:
    await enters(alice, site + "/")
    for name in DISGUISED:
        answer = await alice.http.get(f"{site}/", headers={**PAGE, name: "forged"})
        assert answer.status_code == 403 or "forged" not in answer.text, name  # nginx drops it


async def test_nobody_gets_past_by_another_way_to_write_it(
    provider: Provider, alice: Surfer, site: str, port: int
) -> None:
    await enters(alice, site + "/")
    held = {"Cookie": f"stile-site-{port}={alice.http.cookies.get(f'stile-site-{port}')}"}
    targets = (
        "/admin", "/ADMIN", "//admin", "/%61dmin", "/%2561dmin", "/admin;x", "/x/../admin", "/x/%2e%2e/admin",
        "/x/..;/admin", "/;%2fx/admin", "/adm%C4%B1n", "/./admin", "/admin%2f", "/admin.json", "/x%2f..%2fadmin",
        "/.stile/../admin",
        "/.stile/%2e%2e/admin",        "/.stile/..%2fadmin", "/.stile//../admin", "/%2estile/../admin",
    )  # fmt: skip
    forged: tuple[dict[str, str], ...] = (
        {},
        {"X-Original-URL": f"{site}/"},
        {"X-Forwarded-Uri": "/"},
        {"X-Forwarded-Host": "localhost:8082"},
    )
    for target in targets:
        for more in forged:
            url = httpx.URL(site).copy_with(raw_path=target.encode())
            async with httpx.AsyncClient(timeout=NEVER) as raw:
                answer = await raw.get(url, headers={**held, **PAGE, **more})
            assert answer.status_code in {302, 303, 400, 403, 404}, (target, more, answer.text)
            assert "headers" not in answer.text
    async with httpx.AsyncClient(timeout=NEVER) as raw:
        assert (await raw.get(site + "/", headers={**held, **PAGE})).json()["path"] == "/"


async def test_a_step_up_leads_back_and_a_group_is_needed_where_it_is_said(
    provider: Provider, alice: Surfer, site: str
) -> None:
    await enters(alice, site + "/")
    sent = await alice.http.get(f"{site}/admin?x=1", headers=PAGE)
    await alice.goes(sent.headers["location"])
    answer = await alice.back(await alice.submit("/totp", code=provider.totp()))
    assert answer.headers["location"] == "/admin?x=1"
    told = heard(await alice.http.get(f"{site}/admin?x=1", headers=PAGE))
    assert told["x-stile-acr"] == ["urn:stile:2fa-strong"]
    refused = await alice.http.get(f"{site}/books", headers=PAGE)
    assert refused.status_code == 403
    assert 'href="/.stile/sign-out"' in refused.text
    style = await alice.http.get(f"{site}/.stile/static/stile.css")
    assert style.headers["content-type"].startswith("text/css")


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "application/json"},
        {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"},
        {**PAGE, "X-Requested-With": "XMLHttpRequest"},
    ],
)
async def test_programs_and_websockets_are_refused_and_not_led(
    provider: Provider, site: str, headers: dict[str, str]
) -> None:
    nobody = Surfer(provider)
    answer = await nobody.http.get(f"{site}/api", headers=headers)
    assert (answer.status_code, answer.headers.get("location")) == (401, None)
    assert answer.headers["www-authenticate"].startswith("Stile realm=")


async def test_a_form_that_is_posted_too_late_leads_back_to_its_page(provider: Provider, site: str) -> None:
    nobody = Surfer(provider)
    sent = await nobody.http.post(f"{site}/save", headers={**PAGE, "Referer": f"{site}/edit?id=1"}, data={"a": "b"})
    assert sent.status_code in {302, 303}
    assert parse_qs(urlsplit(sent.headers["location"]).query)["rd"] == ["/edit?id=1"]


async def test_signing_out_ends_at_the_site_too(alice: Surfer, site: str) -> None:
    await enters(alice, site + "/")
    await alice.get(f"{site}/.stile/sign-out")
    await alice.submit("/logout/confirm", decision="sign_out")
    assert (await alice.http.get(site + "/", headers=PAGE)).status_code in {302, 303}


async def doctor(provider: Provider, tmp_path: Path, *hosts: str) -> list[tuple[str, str]]:
    """What the checks say of these sites."""
    path = tmp_path / "policy.toml"
    path.write_text(BEFORE + "".join(f'[sites."{host}"]\nlevel = "two_factor"\n' for host in hosts), encoding="utf-8")
    found = await check_sites.sites(provider.idp.settings.model_copy(update={"policy": path}))
    return [(one.state, one.found) for one in found]


async def test_the_doctor_asks_a_site_as_a_stranger_would(
    provider: Provider, site: str, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = f"localhost:{port}"
    assert await doctor(provider, tmp_path, here) == [
        ("ok", f"{site} sends a stranger to sign in, whatever headers they forge")
    ]
    monkeypatch.setattr(provider.idp, "settings", provider.idp.settings.model_copy(update={"trusted_proxies": ()}))
    assert await doctor(provider, tmp_path, here) == [("FAIL", f"{site} refuses everybody (403)")]
    async with served(application) as app:
        open_ = "localhost:{1}".format(*app.getsockname())
        lets_in = f"http://{open_} lets in whoever comes: it answers 200 to a stranger"
        nobody = f"localhost:{free_port()}"
        nothing = f"nothing answers at http://{nobody} (ConnectError)"
        assert await doctor(provider, tmp_path, open_, nobody) == [("FAIL", lets_in), ("warn", nothing)]
