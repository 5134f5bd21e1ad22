"""What an operator may set about gateways, and what is said about mistakes."""

from pathlib import Path

import pytest

from idp.crypto import new_secret_key
from idp.errors import SettingsError
from idp.settings import Settings, read_settings

ISSUER = {"IDP_ISSUER": "https://login.example.com"}
SMSPM = {"IDP_SMSPM_HASH": "sesame-1", "IDP_SMSPM_TOKEN": "sesame-2"}
TWILIO = {"IDP_TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "IDP_TWILIO_AUTH_TOKEN": "sesame-3", "IDP_TWILIO_FROM": "Acme"}
VONAGE = {"IDP_VONAGE_API_KEY": "abcd", "IDP_VONAGE_API_SECRET": "sesame-4", "IDP_VONAGE_FROM": "Acme"}
SECRET = "whsec_" + "c2VzYW1l" * 4
WEBHOOK = {"IDP_WEBHOOK_URL": "https://sms.example.com/", "IDP_WEBHOOK_SECRET": SECRET}


def wrong(**variables: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_settings(variables)
    return caught.value.problems


def read(gateways: str, **more: str) -> Settings:
    return read_settings(ISSUER | SMSPM | TWILIO | VONAGE | WEBHOOK | {"IDP_SMS_GATEWAYS": gateways} | more)


def test_one_order_holds_for_every_country() -> None:
    settings = read("smspm, twilio")
    assert settings.gateways_for("EE") == settings.gateways_for(None) == ("smspm", "twilio")
    assert settings.gateway_names() == ("smspm", "twilio")


def test_a_country_has_an_order_of_its_own() -> None:
    settings = read("smspm  twilio, US = twilio+vonage, IN=webhook")
    assert settings.gateways_for("EE") == ("smspm", "twilio")
    assert settings.gateways_for("US") == ("twilio", "vonage")
    assert settings.gateways_for("IN") == ("webhook",)
    assert settings.gateways_for(None) == ("smspm", "twilio")
    assert settings.gateway_names() == ("smspm", "twilio", "vonage", "webhook")


def test_a_sender_may_differ_by_country() -> None:
    sender = read("smspm", IDP_SMSPM_FROM="Acme Bank, US=+12025550100, IN=ACMEIN").smspm_from
    assert [sender.of(region) for region in ("EE", None, "US", "IN")] == [
        "Acme Bank",
        "Acme Bank",
        "+12025550100",
        "ACMEIN",
    ]


@pytest.mark.parametrize(
    ("gateways", "said"),
    [
        ("smspm, UK=twilio", "UK is no country (GB, not UK)"),
        ("smspm, ee=twilio", "ee is no country (as in EE)"),
        ("smspm, sesame-9=twilio", "what stands before = must be one"),
        ("smspm, EE=twilio, EE=vonage", "names EE twice"),
        ("EE=twilio", "needs one for all other countries"),
        ("smspm, EE=", "must hold names of gateways"),
        ("smspm, EE=twilio+", "must hold names of gateways"),
        ("smspm twilio smspm", "names a gateway twice"),
        (",", "needs one for all other countries"),
        ("console", "which prints codes instead of sending"),
        ("smspm, EE=console", "which prints codes instead of sending"),
    ],
)
def test_a_wrong_order_is_refused_at_the_start(gateways: str, said: str) -> None:
    (problem,) = wrong(**ISSUER, **SMSPM, **TWILIO, **VONAGE, IDP_SMS_GATEWAYS=gateways)
    assert problem.startswith("IDP_SMS_GATEWAYS ")
    assert said in problem
    assert "sesame" not in problem


@pytest.mark.parametrize(
    ("sender", "said"),
    [
        ("Acme, Bank", "more than one sender"),
        ("US=+12025550100", "needs one for all other countries"),
        ("Acme Bank of X", "at most 11 letters"),
        ("Acme\nBcc", "at most 11 letters"),
        ("Acme, UK=Acme", "GB, not UK"),
        ("Äcme", "at most 11 letters"),
    ],
)
def test_a_wrong_sender_is_refused_at_the_start(sender: str, said: str) -> None:
    (problem,) = wrong(**ISSUER, **SMSPM, IDP_SMS_GATEWAYS="smspm", IDP_SMSPM_FROM=sender)
    assert problem.startswith("IDP_SMSPM_FROM ")
    assert said in problem


@pytest.mark.parametrize(
    ("gateway", "given"), [("smspm", SMSPM), ("twilio", TWILIO), ("vonage", VONAGE), ("webhook", WEBHOOK)]
)
def test_what_a_gateway_lacks_is_named_with_the_gateway(gateway: str, given: dict[str, str]) -> None:
    said = wrong(**ISSUER, IDP_SMS_GATEWAYS=f"console smspm2, EE={gateway}")
    assert said == [f"{name} is missing: the SMS gateway {gateway!r} needs it" for name in given]
    settings = read_settings({**ISSUER, **given, "IDP_SMS_GATEWAYS": f"console smspm2, EE={gateway}"})
    assert gateway in settings.gateway_names()


def test_half_an_api_key_is_a_mistake() -> None:
    (problem,) = wrong(**ISSUER, **TWILIO, IDP_SMS_GATEWAYS="twilio", IDP_TWILIO_API_KEY="SK" + "0" * 32)
    assert problem.startswith("IDP_TWILIO_API_KEY and IDP_TWILIO_API_SECRET belong together")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("IDP_TWILIO_ACCOUNT_SID", "sesame", "must be AC and 32"),
        ("IDP_TWILIO_API_KEY", "AC" + "0" * 32, "must be SK and 32"),
        ("IDP_TRUSTED_PROXIES", "10.0.0.0/8 sesame", "must be networks such as"),
        ("IDP_DEV", "sesame", "must be true or false"),
        ("IDP_POOL_SIZE", "sesame", "must be a whole number"),
        ("IDP_POOL_SIZE", "1", "must be greater than or equal to 2"),
        ("IDP_LOG_LEVEL", "sesame", "must be 'debug', 'info'"),
        ("IDP_SMS_REGION", "sesame", "must be an ISO region"),
        ("IDP_TWILIO_URL", "sesame", "must be a URL such as https://"),
        ("IDP_WEBHOOK_URL", "ftp://sesame", "must be a URL such as https://"),
        ("IDP_WEBHOOK_URL", "https:///sesame", "must be a URL such as https://"),
        ("IDP_SMSPM_URL", "http://sesame.example/", "must be https: codes and credentials are sent there"),
        ("IDP_TWILIO_URL", "http://sesame.example", "must be https: codes and credentials are sent there"),
        ("IDP_VONAGE_URL", "http://sesame.example/", "must be https: codes and credentials are sent there"),
        ("IDP_WEBHOOK_URL", "http://127.0.0.1.sesame.example/", "must be https: codes and credentials are sent there"),
        ("IDP_WEBHOOK_SECRET", "sesame", "must be whsec_ and 24 to 64"),
        ("IDP_WEBHOOK_SECRET", "c2VzYW1l" * 4, "must be whsec_ and 24 to 64"),
        ("IDP_WEBHOOK_SECRET", "whsec_c2VzYW1l", "must be whsec_ and 24 to 64"),
        ("IDP_WEBHOOK_SECRET", "whsec_sesame-sesame-sesame-sesame-sesame", "must be whsec_ and 24 to 64"),
    ],
)
def test_a_value_that_cannot_be_right_is_refused_and_not_repeated(variable: str, value: str, said: str) -> None:
    (problem,) = wrong(**{variable: value})
    assert problem.startswith(f"{variable} {said}")
    assert "sesame" not in problem


@pytest.mark.parametrize(
    "name", ["TWILIO_AUTH_TOKEN", "TWILIO_API_SECRET", "VONAGE_API_SECRET", "VONAGE_SIGNATURE_SECRET"]
)
def test_a_secret_may_come_from_a_file_and_is_not_shown(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("sesame-8\n")
    given = ISSUER | TWILIO | VONAGE | {"IDP_SMS_GATEWAYS": "twilio vonage", "IDP_TWILIO_API_KEY": "SK" + "0" * 32}
    given |= {"IDP_TWILIO_API_SECRET": "sesame-7"}
    given.pop(f"IDP_{name}", None)
    settings = read_settings({**given, f"IDP_{name}_FILE": str(tmp_path / "secret")})
    assert getattr(settings, name.lower()).get_secret_value() == "sesame-8"
    assert "sesame" not in repr(settings)


def test_a_secret_in_an_empty_file_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")
    said = wrong(IDP_CAMARA_TOKEN_FILE=str(tmp_path / "secret"))
    assert said == ["IDP_CAMARA_TOKEN_FILE names a file that is empty"]


@pytest.mark.parametrize("domain", ["other.example", "ogin.example.com", "example.com.evil", "EXAMPLE.com", "a b"])
def test_the_domain_of_passkeys_is_ours_or_above(domain: str) -> None:
    for good in ("login.example.com", "example.com"):
        assert read("smspm", IDP_PASSKEY_RP_ID=good).passkey_rp_id == good
    with pytest.raises(SettingsError, match="IDP_PASSKEY_RP_ID must be"):
        read("smspm", IDP_PASSKEY_RP_ID=domain)


def test_every_setting_is_in_the_readme() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    assert [name for name in Settings.model_fields if f"`IDP_{name.upper()}`" not in readme] == []


def test_the_policy_beside_the_embedded_database_is_obeyed_unless_another_is_named(tmp_path: Path) -> None:
    here = {"IDP_DATA_DIR": str(tmp_path), "IDP_ISSUER": "http://localhost:8000"}
    assert read_settings(here).policy is None
    beside, other = tmp_path / "policy.toml", tmp_path / "other.toml"
    for file in (beside, other):
        file.write_text("[groups]\n", encoding="utf-8")
    assert read_settings(here).policy == beside
    assert read_settings(here | {"IDP_POLICY": str(other)}).policy == other
    elsewhere = {"IDP_DATABASE_URL": "postgresql://db/idp", "IDP_SECRET_KEYS": new_secret_key("k1")}
    assert read_settings(here | elsewhere).policy is None
