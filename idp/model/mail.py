"""Where e-mail is handed over, and whom it comes from, as an operator writes them. Nothing is connected to here."""

import re
from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Literal
from urllib.parse import unquote, urlsplit

Security = Literal["tls", "starttls", "none"]

# RFC 5321 4.1.2 without quoted strings and literals, which nobody has and which hide header injections.
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_FORM = "must be smtps://user:password@host or smtp://user:password@host?starttls=required"
_SECURITY: dict[tuple[str, str], Security] = {
    ("smtps", ""): "tls",
    ("smtp", ""): "starttls",
    ("smtp", "starttls=required"): "starttls",
    ("smtp", "starttls=never"): "none",
}
_PORTS: dict[Security, int] = {"tls": 465, "starttls": 587, "none": 25}


@dataclass(frozen=True, slots=True)
class MailServer:
    """Who takes our mail. `repr` tells no password."""

    host: str
    port: int
    security: Security
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A name, perhaps empty, and an address."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """What stands behind the @."""
        return self.address.rpartition("@")[2]


def is_address(text: str) -> bool:
    """Whether this is an address in ASCII, and nothing else."""
    if "=?" in text:
        return False  # RFC 2047 5: in a header it would begin an encoded word
    return len(text) <= 254 and len(text.partition("@")[0]) <= 64 and _ADDRESS.fullmatch(text) is not None


def read_mailbox(value: object) -> object:
    """`Acme <no-reply@acme.example>` or the address alone. Raises `ValueError` with what is wrong."""
    if not isinstance(value, str):
        return value
    name, address = parseaddr(value)
    if not is_address(address) or not value.isprintable():
        raise ValueError("must be an address, as in Acme <no-reply@login.example.com>")
    return Mailbox(name, address)


def check_selector(text: str) -> str:
    """A selector of DKIM keys (RFC 6376 3.1). Raises `ValueError` with what is wrong."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", text):
        raise ValueError("must be a selector, as in mail2026 of mail2026._domainkey.login.example.com")
    return text


def read_mail_server(value: object) -> object:
    """`smtps://user:password@host:465` or `smtp://…?starttls=required`. Raises `ValueError` that repeats nothing."""
    if not isinstance(value, str):
        return value
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(_FORM) from None
    if parts.scheme not in {"smtp", "smtps"} or not host or parts.path not in {"", "/"} or parts.fragment:
        raise ValueError(_FORM)
    security = _SECURITY.get((parts.scheme, parts.query))
    if security is None:
        raise ValueError("takes starttls=required or starttls=never, and with smtp:// only")
    if security == "none" and host not in _LOOPBACK:
        raise ValueError("sends codes readable by anybody: starttls=never is accepted for this machine only")
    if (parts.username is None) != (parts.password is None):
        raise ValueError("needs both a user and a password, or neither; write : / @ in them as %3A %2F %40")
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return MailServer(host, port or _PORTS[security], security, user, password)
