"""`idp email test`: over real SMTP, as an operator would try a mail server."""

import ssl
import subprocess
import sys
from pathlib import Path
from signal import SIGINT
from urllib.parse import quote

import pytest

from idp.cli import mail
from tests.world.commands import Run
from tests.world.postoffice import PASSWORD, USER, PostOffice, certificates, opened_beside
from tests.world.returned import report
from tests.world.waiting import NEVER, until

TO = "ada.lovelace@example.com"
LOGIN = f"{USER}:{quote(PASSWORD, safe='')}@"


@pytest.fixture
def use(settings: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    settings.setenv("IDP_SMTP_FROM", "Acme <no-reply@login.example.com>")
    settings.setenv("IDP_BRAND", "Acme")
    return settings


def url(office: PostOffice, *, user: str = "") -> str:
    return f"smtp://{user}127.0.0.1:{office.port}?starttls=never"


def test_a_mail_goes_out_and_its_address_is_not_repeated(use: pytest.MonkeyPatch, run: Run) -> None:
    with opened_beside(PostOffice()) as office:
        use.setenv("IDP_SMTP_URL", url(office, user=LOGIN))
        ran = run("email", "test", "--to", TO)
        told = run("email", "test", "--to", TO, "--json").json
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("To a•••@example.com: accepted: the mail server takes it from here.\nIts Message-ID is <")
    assert "lovelace" not in ran.out
    assert b"This is a test message from Acme." in office.mails[0]
    assert (told["to"], told["outcome"], told["reason"]) == ("a•••@example.com", "accepted", None)
    assert f"Message-ID: <{told['provider_id']}>".encode() in office.mails[1]


@pytest.mark.parametrize(
    ("office", "said"),
    [
        (PostOffice(replies={"rcpt": "550 5.1.1 nobody"}), "rejected: the mail server refuses this address or text"),
        (PostOffice(replies={"mail": "550 5.7.1 no"}), "refused: the mail server does not let us send from IDP_SMTP_"),
        (PostOffice(replies={"auth": "535 5.7.8 no"}), "refused: check the user and the password in IDP_SMTP_URL"),
        (PostOffice(replies={"rcpt": "451 4.3.2 later"}), "not sent: the mail server asks to try later"),
        (PostOffice(replies={"connect": "hello"}), "not sent: what answers is no mail server; check IDP_SMTP_URL"),
        (PostOffice(hangs_up_at="ehlo"), "not sent: the mail server was not reached; check IDP_SMTP_URL"),
        (PostOffice(hangs_up_at="text"), "unclear: it may have been sent"),
    ],
)
def test_what_an_operator_can_do_is_said(use: pytest.MonkeyPatch, run: Run, office: PostOffice, said: str) -> None:
    with opened_beside(office):
        use.setenv("IDP_SMTP_URL", url(office, user=LOGIN))
        ran = run("email", "test", "--to", TO)
    assert ran.status == 1
    assert ran.out.startswith(f"To a•••@example.com: {said}")
    assert "p@ss" not in ran.out + ran.err


def test_a_certificate_that_nobody_vouches_for_is_refused(use: pytest.MonkeyPatch, run: Run, tmp_path: Path) -> None:
    office = PostOffice(tls=certificates(tmp_path).server)
    with opened_beside(office):
        use.setenv("IDP_SMTP_URL", f"smtp://localhost:{office.port}")
        ran = run("email", "test", "--to", TO)
        assert ran.status == 1
        assert "refused: check IDP_SMTP_URL, its port and the certificate" in ran.out
        use.setenv(ssl.get_default_verify_paths().openssl_cafile_env, str(tmp_path / "server.pem"))
        assert run("email", "test", "--to", TO).status == 0
    assert office.secured == [True]


@pytest.mark.parametrize("to", ["ada", "", "ada@", "ada@example.com\nBcc: eve@example.com", "Ada <ada@example.com>"])
def test_an_address_must_be_one(run: Run, to: str) -> None:
    ran = run("email", "test", "--to", to)
    assert (ran.status, ran.out) == (2, "")
    assert "It must be an e-mail address, as in ada@example.com." in ran.err


def test_without_a_mail_server_it_says_what_is_missing(run: Run) -> None:
    ran = run("email", "test", "--to", TO)
    assert (ran.status, ran.out) == (2, "")
    assert "IDP_SMTP_URL" in ran.err


@pytest.mark.usefixtures("_interruptible")
def test_ctrl_c_says_that_it_may_have_been_sent(use: pytest.MonkeyPatch) -> None:
    with opened_beside(PostOffice(silent_at="ehlo")) as office:
        use.setenv("IDP_SMTP_URL", url(office))
        arguments = [sys.executable, "-m", "idp", "email", "test", "--to", TO]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
            assert until(lambda: bool(office.said))
            process.send_signal(SIGINT)
            out, _ = process.communicate(timeout=NEVER)
    assert process.returncode == 130
    assert out.startswith("To a•••@example.com: unclear: it may have been sent.")


def test_a_report_that_is_none_changes_nothing(run: Run) -> None:
    ran = run("email", "bounces", "--json", stdin="Subject: I am away\r\n\r\nUntil Monday.\r\n")
    assert (ran.status, ran.json) == (0, {"to": None, "reason": None, "closed": False})


def test_while_the_database_is_away_the_mail_server_is_asked_to_try_again(
    settings: pytest.MonkeyPatch, run: Run
) -> None:
    settings.setenv("IDP_DATABASE_URL", "postgresql://nobody:nothing@127.0.0.1:1/none")
    ran = run("email", "bounces", stdin=report().decode())
    assert ran.status == 75
    assert ran.err


def test_somebody_who_types_is_told_to_pipe(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "_at_a_keyboard", lambda: True)
    ran = run("email", "bounces")
    assert ran.status == 2
    assert "Pipe one mail into it" in ran.err
