"""What an operator can set: one field each, with what makes a single value wrong. Reading them is in `reading`."""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from phonenumbers import SUPPORTED_REGIONS
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from idp.crypto import KeyChain, parse_secret_keys, webhook_key
from idp.model.mail import Mailbox, MailServer, check_selector, read_mail_server, read_mailbox
from idp.model.regions import ByRegion, read_orders, read_senders, reader
from idp.settings.database import read_database_url
from idp.settings.networks import Network, unmapped
from idp.settings.passkeys import Certificates, Domain, check_domain, check_origins

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HERE = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE | re.ASCII)


def default_data_dir() -> Path:
    """Where the embedded database lives unless `IDP_DATA_DIR` says otherwise."""
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local/share") / "stile"


def _words(value: object) -> object:
    return tuple(word for word in re.split(r"[\s,]+", value) if word) if isinstance(value, str) else value


def _age(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"([0-9]{1,4})([hd])", value) if isinstance(value, str) else None
    hours = 0 if found is None else int(found[1]) * (24 if found[2] == "d" else 1)
    if not 1 <= hours <= 2400:  # CAMARA SIM Swap: what maxAge may be
        raise ValueError("must be hours or days from 1h to 2400h, as in 72h or 3d")
    return timedelta(hours=hours)


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Orders = Annotated[ByRegion[tuple[str, ...]], BeforeValidator(reader(read_orders))]
Senders = Annotated[ByRegion[str], BeforeValidator(reader(read_senders))]
MailServers = Annotated[MailServer, BeforeValidator(read_mail_server)]
Mailboxes = Annotated[Mailbox, BeforeValidator(read_mailbox)]
Selector = Annotated[str, AfterValidator(check_selector)]
Age = Annotated[timedelta, BeforeValidator(_age)]
Origins = Annotated[tuple[str, ...], BeforeValidator(_words), AfterValidator(check_origins)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(_words), AfterValidator(unmapped)]


class Settings(BaseModel):
    """Everything an operator can set. Field `x_y` is `IDP_X_Y`, or a file named in `IDP_X_Y_FILE`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    issuer: str = Field("http://localhost:8000", description="Public base URL, https except on loopback")
    database_url: SecretStr | None = Field(None, description="PostgreSQL 15 to 18; without it the embedded one is used")
    data_dir: Path = Field(default_factory=default_data_dir, description="Where the embedded database and its key live")
    secret_keys: SecretStr | None = Field(
        None, description="id:base64url of 32 bytes each, comma-separated, first is used"
    )
    policy: Path | None = Field(None, description="A policy.toml of your own")
    templates: Path | None = Field(None, description="A directory whose pages replace ours, name by name")
    brand: str = Field("Stile", max_length=60, description="The name on the pages and in text messages")
    brand_colour: str = Field("#1d4ed8", description="The colour of buttons and links, as #rrggbb")
    brand_logo: Path | None = Field(None, description="An SVG or PNG file shown beside the name")
    help_url: str | None = Field(None, description="Where the Help link in the footer leads")
    privacy_url: str | None = Field(None, description="Where the Privacy link in the footer leads")
    sms_gateways: Orders = Field(
        ByRegion(("console",)), description="Gateways in order of preference, also by country: smspm, US=twilio+smspm"
    )
    smspm_hash: SecretStr | None = Field(None, description="SMSPM account hash")
    smspm_token: SecretStr | None = Field(None, description="SMSPM token")
    smspm_from: Senders = Field(ByRegion("Stile"), description="Sender on the phone, also by country: Acme, IN=ACMEIN")
    smspm_url: str = Field("https://api.smspm.com", description="SMSPM endpoint")
    twilio_account_sid: str | None = Field(None, description="Twilio account, AC…")
    twilio_auth_token: SecretStr | None = Field(None, description="Twilio auth token; receipts are signed with it")
    twilio_api_key: str | None = Field(None, description="Twilio API key to send with")
    twilio_api_secret: SecretStr | None = Field(None, description="The secret of the Twilio API key")
    twilio_from: Senders | None = Field(None, description="Sender or messaging service MG…, also by country")
    twilio_url: str = Field("https://api.twilio.com", description="Twilio API, without the path")
    vonage_api_key: str | None = Field(None, description="Vonage API key")
    vonage_api_secret: SecretStr | None = Field(None, description="Vonage API secret")
    vonage_signature_secret: SecretStr | None = Field(None, description="Vonage signature secret, for signed receipts")
    vonage_from: Senders | None = Field(None, description="Sender on the phone, also by country")
    vonage_url: str = Field("https://rest.nexmo.com/sms/json", description="Vonage SMS endpoint")
    webhook_url: str | None = Field(None, description="Your own gateway, which is asked as Standard Webhooks say")
    webhook_secret: SecretStr | None = Field(None, description="whsec_ and 24 to 64 bytes in base64; signs both ways")
    smtp_url: MailServers | None = Field(None, description="smtps://user:password@host, or smtp://…?starttls=required")
    smtp_from: Mailboxes | None = Field(None, description="Sender of e-mail: Acme <no-reply@login.example.com>")
    smtp_bounces: Mailboxes | None = Field(None, description="Where mail that did not arrive is reported: bounces@…")
    smtp_dkim: Selector | None = Field(
        None, description="DKIM selector of your mail server, for `idp doctor` to look at"
    )
    sms_region: str | None = Field(None, description="Region of phone numbers typed without a country code, as in EE")
    receipt_url: str | None = Field(None, description="Where providers reach us if not at an https issuer; or off")
    sms_countries: Words = Field((), description="Countries whose numbers are texted, as in EE FI US:known_only")
    spending: Path | None = Field(None, description="A spending.toml of your own")
    number_intel: str | None = Field(None, description="Who tells whether a SIM was changed lately: camara, or none")
    sim_swap_age: Age = Field(timedelta(hours=72), description="How long a changed SIM is not trusted; 1h to 2400h")
    camara_url: str | None = Field(None, description="CAMARA SIM Swap, up to the version: https://…/sim-swap/v1")
    camara_token: SecretStr | None = Field(None, description="A bearer token that does not change")
    camara_client_id: str | None = Field(None, description="OAuth client that fetches bearer tokens instead")
    camara_client_secret: SecretStr | None = Field(None, description="Its secret")
    camara_token_url: str | None = Field(None, description="Where it fetches them")
    camara_scope: str | None = Field("sim-swap:check", description="The scope it asks for")
    passkey_rp_id: Domain | None = Field(None, description="Domain of passkeys: the issuer's host, or one above it")
    passkey_origins: Origins = Field((), description="Other origins that may use them, as in https://bank.example.org")
    passkey_roots: Certificates | None = Field(None, description="PEM file of makers whose word counts on hardware")
    trusted_proxies: Networks = Field(
        (), description="Networks of proxies that are believed, and may ask /forward-auth"
    )
    trusted_networks: Networks = Field((), description="Networks exempt from the limits per address")
    dev: bool = Field(default=False, description="Show the message inbox at /dev/outbox; loopback issuers only")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe line written")
    log_format: Literal["json", "text"] = Field("json", description="json for machines, text for people")
    metrics: str | None = Field("127.0.0.1:9464", description="host:port of /metrics, or off")
    pool_size: int = Field(10, ge=2, le=200, description="Database connections of each worker")

    @field_validator("issuer")
    @classmethod
    def _issuer(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
            raise ValueError("must be a URL such as https://login.example.com")
        if parts.query or parts.fragment or "?" in value or "#" in value:
            raise ValueError("must not have a query or a fragment (OIDC Discovery 3)")
        if value.endswith("/"):
            raise ValueError("must not end with a slash: clients compare it letter by letter")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("must be https; http is accepted on localhost only")
        return value

    @field_validator("database_url")
    @classmethod
    def _database_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        return SecretStr(read_database_url(value.get_secret_value()))

    @field_validator("secret_keys")
    @classmethod
    def _secret_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and (problems := parse_secret_keys(value.get_secret_value())[1]):
            raise ValueError("; ".join(problems))
        return value

    @field_validator("passkey_rp_id")
    @classmethod
    def _above_the_issuer(cls, value: str | None, field: ValidationInfo) -> str | None:
        check_domain(value, field.data.get("issuer", ""))
        return value

    @field_validator("policy", "spending", "brand_logo")
    @classmethod
    def _file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError("names no file: it does not exist, or is a directory")
        return value

    @field_validator("templates")
    @classmethod
    def _directory(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError("names a directory that does not exist")
        return value

    @field_validator("brand_colour")
    @classmethod
    def _colour(cls, value: str) -> str:
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
            raise ValueError("must be written #rrggbb, as in #1d4ed8")
        return value.lower()

    @field_validator("help_url", "privacy_url", "receipt_url")
    @classmethod
    def _url(cls, value: str | None, field: ValidationInfo) -> str | None:
        may_be_off = field.field_name == "receipt_url"
        if may_be_off and value == "off":
            return value
        if value is not None and urlsplit(value).scheme not in {"http", "https"}:
            raise ValueError(f"must be an http or https URL{', or off' if may_be_off else ''}")
        return value

    @field_validator("smspm_url", "twilio_url", "vonage_url", "webhook_url")
    @classmethod
    def _codes_go_there(cls, value: str | None) -> str | None:
        if value is not None:
            _for_secrets(value, "codes and credentials", "https://sms.example.com/send")
        return value

    @field_validator("camara_url", "camara_token_url")
    @classmethod
    def _numbers_go_there(cls, value: str | None) -> str | None:
        if value is None:
            return None
        _for_secrets(value, "numbers and tokens", "https://api.example.com/sim-swap/v1")
        return value.rstrip("/")

    @field_validator("camara_token")
    @classmethod
    def _bearer(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[\x21-\x7e]+", value.get_secret_value()):
            raise ValueError("must be one word of visible ASCII characters")
        return value

    @field_validator("number_intel")
    @classmethod
    def _nobody(cls, value: str | None) -> str | None:
        return None if value is None or value.lower() in {"off", "none"} else value

    @field_validator("twilio_account_sid", "twilio_api_key")
    @classmethod
    def _sid(cls, value: str | None, field: ValidationInfo) -> str | None:
        kind = "AC" if field.field_name == "twilio_account_sid" else "SK"
        if value is not None and not re.fullmatch(f"{kind}[0-9a-fA-F]{{32}}", value):
            raise ValueError(f"must be {kind} and 32 hexadecimal digits, as Twilio's console shows it")
        return value

    @field_validator("sms_region")
    @classmethod
    def _sms_region(cls, value: str | None) -> str | None:
        if value is not None and value not in SUPPORTED_REGIONS:
            raise ValueError("must be an ISO region such as EE or US (GB, not UK)")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _webhook_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and webhook_key(value.get_secret_value()) is None:
            raise ValueError("must be whsec_ and 24 to 64 random bytes in base64")
        return value

    @field_validator("metrics")
    @classmethod
    def _metrics(cls, value: str | None) -> str | None:
        if value is None or value.lower() in {"off", "none"}:
            return None
        host, colon, port = value.rpartition(":")
        if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError("must be host:port, as in 127.0.0.1:9464, or off")
        return value

    def key_chain(self) -> KeyChain | None:
        """The operator's keys; None when none are set (the embedded mode then makes its own)."""
        if self.secret_keys is None:
            return None
        return KeyChain(parse_secret_keys(self.secret_keys.get_secret_value())[0])

    def gateways_for(self, region: str | None) -> tuple[str, ...]:
        """Gateways for numbers of a country (ISO 3166), in order of preference; None is a number of no country."""
        return self.sms_gateways.of(region)

    def gateway_names(self) -> tuple[str, ...]:
        """Every gateway that any country uses, once, in order of first mention: what has to be opened."""
        return tuple(dict.fromkeys(name for order in self.sms_gateways.values() for name in order))

    @property
    def gateways_to_open(self) -> tuple[str, ...]:
        """Those of `gateway_names`, and the one for e-mail where it is set up."""
        return (*self.gateway_names(), *(() if self.smtp_url is None else ("smtp",)))

    @property
    def secure(self) -> bool:
        """Whether browsers reach us over https, which decides the names and flags of cookies."""
        return self.issuer.startswith("https://")

    @property
    def loopback(self) -> bool:
        """Whether the issuer is on this very machine."""
        return urlsplit(self.issuer).hostname in LOOPBACK


def _for_secrets(url: str, what: str, example: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment:
        raise ValueError(f"must be a URL such as {example}")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError(f"must be https: {what} are sent there")


def names_this_machine(host: str) -> bool:
    """Whether a Host header is one of this machine's own names.

    By any other, a page from elsewhere reads what is meant for who sits here: its name may lead here, too.
    """
    return _HERE.fullmatch(host) is not None
