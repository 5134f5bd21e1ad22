"""Two people, one browser: nothing of the first one may serve the second."""

from datetime import timedelta
from uuid import UUID

from idp.web import door
from tests.world.provider import PASSWORD, Provider


async def test_a_code_sent_to_one_person_does_not_sign_another_in(provider: Provider) -> None:
    # The attacker holds alice's phone and knows bob's password; bob's number was texted just now, so it is not again.
    elsewhere = provider.browser(address="192.0.2.7")
    await elsewhere.get(provider.authorize_url())
    await elsewhere.submit("/password", username="bob", password=PASSWORD)
    attacker = provider.browser()
    await attacker.get(provider.authorize_url())
    password_form = attacker.form("/password")
    csrf = next(each.value for each in password_form.fields if each.name == "csrf")
    await attacker.submit("/password", username="alice", password=PASSWORD)
    await attacker.ask_for_text()
    codes = await provider.deliver()
    alices_form = attacker.form("/sms")
    typed = {"csrf": csrf, "username": "bob", "password": PASSWORD}
    page = await attacker.post(password_form.action, typed)
    assert page.status_code == 200
    assert "/sms/send" in page.text
    session_id = UUID(hex=(attacker.token or "").partition(".")[0])
    for action, status in ((f"{page.url.path}/sms", 400), (alices_form.action, 200)):
        token = door.csrf(provider.idp, session_id, action)
        for code in codes:
            refused = await attacker.post(action, {"csrf": token, "code": code})
            assert refused.status_code == status
    assert (await attacker.get(provider.authorize_url(prompt="none"))).headers["location"].count("error=login_required")


async def test_somebody_else_signing_in_ends_the_first_session(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser, "alice")
    before = browser.token
    provider.clock.move(timedelta(seconds=1))
    await browser.get(provider.authorize_url(prompt="login"))
    await browser.submit("/password", username="bob", password=PASSWORD)
    stale = provider.browser()
    assert before is not None
    stale.http.cookies.set("stile", before)
    answer = await stale.get(provider.authorize_url(prompt="none"))
    assert "error=login_required" in answer.headers["location"]
