"""Settings of passkeys: the domain that they are for, who else may use them, whose word counts on hardware."""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def _domain(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", value):
        raise ValueError("must be a domain such as example.com, in small letters")
    return value


def check_domain(domain: str | None, issuer: str) -> None:
    """ValueError for a domain that browsers let no page of ours claim (WebAuthn 5.1.3)."""
    host = urlsplit(issuer).hostname or ""
    if domain is not None and host != domain and not host.endswith(f".{domain}"):
        raise ValueError("must be the host of IDP_ISSUER, or a domain above it")


def check_origins(value: tuple[str, ...]) -> tuple[str, ...]:
    """The same; ValueError for what is no origin as browsers write it."""
    for each in value:
        if not re.fullmatch(r"https://[a-z0-9.-]+(:[0-9]{1,5})?", each):
            raise ValueError("each must be an origin such as https://bank.example.org, without a path")
    return value


def _certificates(value: Path) -> Path:
    if not value.is_file() or b"-----BEGIN CERTIFICATE-----" not in value.read_bytes():
        raise ValueError("names no file with certificates in PEM")
    return value


Domain = Annotated[str, AfterValidator(_domain)]
Certificates = Annotated[Path, AfterValidator(_certificates)]
