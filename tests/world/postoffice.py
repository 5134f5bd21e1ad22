"""A small SMTP server for tests: what it answers, when it falls silent and when it hangs up is told by the test."""

import asyncio
import base64
import ipaddress
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.world.waiting import NEVER

USER, PASSWORD = "stile", "p@ss:w/rd"


@dataclass
class PostOffice:
    """`replies` by verb take the place of the usual ones; `connect` and `text` are verbs too."""

    replies: dict[str, str] = field(default_factory=dict)
    offers: tuple[str, ...] = ("STARTTLS", "AUTH PLAIN", "SIZE 1000000")
    hangs_up_at: str = ""
    silent_at: str = ""
    drips_at: str = ""
    implicit: bool = False
    tls: ssl.SSLContext | None = None
    said: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)
    port: int = 0
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secure = self.implicit
        if not await self._say(writer, "connect", "220 post.example ESMTP"):
            return
        while line := (await reader.readline()).decode(errors="replace").rstrip("\r\n"):
            verb = line.split(" ")[0].lower()
            self.said.append(line)
            match verb:
                case "ehlo":
                    offers = [offer for offer in self.offers if not (secure and offer == "STARTTLS")]
                    lines = ["post.example", *offers]
                    usual = "\r\n".join([f"250-{each}" for each in lines[:-1]] + [f"250 {lines[-1]}"])
                case "starttls":
                    usual = "220 go on"
                case "auth":
                    good = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
                    usual = "235 2.7.0 welcome" if line.split(" ")[-1] == good else "535 5.7.8 no"
                case "data":
                    usual = "354 go on"
                case "quit":
                    usual = "221 bye"
                case _:
                    usual = "250 2.0.0 fine"
            if not await self._say(writer, verb, usual):
                return
            reply = self.replies.get(verb, usual)
            if verb == "starttls" and reply.startswith("220"):
                assert self.tls is not None
                await writer.start_tls(self.tls)
                secure = True
            if verb == "data" and reply.startswith("354"):
                self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
                self.secured.append(secure)
                if not await self._say(writer, "text", "250 2.0.0 queued as 4711"):
                    return
            if verb == "quit":
                return

    async def _say(self, writer: asyncio.StreamWriter, verb: str, usual: str) -> bool:
        if verb == self.hangs_up_at:
            return False
        if verb == self.silent_at:
            await asyncio.Event().wait()
        while verb == self.drips_at:
            writer.write(b"2")
            await writer.drain()
            await asyncio.sleep(0.02)
        writer.write(f"{self.replies.get(verb, usual)}\r\n".encode())
        await writer.drain()
        return True


@asynccontextmanager
async def opened(office: PostOffice) -> AsyncIterator[PostOffice]:
    """The post office, on a free port."""
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(office.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=office.tls if office.implicit else None)
    office.port = server.sockets[0].getsockname()[1]
    try:
        yield office
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@contextmanager
def opened_beside(office: PostOffice) -> Iterator[PostOffice]:
    """The post office in a thread, for tests without a loop of their own."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        async with opened(office):
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert ready.wait(NEVER)
    try:
        yield office
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(NEVER)
        loop.close()


@dataclass(frozen=True)
class Certificates:
    """A server's side and the side of whoever trusts it."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def certificates(directory: Path, *, name: str = "localhost") -> Certificates:
    """A certificate of our own for this name and for 127.0.0.1 if it is localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)  # noqa: TID251 - certificates are checked by the system's clock
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if name == "localhost":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / "server.pem").write_bytes(private + public)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(directory / "server.pem")
    return Certificates(server, ssl.create_default_context(cadata=public.decode()))
