"""Passkeys, by a signer of our own: set up, the second step, the only step, and every lie that one can tell."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from idp.audit import PasskeyBehind
from idp.model import AssuranceLevel, Factor, Notice
from idp.store.sql import Sql
from tests.world.account_pages import codes_on, come_in, forged, having, notices, prove_app
from tests.world.authenticator import BE, BS, UP, UV, Key, Maker, keep, options_in, raw, text
from tests.world.parallel import at_once
from tests.world.provider import ALICE_PHONE, BOB_PHONE, PASSWORD, Browser, Provider, claims, parameters
from tests.world.waiting import comes

NEW = "/account/passkeys/new"
WRONG = "This passkey was not accepted"
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
_TRAIL = Sql("SELECT name, fields FROM audit_event WHERE name = ANY (:names) ORDER BY id")
_USED = Sql("SELECT count(*) FROM used_challenge")
_HOLD = Sql("SELECT FROM account WHERE username = 'alice' FOR UPDATE")
_WAITING = Sql("""
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'""")
_EVENTS = Sql("SELECT count(*) FROM authentication_event WHERE factor = 'passkey'")


async def add(browser: Browser, key: Key, *, label: str = "My phone", **more: Any) -> httpx.Response:
    """From the page of a new passkey to whatever comes of it."""
    page = await browser.get(NEW)
    return await browser.submit(NEW, code=json.dumps(key.made(options_in(page.text), **more)), label=label)


async def set_up(provider: Provider, key: Key, *, label: str = "My phone") -> Browser:
    """A passkey of alice, trusted at once because her app confirmed it."""
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    await prove_app(provider, browser, NEW)
    page = await add(browser, key, label=label)
    assert "Your passkey is set up." in page.text, page.text
    return browser


async def asked(provider: Provider, browser: Browser, **changes: Any) -> dict[str, Any]:
    """The password was right, and the page of the second step asks for the passkey: what for."""
    page = await browser.get(provider.authorize_url(**changes))
    if "/authorize/password" in page.text:
        page = await browser.submit("/password", username="alice", password=PASSWORD)
    if "Confirm with your passkey" not in page.text:
        page = await browser.get(f"{page.url.path}/passkey")
    return options_in(page.text)


async def at_the_door(provider: Provider, browser: Browser, **changes: Any) -> dict[str, Any]:
    """The page that asks who is there: what it asks a browser for."""
    return options_in((await browser.get(provider.authorize_url(**changes))).text)


async def second(browser: Browser, answer: dict[str, Any]) -> httpx.Response:
    return await browser.submit("/passkey", code=json.dumps(answer))


async def only(browser: Browser, answer: dict[str, Any]) -> httpx.Response:
    return await browser.submit("/with-passkey", code=json.dumps(answer))


async def agreed(browser: Browser) -> httpx.Response:
    """What the client is answered, after the page that asks whether it may, if there is one."""
    assert browser.page is not None
    return browser.page if browser.page.status_code == 303 else await browser.submit("/consent", decision="allow")


def with_its_cookies(provider: Provider, browser: Browser) -> Browser:
    """The same browser as it is now, whatever it is given afterwards."""
    cookies = "; ".join(f"{each.name}={each.value}" for each in browser.http.cookies.jar)
    return provider.browser(headers={"Cookie": cookies})


async def told(provider: Provider, answered: httpx.Response) -> dict[str, Any]:
    """The ID token of what the client was answered."""
    body = (await provider.redeem(parameters(answered)["code"])).json()
    return claims(body["id_token"])


async def open_passkeys(provider: Provider, username: str = "alice") -> list[dict[str, Any]]:
    found = await having(provider, username)
    return [each for each in found if each["factor"] == "passkey" and each["closed_at"] is None]


# --- what it is for ---------------------------------------------------------------------------------


async def test_a_passkey_is_set_up_and_is_the_second_step_of_the_next_sign_in(provider: Provider) -> None:
    key, browser = Key(), provider.browser()
    await set_up(provider, key)
    options = await asked(provider, browser)
    assert [each["id"] for each in options["allowCredentials"]] == [text(key.id)]
    found = await told(provider, await second(browser, key.answer(options)))
    assert (found["acr"], found["amr"]) == ("phr", ["pwd", "swk", "user", "mfa"])
    (kept,) = await open_passkeys(provider)
    assert (kept["label"], kept["sign_count"], kept["transports"]) == ("My phone", 2, ["hybrid", "internal"])
    assert provider.clock.now() - kept["last_used_at"] < timedelta(seconds=1)


async def test_a_passkey_that_knows_who_holds_it_signs_in_without_a_password(provider: Provider) -> None:
    key, browser = Key(), provider.browser()
    await set_up(provider, key)
    answered = await only(browser, key.answer(await at_the_door(provider, browser)))
    found = await told(provider, answered)
    assert (found["acr"], found["amr"], found["auth_time"]) == (
        "phr",
        ["swk", "user", "mfa"],
        int(provider.clock.now().timestamp()),
    )
    # signed in for every other application too, by the cookie that it brought
    assert "code" in parameters(await browser.get(provider.authorize_url("notes", prompt="none")))


async def test_it_opens_a_transfer_and_only_the_one_that_it_was_asked_for(provider: Provider) -> None:
    key, browser = Key(), provider.browser()
    await set_up(provider, key)
    await only(browser, key.answer(await at_the_door(provider, browser)))
    page = await browser.get(provider.authorize_url(scope="openid transfers:write"))
    assert "Confirm with your passkey" in page.text
    assert "text message is not enough" in page.text
    await second(browser, key.answer(options_in(page.text)))
    found = await told(provider, await agreed(browser))
    assert found["acr"] == "phr"
    silent = await browser.get(provider.authorize_url(scope="openid transfers:write", prompt="none"))
    assert parameters(silent)["error"] == "interaction_required"


@pytest.mark.parametrize("wish", [{"prompt": "login"}, {"max_age": "0"}, {"max_age": "60"}])
async def test_who_must_sign_in_again_may_do_so_with_the_passkey_alone(
    provider: Provider, wish: dict[str, str]
) -> None:
    key, browser = Key(), provider.browser()
    await set_up(provider, key)
    await only(browser, key.answer(await at_the_door(provider, browser)))
    provider.clock.move(2 * MINUTE)
    options = await at_the_door(provider, browser, **wish)
    found = await told(provider, await only(browser, key.answer(options)))
    assert found["auth_time"] == int(provider.clock.now().timestamp())


async def test_another_person_than_the_one_asked_for_is_told_to_the_client(provider: Provider) -> None:
    alice, bob = Key(), Key()
    await keep(provider, alice)
    await keep(provider, bob, "bob")
    browser, other = provider.browser(), provider.browser()
    code = parameters(await only(browser, alice.answer(await at_the_door(provider, browser))))["code"]
    hint = (await provider.redeem(code)).json()["id_token"]
    answered = await only(other, bob.answer(await at_the_door(provider, other, id_token_hint=hint)))
    assert parameters(answered)["error"] == "login_required"
    answered = await only(browser, alice.answer(await at_the_door(provider, browser, id_token_hint=hint, max_age="0")))
    assert "code" in parameters(answered)


async def test_signing_in_with_it_is_choosing_an_account(provider: Provider) -> None:
    key, browser = Key(), provider.browser()
    await keep(provider, key)
    answered = await only(browser, key.answer(await at_the_door(provider, browser, prompt="select_account")))
    assert "code" in parameters(answered)
    assert "Choose an account" in (await browser.get(provider.authorize_url(prompt="select_account"))).text


async def test_a_client_may_ask_for_it_by_its_acr(provider: Provider) -> None:
    key, browser = Key(), provider.browser()
    await set_up(provider, key)
    await provider.sign_in(browser)  # by text message
    page = await browser.get(provider.authorize_url(acr_values="phr"))
    found = await told(provider, await second(browser, key.answer(options_in(page.text))))
    assert found["acr"] == "phr"


async def test_who_has_no_passkey_is_told_to_the_client_that_must_have_one(provider: Provider) -> None:
    browser, must = provider.browser(), json.dumps({"id_token": {"acr": {"essential": True, "value": "phr"}}})
    await browser.get(provider.authorize_url(claims=must))
    page = await browser.submit("/password", username="bob", password=PASSWORD)
    assert parameters(page)["error"] == "unmet_authentication_requirements"


async def test_the_first_strong_one_brings_recovery_codes_and_waits_for_the_hold(provider: Provider) -> None:
    key, browser = Key(), provider.browser()
    await come_in(provider, browser)
    page = await browser.get(NEW)
    assert "only 24 hours after we have told you" in page.text
    assert len(codes_on(await add(browser, key))) == 10
    assert await notices(provider, Notice.PASSKEY_ADDED) == [BOB_PHONE]
    other = provider.browser()
    await only(other, key.answer(await at_the_door(provider, other)))
    asked_for = provider.authorize_url(scope="openid transfers:write")
    assert parameters(await other.get(asked_for))["error"] == "unmet_authentication_requirements"
    provider.clock.move(timedelta(hours=24, minutes=1))
    fresh = provider.browser()
    page = await fresh.get(asked_for)
    await only(fresh, key.answer(options_in(page.text)))
    assert "code" in parameters(await agreed(fresh))


async def test_enr_04_who_has_an_app_adds_none_with_a_text_message(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    page = await browser.get(NEW)
    assert "Confirm with your authenticator app" in page.text
    made = await forged(provider, browser, NEW, code=json.dumps(Key().made(_options(browser))))
    assert made.status_code in {303, 400}
    assert await open_passkeys(provider) == []


def _options(browser: Browser) -> dict[str, Any]:
    return {"challenge": text(bytes(56)), "user": {"id": text(bytes(16))}}


async def test_several_have_names_and_one_is_removed_in_the_middle_of_a_sign_in(provider: Provider) -> None:
    phone, laptop = Key(), Key(flags=UP | UV | BE | BS)
    owner = await set_up(provider, phone)
    page = await add(owner, laptop, label="Laptop")
    assert "<q><bdi>Laptop</bdi></q>" in page.text
    assert ("Synced to your other devices." in page.text, "On one device only." in page.text) == (True, True)
    browser = provider.browser()
    options = await asked(provider, browser)
    assert len(options["allowCredentials"]) == 2
    gone = next(each for each in await open_passkeys(provider) if each["label"] == "My phone")
    here = f"/account/authenticators/{gone['id']}"
    await owner.get(here)
    page = await owner.submit("/remove")
    assert "The passkey was removed." in page.text
    assert await notices(provider, Notice.AUTHENTICATOR_REMOVED) == [ALICE_PHONE]
    # it ended every other sign-in, half done or not; and what is left works
    assert "<h1>Sign in</h1>" in (await second(browser, phone.answer(options))).text
    assert WRONG in (await only(browser, phone.answer(await at_the_door(provider, browser)))).text
    options = await at_the_door(provider, browser)
    assert "code" in parameters(await only(browser, laptop.answer(options)))


async def test_the_one_used_again_is_known_and_a_second_on_the_same_device_is_not_made(provider: Provider) -> None:
    key = Key()
    owner = await set_up(provider, key)
    options = options_in((await owner.get(NEW)).text)
    assert [each["id"] for each in options["excludeCredentials"]] == [text(key.id)]
    page = await owner.submit(NEW, code=json.dumps(key.made(options)))
    assert "This passkey is set up already" in page.text
    assert len(await open_passkeys(provider)) == 1


# --- every lie --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lie:
    """What is said instead: of the key before it answers, and of the answer."""

    before: Callable[[Key], None] = lambda _: None
    said: dict[str, Any] | None = None
    after: Callable[[dict[str, Any]], None] = lambda _: None


def _set(**values: Any) -> Callable[[Key], None]:
    def change(key: Key) -> None:
        for name, value in values.items():
            setattr(key, name, value)

    return change


def _response(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda answer: answer["response"].update(values)


def _signature(answer: dict[str, Any]) -> None:
    answer["response"]["signature"] = text(b"\x00")


def _other_id(answer: dict[str, Any]) -> None:
    answer["id"] = answer["rawId"] = text(b"another")


LIES = {
    "origin of a copy": Lie(_set(origin="https://localhost.evil.example")),
    "origin of another port": Lie(_set(origin="http://localhost:8001")),
    "origin with a slash": Lie(_set(origin="http://localhost:8000/")),
    "no origin": Lie(said={"origin": None}),
    "another domain": Lie(_set(rp_id="evil.example")),
    "another ceremony": Lie(said={"type": "webauthn.create"}),
    "inside a page of another origin": Lie(said={"crossOrigin": True}),
    "under a page of another origin": Lie(said={"topOrigin": "https://evil.example"}),
    "nobody touched it": Lie(_set(flags=UV)),
    "another person's": Lie(_set(handle=bytes(16))),
    "a signature of one byte": Lie(after=_signature),
    "a signature of nothing": Lie(after=_response(signature="")),
    "may be copied now": Lie(_set(flags=UP | UV | BE)),
    "copied, which it may not be": Lie(_set(flags=UP | UV | BS)),
    "unknown": Lie(after=_other_id),
    "padded": Lie(after=lambda answer: answer.update(id=answer["id"] + "=", rawId=answer["rawId"] + "=")),
    "two ids": Lie(after=lambda answer: answer.update(id=text(b"x"))),
    "data cut off": Lie(after=_response(authenticatorData="AAAA")),
}
EVERY_LIE = pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())


def lied(key: Key, lie: Lie, options: dict[str, Any]) -> dict[str, Any]:
    lie.before(key)
    answer = key.answer(options, **(lie.said or {}))
    lie.after(answer)
    return answer


@EVERY_LIE
async def test_a_lie_is_no_second_step(provider: Provider, lie: Lie) -> None:
    key, browser = Key(), provider.browser()
    await set_up(provider, key)
    page = await second(browser, lied(key, lie, await asked(provider, browser)))
    assert (page.status_code, WRONG in page.text) == (400, True)
    assert await provider.idp.db.value(_EVENTS) == 0


@EVERY_LIE
async def test_a_lie_signs_nobody_in(provider: Provider, lie: Lie) -> None:
    key, browser = Key(), provider.browser()
    await set_up(provider, key)
    page = await only(browser, lied(key, lie, await at_the_door(provider, browser)))
    assert (page.status_code, WRONG in page.text) == (400, True)
    assert await provider.idp.db.value(_EVENTS) == 0


async def test_who_may_not_use_theirs_is_told_so_and_goes_on_with_the_password(provider: Provider) -> None:
    key, browser = Key(), provider.browser()
    await set_up(provider, key)
    apps = {"alice": frozenset({Factor.TOTP, Factor.SMS})}
    provider.idp.policy = replace(provider.idp.policy, groups={"alice": AssuranceLevel.TWO_FACTOR}, only=apps)
    await provider.idp.db.one(Sql("UPDATE account SET groups = '{alice}' WHERE username = 'alice'"))
    page = await only(browser, key.answer(await at_the_door(provider, browser)))
    assert (page.status_code, "does not take passkeys" in page.text) == (400, True)
    assert await provider.idp.db.value(_EVENTS) == 0


@pytest.mark.parametrize("lie", [Lie(_set(flags=UP)), Lie(_set(handle=None))], ids=["not verified", "no handle"])
async def test_what_does_as_a_second_step_may_not_do_alone(provider: Provider, lie: Lie) -> None:
    key, browser = Key(), provider.browser()
    await set_up(provider, key)
    page = await only(browser, lied(key, lie, await at_the_door(provider, browser)))
    assert (page.status_code, WRONG in page.text) == (400, True)
    options = await asked(provider, browser)
    found = await told(provider, await second(browser, lied(key, lie, options)))
    assert found["amr"] == ["pwd", "swk", "user", "mfa"]


async def test_a_touch_alone_never_signs_in_again_where_the_password_is_asked(provider: Provider) -> None:
    key, browser = Key(flags=UP), provider.browser()
    await set_up(provider, key)
    await second(browser, key.answer(await asked(provider, browser)))
    provider.clock.move(2 * MINUTE)
    page = await browser.get(provider.authorize_url(max_age="60"))
    assert "Sign in again" in page.text


NEW_LIES = {
    "origin of a copy": (Key(origin="https://evil.example"), {}),
    "another domain": (Key(rp_id="evil.example"), {}),
    "another ceremony": (Key(), {"type": "webauthn.get"}),
    "inside a page of another origin": (Key(), {"crossOrigin": True}),
    "nobody touched it": (Key(flags=UV), {}),
    "copied, which it may not be": (Key(flags=UP | UV | BS), {}),
    "an id too long": (Key(id=bytes(1024)), {}),
    "an algorithm that we do not take": (Key(algorithm=-36), {}),
}


@pytest.mark.parametrize(("key", "said"), NEW_LIES.values(), ids=NEW_LIES.keys())
async def test_a_lie_makes_no_passkey(provider: Provider, key: Key, said: dict[str, Any]) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    page = await add(browser, key, **said)
    assert (page.status_code, "This passkey cannot be used here" in page.text) == (400, True), page.text
    assert await open_passkeys(provider, "bob") == []


async def test_nobody_takes_over_a_passkey_of_somebody_else(provider: Provider) -> None:
    key, browser = Key(), provider.browser()
    await set_up(provider, key)
    await come_in(provider, browser)
    page = await add(browser, key)
    assert "This passkey is set up already" in page.text
    assert await open_passkeys(provider, "bob") == []


async def test_other_origins_may_use_them_only_as_the_operator_says(provider: Provider) -> None:
    elsewhere = "https://bank.example.org"
    browser, key = provider.browser(), Key()
    assert (await browser.get("/.well-known/webauthn")).status_code == 404
    await set_up(provider, key)
    key.origin = elsewhere
    assert WRONG in (await only(browser, key.answer(await at_the_door(provider, browser)))).text
    provider.idp.settings = provider.idp.settings.model_copy(update={"passkey_origins": (elsewhere,)})
    listed = (await browser.get("/.well-known/webauthn")).json()
    assert listed == {"origins": ["http://localhost:8000", elsewhere]}
    assert "code" in parameters(await only(browser, key.answer(await at_the_door(provider, browser))))


async def test_an_issuer_on_an_address_offers_none(provider: Provider) -> None:
    provider.idp.settings = provider.idp.settings.model_copy(update={"issuer": "http://127.0.0.1:8000"})
    page = await provider.browser().get(provider.authorize_url())
    assert "passkey" not in page.text


# --- challenges -------------------------------------------------------------------------------------


async def test_a_challenge_is_good_for_its_own_session_and_question_alone(provider: Provider) -> None:
    key, browser, other = Key(), provider.browser(), provider.browser()
    owner = await set_up(provider, key)
    here = await asked(provider, browser)
    elsewhere = {
        "another browser": await asked(provider, other),
        "the door of another browser": await at_the_door(provider, provider.browser()),
        "a registration": options_in((await owner.get(NEW)).text),
        "made up": {"challenge": text(bytes(56))},
        "empty": {"challenge": ""},
    }
    for name, options in elsewhere.items():
        await asked(provider, browser, state=name)
        assert WRONG in (await second(browser, key.answer(options))).text, name
    assert await provider.idp.db.value(_EVENTS) == 0
    fresh = await asked(provider, browser, state="another")
    assert WRONG in (await second(browser, key.answer(here))).text
    assert "code" in parameters(await second(browser, key.answer(fresh)))


async def test_an_answer_is_good_once(provider: Provider) -> None:
    key, browser = Key(count=None), provider.browser()
    await set_up(provider, key)
    page = await browser.get(provider.authorize_url(prompt="login"))
    answer = key.answer(options_in(page.text))
    form = browser.form("/with-passkey")
    assert "code" in parameters(await only(browser, answer))
    provider.clock.move(MINUTE)  # nothing is forgiven any more
    page = await browser.get(provider.authorize_url(prompt="login"))
    fields = {each.name: each.value for each in browser.form("/with-passkey").fields}
    again = await browser.post(form.action, fields | {"code": json.dumps(answer)})
    assert (again.status_code, await provider.idp.db.value(_EVENTS)) == (400, 1)


async def test_the_same_form_twice_goes_where_the_first_went(provider: Provider) -> None:
    key, browser = Key(), provider.browser()
    await set_up(provider, key)
    page = await browser.get(provider.authorize_url())
    answer = json.dumps(key.answer(options_in(page.text)))
    form, twin = browser.form("/with-passkey"), with_its_cookies(provider, browser)
    data = {each.name: each.value for each in form.fields} | {"code": answer}
    first = await browser.http.post(form.action, data=data)
    again = await twin.http.post(form.action, data=data)
    assert "code" in parameters(first)
    assert "code" in parameters(again)
    assert await provider.idp.db.value(_EVENTS) == 1


async def test_a_page_that_was_open_for_too_long_says_what_to_press(provider: Provider) -> None:
    key, browser = Key(), provider.browser()
    await set_up(provider, key)
    options = await at_the_door(provider, browser)
    provider.clock.move(HOUR)
    page = await only(browser, key.answer(options))
    assert "Press the button again" in page.text
    assert "code" in parameters(await only(browser, key.answer(options_in(page.text))))


async def test_a_new_one_begun_too_long_ago_is_begun_again(provider: Provider) -> None:
    key, browser = Key(), provider.browser()
    await come_in(provider, browser)
    options = options_in((await browser.get(NEW)).text)
    provider.clock.move(timedelta(minutes=11))
    page = await browser.submit(NEW, code=json.dumps(key.made(options)))
    assert "You are about to change how you sign in, so we ask first that it is you." in page.text
    assert await open_passkeys(provider, "bob") == []


# --- counts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stored", "count"), [(5, 5), (5, 4), (5, 0)])
async def test_a_count_that_goes_back_is_refused_and_told_and_closes_nothing(
    provider: Provider, stored: int, count: int
) -> None:
    key, browser = Key(count=stored), provider.browser()
    await set_up(provider, key)
    options = await asked(provider, browser)
    key.count = count
    for _ in range(2):
        answer = key.answer(options)
        key.count = count
        page = await second(browser, answer)
        assert "may have been copied" in page.text
    assert await notices(provider, Notice.PASSKEY_BEHIND) == [ALICE_PHONE]  # once
    trail = await provider.rows(_TRAIL, names=[PasskeyBehind.name])
    assert len(trail) == 2
    (kept,) = await open_passkeys(provider)
    assert kept["sign_count"] == stored
    key.count = stored + 1
    assert "code" in parameters(await second(browser, key.answer(options)))


async def test_it_is_told_of_one_that_signs_in_alone_too(provider: Provider) -> None:
    key, browser = Key(count=5), provider.browser()
    await set_up(provider, key)
    options = await at_the_door(provider, browser)
    key.count = 5
    assert "may have been copied" in (await only(browser, key.answer(options))).text
    assert await notices(provider, Notice.PASSKEY_BEHIND) == [ALICE_PHONE]


async def test_one_that_counts_nothing_goes_on_counting_nothing(provider: Provider) -> None:
    key = Key(count=None)
    await set_up(provider, key)
    for _ in range(3):
        browser = provider.browser()
        assert "code" in parameters(await only(browser, key.answer(await at_the_door(provider, browser))))


# --- once is once -----------------------------------------------------------------------------------


@pytest.mark.parametrize("round_", range(3))
async def test_many_answers_at_once_are_one_proof(provider: Provider, round_: int) -> None:
    key, browser = Key(count=None), provider.browser()
    await set_up(provider, key)
    page = await browser.get(provider.authorize_url())
    options = options_in(page.text)
    form = browser.form("/with-passkey")
    fields = {each.name: each.value for each in form.fields}
    answers = [json.dumps(key.answer(options)) for _ in range(8)]

    async def post(number: int) -> httpx.Response:
        one = with_its_cookies(provider, browser)
        return await one.http.post(form.action, data=fields | {"code": answers[number]})

    await at_once(8, post)
    assert await provider.idp.db.value(_EVENTS) == 1


async def test_of_many_with_one_count_each_to_its_own_challenge_one_is_accepted(provider: Provider) -> None:
    key = Key(count=5)
    await set_up(provider, key)
    browsers, answers = [provider.browser() for _ in range(4)], []
    for browser in browsers:
        options = await at_the_door(provider, browser)
        key.count = 6  # as that many copies of it would
        answers.append(json.dumps(key.answer(options)))

    async def post(number: int) -> httpx.Response:
        return await browsers[number].submit("/with-passkey", follow=False, code=answers[number])

    async def all_wait() -> bool:
        return bool(await provider.idp.db.value(_WAITING) == 4)

    # All of them are judged before any is recorded.
    async with provider.idp.db.transaction() as held:
        await held.one(_HOLD)
        tasks = [asyncio.create_task(post(number)) for number in range(4)]
        await comes(all_wait)
    await asyncio.gather(*tasks)
    assert await provider.idp.db.value(_EVENTS) == 1


async def test_many_forms_at_once_make_one_passkey(provider: Provider) -> None:
    key, browser = Key(), provider.browser()
    await come_in(provider, browser)
    page = await browser.get(NEW)
    made = json.dumps(key.made(options_in(page.text)))
    fields = {each.name: each.value for each in browser.form(NEW).fields} | {"code": made}
    answers = await asyncio.gather(*(browser.http.post(NEW, data=fields) for _ in range(6)))
    assert {answer.status_code for answer in answers} <= {200, 303}
    assert len(await open_passkeys(provider, "bob")) == 1


# --- hardware ---------------------------------------------------------------------------------------


async def vouched_for(
    provider: Provider, key: Key, maker: Maker, named: Maker, tmp_path: Path, **more: Any
) -> dict[str, Any]:
    """What a client is told of a passkey of this maker, where the operator named another or the same."""
    roots = tmp_path / "roots.pem"
    roots.write_bytes(Maker("Somebody else").pem + named.pem)
    provider.idp.settings = provider.idp.settings.model_copy(update={"passkey_roots": roots})
    owner, browser = provider.browser(), provider.browser()
    await come_in(provider, owner, "alice")
    await prove_app(provider, owner, NEW)
    page = await add(owner, key, maker=maker, **more)
    assert "Your passkey is set up." in page.text
    options = await at_the_door(provider, browser, acr_values="phrh phr")
    return await told(provider, await only(browser, key.answer(options)))


async def test_a_maker_that_the_operator_named_vouches_for_hardware(provider: Provider, tmp_path: Path) -> None:
    maker = Maker()
    found = await vouched_for(provider, Key(), maker, maker, tmp_path)
    assert (found["acr"], found["amr"]) == ("phrh", ["hwk", "user", "mfa"])


@pytest.mark.parametrize(
    ("key", "maker", "named"),
    [
        pytest.param(Key(), Maker(), Maker("Another"), id="a maker nobody named"),
        pytest.param(Key(), Maker(), Maker(), id="a maker of the same name"),
        pytest.param(Key(), Maker(by_itself=True), Maker(), id="by itself"),
        pytest.param(Key(flags=UP | UV | BE), SAME := Maker(), SAME, id="may be copied"),
        pytest.param(Key(), CARDS := Maker(unit="Card Authentication"), CARDS, id="for other keys of theirs"),
        pytest.param(Key(), OTHER := Maker(model=bytes(15) + b"\x01"), OTHER, id="for another model"),
    ],
)
async def test_nobody_else_does(provider: Provider, key: Key, maker: Maker, named: Maker, tmp_path: Path) -> None:
    found = await vouched_for(provider, key, maker, named, tmp_path)
    assert (found["acr"], found["amr"]) == ("phr", ["swk", "user", "mfa"])


async def test_whom_the_library_believes_is_not_whom_the_operator_named(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has roots of its own, of Apple and Google, and adds them to those that it is given."""
    apple = Maker("Apple, as the library knows it")
    monkeypatch.setattr("webauthn.registration.formats.apple.apple_webauthn_root_ca", apple.pem)
    found = await vouched_for(provider, Key(), apple, Maker(), tmp_path, apple=True)
    assert (found["acr"], found["amr"]) == ("phr", ["swk", "user", "mfa"])


async def test_apple_vouches_where_the_operator_named_it(provider: Provider, tmp_path: Path) -> None:
    apple = Maker("Apple")
    found = await vouched_for(provider, Key(), apple, apple, tmp_path, apple=True)
    assert found["acr"] == "phrh"


async def test_a_client_may_insist_on_hardware(provider: Provider) -> None:
    key, browser = Key(), provider.browser()
    await set_up(provider, key)
    must = json.dumps({"id_token": {"acr": {"essential": True, "value": "phrh"}}})
    answered = await only(browser, key.answer(await at_the_door(provider, browser, claims=must)))
    assert parameters(answered)["error"] == "unmet_authentication_requirements"


async def test_a_scope_may_demand_a_passkey(provider: Provider) -> None:
    level = AssuranceLevel.PHISHING_RESISTANT
    usual = provider.idp.policy
    transfers = replace(usual.scopes["transfers:write"], level=level)
    provider.idp.policy = replace(usual, scopes={**usual.scopes, "transfers:write": transfers})
    key, browser = Key(), provider.browser()
    await set_up(provider, key)
    options = await asked(provider, browser, scope="openid transfers:write")
    assert browser.page is not None
    assert "Use your authenticator app" not in browser.page.text
    await second(browser, key.answer(options))
    assert (await told(provider, await agreed(browser)))["acr"] == "phr"


# --- bytes of strangers -----------------------------------------------------------------------------


def _deep(inner: str) -> str:
    return "[" * 10_000 + inner + "]" * 20_000


HOSTILE = {
    "nothing": "",
    "no JSON": "passkey",
    "a number": "7",
    "a huge number": "1" * 5000,
    "not a number": "NaN",
    "a list": "[]",
    "an empty object": "{}",
    "deep": _deep("1"),
    "nulls": json.dumps({"id": None, "rawId": None, "type": None, "response": None}),
    "lists": json.dumps({"id": [], "rawId": [], "type": [], "response": []}),
    "another type": json.dumps({"id": "AA", "rawId": "AA", "type": "password", "response": {}}),
    "no base64": json.dumps({"id": "!", "rawId": "!", "type": "public-key", "response": {}}),
    "surrogates": '{"id": "\\ud800", "rawId": "\\ud800", "type": "public-key", "response": {}}',
    "long": json.dumps({"id": "A" * 40_000}),
    "client data is a list": json.dumps(
        {"id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": text(b"[]")}}
    ),
    "client data is deep": json.dumps(
        {"id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": text(b"[" * 9000)}}
    ),
    "client data is no text": json.dumps(
        {"id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": text(b"\xff\xfe{")}}
    ),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
async def test_bytes_of_strangers_are_refused_and_nothing_breaks(provider: Provider, body: str) -> None:
    key, browser = Key(), provider.browser()
    owner = await set_up(provider, key)
    await at_the_door(provider, browser)
    assert (await browser.submit("/with-passkey", code=body)).status_code in {400, 413}
    await asked(provider, browser)
    assert (await browser.submit("/passkey", code=body)).status_code in {400, 413}
    await owner.get(NEW)
    assert (await owner.submit(NEW, code=body)).status_code in {400, 413}


@pytest.mark.parametrize("field", ["attestationObject", "authenticatorData", "signature", "clientDataJSON"])
async def test_bytes_that_are_cut_or_turned_are_refused_everywhere(provider: Provider, field: str) -> None:
    key, browser = Key(), provider.browser()
    owner = await set_up(provider, key)
    new = options_in((await owner.get(NEW)).text)
    door = await at_the_door(provider, browser)
    fresh = Key()
    whole = fresh.made(new) if field == "attestationObject" else key.answer(door)
    bytes_ = raw(whole["response"][field])
    tried = [bytes_[:at] for at in range(0, len(bytes_), 11)]
    tried += [bytes_[:at] + bytes((bytes_[at] ^ 0x55,)) + bytes_[at + 1 :] for at in range(0, len(bytes_), 7)]
    for each in tried:
        whole["response"][field] = text(each)
        if field == "attestationObject":
            await owner.get(NEW)
            page = await owner.submit(NEW, code=json.dumps(whole))
        else:
            await at_the_door(provider, browser)
            page = await browser.submit("/with-passkey", code=json.dumps(whole))
        assert page.status_code in {200, 400, 429}, (field, page.status_code)
    assert await provider.idp.db.value(_EVENTS) == 0


# --- what it costs ----------------------------------------------------------------------------------


async def test_what_passkeys_cost_in_statements(provider: Provider) -> None:
    key, browser, other = Key(), provider.browser(), provider.browser()
    await come_in(provider, browser, "alice")
    page = await prove_app(provider, browser, NEW)
    made = json.dumps(key.made(options_in(page.text)))
    provider.count()
    answered = await browser.submit(NEW, code=made, follow=False)
    assert (answered.status_code, len(provider.statements)) == (303, 3), provider.statements
    page = await other.get(provider.authorize_url())
    answer = json.dumps(key.answer(options_in(page.text)))
    provider.count()
    assert "code" in parameters(await other.submit("/with-passkey", code=answer))
    assert len(provider.statements) == 3, provider.statements
    third = provider.browser()
    options = await asked(provider, third)
    provider.count()
    assert "code" in parameters(await second(third, key.answer(options)))
    assert len(provider.statements) == 2, provider.statements


async def test_a_page_that_offers_it_asks_the_database_nothing_more(provider: Provider) -> None:
    browser = provider.browser()
    provider.count()
    await browser.get(provider.authorize_url())
    assert provider.statements == []
