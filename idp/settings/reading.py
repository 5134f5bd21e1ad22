"""Settings out of the environment and files, once; what does not go together is a mistake like any other."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from idp.errors import SettingsError
from idp.settings.table import Settings

PREFIX = "IDP_"
POLICY_FILE = "policy.toml"
_NEEDED_BY_GATEWAY = {
    "smspm": ("smspm_hash", "smspm_token"),
    "twilio": ("twilio_account_sid", "twilio_auth_token", "twilio_from"),
    "smtp": ("smtp_url", "smtp_from"),
    "vonage": ("vonage_api_key", "vonage_api_secret", "vonage_from"),
    "webhook": ("webhook_url", "webhook_secret"),
}


def missing_for(gateway: str, settings: Settings) -> list[str]:
    """What one of our gateways needs and is not set, one sentence each."""
    return [
        f"{PREFIX}{name.upper()} is missing: the SMS gateway {gateway!r} needs it"
        for name in _NEEDED_BY_GATEWAY.get(gateway, ())
        if getattr(settings, name) is None
    ]


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from variables. Raises `SettingsError` with every mistake by its variable; no value is repeated."""
    given: dict[str, str] = {}
    problems: list[str] = []
    fields = Settings.model_fields
    for variable, value in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable.startswith("IDP_TEST_"):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name in fields:
            if value != "":
                given[name] = value
        elif (plain := name.removesuffix("_file")) in fields and plain != name:
            if environ.get(PREFIX + plain.upper()):
                problems.append(f"{variable} and {PREFIX}{plain.upper()} are both set: keep one")
                continue
            try:
                given[plain] = Path(value).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                problems.append(f"{variable} names a file that cannot be read")
                continue
            if not given[plain]:
                del given[plain]
                problems.append(f"{variable} names a file that is empty")
        else:
            problems.append(f"{variable} is not a setting of Stile: see the table in the README")
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        mistakes = error.errors(include_input=False, include_url=False, include_context=False)
        told = (f"{PREFIX}{str(each['loc'][0]).upper()} {_sentence(each['type'], each['msg'])}" for each in mistakes)
        problems += dict.fromkeys(told)  # what may be one of two things is refused as each of them
    problems += _combinations(settings) if settings else []
    if problems or settings is None:
        raise SettingsError(problems)
    return _with_policy_beside(settings)


def _with_policy_beside(settings: Settings) -> Settings:
    """With the policy that lies beside the embedded database, as the demonstration puts its own, if none is named."""
    beside = settings.data_dir / POLICY_FILE
    if settings.policy is None and settings.database_url is None:
        with suppress(OSError):  # what is in a directory that may not be looked at is not ours
            if beside.is_file():
                return settings.model_copy(update={"policy": beside})
    return settings


_KINDS = {
    "bool_parsing": "must be true or false",
    "int_parsing": "must be a whole number",
    "ip_v4_network": "must be networks such as 10.0.0.0/8 or 2001:db8::/32, divided by spaces",
    "ip_v6_network": "must be networks such as 10.0.0.0/8 or 2001:db8::/32, divided by spaces",
}


def _sentence(kind: str, text: str) -> str:
    """What a value must be, for operators: the validator speaks to programmers."""
    text = text.removeprefix("Value error, ").replace("Input should be", "must be")
    return _KINDS.get(kind, f"{text[:1].lower()}{text[1:]}")


_CAMARA_CLIENT = ("camara_client_id", "camara_client_secret", "camara_token_url")


def missing_for_intel(name: str | None, settings: Settings) -> list[str]:
    """What one of our ways to ask about numbers needs and is not set, or sets twice, one sentence each."""
    if name != "camara":
        return []
    given = [each for each in _CAMARA_CLIENT if getattr(settings, each) is not None]
    needed = ("camara_url", *(_CAMARA_CLIENT if given else ()))
    problems = [
        f"{PREFIX}{each.upper()} is missing: IDP_NUMBER_INTEL=camara needs it"
        for each in needed
        if getattr(settings, each) is None
    ]
    if settings.camara_token is not None and given:
        problems.append("IDP_CAMARA_TOKEN and IDP_CAMARA_CLIENT_ID are two ways to get a token: keep one")
    if settings.camara_token is None and not given:
        problems.append(
            "IDP_CAMARA_CLIENT_ID, IDP_CAMARA_CLIENT_SECRET and IDP_CAMARA_TOKEN_URL are missing: "
            "IDP_NUMBER_INTEL=camara needs them, or IDP_CAMARA_TOKEN alone"
        )
    return problems


def _combinations(settings: Settings) -> list[str]:
    problems = [problem for gateway in settings.gateway_names() for problem in missing_for(gateway, settings)]
    problems += missing_for_intel(settings.number_intel, settings)
    if (settings.twilio_api_key is None) != (settings.twilio_api_secret is None):
        problems.append(
            "IDP_TWILIO_API_KEY and IDP_TWILIO_API_SECRET belong together: the SMS gateway 'twilio' needs both or none"
        )
    if settings.dev and not settings.loopback:
        problems.append("IDP_DEV shows one-time codes to anybody: it is accepted with a localhost issuer only")
    if settings.database_url is not None and settings.secret_keys is None:
        problems.append("IDP_SECRET_KEYS is missing: make one with `idp keys secret` and keep it outside the database")
    if "smtp" in settings.gateway_names():
        problems.append("IDP_SMS_GATEWAYS names `smtp`, which carries no text messages: IDP_SMTP_URL is all it needs")
    if (settings.smtp_url is None) != (settings.smtp_from is None):
        problems.append("IDP_SMTP_URL and IDP_SMTP_FROM belong together: the gateway 'smtp' needs both or none")
    if ("console",) in settings.sms_gateways.values() and not settings.loopback:
        problems.append(
            "IDP_SMS_GATEWAYS is only `console`, which prints codes instead of sending them: name a gateway"
        )
    return problems
