"""The start page."""

import html
from datetime import UTC, datetime
from importlib.resources import files

import httpx
import pyotp
import pytest

from idp.demo import people
from idp.demo.bank import bank
from idp.demo.start import DemoPerson, otpauth, start_page
from idp.model import Role
from idp.policy import load_policy
from tests.world.stub_provider import BANK, World

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
ALICE = DemoPerson("alice", "Alice <b>Ader", "correct horse & battery", "+372 5555 0101", SECRET)
BOB = DemoPerson("bob", "Bob Berg", "another password", "+372 5555 0102")
NOW = datetime(2026, 1, 15, 12, 0, 7, tzinfo=UTC)


@pytest.fixture
async def http(world: World) -> httpx.AsyncClient:
    app = bank(world.config("bank", BANK), start=start_page([ALICE, BOB], now=lambda: NOW))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"{BANK}/demo/")
    world.clients.append(client)
    return client


async def test_the_start_page_shows_people_and_where_to_go(http: httpx.AsyncClient) -> None:
    page = html.unescape((await http.get("")).text)
    for shown in ("alice", "bob", ALICE.password, BOB.password, ALICE.phone, BOB.phone, SECRET):
        assert shown in page
    for link in ("http://localhost:8001/", "http://localhost:8002/", "http://localhost:8000/dev/outbox"):
        assert f'href="{link}"' in page


async def test_the_start_page_escapes_and_draws_one_code_for_those_with_an_app(http: httpx.AsyncClient) -> None:
    page = (await http.get("")).text
    assert "Alice &lt;b&gt;Ader" in page
    assert "<b>" not in page
    assert page.count("<svg") == 1
    assert page.count("<iframe") == 1
    assert (await http.get("static/start.css")).status_code == 200


async def test_the_qr_code_says_what_an_app_needs() -> None:
    parsed = pyotp.parse_uri(otpauth(ALICE, brand="Acme ID"))
    assert isinstance(parsed, pyotp.TOTP)
    assert (parsed.secret, parsed.name, parsed.issuer) == (SECRET, "alice", "Acme ID")


async def test_the_current_code_is_the_one_an_app_shows_and_renews_itself(http: httpx.AsyncClient) -> None:
    answer = await http.get("code/alice")
    digits = pyotp.TOTP(SECRET).at(NOW)
    assert f"<h1>{digits[:3]} {digits[3:]}</h1>" in answer.text
    assert answer.headers["refresh"] == "24"
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["code/bob", "code/nobody", "code/", "nothing"])
async def test_people_without_an_app_have_no_code(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == 404
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_whoever_has_a_role_is_led_to_the_console_and_makes_no_transfers(world: World) -> None:
    ada = DemoPerson("ada", "Ada Aava", "a third password", "+372 5555 0103", SECRET, Role.ADMIN)
    app = bank(world.config("bank", BANK), start=start_page([ALICE, BOB, ada], now=lambda: NOW))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"{BANK}/demo/")
    world.clients.append(client)
    page = (await client.get("")).text
    assert "<dt>Role</dt><dd>administrator</dd>" in page
    assert 'href="http://localhost:8000/admin">console</a> as <code>ada</code>' in page
    assert "bank</a> as <code>alice</code>" in page


async def test_without_anybody_who_has_a_role_nobody_hears_of_the_console(http: httpx.AsyncClient) -> None:
    assert "/admin" not in (await http.get("")).text


def test_the_policy_of_the_demonstration_has_its_groups_and_is_else_the_one_of_stile() -> None:
    policy, shipped = load_policy(people.policy_text()), load_policy((files("idp") / "policy.toml").read_text())
    assert dict(policy.roles) == people.ROLES
    assert policy.scopes == shipped.scopes


def test_a_person_shows_no_secret_by_repr() -> None:
    assert SECRET not in repr(ALICE)
    assert ALICE.password not in repr(ALICE)
