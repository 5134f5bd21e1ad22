"""`idp sms test` and `idp sms fake`: the one against the other, as an operator would try them."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from idp.testing.camara import SECRET, SIM_BY_ENDING, Sim, number_of
from idp.testing.faults import BY_ENDING, Fault, number_for
from idp.testing.orders import API_SECRET, AUTH_TOKEN, SIGNATURE, TOKEN, WEBHOOK_SECRET
from tests.cli.conftest import Run

SECRETS = (TOKEN, AUTH_TOKEN, API_SECRET, SIGNATURE, WEBHOOK_SECRET)
every_gateway = pytest.mark.parametrize("use", ["smspm", "twilio", "vonage", "webhook"], indirect=True)


@contextmanager
def faking(directory: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "idp", "sms", "fake", "--port", "0", *arguments],
        env={**os.environ, "PYTHONPYCACHEPREFIX": str(directory / "compiled")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=20)


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What a fake provider says of itself that runs for all tests here."""
    with faking(tmp_path_factory.mktemp("fake"), "--json") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr and process.stderr.read()
        yield json.loads(line)


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def waiting() -> tuple[str, ...]:
    port = free_port()
    return "--receipt-url", f"http://127.0.0.1:{port}/r", "--listen", port, "--wait", "20"


@pytest.fixture
def use(fake: dict[str, Any], settings: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The gateway of the parameter, set as the fake says."""
    name: str = request.param
    for variable, value in fake["settings"][name].items():
        settings.setenv(variable, value)
    return name


@every_gateway
def test_a_test_message_is_followed_to_the_phone(use: str, fake: dict[str, Any], run: Run) -> None:
    ran = run("sms", "test", "--to", number_for(Fault.NONE), *waiting())
    assert ran.status == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[0] == f"{use} to +372•••••045: accepted: the provider takes it from here."
    assert lines[1].startswith("The provider calls it ")
    price = "it costs 0.0333 EUR" if use == "vonage" else "the provider does not say what it costs"
    assert lines[2] == f"It is sent in 1 part; {price}."
    assert lines[3].startswith("Receipt: it is on the phone")
    taken = httpx.get(fake["inbox"]).json()[-1]
    assert taken["text"] == "This is a test message from Stile."
    assert not [secret for secret in (*SECRETS, number_for(Fault.NONE)) if secret in ran.out + ran.err]


@every_gateway
def test_a_message_that_does_not_reach_the_phone_is_status_1(use: str, run: Run) -> None:
    ran = run("sms", "test", "--to", number_for(Fault.UNDELIVERED), "--json", *waiting())
    assert ran.status == 1
    assert (ran.json["outcome"], ran.json["receipt"], ran.json["segments"]) == ("accepted", "undelivered", 1)
    assert ran.json["gateway"] == use


@every_gateway
def test_a_refusal_says_why_in_words(use: str, run: Run) -> None:
    ran = run("sms", "test", "--to", number_for(Fault.INVALID), *waiting())
    assert ran.status == 1
    assert ran.out.startswith(
        f"{use} to +372•••••901: rejected: the provider refuses this number or text (invalid number"
    )
    assert ran.out.count("\n") == 1


@pytest.mark.parametrize("use", ["twilio"], indirect=True)
def test_no_receipt_and_a_forged_one_prove_nothing(use: str, run: Run) -> None:
    del use
    short = (*waiting()[:-1], "4")
    ran = run("sms", "test", "--to", number_for(Fault.FORGED), *short)
    assert ran.status == 0
    assert "No receipt came within 4 s: that is no proof of anything. 1 came that the provider did not sign." in ran.out


@pytest.mark.parametrize("use", ["smspm"], indirect=True)
def test_without_a_url_no_receipt_is_claimed(use: str, run: Run) -> None:
    del use
    ran = run("sms", "test", "--to", number_for(Fault.NONE))
    assert ran.status == 0
    assert "No receipt was waited for" in ran.out
    assert run("sms", "test", "--to", number_for(Fault.NONE), "--json").json["receipt"] is None


@pytest.mark.parametrize("url", ["8026", "ftp://x", "https://x/?a=b", "http://[", "https:///r"])
def test_a_receipt_url_must_be_one(url: str, run: Run) -> None:
    assert run("sms", "test", "--to", number_for(Fault.NONE), "--receipt-url", url).status == 2


@pytest.mark.parametrize("use", ["twilio"], indirect=True)
def test_the_gateway_is_that_of_the_numbers_country(
    use: str, fake: dict[str, Any], run: Run, settings: pytest.MonkeyPatch
) -> None:
    settings.setenv("IDP_SMS_GATEWAYS", f"console, EE={use}")
    assert run("sms", "test", "--to", number_for(Fault.NONE), "--json").json["gateway"] == use
    assert run("sms", "test", "--to", "+12025550123", "--json").json["gateway"] == "console"
    assert run("sms", "test", "--to", "+12025550123", "--gateway", use, "--json").json["gateway"] == use
    assert fake["url"]


def test_a_gateway_that_is_named_but_not_set_up_says_what_it_needs(run: Run) -> None:
    ran = run("sms", "test", "--to", number_for(Fault.NONE), "--gateway", "vonage")
    assert ran.status == 2
    assert "IDP_VONAGE_API_KEY is missing: the SMS gateway 'vonage' needs it" in ran.err


def test_the_fake_prints_exactly_what_to_set_and_ends_with_ctrl_c(tmp_path: Path, fake: dict[str, Any]) -> None:
    with faking(tmp_path) as process:
        assert process.stdout is not None
        lines = []
        while (line := process.stdout.readline()) != "Ctrl-C ends it.\n":
            assert line, process.stderr and process.stderr.read()
            lines.append(line.rstrip("\n"))
        url = lines[0].split(" shown at ")[1].split("/ and ")[0]
        exports = [shlex.split(line)[1].split("=", 1) for line in lines if line.startswith("  export ")]
        every = [item for block in fake["settings"].values() for item in block.items()]
        every += fake["intel"].items()
        assert exports == [[name, value.replace(fake["url"], url)] for name, value in every]
        assert [line.split()[0] for line in lines if line[:3] == "  9"] == [*BY_ENDING, *SIM_BY_ENDING]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (0, "\nStopped. It took 0 messages and sent none.\n")


def test_a_busy_port_is_one_sentence(fake: dict[str, Any], run: Run) -> None:
    port = fake["url"].rpartition(":")[2]
    ran = run("sms", "fake", "--port", port)
    assert ran.status == 1
    assert ran.err == f"Port {port} on 127.0.0.1 is in use: stop what listens there, or give another --port.\n"


@pytest.mark.parametrize("use", ["twilio"], indirect=True)
@pytest.mark.parametrize(
    ("sim", "verdict", "said"),
    [
        (Sim.SAME, "not_swapped", "it was not changed in the last 72 hours"),
        (Sim.SWAPPED, "swapped", "so no code would be sent"),
        (Sim.BROKEN, "unknown", "no clear answer within 2 s"),
    ],
    ids=["same", "swapped", "broken"],
)
def test_a_test_message_tells_whether_the_operator_answers(
    use: str,
    fake: dict[str, Any],
    settings: pytest.MonkeyPatch,
    run: Run,
    sim: Sim,
    verdict: str,
    said: str,
) -> None:
    for variable, value in fake["intel"].items():
        settings.setenv(variable, value)
    ran = run("sms", "test", "--to", number_of(sim))
    assert ran.status == 0, ran.err
    last = ran.out.splitlines()[-1]
    assert last.startswith("The SIM, says camara: ")
    assert said in last
    assert not [secret for secret in (SECRET, number_of(sim)) if secret in ran.out + ran.err]
    assert run("sms", "test", "--to", number_of(sim), "--json").json["sim_swap"] == verdict


def test_the_doctor_names_who_is_asked_about_sims(fake: dict[str, Any], settings: pytest.MonkeyPatch, run: Run) -> None:
    for variable, value in fake["intel"].items():
        settings.setenv(variable, value)
    assert "camara" in run("doctor").out
    settings.setenv("IDP_NUMBER_INTEL", "oracle")
    ran = run("doctor")
    assert ran.status == 1
    assert "'oracle' is not installed (there are: camara)" in ran.out
