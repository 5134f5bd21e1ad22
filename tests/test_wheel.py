"""The wheel as a stranger installs it: outside the checkout it serves pages and migrates."""

import json
import os
import re
import shutil
import signal
import sys
import tomllib
from contextlib import suppress
from pathlib import Path
from subprocess import Popen, run
from typing import Any

import httpx
import pytest

from tests.world.ports import free_port
from tests.world.waiting import NEVER

CHECKOUT = Path(__file__).parents[1]
UV = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")

pytestmark = [
    pytest.mark.xdist_group("wheel"),
    pytest.mark.skipif(UV is None, reason="needs uv, which `make env` installs"),
]


def _uv(*arguments: str | Path) -> None:
    assert UV is not None
    done = run([UV, *arguments, "--quiet"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_installed_wheel_serves_pages_and_migrates_far_from_the_checkout(tmp_path: Path) -> None:
    venv, elsewhere, port = tmp_path / "venv", tmp_path / "elsewhere", free_port()
    elsewhere.mkdir()
    _uv("build", "--wheel", "--out-dir", tmp_path / "dist")
    [wheel] = (tmp_path / "dist").glob("*.whl")
    _uv("export", "--frozen", "--no-dev", "--extra", "embedded", "--no-emit-project", "-o", tmp_path / "locked.txt")
    _uv("venv", "--python", sys.executable, venv)
    _uv("pip", "install", "--python", venv / "bin/python", "-r", tmp_path / "locked.txt", wheel)
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("IDP_", "PYTHON"))}
    told = {**ours, "IDP_DATA_DIR": str(tmp_path / "data"), "IDP_ISSUER": f"http://localhost:{port}"}
    told |= {"IDP_METRICS": "off", "IDP_DEV": "true"}

    def idp(*arguments: str) -> str:
        command = [str(venv / "bin/idp"), *arguments]
        done = run(command, cwd=elsewhere, env=told, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    demo = run([str(venv / "bin/idp"), "demo"], cwd=elsewhere, env=told, capture_output=True, text=True, check=False)
    assert (demo.returncode, "pip install 'stile-idp[demo]'" in demo.stderr) == (1, True), demo.stderr
    _uv("build", "--wheel", "--package", "stile-rp", "--out-dir", tmp_path / "kit")
    [kit] = (tmp_path / "kit").glob("*.whl")
    _uv("pip", "install", "--python", venv / "bin/python", kit)
    needs = [str(venv / "bin/python"), "-c", "import idp.demo.bank, idp.demo.notes, stile_rp.testing"]
    run(needs, cwd=elsewhere, env=told, check=True)

    version = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert idp("--version") == f"stile-idp {version}\n"
    where = [str(venv / "bin/python"), "-c", "import idp; print(idp.__file__)"]
    found = run(where, cwd=elsewhere, env=told, capture_output=True, text=True, check=True).stdout
    assert found.startswith(str(venv))
    migrated: dict[str, Any] = json.loads(idp("migrate", "--json"))
    assert migrated

    command = [str(venv / "bin/idp"), "serve", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        server = Popen(command, cwd=elsewhere, env=told, stdout=log, stderr=log, start_new_session=True)
    try:
        transport = httpx.HTTPTransport(retries=9)  # each waits twice as long as the one before
        with httpx.Client(
            base_url=told["IDP_ISSUER"], transport=transport, follow_redirects=True, timeout=NEVER
        ) as http:
            page = http.get("/account")
            assert (page.status_code, "Sign in" in page.text) == (200, True), (tmp_path / "log").read_text()
            spanish = http.get("/account", headers={"Accept-Language": "es-PE"})
            assert "Iniciar sesión" in spanish.text
            sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)
            assert len(sheets) == 2
            for sheet in sheets:
                answer = http.get(sheet)
                assert answer.status_code == 200
                assert answer.headers["content-type"].startswith("text/css")
                assert "{" in answer.text
            assert http.get("/health/ready").json() == {"ready": True, "problems": []}
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        status = server.wait(30)
    assert status == 0, (tmp_path / "log").read_text()
