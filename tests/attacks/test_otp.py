"""Text message codes under attack (threats.md 3, OTP)."""

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
import httpx
import pytest
from sqlalchemy import Uuid, bindparam, func, literal_column, select

from idp.flows.operate.unlocking import unlock_user
from idp.sms import Outcome, Sent
from idp.store.engine import Database
from idp.store.schema.people import authentication_event, challenge
from tests.world.composed import Statement
from tests.world.provider import ALICE_PHONE, PASSWORD, Browser, Provider, parameters
from tests.world.stage import error_of, own_token


async def at_the_code(
    provider: Provider, username: str = "alice", **options: Any
) -> tuple[Browser, str, dict[str, str]]:
    """A browser on the page of the code: the browser, the form's action and its token."""
    browser = provider.browser(**options)
    await browser.get(provider.authorize_url())
    page = await browser.submit("/password", username=username, password=PASSWORD)
    action = f"{page.url.path}/sms"
    await browser.ask_for_text()
    return browser, action, own_token(provider, browser, action)


PROOFS = Statement(
    select(func.count()).where(
        authentication_event.c.interaction_id == bindparam("interaction", type_=Uuid),
        authentication_event.c.factor == literal_column("'sms'"),
    )
)


def wrong(right: str, by: int = 1) -> str:
    return f"{(int(right) + by) % 1_000_000:06d}"


async def fresh_code(provider: Provider, browser: Browser, action: str) -> str:
    send = f"{action}/send"
    answer = await browser.http.post(send, data=own_token(provider, browser, send))
    assert answer.status_code == 303, answer.text
    return (await provider.deliver())[-1]


async def not_signed_in(provider: Provider, browser: Browser) -> bool:
    answer = await browser.http.get(provider.authorize_url(prompt="none"))
    return "code=" not in answer.headers["location"] and error_of(answer) == "login_required"


async def test_of_forty_guesses_at_once_three_are_looked_at(provider: Provider) -> None:  # OTP-01
    browser, action, form = await at_the_code(provider)
    right = (await provider.deliver())[-1]
    answers = await asyncio.gather(
        *(browser.http.post(action, data={**form, "code": wrong(right, n)}) for n in range(1, 41))
    )
    assert {answer.status_code for answer in answers} == {400}
    compared = [answer for answer in answers if "is not right" in answer.text or "No tries are left" in answer.text]
    dead = [answer for answer in answers if "no longer works" in answer.text]
    assert (len(compared), len(dead)) == (3, 37)
    refused = await browser.http.post(action, data={**form, "code": right})
    assert refused.status_code == 400
    assert "no longer works" in refused.text
    assert await not_signed_in(provider, browser)
    assert "/sms/send" in refused.text
    provider.clock.move(timedelta(minutes=1))
    code = await fresh_code(provider, browser, action)
    assert "code" in parameters(await browser.post(action, {**form, "code": code}))


async def test_guesses_whose_answers_nobody_reads_are_spent(provider: Provider) -> None:  # OTP-03
    browser, action, form = await at_the_code(provider)
    right = (await provider.deliver())[-1]

    async def hang_up(code: str) -> None:
        """Send the request and be gone before the first byte of the answer."""
        body = urlencode({**form, "code": code}).encode()
        sent = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> dict[str, Any]:
            return next(sent, {"type": "http.disconnect"})

        async def send(_: Any) -> None:
            raise ConnectionResetError

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": action,
            "raw_path": action.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [
                (b"host", b"localhost:8000"),
                (b"content-type", b"application/x-www-form-urlencoded"),
                (b"content-length", str(len(body)).encode()),
                (b"cookie", f"stile={browser.token}".encode()),
            ],
            "client": ("192.0.2.1", 40000),
            "server": ("localhost", 8000),
        }
        with pytest.raises(ConnectionResetError):
            await provider.app(scope, receive, send)

    for n in range(1, 4):
        await hang_up(wrong(right, n))
    refused = await browser.http.post(action, data={**form, "code": right})
    assert (refused.status_code, "no longer works" in refused.text) == (400, True)
    assert await not_signed_in(provider, browser)


async def test_new_codes_do_not_buy_new_guesses(provider: Provider) -> None:  # OTP-04
    browser, action, form = await at_the_code(provider, "bob")
    right = (await provider.deliver())[-1]
    looked_at, waits, left = 0, [], 3
    while looked_at < 14:
        if left == 0:
            provider.clock.move(timedelta(minutes=33))
            browser, action, form = await at_the_code(provider, "bob", address=f"198.51.100.{looked_at}")
            right, left = (await provider.deliver())[-1], 3
        answer = await browser.http.post(action, data={**form, "code": wrong(right)})
        if answer.status_code == 429:
            wait = int(answer.headers["retry-after"])
            waits.append(wait)
            provider.clock.move(timedelta(seconds=wait - 1))
            assert (await browser.http.post(action, data={**form, "code": wrong(right)})).status_code == 429
            provider.clock.move(timedelta(seconds=1))
            continue
        assert answer.status_code == 400
        looked_at, left = looked_at + 1, left - 1
    # after a wait that is over anyway none is asked for, so only those inside one code's life are seen
    assert waits
    assert waits[0] in {30, 60, 120, 240}
    assert waits == sorted(waits)


async def test_a_hundred_failures_close_the_phone_and_no_wait_is_promised(
    provider: Provider, database_url: str
) -> None:  # OTP-04
    browser, action, form = await at_the_code(provider, "bob")
    right = (await provider.deliver())[-1]
    assert (await browser.http.post(action, data={**form, "code": wrong(right)})).status_code == 400
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("UPDATE rate_limit SET count = 100 WHERE count = 1 AND cardinality(hits) = 0")
    finally:
        await connection.close()
    refused = await browser.http.post(action, data={**form, "code": right})
    assert refused.status_code == 429
    assert "retry-after" not in refused.headers
    assert "closed now" in refused.text
    assert await not_signed_in(provider, browser)


@pytest.mark.parametrize(("left", "accepted"), [(2, True), (-2, False)])
async def test_a_code_works_for_five_minutes(provider: Provider, left: int, accepted: bool) -> None:  # OTP-07
    browser, action, form = await at_the_code(provider)
    code = (await provider.deliver())[-1]
    provider.clock.move(timedelta(minutes=5) - timedelta(seconds=left))
    answer = await browser.http.post(action, data={**form, "code": code})
    assert answer.status_code == (303 if accepted else 400)
    assert await not_signed_in(provider, browser) is not accepted


async def test_a_code_is_for_one_person_and_one_purpose(provider: Provider) -> None:  # OTP-09
    alice, _, _ = await at_the_code(provider, "alice")
    [alices] = await provider.deliver()
    bob, bobs_action, bobs_form = await at_the_code(provider, "bob", address="192.0.2.2")
    assert len(await provider.deliver()) == 2
    assert (await bob.http.post(bobs_action, data={**bobs_form, "code": alices})).status_code == 400
    stepping = provider.browser(address="192.0.2.3")
    provider.clock.move(timedelta(minutes=2))
    await provider.sign_in(stepping, "alice")
    page = await stepping.get(provider.authorize_url(scope="openid transfers:write"))
    for factor in ("sms", "totp", "recovery"):
        action = f"{page.url.path}/{factor}"
        refused = await stepping.http.post(action, data={**own_token(provider, stepping, action), "code": alices})
        assert refused.status_code == 400
    assert alice.token


MALFORMED = [
    "①②③④⑤⑥",
    "123456\n",
    "+123456",
    "123456.0",
    "12345",
    "1234567",
    "0x1234",
    "12345⑥",
    "²²²²²²",
    "-12345",
    "1e5555",
    "1" * 5000,
    "",
]


async def test_what_is_no_code_is_not_compared(provider: Provider) -> None:  # OTP-11
    browser, action, form = await at_the_code(provider)
    code = (await provider.deliver())[-1]
    shapes: list[Any] = [{**form, "code": typed} for typed in MALFORMED]
    shapes += [form, {**form, "code": f"{code}\n"}, {**form, "code": f"+{code}"}, {**form, "code": f"{code}.0"}]
    for shape in shapes:
        assert (await browser.http.post(action, data=shape)).status_code == 400, shape
    twice = f"{urlencode(form)}&code={code}&code={code}"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await browser.http.post(action, content=twice, headers=kind)).status_code == 400
    for body in (int(code), None, [code], {"code": code}):
        assert (await browser.http.post(action, json={**form, "code": body})).status_code == 400
    # none of it cost a try
    assert (await browser.http.post(action, data={**form, "code": wrong(code)})).text.count("2 tries") == 1
    spaced = f" {code[:3]}\u00a0{code[3:]}\u2011"
    assert (await browser.http.post(action, data={**form, "code": spaced})).status_code == 303


@pytest.mark.parametrize("zero", ["\uff10", "\u0660", "\u06f0", "\u0966"])
async def test_a_code_in_another_script_is_the_same_code_and_works_once(provider: Provider, zero: str) -> None:
    # OTP-11
    browser, action, form = await at_the_code(provider)
    code = (await provider.deliver())[-1]
    written = "\u200f" + "".join(chr(ord(zero) + int(digit)) for digit in code)
    assert (await browser.http.post(action, data={**form, "code": written})).status_code == 303
    for again in (written, code):
        await browser.http.post(action, data={**own_token(provider, browser, action), "code": again})
    assert await provider.rows(PROOFS, interaction=UUID(action.split("/")[2])) == [(1,)]


async def test_a_code_with_leading_zeros_is_typed_as_it_is(provider: Provider) -> None:  # OTP-11
    browser, action, form = await at_the_code(provider)
    code = ""
    for _ in range(200):  # in 200 codes one begins with 0, but for once in a billion runs
        code = (await provider.deliver())[-1]
        if code.startswith("0"):
            break
        provider.clock.move(timedelta(hours=25))
        browser, action, form = await at_the_code(provider)
    assert code.startswith("0")
    assert (await browser.http.post(action, data={**form, "code": code.lstrip("0")})).status_code == 400
    assert (await browser.http.post(action, data={**form, "code": code})).status_code == 303


async def test_of_twenty_requests_for_a_code_one_sends(provider: Provider) -> None:  # OTP-13
    browser, action, _ = await at_the_code(provider)
    await provider.deliver()
    provider.clock.move(timedelta(minutes=1))
    send = f"{action}/send"
    form = own_token(provider, browser, send)
    answers = await asyncio.gather(*(browser.http.post(send, data=form) for _ in range(20)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(await provider.deliver()) == 2
    assert len(refused) == 19
    # the second message in a row: the wait has doubled. Who asked a moment before the one that was first waits that
    # moment more, which is rounded up.
    assert all(1 <= int(answer.headers["retry-after"]) <= 121 for answer in refused)


async def test_the_sixth_message_waits_for_an_hour_to_pass_and_each_wait_is_honest(provider: Provider) -> None:
    # OTP-13; asked for from many places, for only the number's limit is meant
    began = provider.clock.now()
    for n in range(6):
        await at_the_code(provider, address=f"203.0.113.{n}")
        assert len(await provider.deliver()) == n + 1
        if n == 5:
            break
        browser, action, _ = await at_the_code(provider, address=f"203.0.113.{n}")
        assert len(await provider.deliver()) == n + 1
        send = f"{action}/send"
        refused = await browser.http.post(send, data=own_token(provider, browser, send))
        assert refused.status_code == 429
        wait = int(refused.headers["retry-after"])
        provider.clock.move(timedelta(seconds=wait - 1))
        early, _, _ = await at_the_code(provider, address=f"203.0.113.{n + 50}")
        assert early.page is not None
        assert len(await provider.deliver()) == n + 1
        provider.clock.move(timedelta(seconds=1))
    assert provider.clock.now() - began >= timedelta(hours=1)


async def test_two_people_with_one_number_share_its_limits(provider: Provider) -> None:  # OTP-13
    await provider.add_person("carol", number=ALICE_PHONE)
    await at_the_code(provider)
    assert len(await provider.deliver()) == 1
    browser, action, _ = await at_the_code(provider, "carol", address="203.0.113.9")
    assert len(await provider.deliver()) == 1
    provider.clock.move(timedelta(minutes=1))
    await fresh_code(provider, browser, action)
    assert len(await provider.deliver()) == 2
    # and whoever unlocks one of them frees the number
    assert await unlock_user(provider.idp, "alice") == ["text messages to the phone ending 45"]
    await at_the_code(provider, address="203.0.113.10")
    assert len(await provider.deliver()) == 3


async def test_without_a_right_password_nothing_is_sent(provider: Provider) -> None:  # OTP-14
    for n in range(40):
        browser = provider.browser(address=f"2001:db8:{n:x}::1")
        page = await browser.get(provider.authorize_url())
        name = ("alice", "bob", "nobody", "+1 (900) 555 0199")[n % 4]
        await browser.submit("/password", username=name, password=f"guess {n}")
        send = f"{page.url.path}/sms/send"
        await browser.http.post(send, data=own_token(provider, browser, send))
    assert await provider.deliver() == []


async def test_headers_do_not_make_a_new_address(provider: Provider) -> None:  # OTP-17
    answers = []
    for n in range(12):
        headers = {"X-Forwarded-For": f"10.0.0.{n}", "Forwarded": f"for=10.0.0.{n}", "X-Real-IP": f"10.0.0.{n}"}
        browser = provider.browser(address=f"2001:db8:1:2::{n:x}", headers=headers)
        await browser.get(provider.authorize_url())
        answers.append(await browser.submit("/password", username=f"nobody{n}", password="guess"))
    assert [answer.status_code for answer in answers[:5]] == [400] * 5
    assert {answer.status_code for answer in answers[5:]} == {429}
    elsewhere = provider.browser(address="2001:db8:1:3::1")
    await elsewhere.get(provider.authorize_url())
    assert (await elsewhere.submit("/password", username="nobody", password="guess")).status_code == 400


async def test_a_gateway_that_fails_tells_the_person(provider: Provider) -> None:
    provider.gateway.answers.extend([Sent(Outcome.REJECTED)] * 3)
    browser, action, _ = await at_the_code(provider)
    await provider.deliver()
    page: httpx.Response = await browser.http.get(action)
    assert page.status_code == 200
    assert "has not reached" in page.text


class Impatient(Database):
    """Waits for no lock, and for everything else as usual."""

    async def _connect(self) -> Any:
        raw = await super()._connect()
        await raw.execute("SET lock_timeout = '100ms'")
        return raw


LOCKED = {
    "session": "SELECT FROM session FOR UPDATE",
    "interaction": "SELECT FROM interaction FOR NO KEY UPDATE",
    "question": "SELECT FROM challenge FOR UPDATE",
    "limit": "SELECT FROM rate_limit FOR UPDATE",
}


@pytest.mark.parametrize("what", LOCKED)
@pytest.mark.parametrize("factor", ["sms", "totp", "recovery"])
async def test_an_attempt_that_was_not_spent_tells_nothing(
    provider: Provider, database_url: str, factor: str, what: str
) -> None:
    """Whoever could make it fail for right codes alone would guess for nothing: both lock the same, in one order."""
    browser, action, _ = await at_the_code(provider)
    saved = provider.saved["alice"]
    right = {"sms": (await provider.deliver())[-1], "totp": provider.totp(), "recovery": saved[0]}[factor]
    false = "abcd-efgh-jkmn-pqrs"[: len(saved[1])] if factor == "recovery" else wrong(right, 7)
    action = f"{action.rpartition('/')[0]}/{factor}"
    form = own_token(provider, browser, action)
    first = {**form, "code": false if factor == "recovery" else wrong(right)}
    assert (await browser.http.post(action, data=first)).status_code == 400  # now there is a row of everything
    patient, impatient = provider.idp.db, Impatient(database_url)
    await impatient.open()
    holder = await asyncpg.connect(database_url)
    try:
        provider.idp.db = impatient
        async with holder.transaction():
            await holder.execute(LOCKED[what])
            told = []
            for code in (right, false):
                answer = await browser.http.post(action, data={**form, "code": code})
                told.append((answer.status_code, answer.headers.get("location"), "set-cookie" in answer.headers))
    finally:
        provider.idp.db = patient
        await holder.close()
        await impatient.close()
    assert told[0] == told[1]
    assert told[0][0] == 503
    asked = challenge.c.interaction_id == UUID(action.split("/")[2])
    spent = await provider.rows(Statement(select(challenge.c.attempts).where(asked, challenge.c.factor == factor)))
    assert spent == [(1,)]
