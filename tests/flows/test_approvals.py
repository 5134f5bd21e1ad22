"""Approving one thing as what it is: pushed, shown from the stored bytes, approved with one code, told in the token."""

import json
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.world.provider import BANK_URI, Browser, Provider, claims, parameters

PAYMENT = {
    "type": "payment",
    "amount": {"amount": "1250.00", "currency": "EUR"},
    "payee": "Maria Silva",
    "account": "DE89370400440532013000",
}


@pytest.fixture
async def paying(bare: Provider, provider: Provider) -> Provider:
    """The provider with a bank that may ask for payments."""
    await provider.add_client(
        "payments", BANK_URI, name="Acme Payments", details_types=frozenset({"payment"}), signing_alg="ES256"
    )
    return provider


async def push(provider: Provider, client_id: str = "payments", **changes: Any) -> httpx.Response:
    given: dict[str, Any] = {
        "redirect_uri": BANK_URI,
        "response_type": "code",
        "state": "s",
        "nonce": "n",
        "code_challenge": provider.pkce.challenge,
        "code_challenge_method": "S256",
        "authorization_details": json.dumps([PAYMENT]),
        **changes,
    }
    form = {name: value for name, value in given.items() if value is not None}
    async with provider.browser().http as http:
        return await http.post("/par", data=form, auth=(client_id, provider.secrets[client_id]))


def at(pushed: httpx.Response, client_id: str = "payments") -> str:
    assert pushed.status_code == 201, pushed.text
    return "/authorize?" + urlencode({"client_id": client_id, "request_uri": pushed.json()["request_uri"]})


async def signed_in(provider: Provider, username: str = "alice") -> Browser:
    browser = provider.browser()
    await provider.sign_in(browser, username)
    return browser


async def redeem(provider: Provider, code: str) -> httpx.Response:
    return await provider.token(
        "payments",
        grant_type="authorization_code",
        code=code,
        redirect_uri=BANK_URI,
        code_verifier=provider.pkce.verifier,
    )


async def test_a_payment_is_shown_approved_with_one_code_and_told_in_its_token(paying: Provider) -> None:
    browser = await signed_in(paying)
    page = await browser.get(at(await push(paying)))
    assert page.status_code == 200
    for shown in ("EUR 1,250.00", "Maria Silva", "DE89 3704 0044 0532 0130 00", "Acme Payments"):
        assert shown in page.text
    answer = parameters(await browser.submit("/totp", code=paying.totp()))
    assert answer["state"] == "s"
    tokens = (await redeem(paying, answer["code"])).json()
    told = tokens["authorization_details"]
    assert {name: told[0][name] for name in PAYMENT} == PAYMENT
    assert told[0]["approved_at"] == int(paying.clock.now().timestamp())
    access = claims(tokens["access_token"])
    assert access["authorization_details"] == told
    assert access["acr"] == "urn:stile:2fa-strong"
    assert (await paying.introspect(tokens["access_token"], "payments"))["authorization_details"] == told
