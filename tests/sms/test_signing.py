"""Signatures: right, wrong, old, changed, missing. The values are published by the providers, or made by hand here."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from idp.crypto import webhook_key
from idp.sms import signing
from idp.testing import MOMENT

# The example of Twilio's security page, and that of the Standard Webhooks specification.
TWILIO_URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
TWILIO_FIELDS = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}
KEY = webhook_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") or b""
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
BODY = b'{"test": 2432232314}'
SIGNED_AT = datetime.fromtimestamp(1614265330, UTC)


def test_twilios_own_example_fits() -> None:
    assert signing.twilio("12345", TWILIO_URL, TWILIO_FIELDS.items()) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


@pytest.mark.parametrize(
    ("url", "urls"),
    [
        ("https://a.example/x?y=1", {"https://a.example/x?y=1", "https://a.example:443/x?y=1"}),
        ("https://a.example:443/x", {"https://a.example/x", "https://a.example:443/x"}),
        ("https://a.example:8443/x", {"https://a.example/x", "https://a.example:8443/x"}),
        ("http://a.example/x", {"http://a.example/x", "http://a.example:80/x"}),
        ("https://[::1]:8443/x", {"https://[::1]/x", "https://[::1]:8443/x"}),
        ("https://[::1/x", {"https://[::1/x"}),
        ("gopher://a/x", {"gopher://a/x"}),
    ],
)
def test_twilio_may_have_signed_the_url_with_or_without_its_port(url: str, urls: set[str]) -> None:
    assert set(signing.twilio_urls(url)) == urls


def test_vonage_signs_values_with_their_ampersands_and_equals_signs_replaced() -> None:
    fields = {"b": "2&3=4", "a": "1", "sig": "ignored"}
    for algorithm in ("sha256", "sha512"):
        by_hand = hmac.new(b"s3cret", b"&a=1&b=2_3_4", algorithm).hexdigest()
        assert signing.vonage("s3cret", fields, like=by_hand) == by_hand


@pytest.mark.parametrize("algorithm", [hashlib.md5, hashlib.sha1])
def test_a_weak_signature_of_vonage_is_none(algorithm: object) -> None:
    weak = hmac.new(b"s3cret", b"&a=1", algorithm).hexdigest()  # type: ignore[call-overload] # a constructor
    assert signing.vonage("s3cret", {"a": "1"}, like=weak) is None
    assert signing.vonage("s3cret", {"a": "1"}, like="") is None


def test_the_example_of_standard_webhooks_fits() -> None:
    assert signing.webhook_signed(KEY, HEADERS, BODY, now=SIGNED_AT)


def test_one_of_several_signatures_is_enough() -> None:
    both = f"v1,AAAA v2,BBBB {HEADERS['webhook-signature']}"
    assert signing.webhook_signed(KEY, HEADERS | {"webhook-signature": both}, BODY, now=SIGNED_AT)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_other"},
        {"webhook-id": ""},
        {"webhook-timestamp": "1614265331"},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "soon"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": HEADERS["webhook-signature"].replace("v1", "v1a")},
        {"webhook-signature": HEADERS["webhook-signature"].removeprefix("v1,")},
        {"webhook-signature": "ü\udcff"},
    ],
)
def test_a_changed_header_is_not_signed(change: dict[str, str]) -> None:
    assert not signing.webhook_signed(KEY, HEADERS | change, BODY, now=SIGNED_AT)


@pytest.mark.parametrize("name", HEADERS)
def test_a_missing_header_is_not_signed(name: str) -> None:
    some = {other: value for other, value in HEADERS.items() if other != name}
    assert not signing.webhook_signed(KEY, some, BODY, now=SIGNED_AT)


def test_a_changed_body_and_another_key_are_not_signed() -> None:
    assert not signing.webhook_signed(KEY, HEADERS, BODY + b" ", now=SIGNED_AT)
    assert not signing.webhook_signed(KEY[:-1], HEADERS, BODY, now=SIGNED_AT)


def test_an_event_without_an_id_is_not_signed_even_if_its_signature_fits() -> None:
    signature = signing.webhook(KEY, event_id="", timestamp="1614265330", body=BODY)
    headers = HEADERS | {"webhook-id": "", "webhook-signature": signature}
    assert not signing.webhook_signed(KEY, headers, BODY, now=SIGNED_AT)


@pytest.mark.parametrize(("seconds", "good"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_a_signature_is_good_for_five_minutes(seconds: int, good: bool) -> None:
    now = SIGNED_AT + timedelta(seconds=seconds)
    assert signing.webhook_signed(KEY, HEADERS, BODY, now=now) is good


@pytest.mark.parametrize("text", ["", "-1", "1e9", "١٢٣", "9" * 400, " 1768478400", "1768478400.0"])
def test_what_is_no_time_is_not_recent(text: str) -> None:
    assert not signing.recent(text, MOMENT)
    assert signing.recent("1768478400", MOMENT)
