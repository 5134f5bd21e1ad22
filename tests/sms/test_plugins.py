"""Gateways of others: the one in docs/gateways.md, as a reader would copy it, install it and test it."""

import asyncio
import re
import sys
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from idp.errors import SettingsError
from idp.settings import Settings, read_settings
from idp.sms import Delivery, Outcome, Receipt, open_gateways
from idp.testing import HttpGatewayContract, a_callback, a_message
from idp.testing.faults import BY_ENDING

DOC = (Path(__file__).parent.parent.parent / "docs/gateways.md").read_text()
GATEWAY, CONTRACT = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
(ENTRY_POINT,) = re.findall(r'```toml\n\[project.entry-points."(.*?)"\]\n(.*?)```', DOC, re.DOTALL)


def run(source: str, name: str) -> ModuleType:
    module = ModuleType(name)
    sys.modules[name] = module  # where dataclasses look for the types
    exec(compile(source, f"{name}.py", "exec"), module.__dict__)  # noqa: S102 - our own documentation
    return module


PIGEON = run(GATEWAY, "pigeon")
TestTheDocumentedGatewayKeepsTheContract: type[HttpGatewayContract] = run(CONTRACT, "t").TestPigeonKeepsTheContract
del sys.modules["pigeon"], sys.modules["t"]


def test_the_documented_gateway_reads_receipts() -> None:
    gateway = PIGEON.PigeonGateway(httpx.AsyncClient(), token="s3cret")
    assert gateway.receipt(a_callback(body=b'{"pigeon": "p-1", "landed": true}')) == [
        Receipt("p-1", Delivery.DELIVERED)
    ]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The documented gateway, as pip would leave it."""
    group, entry = ENTRY_POINT
    (tmp_path / "pigeon.py").write_text(GATEWAY)
    info = tmp_path / "pigeon_post-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pigeon-post\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry.replace(chr(34), '')}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PIGEON_TOKEN", "s3cret")
    monkeypatch.setitem(sys.modules, "pigeon", PIGEON)
    monkeypatch.delitem(sys.modules, "pigeon")


@pytest.mark.usefixtures("installed")
def test_an_installed_gateway_is_found_by_its_entry_point_and_sends() -> None:
    asked: list[httpx.Request] = []

    def provider(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(201, json={"pigeon": "p-1"})

    async def send() -> None:
        settings = read_settings({"IDP_SMS_GATEWAYS": "console, EE=pigeon"})
        async with httpx.AsyncClient(transport=httpx.MockTransport(provider)) as client:
            gateways = {
                each.name: each for each in open_gateways(settings.gateway_names(), settings=settings, client=client)
            }
            (name,) = settings.gateways_for("EE")
            sent = await gateways[name].send(a_message())
            assert (sent.outcome, sent.provider_id) == (Outcome.ACCEPTED, "p-1")

    asyncio.run(send())
    assert asked[0].headers["authorization"] == "Bearer s3cret"


def opening_fails() -> str:
    settings = read_settings({"IDP_SMS_GATEWAYS": "pigeon"})
    with pytest.raises(SettingsError) as caught:
        open_gateways(("pigeon",), settings=settings, client=httpx.AsyncClient())
    (problem,) = caught.value.problems
    return problem


@pytest.mark.usefixtures("installed")
def test_what_an_installed_gateway_misses_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIGEON_TOKEN")
    assert opening_fails() == "PIGEON_TOKEN is missing: the SMS gateway 'pigeon' needs it"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("end", "place"),
    [
        ('os.environ["S3CRET_THAT_IS_MISSING"]', "pigeon.py"),
        ('json.loads("s3cret")', "decoder.py"),
        ('raise ValueError("s3cret")', "pigeon.py"),
    ],
)
def test_an_installed_gateway_that_breaks_at_the_start_is_named_and_not_quoted(
    end: str, place: str, tmp_path: Path
) -> None:
    (tmp_path / "pigeon.py").write_text(f"import json, os\n\n\ndef create(settings, client):\n    {end}\n")
    told = opening_fails()
    assert told.startswith("IDP_SMS_GATEWAYS: 'pigeon' does not start (")
    assert place in told
    assert told.endswith("): is everything set that it needs?")
    assert "s3cret" not in told.lower()


def test_a_gateway_that_is_not_installed_is_named() -> None:
    settings = Settings.model_validate({"sms_gateways": "pigeon"})
    with pytest.raises(SettingsError, match="'pigeon' is not installed"):
        open_gateways(settings.gateway_names(), settings=settings, client=httpx.AsyncClient())


def test_the_documented_endings_are_those_of_the_fake() -> None:
    assert re.findall(r"\| `(\d{3})` \| (.*?) \|", DOC) == [
        (ending, fault.value) for ending, fault in BY_ENDING.items()
    ]
