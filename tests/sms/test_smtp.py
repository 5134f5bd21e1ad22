"""E-mail over real SMTP: what is handed over and how safely, and what each way to fail means."""

import asyncio
import logging
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.policy import default

import httpx
import pytest

from idp.errors import SettingsError
from idp.model.mail import Mailbox, MailServer, Security
from idp.settings import Settings, read_settings
from idp.sms import Channel, Message, Outcome, Reason, Sent, open_gateways
from idp.sms.smtp import SmtpGateway
from idp.testing import ADDRESS, CODE, GatewayContract, a_message
from tests.world.ports import free_port
from tests.world.postoffice import PASSWORD, USER, Certificates, PostOffice, certificates, opened, opened_beside
from tests.world.waiting import NEVER

ACME = Mailbox("Acme, Bank", "no-reply@login.example.com")
NETWORK = Sent(Outcome.NOT_SENT, reason=Reason.NETWORK)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("tls"))


def over(
    office: PostOffice,
    *,
    security: Security = "none",
    tls: ssl.SSLContext | None = None,
    login: bool = False,
    host: str = "127.0.0.1",
    total: timedelta = timedelta(seconds=10),
) -> SmtpGateway:
    user, password = (USER, PASSWORD) if login else (None, None)
    server = MailServer(host, office.port, security, user, password)
    return SmtpGateway(server, ACME, "Acme", tls or ssl.create_default_context(), total)


def a_mail(**changes: object) -> Message:
    return a_message(**{"channel": Channel.EMAIL, "to": ADDRESS, "subject": "Your Acme account", **changes})


class TestSmtpKeepsTheContract(GatewayContract):
    office: PostOffice

    @pytest.fixture(autouse=True)
    def _opened(self) -> Iterator[None]:
        with opened_beside(PostOffice()) as self.office:
            yield

    def gateway(self) -> SmtpGateway:
        return over(self.office, login=True)

    def secrets(self) -> tuple[str, ...]:
        return (PASSWORD,)


async def test_a_mail_is_plain_text_and_says_that_a_machine_wrote_it() -> None:
    message = a_mail(text="Õige kood: 482913\n.\nЖ", subject="Your Acme account – Õ")
    async with opened(PostOffice()) as office:
        sent = await over(office).send(message)
    assert sent == Sent(Outcome.ACCEPTED, f"{message.attempt_id}@login.example.com")
    assert office.said == [
        "ehlo login.example.com",
        "mail FROM:<no-reply@login.example.com>",
        f"rcpt TO:<{ADDRESS}>",
        "data",
        "quit",
    ]
    (raw,) = office.mails
    mail = message_from_bytes(raw[:-3].replace(b"\r\n..", b"\r\n."), policy=default)
    assert {name: str(value) for name, value in mail.items()} == {
        "From": '"Acme, Bank" <no-reply@login.example.com>',
        "To": ADDRESS,
        "Subject": "Your Acme account – Õ",
        "Date": "Thu, 15 Jan 2026 12:00:00 +0000",
        "Message-ID": f"<{message.attempt_id}@login.example.com>",
        "Auto-Submitted": "auto-generated",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": "quoted-printable",
        "MIME-Version": "1.0",
    }
    assert mail.get_content().splitlines() == message.text.splitlines()
    assert raw.isascii()


async def test_reports_go_where_the_operator_wants_them_and_readers_see_the_sender() -> None:
    async with opened(PostOffice()) as office:
        await replace(over(office), bounces="bounces@mail.example.org").send(a_mail())
    assert office.said[:2] == ["ehlo mail.example.org", "mail FROM:<bounces@mail.example.org>"]
    assert b"\r\nFrom: " in b"\r\n" + office.mails[0]
    assert b"bounces@" not in office.mails[0]


@pytest.mark.parametrize("selector", ["-", "a b", "s1;p=", "x" * 65, "s1\n"])
def test_a_selector_must_be_one(selector: str) -> None:
    with pytest.raises(SettingsError, match="IDP_SMTP_DKIM must be a selector"):
        read_settings({"IDP_SMTP_DKIM": selector})


async def test_without_a_subject_the_brand_is_one() -> None:
    async with opened(PostOffice()) as office:
        await over(office).send(a_mail(subject=None))
    assert b"\r\nSubject: Acme\r\n" in office.mails[0]


@pytest.mark.parametrize(
    "subject", ["Hello\r\nBcc: eve@example.com", "Hello\nBcc: eve@example.com", "Hello\u2028Bcc: x@y.example", "a\x00b"]
)
async def test_a_subject_cannot_become_another_header(subject: str) -> None:
    async with opened(PostOffice()) as office:
        assert (await over(office).send(a_mail(subject=subject))).outcome is Outcome.ACCEPTED
    mail = message_from_bytes(office.mails[0], policy=default)
    assert mail["Bcc"] is None
    assert "\x00" not in mail["Subject"]
    assert len([line for line in office.said if line.startswith("rcpt")]) == 1


@pytest.mark.parametrize(
    "to",
    [
        "ada@example.com\r\nRCPT TO:<eve@example.com>",
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@example.com>, <eve@example.com",
        "ada@example.com, eve@example.com",
        "ada@example.com ",
        "Ada <ada@example.com>",
        '"a b"@example.com',
        "ada",
        "@example.com",
        "ada@",
        "ada..b@example.com",
        "ada@-example.com",
        "ädä@example.com",
        "+37256789045",
        "a" * 65 + "@example.com",
        "",
    ],
)
async def test_what_is_no_address_is_refused_before_anything_is_said(to: str) -> None:
    async with opened(PostOffice()) as office:
        assert await over(office).send(a_mail(to=to)) == Sent(Outcome.REJECTED, reason=Reason.INVALID_NUMBER)
    assert office.said == []


# TLS and the password


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_text_and_password_travel_under_tls(security: Security, trust: Certificates) -> None:
    async with opened(PostOffice(implicit=security == "tls", tls=trust.server)) as office:
        sent = await over(office, security=security, tls=trust.client, login=True).send(a_mail())
    assert sent.outcome is Outcome.ACCEPTED
    assert office.secured == [True]
    verbs = [line.split(" ")[0] for line in office.said]
    before = ["ehlo", "STARTTLS"] if security == "starttls" else []
    assert verbs == [*before, "ehlo", "AUTH", "mail", "rcpt", "data", "quit"]


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_server_that_cannot_prove_its_name_is_told_nothing(
    security: Security, trust: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = certificates(tmp_path_factory.mktemp("other"), name="elsewhere.example")
    async with opened(PostOffice(implicit=security == "tls", tls=trust.server)) as office:
        untrusted = await over(office, security=security, login=True).send(a_mail())
    async with opened(PostOffice(implicit=security == "tls", tls=other.server)) as misnamed_office:
        misnamed = await over(misnamed_office, security=security, tls=other.client, login=True).send(a_mail())
    assert untrusted == misnamed == Sent(Outcome.MISCONFIGURED, reason=Reason.BAD_RESPONSE)
    said = [line.split(" ")[0] for line in (*office.said, *misnamed_office.said)]
    assert not {"AUTH", "mail", "rcpt", "data"} & set(said)


@pytest.mark.parametrize("office", [PostOffice(offers=("AUTH PLAIN",)), PostOffice(replies={"starttls": "502 no"})])
async def test_without_tls_nothing_is_said_in_the_clear(office: PostOffice, trust: Certificates) -> None:
    async with opened(office):
        sent = await over(office, security="starttls", tls=trust.client, login=True).send(a_mail())
    assert (sent.outcome, sent.reason) == (Outcome.MISCONFIGURED, Reason.BAD_RESPONSE)
    assert not {"AUTH", "mail"} & {line.split(" ")[0] for line in office.said}


async def test_what_somebody_puts_behind_the_answer_to_starttls_is_forgotten(trust: Certificates) -> None:
    injected = "220 go on\r\n250-evil.example\r\n250 AUTH LOGIN\r\n535 5.7.8 no"
    async with opened(PostOffice(replies={"starttls": injected}, tls=trust.server)) as office:
        sent = await over(office, security="starttls", tls=trust.client, login=True).send(a_mail())
    assert (sent.outcome, office.secured) == (Outcome.ACCEPTED, [True])


async def test_a_server_that_does_not_speak_tls_is_not_sent() -> None:
    async with opened(PostOffice()) as office:
        assert await over(office, security="tls").send(a_mail()) == NETWORK


# What each way to fail means

TRY_AGAIN = (Outcome.NOT_SENT, Reason.PROVIDER_ERROR)
NO_MAILBOX = (Outcome.REJECTED, Reason.INVALID_NUMBER)


@pytest.mark.parametrize(
    ("verb", "reply", "meaning"),
    [
        ("connect", "421 busy", TRY_AGAIN),
        ("connect", "554 no", (Outcome.MISCONFIGURED, Reason.BAD_RESPONSE)),
        ("connect", "hello", (Outcome.NOT_SENT, Reason.BAD_RESPONSE)),
        ("auth", "535 5.7.8 wrong", (Outcome.MISCONFIGURED, Reason.AUTH)),
        ("auth", "454 4.7.0 later", TRY_AGAIN),
        ("mail", "530 5.7.0 log in first", (Outcome.MISCONFIGURED, Reason.AUTH)),
        ("mail", "550 5.7.1 not you", (Outcome.MISCONFIGURED, Reason.SENDER_INVALID)),
        ("mail", "451 4.3.0 later", TRY_AGAIN),
        ("rcpt", "550 5.1.1 no such mailbox", NO_MAILBOX),
        ("rcpt", "550 no such mailbox", NO_MAILBOX),
        ("rcpt", "550 5.7.1 your address is on a list", (Outcome.REJECTED, Reason.BLOCKED)),
        ("rcpt", "552 5.2.2 full", (Outcome.REJECTED, Reason.UNREACHABLE)),
        ("rcpt", "450 4.2.0 greylisted", TRY_AGAIN),
        ("data", "451 4.3.0 later", TRY_AGAIN),
        ("data", "554 5.6.0 no", (Outcome.REJECTED, Reason.CONTENT_REJECTED)),
        ("text", "451 4.3.0 later", TRY_AGAIN),
        ("text", "554 5.7.1 spam", (Outcome.REJECTED, Reason.CONTENT_REJECTED)),
    ],
)
async def test_what_each_answer_means(
    verb: str,
    reply: str,
    meaning: tuple[Outcome, Reason],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    async with opened(PostOffice(replies={verb: reply})) as office:
        gateway = over(office, login=True)
        sent = await gateway.send(a_mail())
    assert (sent.outcome, sent.reason) == meaning
    assert sent.provider_code == (reply[:3] if reply[:3].isdecimal() else None)
    printed = capfd.readouterr()
    told = "\n".join([caplog.text, printed.out, printed.err, repr(sent), repr(gateway)])
    assert not [secret for secret in (PASSWORD, CODE, ADDRESS) if secret in told]


async def test_a_wrong_password_is_our_fault() -> None:
    async with opened(PostOffice()) as office:
        server = MailServer("127.0.0.1", office.port, "none", USER, "another")
        sent = await SmtpGateway(server, ACME, "Acme", ssl.create_default_context()).send(a_mail())
    assert (sent.outcome, sent.reason, sent.provider_code) == (Outcome.MISCONFIGURED, Reason.AUTH, "535")


async def test_a_server_to_which_one_cannot_log_in_is_our_fault() -> None:
    async with opened(PostOffice(offers=())) as office:
        assert (await over(office, login=True).send(a_mail())).outcome is Outcome.MISCONFIGURED


async def test_a_server_that_is_down_or_has_no_name_is_not_sent() -> None:
    down = PostOffice(port=free_port())
    assert await over(down).send(a_mail()) == NETWORK
    assert await over(down, host="mail.invalid").send(a_mail()) == NETWORK


STAGES = ("connect", "ehlo", "mail", "rcpt", "data", "text", "quit")
BEFORE, AFTER = (Outcome.NOT_SENT,), (Outcome.AMBIGUOUS,)
# A hand-over that was begun counts as one: whether the text left with it is not for us to guess.
EXPECTED = dict(zip(STAGES, (*BEFORE * 4, *AFTER * 2, Outcome.ACCEPTED), strict=True))


@pytest.mark.parametrize("stage", STAGES)
async def test_what_a_broken_connection_means_depends_on_how_far_it_came(stage: str) -> None:
    async with opened(PostOffice(hangs_up_at=stage)) as office:
        sent = await over(office).send(a_mail())
    reason = None if stage == "quit" else Reason.NETWORK
    assert (sent.outcome, sent.reason) == (EXPECTED[stage], reason)


@pytest.mark.parametrize("stage", STAGES[:-1])
async def test_silence_ends_at_the_total_time_out(stage: str) -> None:
    async with opened(PostOffice(silent_at=stage)) as office:
        gateway = over(office, total=timedelta(seconds=0.3))
        sent = await gateway.send(a_mail())
        await asyncio.to_thread(gateway.threads.shutdown)  # the thread ended too, or this would wait
    assert (sent.outcome, sent.reason) == (EXPECTED[stage], Reason.TIMEOUT)


async def test_a_server_that_drips_does_not_hold_the_thread() -> None:
    async with opened(PostOffice(drips_at="connect")) as office:
        gateway = over(office, total=timedelta(seconds=0.3))
        assert await gateway.send(a_mail()) == Sent(Outcome.NOT_SENT, reason=Reason.TIMEOUT)
        async with asyncio.timeout(NEVER):
            await asyncio.to_thread(gateway.threads.shutdown)


async def test_what_waits_for_a_thread_until_its_time_is_over_is_never_sent() -> None:
    async with opened(PostOffice(silent_at="connect")) as office:
        gateway = over(office, total=timedelta(seconds=1))
        holding = [asyncio.create_task(gateway.send(a_mail())) for _ in range(4)]
        waiting = asyncio.create_task(replace(gateway, total=timedelta(seconds=0.2)).send(a_mail()))
        assert await waiting == Sent(Outcome.NOT_SENT, reason=Reason.TIMEOUT)
        await asyncio.gather(*holding)
        await asyncio.to_thread(gateway.threads.shutdown)
    assert office.connections == 4
    assert office.mails == []


# Settings


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtps://stile:p%40ss%3Aw%2Frd@mail.example", MailServer("mail.example", 465, "tls", USER, PASSWORD)),
        ("smtps://mail.example:4650/", MailServer("mail.example", 4650, "tls")),
        ("smtp://mail.example?starttls=required", MailServer("mail.example", 587, "starttls")),
        ("smtp://mail.example", MailServer("mail.example", 587, "starttls")),
        ("smtp://localhost:2525?starttls=never", MailServer("localhost", 2525, "none")),
    ],
)
def test_a_mail_server_is_one_url(url: str, server: MailServer) -> None:
    settings = read_settings({"IDP_SMTP_URL": url, "IDP_SMTP_FROM": "Acme <no-reply@login.example.com>"})
    assert settings.smtp_url == server
    assert settings.smtp_from == Mailbox("Acme", "no-reply@login.example.com")
    assert PASSWORD not in repr(settings)
    (gateway,) = open_gateways(("smtp",), settings=settings, client=httpx.AsyncClient())
    assert (gateway.name, gateway.channels) == ("smtp", frozenset({Channel.EMAIL}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"IDP_SMTP_URL": "mail.example"}, "IDP_SMTP_URL must be smtps://"),
        ({"IDP_SMTP_URL": "https://mail.example"}, "IDP_SMTP_URL must be smtps://"),
        ({"IDP_SMTP_URL": "smtps://"}, "IDP_SMTP_URL must be smtps://"),
        ({"IDP_SMTP_URL": "smtps://mail.example:port"}, "IDP_SMTP_URL must be smtps://"),
        ({"IDP_SMTP_URL": "smtps://sesame@mail.example"}, "IDP_SMTP_URL needs both a user and a password"),
        ({"IDP_SMTP_URL": "smtps://mail.example?starttls=never"}, "IDP_SMTP_URL takes starttls=required"),
        ({"IDP_SMTP_URL": "smtp://mail.example?starttls=perhaps"}, "IDP_SMTP_URL takes starttls=required"),
        (
            {"IDP_SMTP_URL": "smtp://u:sesame@mail.example?starttls=never"},
            "IDP_SMTP_URL sends codes readable by",
        ),
        ({"IDP_SMTP_FROM": "sesame"}, "IDP_SMTP_FROM must be an address"),
        ({"IDP_SMTP_FROM": "A <a@b.example>\nBcc: sesame@c.example"}, "IDP_SMTP_FROM must be an address"),
        ({"IDP_SMTP_FROM": ""}, "IDP_SMTP_URL and IDP_SMTP_FROM belong together"),
        ({"IDP_SMS_GATEWAYS": "console smtp"}, "IDP_SMS_GATEWAYS names `smtp`"),
    ],
)
def test_wrong_mail_settings_are_named_and_not_repeated(changes: dict[str, str], said: str) -> None:
    good = {"IDP_SMTP_URL": "smtps://mail.example", "IDP_SMTP_FROM": "no-reply@login.example.com"}
    with pytest.raises(SettingsError) as caught:
        read_settings(good | changes)
    (problem,) = caught.value.problems
    assert problem.startswith(said)
    assert "sesame" not in problem


def test_without_settings_it_says_what_it_needs() -> None:
    with pytest.raises(SettingsError, match="IDP_SMTP_URL is missing"):
        open_gateways(("smtp",), settings=Settings.model_validate({}), client=httpx.AsyncClient())
