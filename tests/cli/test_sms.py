"""`idp sms test` and `idp sms fake`: the one against the other, as an operator would try them."""

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from idp.testing.camara import SECRET, SIM_BY_ENDING, Sim, number_of
from idp.testing.faults import BY_ENDING, Fault, number_for
from idp.testing.orders import API_SECRET, AUTH_TOKEN, SIGNATURE, TOKEN, WEBHOOK_SECRET
from tests.world.commands import Run
from tests.world.ports import free_port
from tests.world.waiting import NEVER, until

SECRETS = (TOKEN, AUTH_TOKEN, API_SECRET, SIGNATURE, WEBHOOK_SECRET)
every_gateway = pytest.mark.parametrize("use", ["smspm", "twilio", "vonage", "webhook"], indirect=True)


@contextmanager
def faking(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "idp", "sms", "fake", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=NEVER)


@pytest.fixture(scope="module")
def fake() -> Iterator[dict[str, Any]]:
    """What a fake provider says of itself that runs for all tests here."""
    with faking("--json") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr and process.stderr.read()
        yield json.loads(line)


def waiting() -> tuple[str, ...]:
    port = str(free_port())
    return "--receipt-url", f"http://127.0.0.1:{port}/r", "--listen", port, "--wait", f"{NEVER:.0f}"


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
    taken = httpx.get(fake["inbox"], timeout=NEVER).json()[-1]
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
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault.THROTTLED, "not sent: the provider asks to wait (rate limited, their code 20429)."),
        (Fault.REDIRECT, "refused: what answers is no such provider; check its URL (bad response)."),
        (
            Fault.CREDENTIALS,
            "refused: check the credentials, the sender and the funds at the provider (auth, their code 20003).",
        ),
    ],
)
def test_what_an_operator_can_do_is_said(use: str, run: Run, fault: Fault, said: str) -> None:
    del use
    ran = run("sms", "test", "--to", number_for(fault))
    assert (ran.status, ran.out.partition(": ")[2]) == (1, f"{said}\n")


@pytest.mark.parametrize("use", ["webhook"], indirect=True)
def test_a_provider_that_is_not_there_is_not_reached(use: str, settings: pytest.MonkeyPatch, run: Run) -> None:
    del use
    settings.setenv("IDP_WEBHOOK_URL", f"http://127.0.0.1:{free_port()}/")
    ran = run("sms", "test", "--to", number_for(Fault.NONE))
    assert ran.out.partition(": ")[2] == (
        "not sent: the provider was not reached; check its URL and the network (network).\n"
    )


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("use", ["smspm"], indirect=True)
def test_ctrl_c_ends_the_wait_and_what_the_provider_said_is_told(use: str, fake: dict[str, Any]) -> None:
    port = str(free_port())
    arguments = ("--to", number_for(Fault.FORGED), "--receipt-url", f"http://127.0.0.1:{port}/r", "--listen", port)
    before = len(httpx.get(fake["inbox"], timeout=NEVER).json())

    def a_receipt_was_answered() -> bool:
        return any(message["receipts"] for message in httpx.get(fake["inbox"], timeout=NEVER).json()[before:])

    with subprocess.Popen(
        [sys.executable, "-m", "idp", "sms", "test", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert until(a_receipt_was_answered)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=NEVER)
    assert (process.returncode, err) == (130, "")
    assert out.startswith(f"{use} to +372•••••947: accepted")
    assert out.splitlines()[-1].startswith("No receipt had come when the wait was ended.")


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("use", ["smspm"], indirect=True)
def test_ctrl_c_before_the_answer_says_that_the_message_may_be_sent(use: str, fake: dict[str, Any]) -> None:
    before = len(httpx.get(fake["inbox"], timeout=NEVER).json())
    with subprocess.Popen(
        [sys.executable, "-m", "idp", "sms", "test", "--to", number_for(Fault.SILENCE)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert until(lambda: len(httpx.get(fake["inbox"], timeout=NEVER).json()) > before)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=NEVER)
    assert (process.returncode, err) == (130, "")
    assert out == f"{use} to +372•••••922: unclear: it may have been sent.\n"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("smtp", "'smtp' carries e-mail, not text messages: `idp email test` tries it."),
        ("pigeon", "'pigeon' is not installed (there are: console, smspm, twilio, vonage, webhook)."),
    ],
)
def test_a_gateway_that_sends_no_text_messages_here_is_a_wrong_option(name: str, said: str, run: Run) -> None:
    ran = run("sms", "test", "--to", number_for(Fault.NONE), "--gateway", name)
    assert ran.status == 2
    assert ran.err.endswith(f"Error: Invalid value for '--gateway': {said}\n")


@pytest.mark.parametrize("use", ["smspm"], indirect=True)
def test_a_busy_port_for_receipts_names_its_option(use: str, fake: dict[str, Any], run: Run) -> None:
    del use
    port = fake["url"].rpartition(":")[2]
    ran = run("sms", "test", "--to", number_for(Fault.NONE), "--receipt-url", "http://127.0.0.1/r", "--listen", port)
    assert ran.status == 1
    assert ran.err == f"Port {port} on 127.0.0.1 is in use: stop what listens there, or give another --listen.\n"


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


def test_the_fake_prints_exactly_what_to_set_and_ends_with_ctrl_c(fake: dict[str, Any]) -> None:
    with faking() as process:
        assert process.stdout is not None
        lines = []
        while (line := process.stdout.readline()) != "Ctrl-C ends it.\n":
            assert line, process.stderr and process.stderr.read()
            lines.append(line.rstrip("\n"))
        url = lines[0].split(" shown at ")[1].split("/ and ")[0]
        exports = [shlex.split(line)[1].split("=", 1) for line in lines if line.startswith("  export ")]
        every = [item for block in fake["settings"].values() for item in block.items()]
        every += [("IDP_RECEIPT_URL", "http://localhost:8000"), *fake["intel"].items()]
        assert exports == [[name, value.replace(fake["url"], url)] for name, value in every]
        assert [line.split()[0] for line in lines if line[:3] == "  9"] == [*BY_ENDING, *SIM_BY_ENDING]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=NEVER)
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
