"""Receipt URLs are open to the world: whatever comes is read, refused, or says nothing, and never breaks a gateway."""

import json
from datetime import datetime

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from idp.model.regions import ByRegion
from idp.sms import BadSignature, Callback, Gateway
from idp.sms.console import ConsoleGateway
from idp.sms.smspm import SmspmGateway
from idp.sms.twilio import TwilioGateway
from idp.sms.vonage import VonageGateway
from idp.sms.webhook import WebhookGateway
from idp.testing import MOMENT

CLIENT = httpx.AsyncClient()
ANY = ByRegion("Acme")
GATEWAYS: dict[str, Gateway] = {
    "console": ConsoleGateway(None),  # type: ignore[arg-type] # nothing is sent
    "smspm": SmspmGateway(CLIENT, account="a", token="b", senders=ANY, url="https://x.example"),
    "twilio": TwilioGateway(CLIENT, account="A", user="u", secret="s", token="t", senders=ANY, url="https://x.example"),
    "vonage": VonageGateway(CLIENT, key="k", secret="s", signature="g", senders=ANY, url="https://x.example"),
    "unsigned vonage": VonageGateway(CLIENT, key="k", secret="s", signature=None, senders=ANY, url="https://x.example"),
    "webhook": WebhookGateway(CLIENT, "https://x.example", b"0" * 32),
}
UNSIGNED = {"console", "smspm", "unsigned vonage"}

WORDS = st.sampled_from(
    ["id", "messageId", "status", "data", "type", "message.status", "delivered", "sig", "timestamp", "1"]
)
TEXT = WORDS | st.text() | st.text(st.characters(codec=None))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(WORDS | st.text(), inner),
)
BODIES = st.binary() | JSON.map(lambda value: json.dumps(value).encode())
NAMES = st.sampled_from(["x-twilio-signature", "webhook-id", "webhook-timestamp", "webhook-signature", "content-type"])
CALLBACKS = st.builds(
    Callback,
    method=st.sampled_from(["GET", "POST", "HEAD", "PUT", ""]),
    url=st.sampled_from(["https://login.example.com/receipts/x", "https://[", "http://a:b/", ""]) | st.text(),
    query=st.dictionaries(TEXT, TEXT),
    headers=st.dictionaries(NAMES, TEXT),
    body=BODIES,
    received_at=st.just(MOMENT)
    | st.datetimes(datetime(1970, 1, 2), datetime(9999, 1, 1)).map(  # noqa: DTZ001
        lambda at: at.replace(tzinfo=MOMENT.tzinfo)
    ),
)


@pytest.mark.parametrize("name", GATEWAYS)
@settings(deadline=None, max_examples=60)
@given(callback=CALLBACKS)
@example(callback=Callback("POST", "https://a/", body=b"=" * 100_000 + b"&" * 100_000, received_at=MOMENT))
@example(callback=Callback("POST", "https://a/", body=b"[" * 100_000, received_at=MOMENT))
@example(callback=Callback("POST", "https://a/", body=b'{"messageId":' + b"9" * 5000 + b"}", received_at=MOMENT))
@example(callback=Callback("POST", "https://a/", body=b'{"messageId":1e999,"status":"x"}', received_at=MOMENT))
def test_whatever_calls_back_never_breaks_a_gateway(name: str, callback: Callback) -> None:
    try:
        receipts = GATEWAYS[name].receipt(callback)
    except BadSignature:
        return
    assert name in UNSIGNED, "nobody guesses a signature"
    assert all(0 < len(receipt.provider_id) <= 128 for receipt in receipts)
