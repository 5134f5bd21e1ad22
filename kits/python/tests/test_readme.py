"""The README's code runs as it stands, and is short."""

import re
from pathlib import Path

import httpx
import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split()[1])
async def test_code_of_the_readme_runs_and_refuses_strangers(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {
        "ISSUER": "http://localhost:9",
        "CLIENT_ID": "shop",
        "CLIENT_SECRET": "s",
        "BASE_URL": "http://localhost:3000",
    }
    for name, value in {**told, "AUDIENCE": "http://localhost:3000/api"}.items():
        monkeypatch.setenv(f"OIDC_{name}", value)
    assert len([line for line in block.splitlines() if line.strip()]) <= 15
    here = {"app": None}
    exec(block, here)  # noqa: S102 - our own page
    transport = httpx.ASGITransport(here["app"])  # type: ignore[arg-type]  # what the block made of it
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:3000") as http:
        answer = await http.post("/transfers")
    # an API that nobody brings a token to, or pages whose provider is down
    assert (answer.status_code, "cannot be reached" in answer.text) in {(401, False), (503, True)}


def test_what_the_readme_names_is_there() -> None:
    files = re.findall(r"\]\(((?!http)[^)#]+)\)", README)
    assert [name for name in files if not (Path(__file__).parent.parent / name).exists()] == []
