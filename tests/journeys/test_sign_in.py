"""What a person does: sign in, open the other application, move money."""

from tests.world.provider import Provider, claims, parameters


async def test_a_person_signs_in_with_password_and_text_message(provider: Provider) -> None:
    browser = provider.browser()
    answer = parameters(await provider.sign_in(browser))
    assert answer["state"] == "s t&a=te"
    assert answer["iss"] == "http://localhost:8000"
    tokens = (await provider.redeem(answer["code"])).json()
    found = claims(tokens["id_token"])
    assert found["acr"] == "urn:stile:2fa"
    assert found["amr"] == ["pwd", "sms", "mfa"]
    assert found["nonce"] == "n-0"


async def test_the_second_application_opens_without_a_question(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    assert "code" in parameters(await browser.get(provider.authorize_url("notes")))


async def test_a_transfer_asks_for_the_app_on_one_page_that_says_what_for(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    page = await browser.get(provider.authorize_url(scope="openid transfers:write"))
    assert page.status_code == 200
    for shown in ("authenticator app", "Acme Bank", "Make transfers"):
        assert shown in page.text
    answer = parameters(await browser.submit("/totp", code=provider.totp()))
    tokens = (await provider.redeem(answer["code"])).json()
    found = claims(tokens["access_token"])
    assert found["acr"] == "urn:stile:2fa-strong"
    assert "transfers:write" in found["scope"].split()


async def test_a_person_without_an_app_cannot_move_money(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser, "bob")
    answer = parameters(await browser.get(provider.authorize_url(scope="openid transfers:write")))
    assert answer["error"] == "unmet_authentication_requirements"
    assert "code" not in answer
