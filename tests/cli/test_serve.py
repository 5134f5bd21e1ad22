"""`idp serve` as a process: with commands beside it, stopped, killed, and without what it needs."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import termios
from pathlib import Path

import httpx
import pytest

from idp.crypto import new_secret_key
from tests.world.commands import PASSWORD, Run
from tests.world.ports import free_port
from tests.world.processes import IDP, children, environment, lives, serving
from tests.world.waiting import NEVER, until


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serve") / "data"


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=NEVER)
    return process.returncode, out, err


def test_commands_use_the_database_of_the_server_that_runs_and_of_the_one_that_ran(
    home: Path, run: Run, settings: pytest.MonkeyPatch
) -> None:
    settings.setenv("IDP_DATA_DIR", str(home))
    with serving(home, "--host", "127.0.0.1") as (process, said):
        assert said["issuer"] == f"http://localhost:{said['address'].rpartition(':')[2]}"
        configuration = httpx.get(f"{said['address']}/.well-known/openid-configuration", timeout=NEVER).json()
        assert configuration["issuer"] == said["issuer"]
        assert httpx.get(f"{said['address']}/health/ready", timeout=NEVER).json()["ready"] is True
        assert run("user", "add", "ada", "--no-phone", "--password-stdin", stdin=PASSWORD).status == 0
        client = run("client", "add", "Shop", "--grant-type", "client_credentials", "--json").json

        # Registered while the server runs, and known to it at once.
        def accepted() -> bool:
            answer = httpx.post(
                f"{said['address']}/token",
                data={"grant_type": "client_credentials"},
                auth=(client["client_id"], client["client_secret"]),
                timeout=NEVER,
            )
            return "invalid_client" not in answer.text

        assert until(accepted)
        second = subprocess.run(
            [*IDP, "serve", "--port", "0"],
            env=environment(home),
            capture_output=True,
            text=True,
            timeout=NEVER,
            check=False,
        )
        assert (second.returncode, second.stdout) == (1, "")
        assert "Another Stile is running" in second.stderr
        assert second.stderr.count("\n") == 1
        port = said["address"].rpartition(":")[2]
        busy = subprocess.run(
            [*IDP, "serve", "--port", port],
            env=environment(home),
            capture_output=True,
            text=True,
            timeout=NEVER,
            check=False,
        )
        assert (busy.returncode, busy.stdout) == (1, "")
        assert busy.stderr == f"Port {port} on 127.0.0.1 is in use: stop what listens there, or give another --port.\n"
        process.send_signal(signal.SIGTERM)
        status, out, err = ended(process)
        assert (status, out) == (0, "")
        assert "Traceback" not in err
        assert PASSWORD not in err
        assert client["client_secret"] not in err
    assert [one["username"] for one in run("user", "list", "--json").json["users"]] == ["ada"]


def test_ctrl_c_finishes_what_was_begun(home: Path) -> None:
    with serving(home) as (process, said):
        host, port = said["address"].removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=NEVER) as raw:
            raw.sendall(b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n")
            raw.sendall(b"Content-Length: 21\r\n\r\ngrant_type=")
            assert httpx.get(f"{said['address']}/health/live", timeout=NEVER).text == "ok\n"
            process.send_signal(signal.SIGINT)

            def refused() -> bool:
                with contextlib.suppress(httpx.HTTPError):
                    httpx.get(f"{said['address']}/health/live", timeout=NEVER)
                    return False
                return True

            assert until(refused)
            raw.sendall(b"refresh_to")
            answer = b""
            while piece := raw.recv(65_536):
                answer += piece
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 401 "))
        assert b'"error"' in answer
        assert ended(process)[0] == 0


def test_the_end_of_the_database_is_ours_too_and_is_said(home: Path) -> None:
    with serving(home) as (process, _):
        postmaster = int((home / "postgres/data/postmaster.pid").read_text(encoding="ascii").split()[0])
        os.kill(postmaster, signal.SIGKILL)
        status, _, err = ended(process)
    assert status == 1
    assert f"The embedded PostgreSQL ended by itself (status -9): see {home}/postgres.log." in err
    assert "Traceback" not in err


def test_workers_share_the_socket_are_replaced_and_counted_and_end_with_their_parent(home: Path) -> None:
    metrics = f"127.0.0.1:{free_port()}"
    with serving(home, "--workers", "2", IDP_METRICS=metrics) as (process, said):
        postmaster = int((home / "postgres/data/postmaster.pid").read_text(encoding="ascii").split()[0])
        workers = children(process.pid) - {postmaster}
        assert len(workers) == 2
        for _ in range(10):
            assert httpx.get(f"{said['address']}/health/live", timeout=NEVER).status_code == 200
        figures = httpx.get(f"http://{metrics}/metrics", timeout=NEVER).text
        assert re.search(r'idp_http_requests_total\{method="GET",route="live",status="200"\} 10\.0', figures)
        assert "idp_build{version=" in figures
        victim = min(workers)
        os.kill(victim, signal.SIGKILL)
        assert until(lambda: len(children(process.pid) - {postmaster, victim}) == 2)
        assert httpx.get(f"{said['address']}/health/live", timeout=NEVER).status_code == 200
        workers = children(process.pid) - {postmaster}
        process.kill()
        process.wait()
        assert until(lambda: not any(lives(one) for one in (*workers, postmaster)))
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{said['address']}/health/live", timeout=NEVER)


def test_workers_are_drained_and_a_busy_metrics_port_is_only_a_warning(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        metrics = f"127.0.0.1:{taken.getsockname()[1]}"
        with serving(home, "--workers", "2", IDP_METRICS=metrics) as (process, said):
            assert httpx.get(f"{said['address']}/health/ready", timeout=NEVER).status_code == 200
            process.send_signal(signal.SIGTERM)
            status, _, err = ended(process)
    assert status == 0
    assert '"no metrics"' in err
    assert "Traceback" not in err


def test_a_server_without_its_database_is_one_sentence(home: Path) -> None:
    keys = new_secret_key("k1")
    environ = environment(home, IDP_DATABASE_URL="postgresql://idp@127.0.0.1:1/idp", IDP_SECRET_KEYS=keys)
    ran = subprocess.run(
        [*IDP, "serve", "--port", "0"], env=environ, capture_output=True, text=True, check=False, timeout=NEVER
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("The database cannot be reached")
    assert ran.stderr.count("\n") == 1


def test_whoever_stops_reading_is_not_told_about_it(home: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        [*IDP, "keys", "secret"],
        env=environment(home),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=NEVER,
    )
    os.close(writing)
    assert ran.stderr == ""
    assert ran.returncode == 1


@pytest.mark.skipif(shutil.which("setsid") is None, reason="needs util-linux")
@pytest.mark.usefixtures("_interruptible")
def test_ctrl_c_at_a_question_is_quiet(home: Path) -> None:
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", *IDP, "user", "add", "eve", "--no-phone"],
        env=environment(home),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    while b"Password" not in said:
        said += os.read(ours, 1000)
    # The question is printed before the terminal stops to echo, which throws away what was typed until then.
    assert until(lambda: not termios.tcgetattr(ours)[3] & termios.ECHO)
    os.write(ours, b"\x03")
    with contextlib.suppress(OSError):  # Linux ends a terminal with EIO
        while piece := os.read(ours, 1000):
            said += piece
    os.close(ours)
    assert process.wait(NEVER) == 130
    assert b"Traceback" not in said
    assert b"Abort" not in said
