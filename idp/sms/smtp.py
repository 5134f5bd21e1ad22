"""E-mail by SMTP (RFC 5321), with smtplib in a thread. Plain text, TLS verified; receipts do not exist.

What decides is how far an exchange came: before the text is handed over nothing was sent, afterwards nobody knows.
"""

import asyncio
import smtplib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import httpx

from idp.errors import SettingsError
from idp.model.mail import Mailbox, MailServer, is_address
from idp.settings import Settings, missing_for
from idp.sms import Callback, Channel, Message, Outcome, Reason, Receipt, Sent
from idp.sms.wire import TOTAL

_CONNECT, _STEP = 3.0, 8.0  # seconds
_AT_ONCE = 4  # threads
_LONGEST = 64 * 1024  # of all that a server says in one conversation


@dataclass(frozen=True, slots=True)
class SmtpGateway:
    """One mail server. There is no idempotency key; readers may fold two mails with one Message-ID into one."""

    server: MailServer
    sender: Mailbox
    brand: str
    tls: ssl.SSLContext = field(repr=False, compare=False)
    total: timedelta = TOTAL
    bounces: str | None = None  # RFC 5321 4.4: the address of the envelope, where reports go; None: the sender's
    name: str = "smtp"
    channels: frozenset[Channel] = frozenset({Channel.EMAIL})
    idempotent: bool = False
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_AT_ONCE, "smtp"), repr=False, compare=False
    )

    async def send(self, message: Message) -> Sent:
        """Try once; see `Gateway.send`. `message.to` is an address."""
        if not is_address(message.to):
            return Sent(Outcome.REJECTED, reason=Reason.INVALID_NUMBER)
        try:
            mail = self._mail(message)
        except ValueError:  # a header cannot say it
            return Sent(Outcome.REJECTED, reason=Reason.CONTENT_REJECTED)
        envelope = self.bounces or self.sender.address
        exchange = _Exchange(self.server, self.tls, envelope, message.to, mail)
        try:
            async with asyncio.timeout(self.total.total_seconds()):
                sent = await asyncio.get_running_loop().run_in_executor(self.threads, exchange.run)
        except TimeoutError:
            return exchange.abandon()
        except asyncio.CancelledError:
            exchange.abandon()
            raise
        return Sent(Outcome.ACCEPTED, self._id(message)) if sent is None else sent

    def receipt(self, callback: Callback) -> list[Receipt]:  # noqa: ARG002 - nobody calls back
        """Nothing: mail servers report failures by mail."""
        return []

    def _id(self, message: Message) -> str:
        return f"{message.attempt_id}@{self.sender.domain}"

    def _mail(self, message: Message) -> bytes:
        mail = EmailMessage(policy=SMTP)
        mail["From"] = Address(self.sender.name, addr_spec=self.sender.address)
        mail["To"] = Address(addr_spec=message.to)
        mail["Subject"] = _one_line(message.subject or self.brand)
        mail["Date"] = format_datetime(message.at)
        mail["Message-ID"] = f"<{self._id(message)}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834 5: no out-of-office notes come back
        mail.set_content(message.text, charset="utf-8", cte="quoted-printable")
        return mail.as_bytes()


def create(settings: Settings, client: httpx.AsyncClient) -> SmtpGateway:  # noqa: ARG001 - the shape of a factory
    """The gateway of `IDP_SMTP_*`. Raises `SettingsError` that names what is missing."""
    if settings.smtp_url is None or settings.smtp_from is None:
        raise SettingsError(missing_for("smtp", settings))
    bounces = None if settings.smtp_bounces is None else settings.smtp_bounces.address
    tls = ssl.create_default_context()
    return SmtpGateway(settings.smtp_url, settings.smtp_from, settings.brand, tls, bounces=bounces)


class _Answers:
    """What a server says, line by line; smtplib would collect the lines of an answer that never ends."""

    def __init__(self, connection: socket.socket) -> None:
        self._lines = connection.makefile("rb")
        self._left = _LONGEST

    def readline(self, size: int = -1) -> bytes:
        """The next line. Raises `OSError` when that is too much."""
        line = self._lines.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise OSError("too much was said")
        return line

    def close(self) -> None:
        """Read no more."""
        self._lines.close()


class _Exchange:
    """One conversation, in a thread of its own; `abandon` ends it from outside and tells what that means."""

    def __init__(self, server: MailServer, tls: ssl.SSLContext, sender: str, to: str, mail: bytes) -> None:
        self._server, self._tls = server, tls
        self._sender, self._to, self._mail = sender, to, mail
        self._socket: socket.socket | None = None
        self._smtp: smtplib.SMTP | None = None
        self._abandoned = False
        self._handed_over = False

    def run(self) -> Sent | None:
        """What came of it; None where the server took the mail."""
        try:
            return self._talk()
        except smtplib.SMTPAuthenticationError as error:
            return _by_code(error.smtp_code, (Outcome.MISCONFIGURED, Reason.AUTH))
        except smtplib.SMTPResponseException as error:
            return _by_code(error.smtp_code, (Outcome.MISCONFIGURED, Reason.BAD_RESPONSE))
        except smtplib.SMTPServerDisconnected as error:
            return self._broken(error.__context__ or error)
        except (smtplib.SMTPException, ValueError):
            # A server that cannot do what we need of it: no way to log in, or lines that are no answers.
            outcome = Outcome.AMBIGUOUS if self._handed_over else Outcome.MISCONFIGURED
            return Sent(outcome, reason=Reason.BAD_RESPONSE)
        except ssl.SSLCertVerificationError:
            # Somebody else answers, or a certificate ran out: nothing was said to them, and somebody has to look.
            return Sent(Outcome.MISCONFIGURED, reason=Reason.BAD_RESPONSE)
        except OSError as error:
            return self._broken(error)
        finally:
            if self._smtp is not None:
                self._smtp.close()
            if self._socket is not None:
                self._socket.close()

    def abandon(self) -> Sent:
        """End it: a thread that waits for the server wakes up. Called when its time is over."""
        self._abandoned = True
        if self._socket is not None:
            with suppress(OSError):
                # Not SSLSocket's own: that takes TLS off first, and the other thread may be about to write.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        return Sent(Outcome.AMBIGUOUS if self._handed_over else Outcome.NOT_SENT, reason=Reason.TIMEOUT)

    def _talk(self) -> Sent | None:
        smtp = self._connect()
        if self._server.security == "starttls" and (refused := self._start_tls(smtp)) is not None:
            return refused
        smtp.ehlo_or_helo_if_needed()
        if self._server.user is not None and self._server.password is not None:
            smtp.login(self._server.user, self._server.password)
        code, text = smtp.mail(self._sender)
        if code != 250:
            return _by_code(code, (Outcome.MISCONFIGURED, Reason.AUTH if code == 530 else Reason.SENDER_INVALID))
        code, text = smtp.rcpt(self._to)
        if code not in {250, 251}:
            return _by_code(code, (Outcome.REJECTED, _recipient(text)))
        # Set before it is asked: either this thread sees that it was abandoned, or who abandoned it sees the hand-over.
        self._handed_over = True
        self._go_on()
        try:
            code, text = smtp.data(self._mail)
        except smtplib.SMTPDataError as error:
            code = error.smtp_code
        if code == 250:
            with suppress(smtplib.SMTPException, OSError):
                smtp.quit()
            return None
        return _by_code(code, (Outcome.REJECTED, Reason.CONTENT_REJECTED))

    def _connect(self) -> smtplib.SMTP:
        self._go_on()
        self._socket = socket.create_connection((self._server.host, self._server.port), timeout=_CONNECT)
        self._socket.settimeout(_STEP)
        self._go_on()
        if self._server.security == "tls":
            self._secure(self._socket)
        # The connection is ours, so that it can be ended from outside. EHLO does not tell this machine's name.
        smtp = self._smtp = smtplib.SMTP(local_hostname=self._sender.rpartition("@")[2])
        smtp.sock = self._socket
        smtp.file = _Answers(self._socket)
        code, text = smtp.getreply()
        if code != 220:
            raise smtplib.SMTPConnectError(code, text)
        return smtp

    def _start_tls(self, smtp: smtplib.SMTP) -> Sent | None:
        smtp.ehlo_or_helo_if_needed()
        code, _ = smtp.docmd("STARTTLS") if smtp.has_extn("starttls") else (502, b"")
        if code != 220:
            return _by_code(code, (Outcome.MISCONFIGURED, Reason.BAD_RESPONSE))
        # RFC 3207 4.2: forget all that was said before, and what somebody may have put behind the answer.
        if smtp.file is not None:
            smtp.file.close()
        smtp.helo_resp = smtp.ehlo_resp = None
        assert self._socket is not None
        smtp.sock = secured = self._secure(self._socket)
        smtp.file = _Answers(secured)
        return None

    def _secure(self, plain: socket.socket) -> ssl.SSLSocket:
        secured = self._tls.wrap_socket(plain, server_hostname=self._server.host, do_handshake_on_connect=False)
        self._socket = secured
        self._go_on()
        secured.do_handshake()
        return secured

    def _go_on(self) -> None:
        if self._abandoned:
            raise smtplib.SMTPServerDisconnected

    def _broken(self, error: BaseException) -> Sent:
        reason = Reason.TIMEOUT if isinstance(error, TimeoutError) else Reason.NETWORK
        return Sent(Outcome.AMBIGUOUS if self._handed_over else Outcome.NOT_SENT, reason=reason)


def _by_code(code: int, final: tuple[Outcome, Reason]) -> Sent:
    """4xx may be tried again, 5xx is final (RFC 5321 4.2.1), and what is no code at all is no answer."""
    if 500 <= code < 600:
        return Sent(final[0], reason=final[1], provider_code=str(code))
    reason = Reason.PROVIDER_ERROR if 400 <= code < 500 else Reason.BAD_RESPONSE
    return Sent(Outcome.NOT_SENT, reason=reason, provider_code=str(code) if code > 0 else None)


def _recipient(text: bytes) -> Reason:
    """Why a recipient is refused. Only "there is no such mailbox" may suppress an address (RFC 3463 3.3, 3.8)."""
    if text.startswith(b"5.7."):
        return Reason.BLOCKED
    return Reason.UNREACHABLE if text.startswith(b"5.2.") else Reason.INVALID_NUMBER


def _one_line(text: str) -> str:
    return "".join(character for character in " ".join(text.split()) if character.isprintable())[:200]
