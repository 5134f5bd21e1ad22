"""What an operator says about a person, and what userinfo then tells."""

import pytest

from idp.flows.operate.claims import parse_claims
from idp.flows.operate.editing import set_claims
from idp.flows.operate.people import NotAcceptable
from tests.world.provider import Provider

ADDRESS = {"locality": "Tallinn", "country": "EE"}


async def test_a_person_has_an_address_and_a_phone_for_clients_that_ask(provider: Provider) -> None:
    await set_claims(provider.idp, "alice", ["given_name=Alice", "address.locality=Tallinn", "address.country=EE"])
    code = await provider.code(provider.browser(), scope="openid profile address phone")
    token = (await provider.redeem(code)).json()["access_token"]
    async with provider.browser().http as http:
        told = (await http.get("/userinfo", headers={"Authorization": f"Bearer {token}"})).json()
    assert told["address"] == ADDRESS
    assert told["given_name"] == "Alice"
    assert told["phone_number"] == "+37256789045"
    assert told["phone_number_verified"] is True


async def test_an_empty_value_removes_a_claim(provider: Provider) -> None:
    await set_claims(provider.idp, "alice", ["nickname=Al", "address.locality=Tallinn"])
    person = await set_claims(provider.idp, "alice", ["nickname=", "address.locality="])
    assert person.account.claims == {}


@pytest.mark.parametrize("birthdate", ["1815-12-10", "1815", "0000-02-29"])
def test_a_birthdate_is_a_date_a_year_or_a_day_without_one(birthdate: str) -> None:
    assert parse_claims([f"birthdate={birthdate}"]) == {"birthdate": birthdate}


@pytest.mark.parametrize("birthdate", ["tomorrow", "10.12.1815", "1815-13-01", "1815-12", "18151210", "1815-W50-7"])
def test_anything_else_is_no_birthdate(birthdate: str) -> None:
    with pytest.raises(NotAcceptable, match="birthdate"):
        parse_claims([f"birthdate={birthdate}"])


@pytest.mark.parametrize(
    "pair", ["sub=somebody", "email=x@example.com", "given_name", "=x", "nickname=a\x00b", "nickname=" + "x" * 501]
)
def test_what_is_no_claim_or_no_text_is_refused(pair: str) -> None:
    with pytest.raises(NotAcceptable):
        parse_claims([pair])
